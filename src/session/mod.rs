//! Logs in and issues: what every command that hands out credentials does, once. It must not write credentials
//! anywhere.

use std::time::Duration;

use crate::auth::Login;
use crate::credentials::{Credentials, DeadMan, Life};
use crate::provider::Request;
use crate::secret::Secret;

mod dead_man;
mod error;
mod gather;
mod issue;
pub(crate) mod keeper;
mod left;
mod lives;
mod login;
pub(crate) mod refresh;
pub(crate) mod renew;
mod transaction;
mod wrapping;

pub(crate) use crate::provider::other_version;
pub use error::Error;
pub(crate) use gather::given_token;
pub(crate) use gather::{all as gather, read as gather_here};
pub(crate) use issue::allows;
pub(crate) use login::enter;
pub(crate) use transaction::{issue_alone, obtain};

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
    /// Whether an agent on the way to Vault has the token: ci-creds has none, and the agent renews its own.
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

impl Session {
    /// Whether nothing that was issued needs the token any longer.
    pub(crate) fn token_is_idle(&self) -> bool {
        !self.token.given && !lives::depend_on_token(&self.credentials)
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
