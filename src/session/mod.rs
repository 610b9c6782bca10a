//! Logs in and issues: what every command that hands out credentials does, once. It must not write credentials
//! anywhere.

use std::time::Duration;

use crate::auth::{self, Gathered, Login};
use crate::ci;
use crate::credentials::{Credentials, DeadMan, Life};
use crate::duration::granted;
use crate::error::{Code, Explain};
use crate::ledger::{Ledger, state};
use crate::provider::{self, Request};
use crate::secret::Secret;
use crate::shutdown::{self, Stopped};
use crate::vault::{self, Vault};

mod dead_man;
mod gather;
mod issue;
pub(crate) mod keeper;
pub(crate) mod refresh;
pub(crate) mod renew;
mod transaction;
mod wrapping;

pub(crate) use crate::provider::other_version;
pub(crate) use gather::given_token;
pub(crate) use gather::{all as gather, read as gather_here};
pub(crate) use issue::allows;
pub(crate) use transaction::{issue_alone, obtain};

/// The pause for a standby that sends no index: it is 50 to 100 ms behind (measured: openbao 2.7.2).
const CATCH_UP: Duration = Duration::from_secs(1);

/// What a run got.
#[derive(Debug)]
pub(crate) struct Session {
    /// The token that everything was read with.
    pub token: Token,
    /// One for each request, in order.
    pub credentials: Vec<Credentials>,
}

/// A Vault token in use.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// The token; empty where an agent on the way to Vault adds its own.
    pub secret: Secret,
    /// Whether the user brought it: it is then neither renewed nor revoked.
    pub given: bool,
    /// Its life; `None` if it is not known or never ends.
    pub life: Option<Life>,
    /// Whether it can be extended.
    pub renewable: bool,
    /// Whether it is good for only so many requests.
    pub counted: bool,
    /// Whether it is a batch token: its leases do not end with it, and it can't be revoked.
    pub batch: bool,
    /// How long it lives without a renewal, where --dead-man has cut that.
    pub window: Option<Duration>,
}

impl Token {
    /// Whether it is an agent's on the way to Vault: there is none here, and the agent renews its own.
    pub(crate) fn is_agents(&self) -> bool {
        self.given && self.secret.reveal().is_empty()
    }

    /// For messages.
    pub(crate) fn name(&self) -> &'static str {
        if self.is_agents() {
            "the agent's token"
        } else if self.given {
            "VAULT_TOKEN"
        } else {
            "the login's token"
        }
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The login.
    #[error(transparent)]
    Login(#[from] auth::Error),
    /// Any other request.
    #[error(transparent)]
    Vault(#[from] vault::WithHints),
    /// The engine's answer.
    #[error(transparent)]
    Answer(#[from] provider::Error),
    /// A step of a cloud.
    #[error(transparent)]
    Step(#[from] provider::Failed),
    /// A value of --data that can't be read.
    #[error("--data {name}: {shown} can't be read")]
    Data {
        /// K of K=@FILE.
        name: String,
        /// The file, or -.
        shown: String,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The credentials end too soon.
    #[error("the {provider} credentials are valid for {} only, which is less than --min-ttl {}",
        crate::duration::show(*.life), crate::duration::show(*.wanted))]
    TooShort {
        /// The provider.
        provider: &'static str,
        /// How long they are good for.
        life: Duration,
        /// How long they should be.
        wanted: Duration,
    },
    /// --dead-man, and something that does not end with this process.
    #[error("--dead-man can't end {what}: {why}")]
    Unbounded {
        /// The token, or what was issued.
        what: String,
        /// Why not.
        why: &'static str,
    },
    /// Something may have been made that this run can't take back.
    #[error("{}", crate::error::chain(error))]
    LeftBehind {
        /// The error of the run.
        error: Box<Error>,
        /// What may be left, where, since when, and until when.
        left: Vec<String>,
    },
    /// The state file can't be written.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The process was asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Error {
    /// Whether the process was asked to stop.
    fn is_stopped(&self) -> bool {
        shutdown::is_stop(self.code())
    }

    /// Whether a request that creates something may have run although its answer never came.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Login(error) => error.is_lost(),
            Self::Vault(hinted) => hinted.error.is_lost(),
            Self::LeftBehind { error, .. } => error.is_lost(),
            _ => false,
        }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Login(error) => error.code(),
            Self::Vault(hinted) => hinted.code(),
            Self::Answer(error) => error.code(),
            Self::Step(error) => error.code(),
            Self::Data { .. } => Code::Environment,
            Self::TooShort { .. } | Self::Unbounded { .. } => Code::Output,
            Self::LeftBehind { error, .. } => error.code(),
            Self::State(error) => error.code(),
            Self::Stopped(stopped) => stopped.code(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Login(error) => error.notes(),
            Self::Vault(hinted) => hinted.notes(),
            Self::Answer(error) => error.notes(),
            Self::Step(error) => error.notes(),
            Self::LeftBehind { error, left } => {
                error.notes().into_iter().chain(left.iter().cloned()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Login(error) => error.hints(),
            Self::Vault(hinted) => hinted.hints(),
            Self::Answer(error) => error.hints(),
            Self::Step(error) => error.hints(),
            Self::TooShort { .. } => {
                vec![
                    "raise the TTL of the role, or of the login's token, which ends what it issued"
                        .to_owned(),
                ]
            }
            Self::Unbounded { .. } => {
                vec![
                    "--dead-man-best-effort makes this a warning; what else the job gets still ends"
                        .to_owned(),
                ]
            }
            Self::Data { .. } => vec!["name a file with text that this job can read".to_owned()],
            Self::LeftBehind { error, .. } => {
                let mut hints = error.hints();
                if error.code() == Code::Unreachable {
                    hints.push(format!("retry the job; {}", ci::usual().retry));
                }
                hints
            }
            Self::State(error) => error.hints(),
            Self::Stopped(_) => Vec::new(),
        }
    }
}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        vault::WithHints::from(error).into()
    }
}

/// Logs in, or takes the token that was given.
async fn log_in(vault: &Vault, login: &Login, ledger: &mut Ledger) -> Result<Token, Error> {
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
    if vault.stop().guard(Duration::ZERO, tokio::time::sleep(CATCH_UP)).await.is_err() {
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

/// Whether what `request` issues ends with the token that it was read with.
fn depends_on_token(credentials: &[Credentials]) -> bool {
    // What was made at a cloud is undone with a parent that is read again.
    credentials.iter().any(|one| !one.outlives_token || one.external.is_some())
}

impl Session {
    /// Whether nothing that was issued needs the token any longer.
    pub(crate) fn token_is_idle(&self) -> bool {
        !self.token.given && !depends_on_token(&self.credentials)
    }
}

/// The requests and limits of a run.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// How to log in.
    pub login: Login,
    /// What to issue.
    pub requests: Vec<Request>,
    /// Whether the end of a token that was given matters: it costs a request.
    pub look_up: bool,
    /// Whether all of it ends with the process.
    pub dead_man: Option<DeadMan>,
}
