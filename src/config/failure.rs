//! What a failure needs to know of a run before the rest is understood: whether an `eval` may read stdout, and which
//! variables it unsets. It must not fail: what can't be read is an error later on.

use super::lookup::Lookup;
use super::{hands_over, names, output, references, steps};
use crate::cli::{Ask, Parsed, Verb};
use crate::env::Env;

/// The variables that a run may set or unset: known before the rest is, for a failure.
pub(crate) fn variables(parsed: &Parsed, env: &Env) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let asks = std::iter::once(match &parsed.verb {
        Verb::Provider(ask) => Some(ask),
        _ => None,
    });
    let asks = asks.chain(parsed.and.iter().map(Option::as_ref)).flatten();
    for (number, Ask { provider, .. }) in asks.enumerate() {
        names.extend(provider.variables());
        let flags_count = number == 0 && matches!(parsed.verb, Verb::Provider(_));
        let lookup = Lookup { flags: &parsed.flags, env, provider: Some(provider.name), flags_count };
        let steps = steps::wanted(provider, &lookup).unwrap_or_default();
        names.extend(steps.into_iter().flat_map(|step| step.access).map(|&name| name.to_owned()));
    }
    if let Verb::Read(paths) = &parsed.verb {
        names.extend(paths.iter().flat_map(|one| &one.names).filter_map(|pair| names::name_of(pair)));
    }
    if matches!(parsed.verb, Verb::Env) {
        names.extend(references::variables(&Lookup::of(parsed, env)));
    }
    if hands_over(parsed) {
        names.extend(["VAULT_TOKEN", "BAO_TOKEN"].map(str::to_owned));
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    names
}

/// Whether stdout is where the credentials of this command line would go, so that an `eval` may read it.
pub(crate) fn prints(parsed: &Parsed, env: &Env) -> bool {
    if let Verb::Setup(setup) = &parsed.verb {
        // Its output is meant for a shell.
        return setup.format == "sh" && !setup.check;
    }
    let lookup = Lookup::of(parsed, env);
    let is_dry_run = matches!(&parsed.verb, Verb::Doctor(doctor) if doctor.dry_run);
    // A variable that can't be read is an error later on; until then, assume that stdout is evaluated.
    let never = matches!(
        parsed.verb,
        Verb::Completions(_)
            | Verb::Doctor(_)
            | Verb::Revoke
            | Verb::Scan(_)
            | Verb::Status { .. }
            | Verb::Rotate
    );
    (is_dry_run || !never) && parsed.command.is_empty() && output::file(&lookup).ok().flatten().is_none()
}
