//! Warns of variables that look like ours and belong to no option: a misspelt one would be ignored silently. It must
//! not show their values.

use crate::env::Env;
use crate::options::{FLAGS, Opt, VARIABLES};
use crate::provider::PROVIDERS;

const PREFIX: &str = "CI_CREDS_";
/// Names with our prefix that scripts use for themselves, as the component in templates/ does.
const OF_PIPELINES: &[&str] = &["CI_CREDS_VERSION", "CI_CREDS_SHA256", "CI_CREDS_TOOLS"];
/// The most letters by which a misspelt name may differ.
const FAR: usize = 4;

/// Warns of each variable that has our prefix and no meaning, with the nearest name that has one.
pub(crate) fn warn_of_unknown(env: &Env) {
    let mut unknown: Vec<_> = env.texts(PREFIX).map(|(name, _)| name).collect();
    unknown.retain(|name| !OF_PIPELINES.contains(name));
    if unknown.is_empty() {
        return;
    }
    let known = known();
    unknown.retain(|name| known.iter().all(|one| one != name));
    unknown.sort_unstable();
    for name in unknown {
        let shown = crate::input::shown(name);
        match nearest(name, &known) {
            Some(near) => tracing::warn!("{shown} has no effect: is {near} meant?"),
            None => tracing::warn!("{shown} has no effect: no option has this name"),
        }
    }
}

/// Every variable of ours.
fn known() -> Vec<String> {
    let rows = || FLAGS.iter().flat_map(|group| group.options).chain(VARIABLES.options).copied();
    let own = rows().flat_map(|row: &Opt| row.variables(None));
    let of_clouds = PROVIDERS.iter().flat_map(|provider| {
        let options = provider.options.iter().map(|option| option.opt);
        rows().chain(options).flat_map(|row| row.variables(Some(provider.name)))
    });
    own.chain(of_clouds).filter(|name| name.starts_with(PREFIX)).collect()
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    crate::text::nearest(name, known.iter().map(String::as_str), FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_are_near() {
        let known = known();
        for (typed, meant) in [
            ("CI_CREDS_STATEFILE", "CI_CREDS_STATE_FILE"),
            ("CI_CREDS_AWS_REGOIN", "CI_CREDS_AWS_REGION"),
            ("CI_CREDS_EXOSCALE_MOUNTS", "CI_CREDS_EXOSCALE_MOUNT"),
            ("CI_CREDS_ROLES", "CI_CREDS_ROLE"),
        ] {
            assert_eq!(nearest(typed, &known), Some(meant), "{typed}");
        }
        assert_eq!(nearest("CI_CREDS_SOMETHING_ELSE_ALTOGETHER", &known), None);
    }
}
