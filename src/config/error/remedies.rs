//! The remedy and the exit code of each error. It must not show a value that may be a secret.

use super::Error;
use crate::auth::METHODS;
use crate::ci;
use crate::cloud::aws::SOURCES;
use crate::config::login;
use crate::emit::FORMATS;
use crate::error::{Code, Explain, leave_out};

/// Why a variable that somebody has set may be missing where nobody expects it, which is the likeliest cause, and
/// advice.
fn with_reason(hint: String, why_unset: &Option<String>) -> Vec<String> {
    why_unset.clone().into_iter().chain([hint]).collect()
}

/// Where the content itself belongs that stands where the path of a file is meant: the end of the flag's or variable's
/// name, and the variable.
const CONTENT: &[(&[&str], &str)] = &[
    (&["--client-key", "_CLIENT_KEY"], "VAULT_CLIENT_KEY_BYTES"),
    (&["--client-cert", "_CLIENT_CERT"], "VAULT_CLIENT_CERT_BYTES"),
    (&["--ca-cert", "_CACERT"], "VAULT_CACERT_BYTES"),
    (&["--wrapped-secret-id-file", "_WRAPPED_SECRET_ID_FILE"], "VAULT_WRAPPED_SECRET_ID"),
    (&["--secret-id-file", "_SECRET_ID_FILE"], "VAULT_SECRET_ID"),
    (&["--id-token-file", "_ID_TOKEN_FILE"], "VAULT_ID_TOKEN"),
    (&["--gitlab-token-file", "_GITLAB_TOKEN_FILE"], "CI_CREDS_GITLAB_TOKEN"),
    (&["_TOKEN_PATH"], "VAULT_TOKEN"),
];

/// What to do about content where a path or a name is meant.
fn content(source_name: &str, meant: &str) -> String {
    if source_name.contains("id-token-env") || source_name.contains("ID_TOKEN_ENV") {
        return format!(
            "set {source_name} to the name of the variable that has the token, such as VAULT_ID_TOKEN"
        );
    }
    let system = ci::current().name;
    let own = CONTENT.iter().find(|(ends, _)| ends.iter().any(|end| source_name.ends_with(end)));
    match (own, source_name.starts_with('-')) {
        (Some((_, variable)), true) => format!("give the path of a file, or set {variable} to what it holds"),
        (Some((_, variable)), false) => {
            format!("set {variable} instead, or make the {system} variable {source_name} one of type File")
        }
        (None, false) if meant.starts_with("the path") => {
            format!("make the {system} variable {source_name} one of type File, or set it to {meant}")
        }
        (None, _) => format!("set {source_name} to {meant}"),
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Value { by_flag: true, .. }
            | Self::Content { by_flag: true, .. }
            | Self::Method { by_flag: true, .. }
            | Self::Format { by_flag: true, .. }
            | Self::Id { by_flag: true, .. }
            | Self::Without { .. }
            | Self::AwsSource { by_flag: true, .. }
            | Self::FieldName { by_flag: true, .. }
            | Self::Pair { .. }
            | Self::Path { .. }
            | Self::VariableName(_)
            | Self::DangerousName(_)
            | Self::WithoutCommand(_)
            | Self::WithCommand(_)
            | Self::Merge(_)
            | Self::StdinTaken { .. }
            | Self::Twice { .. } => Code::Usage,
            _ => Code::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoAddress => "set VAULT_ADDR or --addr, such as https://vault.example.com:8200".to_owned(),
            Self::HiddenAddress => "unset BAO_ADDR, or set it to the address".to_owned(),
            Self::BaseUrl => "set VAULT_ADDR to the same address without /v1 at its end; a variable \
                              @url@http://vault-secrets-provider/api/secrets/PATH?field=FIELD becomes \
                              `ci-creds read PATH NAME=FIELD`"
                .to_owned(),
            Self::Address { source_name, example, .. } => {
                format!("set {source_name} to an address such as {example}")
            }
            Self::Unexpanded { source_name, variable } => format!(
                "is {variable} defined, and for this job? A protected variable is not there on other refs; or unset \
                 {source_name}"
            ),
            Self::PathForValue { source_name, instead } => {
                let instead = instead.as_ref().map(|instead| format!("{instead} takes the file; or "));
                let start = instead.unwrap_or_default();
                let (system, by_value) = (ci::current().name, ci::current().secret_by_value);
                format!(
                    "{start}make it a variable with the value in it: in {system} {source_name} is of type File ({by_value})"
                )
            }
            Self::Reference { name, .. } => format!(
                "the form is vault:PATH#FIELD; where {name} is no reference, leave it out with --except {name}, or write \
                 vault:: for vault:"
            ),
            Self::NeverReference { .. } => {
                "outsiders can write variables of the CI system, and VAULT_, BAO_ and CI_CREDS_ variables log in: use \
                 another name"
                    .to_owned()
            }
            Self::RepeatedReference { name, .. } => format!(
                "--only names the variables that are meant; --except {name} leaves this one as it is"
            ),
            Self::OnlyUnset { name } => format!("set {name} to vault:PATH#FIELD, or take it out of --only"),
            Self::NoReference => {
                "set a variable of the job to vault:PATH#FIELD, or leave --require out".to_owned()
            }
            Self::PlainHttp { can_be_allowed: false, .. } => {
                "use https; --allow-http is for Vault alone".to_owned()
            }
            Self::PlainHttp { .. } => {
                "use https; where plain http is meant, set CI_CREDS_ALLOW_HTTP=true or --allow-http"
                    .to_owned()
            }
            Self::Namespace { source_name } => {
                format!("set {source_name} to a path such as team-a/project-b")
            }
            Self::HalfClient { source_name } => format!("set the other one too, or {}", leave_out(source_name)),
            Self::Value { source_name, .. } => format!("correct it, or {}", leave_out(source_name)),
            Self::Content { source_name, meant, .. } => content(source_name, meant),
            Self::Method { .. } => {
                format!("the logins are {}", names(METHODS.iter().map(|method| method.name)))
            }
            Self::Format { .. } => {
                format!("the formats are {}", names(FORMATS.iter().map(|format| format.name)))
            }
            Self::NoLogin { ci, why_unset } => {
                let named = login::named_only().collect::<Vec<_>>().join(", ");
                let set = format!(
                    "{}, or set one of these variables; VAULT_AUTH_METHOD names any other login: {named}",
                    ci.id_token_in("VAULT_ID_TOKEN")
                );
                return with_reason(set, why_unset);
            }
            Self::NoLoginRole { .. } => "set VAULT_AUTH_ROLE or --auth-role".to_owned(),
            Self::AwsSource { .. } => {
                format!("the sources are {}", names(SOURCES.iter().map(|source| source.name)))
            }
            Self::Ambiguous { .. } => "set VAULT_AUTH_METHOD (or --auth) to approle or jwt".to_owned(),
            Self::MissingLoginParameter { ci, remedy, why_unset, .. } => {
                let remedy = remedy.replace("{id_token}", &ci.id_token_in("VAULT_ID_TOKEN"));
                return with_reason(remedy, why_unset);
            }
            Self::NamedTokenUnset { ci, variable, why_unset, .. } => {
                return with_reason(ci.id_token_in(variable), why_unset);
            }
            Self::NoAppRole => "set VAULT_AUTH_ROLE or --auth-role to the AppRole's name".to_owned(),
            Self::NoRole { provider } => format!(
                "give ROLE, or set CI_CREDS_{}_ROLE, CI_CREDS_ROLE or VAULT_AUTH_ROLE",
                crate::options::env_suffix(provider)
            ),
            Self::Ttl { provider, .. } => format!(
                "leave it out; the engine's role sets the TTL, and an operator changes it: vault write {provider}/role/ROLE \
                 ttl=15m, beside the role's other fields"
            ),
            Self::StepNeeds { provider, need, .. } => {
                let variables = need.opt.variables(Some(provider)).join(" or ");
                format!("give --{} or {variables}; {}", need.opt.name, need.found)
            }
            Self::Id { title, .. } => format!("copy it from {title}'s console"),
            Self::Without { switch, .. } => format!("add {switch}, or leave it out"),
            Self::Path { .. } => "write it without empty parts, `.` and `..`".to_owned(),
            Self::FieldName { .. } => "write OURS=THEIRS, with one of these for OURS".to_owned(),
            Self::Pair { .. } => return Vec::new(),
            Self::VariableName(_) => "use letters, digits and _, and no digit first".to_owned(),
            Self::DangerousName(_) => {
                "choose another name; where this is meant, add --allow-any-name".to_owned()
            }
            Self::Twice { .. } => "issue them in two calls, or choose other names".to_owned(),
            Self::WithoutCommand(_) | Self::WithCommand(_) => "leave it out".to_owned(),
            Self::Merge(_) => {
                "for example: ci-creds aws --format aws-credentials --output ~/.aws/credentials --merge --profile ci"
                    .to_owned()
            }
            Self::StdinTaken { .. } => "name a file, or use the variable".to_owned(),
            Self::AgentsToken => {
                "leave `login` out: `vault`, `bao` and Terraform use the agent themselves, with its address in VAULT_ADDR \
                 and no VAULT_TOKEN"
                    .to_owned()
            }
            Self::NoProjectDir { .. } | Self::NoStateFile { .. } => {
                "name the file with --state-file or CI_CREDS_STATE_FILE".to_owned()
            }
            Self::Policy(refused) => return refused.hints(),
            Self::NotText(error) => return error.hints(),
        };
        vec![hint]
    }
}
