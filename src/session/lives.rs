//! How long what was issued is good for: no longer than the token that it hangs on, which is extended where that helps.

use super::{Error, Order, Token};
use crate::credentials::{Credentials, Life};
use crate::duration::{granted, show};
use crate::ledger::Ledger;
use crate::vault::{self, Vault};

/// Whether some of these credentials end with the token that read them.
pub(super) fn depend_on_token(credentials: &[Credentials]) -> bool {
    // A key that was made at a cloud is deleted with its parent, which the token reads again.
    credentials.iter().any(|one| !one.outlives_token || one.external.is_some())
}

/// The effective lives: what ends with the token lives no longer than the token.
pub(super) async fn settle(
    vault: &Vault,
    token: &mut Token,
    credentials: &mut [Credentials],
    order: &Order,
    ledger: &mut Ledger,
) -> Result<(), Error> {
    if depend_on_token(credentials) {
        let longest = credentials
            .iter()
            .filter(|one| !one.outlives_token || one.external.is_some())
            .filter_map(|one| one.life)
            .max_by_key(|life| life.ttl);
        extend(vault, token, longest, order).await?;
        if let Some(life) = token.life {
            ledger.renewed(&token.secret, life.until);
        }
        for (one, request) in credentials.iter_mut().zip(&order.requests) {
            if !one.outlives_token {
                one.life = one.life.into_iter().chain(token.life).min_by_key(|life| life.until);
                one.tell_end(request.expiry_variable.as_deref());
            }
        }
    }
    for (one, request) in credentials.iter().zip(&order.requests) {
        if let (Some(wanted), Some(life)) = (request.min_ttl, one.life)
            && life.ttl < wanted
        {
            return Err(Error::TooShort { provider: one.issued_by.name(), life: life.ttl, wanted });
        }
    }
    Ok(())
}

/// Renews a token of ours that ends before the lease; looks a given one up where its end matters.
async fn extend(vault: &Vault, token: &mut Token, lease: Option<Life>, order: &Order) -> Result<(), Error> {
    // A token of --dead-man lives as long as it is renewed: its TTL says nothing.
    let (Some(lease), false) = (lease, token.counted || token.window.is_some()) else { return Ok(()) };
    // The agent renews its own.
    if token.is_agents() {
        return Ok(());
    }
    if token.given {
        let matters = order.requests.iter().any(|request| request.min_ttl.is_some());
        if order.look_up || matters {
            let info = match vault.lookup_self(&token.secret).await {
                // A policy may lack the look-up; only --min-ttl can't do without it.
                Err(error) if !matters => {
                    tracing::debug!("the end of VAULT_TOKEN is not known: {error}");
                    None
                }
                info => Some(info?),
            };
            token.life = info.and_then(|info| Life::new(info.ttl?, vault::now()));
        }
        return Ok(());
    }
    if token.renewable && token.life.is_some_and(|life| life.ends_before(&lease)) {
        match vault.renew_self(&token.secret, lease.ttl.as_secs()).await {
            Ok(auth) => token.life = Life::new(granted(auth.lease_duration), vault::now()),
            Err(error) => tracing::warn!("the token could not be renewed: {error}"),
        }
    }
    if let Some(life) = token.life.filter(|life| life.ends_before(&lease)) {
        // A periodic token is granted one period at a time, and goes on.
        let unless = if token.renewable && order.look_up {
            ", unless it is renewed while the command runs,"
        } else {
            ""
        };
        let (token, lease) = (show(life.ttl), show(lease.ttl));
        tracing::warn!(
            "the login's token ends after {token}{unless} and takes the credentials with it; their lease is {lease}"
        );
    }
    Ok(())
}
