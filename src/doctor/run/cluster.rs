//! Checks whether a standby answers, and whether a run sees through it what it has just written. It must not write
//! anything: it comes after the login, which writes.

use super::{Step, Walk};
use crate::session::Token;
use crate::vault::Vault;

pub(super) async fn look(_: &mut Walk, vault: &Vault, token: &mut Token) -> Vec<Step> {
    let Some(health) = vault.health().await.ok().filter(|health| health.standby) else { return Vec::new() };
    let node = format!("a standby of {} answers", health.product());
    vec![match (vault.hands_out_index(), token.given) {
        (true, _) => Step::ok("cluster", format!("{node}; by its index a run sees what it has just written")),
        (false, true) => {
            Step::ok("cluster", format!("{node}; whether it hands out an index shows after a login"))
        }
        (false, false) => Step::warn(
            "cluster",
            format!("{node}, without an index: for some 100 ms it may not know what was just written"),
            "update to OpenBao 2.7, set disable_standby_reads = true, or let VAULT_ADDR lead to the active node",
        ),
    }]
}
