//! Vault's HTTP API in Vault's words: servers, logins and reads. It must not decide what a command does with an answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Url};

use crate::http::{self, Client};
use crate::secret::Secret;
use crate::shutdown::Shutdown;

mod answer;
mod ask;
mod clock;
mod data;
mod error;
mod kv;
mod lease;
mod look;
pub(crate) mod rules;
mod secret_id;
mod send;
mod token;

pub(crate) use answer::Auth;
pub use answer::Envelope;
#[doc(hidden)]
pub use answer::{judge, readable};
use ask::Ask;
pub(crate) use ask::{Body, Value};
pub use data::Data;
pub use error::{Error, ServerErrors, WithHints};
pub(crate) use kv::Untold;
pub(crate) use lease::{RENEW_LEASE, RENEW_SELF, REVOKE_SELF};
pub(crate) use look::{Health, Mount};
pub(crate) use secret_id::SecretId;
pub(crate) use secret_id::secret_id_path;
pub(crate) use token::{TokenInfo, TokenRole};

/// What an error says when a login's answer has no token.
const NO_TOKEN: &str = "an answer without a token";

/// A server, and how to reach it.
#[derive(Debug, Clone)]
pub struct Server {
    /// With its path prefix, if any.
    pub address: Url,
    /// The namespace of everything, unless the login has another.
    pub namespace: Option<String>,
    /// The namespace of the login.
    pub auth_namespace: Option<String>,
    /// For the client.
    pub http: http::Settings,
}

/// A Vault server, and the namespaces to use there.
pub struct Vault {
    client: Client,
    base: Url,
    namespace: Option<String>,
    auth_namespace: Option<String>,
    /// Secrets that were sent: a server may repeat them in an error.
    known: RefCell<Vec<Secret>>,
    /// How far this machine's clock is ahead of the server's, by the last answer.
    ahead: Cell<Option<SignedDuration>>,
    /// How many secret_ids that were issued a moment before were refused since one was good.
    refusals: Rc<Cell<u32>>,
}

impl Vault {
    /// A client for this server; nothing is sent yet.
    pub fn new(client: Client, base: Url, namespace: Option<String>, auth_namespace: Option<String>) -> Self {
        Self {
            client,
            base,
            namespace,
            auth_namespace,
            known: RefCell::default(),
            ahead: Cell::new(None),
            refusals: Rc::default(),
        }
    }

    /// Tells whether the process was asked to stop.
    pub fn shutdown(&self) -> &crate::shutdown::Shutdown {
        self.client.shutdown()
    }

    /// The server of a configuration.
    pub async fn at(server: &Server, shutdown: Shutdown) -> Result<Self, http::Error> {
        let client = Client::new(server.http.clone(), shutdown).await?;
        let (namespace, auth_namespace) = (server.namespace.clone(), server.auth_namespace.clone());
        Ok(Self::new(client, server.address.clone(), namespace, auth_namespace))
    }

    /// The same server, for revoking: a signal does not end its requests.
    pub fn without_cancellation(&self) -> Self {
        self.with_shutdown(self.shutdown().without_cancellation())
    }

    /// The same server, with another stop.
    pub fn with_shutdown(&self, shutdown: Shutdown) -> Self {
        Self {
            client: self.client.with_shutdown(shutdown),
            base: self.base.clone(),
            namespace: self.namespace.clone(),
            auth_namespace: self.auth_namespace.clone(),
            known: RefCell::default(),
            ahead: Cell::new(None),
            refusals: Rc::clone(&self.refusals),
        }
    }

    /// The client, for other servers.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Masks `secret` in every text of the server from now on.
    pub fn hide(&self, secret: &Secret) {
        let mut known = self.known.borrow_mut();
        if !known.iter().any(|one| one.reveal() == secret.reveal()) {
            known.push(secret.clone());
        }
    }

    /// `POST auth/MOUNT/login`. One that `spends` what it sends is repeated only if no node can have seen it. The audit
    /// log shows the User-Agent `agent`, where it is configured to show that header.
    pub async fn login(
        &self,
        action: String,
        path: &str,
        body: Body,
        spends: bool,
        agent: Option<&str>,
    ) -> Result<Auth, Error> {
        let ask = Ask::create(&action, path).within(self.login_namespace()).with(body);
        let Envelope { auth, cached, .. } = self.ask(Ask { spends, agent, ..ask }).await?;
        match auth {
            Some(auth) if !auth.client_token.reveal().is_empty() => Ok(Auth { cached, ..auth }),
            Some(auth) if auth.mfa_requirement.is_some() => Err(Error::SecondFactor { action }),
            _ => Err(self.not_vault(&action, NO_TOKEN)),
        }
    }

    /// Reads, or writes where `post`, a path that makes credentials.
    pub async fn issue(
        &self,
        token: &Secret,
        path: &str,
        parameters: &[(String, Secret)],
        post: bool,
    ) -> Result<Envelope, Error> {
        let what = if post { "write to" } else { "read of" };
        let ask = Ask::create(format!("the {what} {path}"), path).by(token).within(self.namespace.as_deref());
        let ask = Ask { leases: true, ..ask };
        let fields = || parameters.iter().map(|(name, value)| (name.clone(), value.into()));
        let ask = if post {
            ask.with(Body(fields().collect()))
        } else {
            Ask { method: Method::GET, query: parameters, ..ask }
        };
        self.ask(ask).await
    }

    fn login_namespace(&self) -> Option<&str> {
        self.auth_namespace.as_deref().or(self.namespace.as_deref())
    }
}

/// A line of a policy, as it is written there.
pub(crate) fn policy(path: &str, capability: &str) -> String {
    format!("path \"{path}\" {{ capabilities = [\"{capability}\"] }}")
}

/// The time, to the second, from which lives are counted.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
