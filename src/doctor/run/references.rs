//! Names references of other tools in the job's variables. It must not resolve them: ci-creds leaves them as they are.

use super::{Step, Walk};
use crate::input;

pub(super) async fn look(walk: &mut Walk) -> Vec<Step> {
    let step = |(name, start): &(String, &str)| {
        let name = input::shown(name);
        let hint = format!("if the job's command needs it, read it with `ci-creds read PATH {name}=FIELD`");
        Step::warn("references", format!("{name} begins with {start}, another tool's reference"), hint)
    };
    walk.foreign.iter().map(step).collect()
}
