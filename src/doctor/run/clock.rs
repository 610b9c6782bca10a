//! Compares this machine's clock with Vault's. It must not say which of the two is right, nor end the report: a run works
//! with a wrong clock, unless its login is signed.

use std::time::Duration;

use jiff::Timestamp;

use super::{Step, Way};
use crate::error::Code;
use crate::vault::{self, Health};

/// A warning from this difference on; Vault's JWT method allows 60 s by itself (go-jose `jwt/validation.go`).
const SKEW_SEEN: i64 = 30;

pub(super) async fn look(way: &mut Way) -> Vec<Step> {
    let health = way.health.iter().flatten();
    health.filter_map(Health::time).map(clock).collect()
}

fn clock(theirs: Timestamp) -> Step {
    let ahead = vault::now().as_second() - theirs.as_second();
    let length = crate::duration::show(Duration::from_secs(ahead.unsigned_abs()));
    let which = if ahead > 0 { "ahead of" } else { "behind" };
    let hint = "set the clock of the runner, or of Vault's machine: times in tokens and credentials are off";
    match ahead.abs() {
        SKEW_SEEN.. => {
            let seen = format!("this machine's clock is {length} {which} Vault's");
            Step::warn("clock", seen, hint).code(Code::Environment)
        }
        1.. => Step::ok("clock", format!("{length} {which} Vault's")),
        _ => Step::ok("clock", "the same as Vault's"),
    }
}
