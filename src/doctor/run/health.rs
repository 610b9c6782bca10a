//! Says which server it is, and whether it works. It must not need a token.

use super::{Step, Way};
use crate::error::Code;
use crate::vault::Health;

pub(super) async fn look(way: &mut Way) -> Vec<Step> {
    way.health
        .iter()
        .map(|health| match health {
            Ok(health) => state(health),
            // A front that forbids this path may let the run through: the login shows it.
            Err(error) if error.is_by_front() => Step::not_told("health", error),
            Err(error) => Step::failed("health", error),
        })
        .collect()
}

fn state(health: &Health) -> Step {
    let product = health.product();
    if !health.initialized {
        return Step::fail("health", Code::Unreachable, format!("{product} is not initialised"))
            .hint("initialise it: vault operator init");
    }
    if health.sealed {
        return Step::fail("health", Code::Unreachable, format!("{product} is sealed"))
            .hint("unseal it, then retry the job");
    }
    let standby = if health.standby { ", a standby" } else { ", active" };
    Step::ok("health", format!("{product}, unsealed{standby}"))
}
