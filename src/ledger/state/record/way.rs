//! How the things in a line are reached: by what the line says, or by what is configured now. It must not send a secret
//! that is not in the line to an address that is only in the line.

use std::path::PathBuf;

use super::Record;
use crate::error::chain;
use crate::http::{self, Ca, Endpoint, is_loopback};
use crate::options;
use crate::policy::MachinePolicy;
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::vault::{Server, Vault};

/// What is configured now.
#[derive(Debug)]
pub struct Configured {
    /// How Vault is reached; `None` where no address is set.
    pub server: Option<Server>,
    /// Whether plain http may leave this machine.
    pub allow_http: bool,
    /// Whether Vault's certificate is not checked.
    pub skip_verify: bool,
    /// The user's token; an empty one where an agent on the way adds its own.
    pub token: Option<Secret>,
    /// What the machine's administrator allows.
    pub policy: MachinePolicy,
    /// The API of each cloud at which something may have been made, by the cloud's name.
    pub apis: Vec<(&'static str, Endpoint)>,
}

/// How a line's server is reached, and with what.
#[derive(Debug)]
pub struct Way {
    /// The server.
    pub server: Server,
    /// The user's token, where it may go there.
    pub given: Option<Secret>,
}

/// Why a line's server can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The token would be sent over plain http.
    #[error("its token would go over plain http; CI_CREDS_ALLOW_HTTP=true allows that")]
    PlainHttp,
    /// The policy of this machine does not allow the line's address.
    #[error("{} does not list this address", crate::policy::FILE)]
    Policy,
    /// The line's address is neither https nor http.
    #[error("it is neither https nor http")]
    Scheme,
    /// It would be waited for.
    #[error("its CA file {} is not a regular file", crate::input::path(.0))]
    Ca(PathBuf),
}

impl Record {
    /// Its server, reached by the line's own settings; by those of now where the line's CA can't be used, such as a
    /// file that is gone. `adjust` changes the settings first. The error says why neither can be used.
    pub async fn reach(
        &self,
        now: &Configured,
        adjust: fn(&mut http::Settings),
        shutdown: Shutdown,
    ) -> Result<(Vault, Way), String> {
        let at = async |mut way: Way| {
            adjust(&mut way.server.http);
            match Vault::at(&way.server, shutdown.clone()).await {
                Ok(vault) => Ok((vault, way)),
                Err(error) => Err(chain(&error)),
            }
        };
        let why = match self.way(now) {
            Ok(way) => match at(way).await {
                Err(why) => why,
                found => return found,
            },
            Err(refused @ Refused::Ca(_)) => refused.to_string(),
            Err(refused) => return Err(refused.to_string()),
        };
        let Some(way) = self.configured_way(now) else { return Err(why) };
        at(way).await.map_err(|_| why)
    }

    /// How to reach its server.
    pub fn way(&self, now: &Configured) -> Result<Way, Refused> {
        let configured = self.configured_way(now);
        if let Some(way) = configured.filter(|way| self.needs_given() || way.server.http.tls.client.is_some())
        {
            return Ok(way);
        }
        let address = &self.server.address;
        if !now.policy.allows(address, self.server.unix_socket.as_deref()) {
            return Err(Refused::Policy);
        }
        match address.scheme() {
            "https" => {}
            "http" if is_loopback(address) || self.server.unix_socket.is_some() || now.allow_http => {}
            "http" => return Err(Refused::PlainHttp),
            _ => return Err(Refused::Scheme),
        }
        if let Some(path) = self.server.unreadable() {
            return Err(Refused::Ca(path.to_owned()));
        }
        if self.needs_given() && now.token.as_ref().is_some_and(|token| !token.reveal().is_empty()) {
            tracing::warn!("VAULT_TOKEN goes only to the address that is set now, and {address} is another");
        }
        let mut server = self.server.server();
        server.http.allow_http = now.allow_http;
        let may_skip = !now.policy.forbids(&options::TLS_SKIP_VERIFY);
        server.http.tls.skip_verify &= may_skip && (self.is_sealed || now.skip_verify);
        // A line must not set what the policy forbids flags and variables to set.
        if now.policy.forbids(&options::CA_CERT) {
            server.http.tls.ca = Ca::System { file: None, dir: None };
        }
        if now.policy.forbids(&options::TLS_SERVER_NAME) {
            server.http.tls.server_name = None;
        }
        if now.policy.forbids(&options::PROXY) {
            server.http.proxy = None;
        }
        server.http.policy = now.policy.clone();
        Ok(Way { server, given: None })
    }

    /// The way that is configured now, where it leads to the line's server.
    fn configured_way(&self, now: &Configured) -> Option<Way> {
        let server = now.server.as_ref().filter(|server| {
            server.address == self.server.address && server.http.unix_socket == self.server.unix_socket
        })?;
        let (namespace, auth_namespace) = (self.server.namespace.clone(), self.server.auth_namespace.clone());
        let server = Server { namespace, auth_namespace, ..server.clone() };
        Some(Way { server, given: now.token.clone() })
    }
}
