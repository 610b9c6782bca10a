//! A run is a transaction: it gives everything, or takes back what it got.
//!
//! A token is never revoked while a request on it that creates something is unanswered: the engine would make a key
//! without a lease, or a lease that outlives the token. So all answers come first; then what there is goes.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use jiff::Timestamp;

use super::left::{end_of_lease, left_by_engine, left_by_login};
use super::login::log_in;
use super::{Error, Order, Session, Token, dead_man, gather, issue, lives};
use crate::credentials::Credentials;
use crate::error::{Code, Explain as _, chain};
use crate::ledger::Ledger;
use crate::provider::{Context, Request};
use crate::vault::{self, Vault};

/// The pause after a lost answer, in which the engine ends its request and registers the lease.
pub(super) const SETTLE: Duration = Duration::from_secs(2);

/// How often a run logs in when the answers are lost: a token without credentials is harmless, and a cluster that
/// changes its leader loses one answer more easily than the next.
const LOGINS: usize = 3;
/// How often a run asks the engines.
const READS: usize = 2;

/// Up to here an answer is worth waiting for before the next request: another connection over TLS takes two round trips
/// and two milliseconds of work.
const FAST: Duration = Duration::from_millis(5);

/// So often, or as --max-retries allows.
fn tries(vault: &Vault, usual: usize) -> usize {
    vault.client().max_retries().map_or(usual, |retries| usual.min(retries.saturating_add(1)))
}

/// Why an attempt failed, and what it may have created that the ledger does not list.
struct FailedAttempt {
    error: Error,
    logged_in: bool,
    left: Vec<String>,
    /// The token that the engines used. Whether something is left is known only when the token was revoked.
    token: Option<Token>,
}

/// Obtains everything that `order` asks for. On failure the ledger is empty again.
pub(crate) async fn obtain(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Session, Error> {
    let order = &Order { requests: gather::data(vault, &order.requests).await?, ..order.clone() };
    let outcome = transaction(vault, order, ledger).await;
    // Where no server answered, there is nothing to repeat.
    if outcome.as_ref().err().is_none_or(|error| error.code() != Code::Unreachable) {
        vault.check_namespaces().await;
    }
    outcome
}

async fn transaction(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Session, Error> {
    let repeatable = order.login.method.request.is_some() && order.login.repeatable();
    let (mut logins, mut reads) = (tries(vault, LOGINS), tries(vault, READS));
    let mut left = Vec::<String>::new();
    loop {
        let failure = match run(vault, order, ledger).await {
            Ok(session) => {
                left.iter().for_each(|one| tracing::warn!("{one}"));
                return Ok(session);
            }
            Err(failure) => failure,
        };
        let tries = if failure.logged_in { &mut reads } else { &mut logins };
        *tries -= 1;
        let again = repeatable && *tries > 0 && failure.error.is_lost() && !failure.error.is_stopped();
        let FailedAttempt { error, left: more, logged_in, .. } = failure;
        if again {
            let next = if logged_in {
                "what it made is revoked, and the run starts once more"
            } else {
                "the login starts once more"
            };
            tracing::warn!("{}; {next}", chain(&error));
        }
        // It is named once: in the error, or when the run has succeeded.
        left.extend(more);
        match (again, left.is_empty()) {
            (true, _) => {}
            (false, true) => return Err(error),
            (false, false) => return Err(Error::LeftBehind { error: error.into(), left }),
        }
    }
}

/// One attempt. When it fails, what is known to have been issued is taken back.
async fn run(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Session, FailedAttempt> {
    let mut outcome = attempt(vault, order, ledger).await;
    if let Err(failure) = &mut outcome {
        if !failure.left.is_empty() && !failure.error.is_stopped() {
            tokio::time::sleep(SETTLE).await;
        }
        ledger.revoke_all(vault).await;
        if let Some(token) = &failure.token {
            let end = end_of_lease(token, ledger);
            failure.left.iter_mut().for_each(|one| *one = format!("{one}: {end}"));
        }
        // A signal that came meanwhile decides the exit code.
        if !failure.error.is_stopped()
            && let Err(stopped) = vault.shutdown().check()
        {
            tracing::warn!("{}", chain(&failure.error));
            failure.error = stopped.into();
        }
    }
    outcome
}

async fn attempt(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Session, FailedAttempt> {
    let started = vault::now();
    let mut token = log_in(vault, &order.login, ledger).await.map_err(|error| {
        let left = error.is_lost().then(|| left_by_login(order, &error, started));
        FailedAttempt { error, logged_in: false, left: left.into_iter().collect(), token: None }
    })?;
    // A process that is killed while an engine is at work leaves its token to `revoke`.
    if let Err(error) = ledger.write_ahead(vault.shutdown()).await {
        return Err(FailedAttempt { error: error.into(), logged_in: true, left: Vec::new(), token: None });
    }
    if let Some(dead_man) = order.dead_man
        && let Err(error) = dead_man.cut(vault, &mut token).await
    {
        return Err(FailedAttempt { error, logged_in: true, left: Vec::new(), token: None });
    }
    let secret = token.secret.clone();
    let alive = pin!(dead_man::keep(vault, &secret, token.window));
    match select(pin!(issue_all(vault, token, order, ledger, started)), alive).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right((never, _)) => match never {},
    }
}

/// What a run does with the token that it has.
async fn issue_all(
    vault: &Vault,
    mut token: Token,
    order: &Order,
    ledger: &mut Ledger,
    started: Timestamp,
) -> Result<Session, FailedAttempt> {
    let answers = all_answers(order.requests.iter().map(|request| issue::one(vault, &token, request))).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| issue::enter(ledger, &token, answer)).collect();
    let lost =
        order.requests.iter().zip(&answers).filter(|(_, answer)| answer.as_ref().is_err_and(Error::is_lost));
    let left: Vec<String> = lost.map(|(request, _)| left_by_engine(request, started)).collect();
    let mut credentials = Vec::new();
    let mut errors = Vec::new();
    for answer in answers {
        match answer {
            Ok(one) => credentials.push(one),
            Err(error) => errors.push(error),
        }
    }
    // A refusal would come again: it is reported rather than a lost answer.
    errors.sort_by_key(Error::is_lost);
    if let Some(error) = errors.into_iter().next() {
        return Err(FailedAttempt { error, logged_in: true, left, token: Some(token) });
    }
    let failed = |error| FailedAttempt { error, logged_in: true, left: Vec::new(), token: None };
    if let Some(dead_man) = order.dead_man {
        dead_man.check(&credentials).map_err(failed)?;
    }
    lives::settle(vault, &mut token, &mut credentials, order, ledger).await.map_err(failed)?;
    for (request, one) in order.requests.iter().zip(&credentials) {
        for (step, settled) in &request.steps {
            let context = Context { vault, request, settled };
            (step.ready)(&context, one).await.map_err(|error| failed(error.into()))?;
        }
    }
    Ok(Session { token, credentials })
}

/// The answers of all of `requests`, in their order, errors among them. They go one by one on the connection that is
/// there, as long as the server answers faster than it would make another one. The first that is slow, because of the
/// way to Vault or of a cloud behind it, sets all the others off at the same time.
async fn all_answers<T>(requests: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut requests = requests.map(Box::pin);
    let (mut answers, mut slow) = (Vec::new(), None);
    for mut request in requests.by_ref() {
        match tokio::time::timeout(FAST, &mut request).await {
            Ok(answer) => answers.push(answer),
            Err(_) => {
                slow = Some(request);
                break;
            }
        }
    }
    answers.extend(join_all(slow.into_iter().chain(requests)).await);
    answers
}

/// A login alone; after a lost answer it is repeated, as in a transaction.
pub(super) async fn log_in_again(vault: &Vault, order: &Order, ledger: &mut Ledger) -> Result<Token, Error> {
    let repeatable = order.login.method.request.is_some() && order.login.repeatable();
    let mut logins = tries(vault, LOGINS);
    loop {
        let started = vault::now();
        let outcome = log_in(vault, &order.login, ledger).await;
        logins -= 1;
        match outcome {
            Err(error) if repeatable && logins > 0 && error.is_lost() && !error.is_stopped() => {
                tracing::warn!("{}; {}", chain(&error), left_by_login(order, &error, started));
                tokio::time::sleep(SETTLE).await;
            }
            Ok(mut token) => {
                // --dead-man has refused already what does not end with the token.
                if let Some(dead_man) = order.dead_man {
                    dead_man.cut(vault, &mut token).await?;
                }
                return Ok(token);
            }
            Err(error) => return Err(error),
        }
    }
}

/// One credential without a transaction, for doctor. What a lost answer may have made is part of the error, and has had
/// the time to be registered: the caller revokes the token next.
pub(crate) async fn issue_alone(
    vault: &Vault,
    token: &Token,
    request: &Request,
    ledger: &mut Ledger,
) -> Result<Credentials, Error> {
    let started = vault::now();
    let mut whole = gather::data(vault, std::slice::from_ref(request)).await?;
    let request = &whole.pop().unwrap_or_else(|| request.clone());
    let outcome = issue::one(vault, token, request).await;
    let error = match issue::enter(ledger, token, outcome) {
        Err(error) if error.is_lost() => error,
        outcome => return outcome,
    };
    if !error.is_stopped() {
        tokio::time::sleep(SETTLE).await;
    }
    let end = if token.given {
        end_of_lease(token, ledger)
    } else {
        "with a lease they end with it, or with this token; without one nothing ends them"
    };
    let left = vec![format!("{}: {end}", left_by_engine(request, started))];
    Err(Error::LeftBehind { error: error.into(), left })
}
