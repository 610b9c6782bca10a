//! Why a run failed.

use std::time::Duration;

use crate::auth;
use crate::ci;
use crate::error::{Code, Explain};
use crate::ledger::state;
use crate::provider;
use crate::shutdown::{self, Stopped};
use crate::vault;

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
    /// --dead-man, with something that would outlive the token.
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
    pub(super) fn is_stopped(&self) -> bool {
        shutdown::is_shutdown(self.code())
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
                    hints.push(format!("retry the job; {}", ci::current().retry));
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
