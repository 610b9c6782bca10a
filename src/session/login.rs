//! The login: from gathered parameters to a token that the ledger lists. It must not look at what the token can do.

use std::time::Duration;

use super::{Error, Token, gather};
use crate::auth::{self, Gathered, Login};
use crate::credentials::Life;
use crate::duration::granted;
use crate::ledger::Ledger;
use crate::vault::{self, Vault};

/// The pause for a standby that sends no index: it is 50 to 100 ms behind (measured: openbao 2.7.2).
const CATCH_UP: Duration = Duration::from_secs(1);

/// Logs in, or takes the token that was given.
pub(super) async fn log_in(vault: &Vault, login: &Login, ledger: &mut Ledger) -> Result<Token, Error> {
    let gathered = gather::all(vault, login).await?;
    enter(vault, login, &gathered, ledger).await
}

/// Logs in with gathered parameters: one step, for doctor.
pub(crate) async fn enter(
    vault: &Vault,
    login: &Login,
    gathered: &Gathered,
    ledger: &mut Ledger,
) -> Result<Token, Error> {
    let Some(request) = login.method.request else {
        return Ok(Token {
            secret: gather::token_in(gathered),
            given: true,
            life: None,
            renewable: false,
            counted: false,
            batch: false,
            window: None,
        });
    };
    check(vault, login, gathered).await?;
    let auth = login_once_seen(vault, login, || request(login, gathered)).await;
    let auth = auth.map_err(|(error, notes)| {
        let refused = auth::Error::refused(login, gathered, error, vault.ahead());
        refused.with_notes(notes)
    })?;
    let ttl = Some(granted(auth.lease_duration)).filter(|ttl| !ttl.is_zero());
    let batch = auth.token_type.as_str() == "batch";
    let ttl = ttl.map(|ttl| ttl.saturating_sub(auth.cached.unwrap_or_default()));
    let token = Token {
        life: ttl.and_then(|ttl| Life::new(ttl, vault::now())),
        secret: auth.client_token,
        given: false,
        renewable: auth.renewable && auth.cached.is_none(),
        counted: auth.num_uses > 0,
        batch,
        window: None,
    };
    match auth.cached {
        None => {
            ledger.token(&token.secret, &auth.accessor, ttl, batch);
            if token.counted {
                ledger.counted(&token.secret);
            }
        }
        Some(_) => {
            tracing::warn!(
                "the login's token (accessor {}) came out of a cache on the way to Vault, so that others have it too: it is \
                 not revoked and ends with its TTL; what was issued with it is",
                auth.accessor
            );
            ledger.shared(&token.secret);
        }
    }
    Ok(token)
}

/// Logs in. A standby may refuse a secret_id that was issued a moment ago, because it does not know it yet: it is tried
/// once more after a pause. An error gets facts that help to understand it.
async fn login_once_seen(
    vault: &Vault,
    login: &Login,
    body: impl Fn() -> vault::Body,
) -> Result<vault::Auth, (vault::Error, Vec<String>)> {
    let issued = login.issues_secret_id();
    let ask = async || {
        let agent = login.agent.as_deref();
        let outcome = vault.login(login.name(), &login.path(), body(), issued, agent).await;
        let refused = outcome.as_ref().is_err_and(auth::is_wrong_secret_id);
        if issued && (refused || outcome.is_ok()) {
            vault.count_refusals(refused);
        }
        outcome
    };
    let error = match ask().await {
        Err(error) if issued && auth::is_wrong_secret_id(&error) => error,
        outcome => return outcome.map_err(|error| (error, Vec::new())),
    };
    if vault.refusals() >= gather::MOST_REFUSALS {
        return Err((error, Vec::new()));
    }
    let Some(node) = vault.stale_standby().await else { return Err((error, Vec::new())) };
    tracing::debug!("{node} refused a new secret_id, which it may not know yet; once more");
    if vault.shutdown().guard(Duration::ZERO, tokio::time::sleep(CATCH_UP)).await.is_err() {
        return Err((error, Vec::new()));
    }
    let after = crate::duration::show(CATCH_UP);
    let auth = ask().await.map_err(|error| {
        (error, vec![format!("{node}, answered; the same secret_id was tried again after {after}")])
    })?;
    tracing::warn!(
        "{node}, did not know the new secret_id yet, which was accepted after {after}; five such refusals within 15 \
         minutes lock the AppRole on that node: update it to OpenBao 2.7, set disable_standby_reads, or let VAULT_ADDR \
         lead to the active node"
    );
    Ok(auth)
}

/// Fails early where the login is certain to fail. Times are judged by Vault's clock, not by this machine's.
async fn check(vault: &Vault, login: &Login, gathered: &Gathered) -> Result<(), Error> {
    let checked = (login.method.check)(login, gathered, vault::now());
    let Err(auth::Error::Time { .. }) = checked else { return Ok(checked?) };
    let Some(ahead) = vault.ask_time().await else { return Ok(checked?) };
    match (login.method.check)(login, gathered, vault::now() - ahead) {
        Err(auth::Error::Time { ci, source_name, fault, .. }) => {
            Err(auth::Error::Time { ci, source_name, fault, ahead: Some(ahead) }.into())
        }
        checked => {
            tracing::warn!("this machine's clock is wrong: by Vault's, the ID token is good");
            Ok(checked?)
        }
    }
}
