//! Issues new credentials for a command that outlives its first ones, when it asks and the old ones are about to end.
//! It must not revoke those that the command still uses.

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};

use super::{Error, Order, Session, Token, issue, left, transaction};
use crate::credentials::Credentials;
use crate::ledger::Ledger;
use crate::provider::Request;
use crate::vault::{self, Vault};

/// Issues one request again and again.
pub(crate) struct Reissuer<'a> {
    vault: &'a Vault,
    order: &'a Order,
    request: &'a Request,
    state: Mutex<State<'a>>,
    idle: Notify,
}

struct State<'a> {
    current: Credentials,
    /// A token that is kept for it; without one each issue begins with a login.
    token: Option<Token>,
    ledger: &'a mut Ledger,
}

/// Whether a token must be kept so that `order` can be issued again.
pub(crate) fn keeps_token(order: &Order) -> bool {
    !(order.login.method.request.is_some() && order.login.repeatable())
}

impl<'a> Reissuer<'a> {
    /// For the request of `session` at `index`; signals must not end `vault`'s requests before the command has ended.
    pub(crate) fn new(
        vault: &'a Vault,
        order: &'a Order,
        session: &Session,
        index: usize,
        ledger: &'a mut Ledger,
    ) -> Option<Self> {
        let kept = keeps_token(order) || !session.token_is_idle();
        let token = kept.then(|| session.token.clone());
        let current = session.credentials.get(index)?.clone();
        let request = order.requests.get(index)?;
        let state = Mutex::new(State { current, token, ledger });
        Some(Self { vault, order, request, state, idle: Notify::new() })
    }

    /// Credentials that last a while: those that were issued before, or new ones.
    pub(crate) async fn get(&self) -> Result<Credentials, Error> {
        let mut state = self.state.lock().await;
        let left = |one: &Credentials| {
            let life = one.life?;
            let left = life.until.duration_since(vault::now());
            (left.is_positive()).then(|| (left.unsigned_abs(), life.ttl))
        };
        let outcome = match left(&state.current) {
            Some((left, ttl)) if left > ttl / 3 => Ok(state.current.clone()),
            still_good => match self.issue(&mut state).await {
                Ok(fresh) => {
                    tracing::info!("fresh {}", fresh.line());
                    state.current = fresh.clone();
                    Ok(fresh)
                }
                Err(error) if still_good.is_some() => {
                    tracing::warn!("no fresh {} credentials yet: {error}", state.current.issued_by.name());
                    Ok(state.current.clone())
                }
                Err(error) => Err(error),
            },
        };
        drop(state);
        self.idle.notify_waiters();
        outcome
    }

    /// Waits until nothing is being issued: a creating request is never broken off.
    pub(crate) async fn settled(&self) {
        loop {
            let idle = self.idle.notified();
            if self.state.try_lock().is_ok() {
                return;
            }
            idle.await;
        }
    }

    async fn issue(&self, state: &mut State<'_>) -> Result<Credentials, Error> {
        let started = vault::now();
        if let Some(token) = &state.token {
            let outcome = issue::one(self.vault, token, self.request).await;
            let outcome = issue::enter(state.ledger, token, outcome);
            self.name_lost(&outcome, token, started, state.ledger);
            let refused = matches!(&outcome, Err(Error::Vault(error)) if error.error.refusal().is_some());
            if !refused || keeps_token(self.order) {
                return outcome;
            }
        }
        let token = transaction::log_in_again(self.vault, self.order, state.ledger).await?;
        if let Err(error) = state.ledger.write_ahead(self.vault.shutdown()).await {
            tracing::warn!("{}", crate::error::chain(&error));
        }
        let outcome = issue::one(self.vault, &token, self.request).await;
        let outcome = issue::enter(state.ledger, &token, outcome);
        if outcome.as_ref().is_err_and(|error| error.is_lost() && !error.is_stopped()) {
            tokio::time::sleep(transaction::SETTLE).await;
        }
        state.ledger.end(&self.vault.without_cancellation(), &token.secret).await;
        self.name_lost(&outcome, &token, started, state.ledger);
        outcome
    }

    /// Names what a request without an answer may have made.
    fn name_lost<T>(&self, outcome: &Result<T, Error>, token: &Token, since: Timestamp, ledger: &Ledger) {
        if outcome.as_ref().is_err_and(Error::is_lost) {
            let left = left::left_by_engine(self.request, since);
            tracing::warn!("{left}: {}", left::end_of_lease(token, ledger));
        }
    }
}
