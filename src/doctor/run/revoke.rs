//! Revokes the token of this look, and what it issued. It must not revoke a token that was given.

use super::{Step, Walk};
use crate::ledger::{Ledger, Left};
use crate::session::Token;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, vault: &Vault, token: &mut Token) -> Vec<Step> {
    let step = revoke(vault, token, &mut walk.ledger, walk.lost);
    step.await.into_iter().collect()
}

/// `lost`: an answer did not arrive, so that not everything that the token issued is known.
async fn revoke(vault: &Vault, token: &Token, ledger: &mut Ledger, lost: bool) -> Option<Step> {
    if token.given {
        return None;
    }
    if ledger.has_externals() {
        // A key that was made at a cloud is deleted with its parent, which the token reads.
        return Some(match ledger.revoke_all(vault).await {
            Left::Nothing if lost => Step::ok("revoke", "what this look knows of is taken back"),
            Left::Nothing => Step::ok("revoke", "what this look made is taken back"),
            _ => Step::skip("revoke", "what could not be taken back is named in a warning"),
        });
    }
    if !ledger.lists(&token.secret) {
        ledger.revoke_all(vault).await;
        return Some(Step::skip("revoke", "others have this token too: it ends with its TTL"));
    }
    let step = match vault.without_cancellation().revoke_self(&token.secret).await {
        Ok(()) => {
            ledger.has_ended(vault.shutdown()).await;
            let rest = if lost { "what may be left is named above" } else { "and what it issued with it" };
            Step::ok("revoke", format!("the token of this look is revoked, {rest}"))
        }
        Err(error) => Step::skip("revoke", format!("the token of this look ends with its TTL: {error}")),
    };
    Some(step)
}
