//! Lists what is set, and where. It must not show a secret.

use super::{Step, Walk};

pub(super) async fn look(walk: &mut Walk) -> Vec<Step> {
    let shown = walk.sources.iter().map(|one| match &one.value {
        Some(value) => format!("{}={value}", one.source),
        None => format!("{} (set, not shown)", one.source),
    });
    let shown: Vec<_> = shown.collect();
    let seen = if shown.is_empty() { "nothing is set".to_owned() } else { shown.join(", ") };
    vec![Step::ok("configuration", seen)]
}
