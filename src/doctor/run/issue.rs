//! `--issue`: issues one credential of each kind, as the run would. It must not keep one.

use super::{Step, Walk};
use crate::credentials::{Credentials, Life};
use crate::duration::{self, granted, show};
use crate::ledger::Ledger;
use crate::provider::Request;
use crate::session::{self, Token};
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, vault: &Vault, token: &mut Token) -> Vec<Step> {
    let mut steps = Vec::new();
    for request in walk.config.requests.iter().filter(|_| walk.issue) {
        let step = issued(vault, token, request, &mut walk.ledger).await;
        let step = match walk.ledger.write_ahead(vault.shutdown()).await {
            Ok(()) => step,
            Err(error) => step.and(Err(error.into())),
        };
        walk.lost |= step.as_ref().is_err_and(session::Error::is_lost);
        steps.push(step.unwrap_or_else(|error| Step::failed("issue", &error).absent(is_refused(&error))));
    }
    steps
}

/// Whether the policy, the mount or the engine's role may be missing.
fn is_refused(error: &session::Error) -> bool {
    let session::Error::Vault(advised) = error else { return false };
    advised.error.refusal().is_some_and(|(status, _)| matches!(status, 403 | 404))
}

async fn issued(
    vault: &Vault,
    token: &mut Token,
    request: &Request,
    ledger: &mut Ledger,
) -> Result<Step, session::Error> {
    let credentials = session::issue_alone(vault, token, request, ledger).await?;
    let life =
        credentials.life.map_or("no expiry".to_owned(), |life| format!("valid {}", duration::life(life.ttl)));
    let seen = format!("{} issued, {life}", credentials.path);
    Ok(match outlived(vault, token, &credentials).await {
        Some(hint) => Step::warn("issue", seen, hint),
        None => Step::ok("issue", seen),
    })
}

/// Whether the token ends before the lease, after the renewal that the run would ask for.
async fn outlived(vault: &Vault, token: &mut Token, credentials: &Credentials) -> Option<String> {
    let lease = credentials.life.filter(|_| !credentials.outlives_token)?;
    let short = |life: Option<Life>| life.filter(|life| life.ends_before(&lease));
    short(token.life)?;
    if token.renewable && !token.given {
        let renewed = vault.renew_self(&token.secret, lease.ttl.as_secs()).await.ok()?;
        token.life = Life::new(granted(renewed.lease_duration), crate::vault::now());
    }
    let life = short(token.life)?;
    Some(format!(
        "the token ends after {0} and takes the key with it: set token_ttl={1} token_max_ttl={1} on the login's role",
        show(life.ttl),
        show(lease.ttl)
    ))
}
