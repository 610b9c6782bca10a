//! Makes the call of `setup` that prints what Vault must have for this run, for the last hint of a report. It must not
//! say that Vault lacks something.

use super::Walk;
use crate::claims::Claims;
use crate::cli::again;

/// The hint; none for a login that nothing is set up for, such as a token that is given.
pub(super) fn hint(walk: &Walk, call: &Call) -> Option<String> {
    let Call { variables, words, command } = call;
    let (who, of) = match (walk.config.login.method.name, &walk.claims) {
        ("jwt", claims) => (jobs(claims.as_ref()), claims.as_ref().and_then(project)),
        ("approle", _) => ("--auth approle".to_owned(), None),
        ("kubernetes", claims) => {
            (format!("--auth kubernetes --service-account {}", account(claims.as_ref())), None)
        }
        ("aws", _) => ("--auth aws --principal ARN".to_owned(), None),
        _ => return None,
    };
    let of = of.map(|project| format!(" in jobs of {project}")).unwrap_or_default();
    Some(format!(
        "an operator prints what Vault must have for this run{of}: `{variables}{words} {who}{command}`"
    ))
}

/// The run's own words, for `hint`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// What goes before the call: the variables that the run reads and that an operator's shell lacks, each with a
    /// blank behind it.
    pub variables: String,
    /// `ci-creds setup exoscale ci`.
    pub words: String,
    /// ` -- COMMAND`, or nothing.
    pub command: &'static str,
}

impl Call {
    /// The words of this run, which reads these variables.
    pub(crate) fn of(run: &crate::cli::Parsed, variables: &[(String, String)]) -> Self {
        let (words, command) = again::setup(run);
        let variables = variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        Self { variables, words, command }
    }
}

fn project(claims: &Claims) -> Option<String> {
    claims.shown("project_path")
}

/// The jobs that have these claims. A ref that anybody may push to is not named: protected ones are let in instead.
fn jobs(claims: Option<&Claims>) -> String {
    let claim = |name: &str| claims?.shown(name);
    let mut words = vec![("--project", claim("project_id").unwrap_or_else(|| "ID".to_owned()))];
    if claim("ref_protected").as_deref() == Some("true") {
        let tag = claim("ref_type").as_deref() == Some("tag");
        let prefix = if tag { "refs/tags/" } else { "" };
        words.extend(claim("ref").map(|name| ("--ref", format!("{prefix}{name}"))));
    }
    for (option, name) in [("--environment", "environment"), ("--audience", "aud"), ("--gitlab-url", "iss")] {
        words.extend(claim(name).map(|value| (option, value)));
    }
    let word = |(option, value): &(&str, String)| format!("{option} {}", again::shown(value));
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// `ci/deployer`, of a pod's token.
fn account(claims: Option<&Claims>) -> String {
    let subject = claims.and_then(|claims| claims.shown("sub")).unwrap_or_default();
    match subject.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, name)) => again::shown(&format!("{namespace}/{name}")),
        None => "NAMESPACE/NAME".to_owned(),
    }
}
