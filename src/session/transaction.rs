//! A run is a transaction (DESIGN, rule 5): it gives everything, or takes back what it got.
//!
//! A token is never revoked while a request on it that creates something is unanswered: the engine would make a key
//! without a lease, or a lease that outlives the token. So all answers come first; then what there is goes.

use std::time::Duration;

use super::{Error, Order, Session, Token, depends_on_token, gather, issue, log_in};
use crate::credentials::{Credentials, Life};
use crate::ledger::Ledger;
use crate::vault::{self, Vault};

/// After a lost answer: time for the engine to end what it is at, so that its lease is registered.
const SETTLE: Duration = Duration::from_secs(2);

/// Obtains everything that `order` asks for. On failure the ledger is empty again.
pub async fn obtain(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Session, Error> {
    let order = &Order { requests: gather::data(&order.requests)?, ..order.clone() };
    let first = attempt(vault, order, ledger).await;
    let error = match first {
        Ok(session) => return Ok(session),
        Err(error) => error,
    };
    if error.is_lost() {
        tokio::time::sleep(SETTLE).await;
    }
    ledger.take_back(vault).await;
    if !error.is_lost() {
        return Err(error);
    }
    if order.login.repeatable() && order.login.method.request.is_some() {
        tracing::warn!("{error}; what it may have made is revoked, and the run starts once more");
        let second = attempt(vault, order, ledger).await;
        if let Err(error) = &second {
            if error.is_lost() {
                tokio::time::sleep(SETTLE).await;
                name_leftovers(order);
            }
            ledger.take_back(vault).await;
        }
        return second;
    }
    name_leftovers(order);
    Err(error)
}

async fn attempt(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Session, Error> {
    let mut token = log_in(vault, &order.login, ledger).await?;
    let answers = order.requests.iter().map(|request| issue::one(vault, &token, request));
    // All answers are awaited, also when one of them is an error.
    let answers = futures_util::future::join_all(answers).await;
    for credentials in answers.iter().flatten() {
        ledger.issued(&token.secret, credentials);
    }
    let mut credentials = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    settle_lives(vault, &mut token, &mut credentials, order.min_ttl).await?;
    Ok(Session { token, credentials })
}

/// The effective lives (DESIGN, rule 6): what dies with the token lives no longer than it.
async fn settle_lives(
    vault: &Vault,
    token: &mut Token,
    credentials: &mut [Credentials],
    min_ttl: Option<Duration>,
) -> Result<(), Error> {
    if depends_on_token(credentials) {
        let longest = credentials
            .iter()
            .filter(|one| !one.outlives_token || one.minted.is_some())
            .filter_map(|one| one.life)
            .max_by_key(|life| life.ttl);
        extend(vault, token, longest, min_ttl.is_some()).await?;
        for one in credentials.iter_mut().filter(|one| !one.outlives_token) {
            one.life = one.life.into_iter().chain(token.life).min_by_key(|life| life.until);
        }
    }
    for one in credentials.iter() {
        if let (Some(wanted), Some(life)) = (min_ttl, one.life)
            && life.ttl < wanted
        {
            return Err(Error::TooShort { provider: one.provider.clone(), life: life.ttl, wanted });
        }
    }
    Ok(())
}

/// Renews a token of ours that ends before the lease; looks a given one up where its end matters.
async fn extend(vault: &Vault, token: &mut Token, lease: Option<Life>, matters: bool) -> Result<(), Error> {
    let (Some(lease), false) = (lease, token.counted) else { return Ok(()) };
    if token.given {
        if matters {
            let ttl = vault.token_ttl(&token.secret).await?;
            token.life = ttl.and_then(|ttl| Life::new(Duration::from_secs(ttl), vault::now()));
        }
        return Ok(());
    }
    if token.renewable && token.life.is_some_and(|life| life.until < lease.until) {
        match vault.renew_self(&token.secret, lease.ttl.as_secs()).await {
            Ok(auth) => token.life = Life::new(Duration::from_secs(auth.lease_duration), vault::now()),
            Err(error) => tracing::warn!("the token could not be renewed: {error}"),
        }
    }
    if let Some(life) = token.life.filter(|life| life.until < lease.until) {
        let (token, lease) = (crate::duration::show(life.ttl), crate::duration::show(lease.ttl));
        tracing::warn!(
            "the login's token ends after {token} and takes the credentials with it; their lease is {lease}"
        );
    }
    Ok(())
}

fn name_leftovers(order: &Order) {
    for request in &order.requests {
        tracing::warn!(
            "a key without a lease may be left behind {}: look for one made around {}",
            request.read.path,
            vault::now()
        );
    }
}
