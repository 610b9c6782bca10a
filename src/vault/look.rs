//! Calls that only look, for doctor: nothing is made, and nothing is spent but a token's use.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::{Ask, Error, Vault, answer, headers, instead};
use crate::http::Call;
use crate::secret::Secret;

/// `sys/health` (vault: http/sys_health.go).
#[derive(Debug, Deserialize)]
pub struct Health {
    /// Whether it holds data at all.
    pub initialized: bool,
    /// Whether it can't read it.
    pub sealed: bool,
    /// Whether another node is the active one.
    #[serde(default)]
    pub standby: bool,
    /// `1.21.4`
    #[serde(default)]
    pub version: String,
    /// Vault says whether it is the paid edition; OpenBao does not.
    pub enterprise: Option<bool>,
    /// Its clock, in seconds.
    pub server_time_utc: Option<i64>,
    /// The certificate that came with the answer, DER.
    #[serde(skip)]
    pub certificate: Option<Vec<u8>>,
}

impl Health {
    /// `Vault 1.21.4`, `OpenBao 2.7.2`.
    pub fn product(&self) -> String {
        let name = if self.enterprise.is_some() { "Vault" } else { "OpenBao" };
        format!("{name} {}", self.version)
    }

    /// Its clock.
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.server_time_utc?).ok()
    }
}

/// A status that says how the server is, and an answer all the same.
const HEALTH: &str = "sys/health";

impl Vault {
    /// `GET sys/health`; every state is an answer. It knows no namespace (OpenBao: 400 in one).
    pub async fn health(&self) -> Result<Health, Error> {
        let query = ["standbyok", "perfstandbyok"].map(|name| (name.to_owned(), Secret::from("true")));
        let codes = ["sealedcode", "uninitcode", "drsecondarycode"];
        let query: Vec<_> =
            query.into_iter().chain(codes.map(|name| (name.to_owned(), Secret::from("200")))).collect();
        let action = || "to tell its health".to_owned();
        let ask = Ask { method: Method::GET, query: &query, creates: false, ..self.post(action(), HEALTH) };
        let call = Call {
            url: self.url(&ask),
            headers: headers(&ask)?,
            body: None,
            method: Method::GET,
            creates: false,
            leases: false,
        };
        let answer = self.client.send(&call, answer::judge).await?;
        let health = serde_json::from_slice::<Health>(&answer.body);
        let health = health.map_err(|_| self.not_vault(action(), &instead(answer.status, &answer.body)))?;
        Ok(Health { certificate: answer.certificate, ..health })
    }

    /// The configuration at `path`, as JSON; for paths that hold no secret.
    pub async fn look(&self, token: &Secret, path: &str) -> Result<serde_json::Value, Error> {
        let namespace = match path.starts_with("auth/") {
            true => self.login_namespace(),
            false => self.namespace.as_deref(),
        };
        let ask = Ask {
            method: Method::GET,
            token: Some(token),
            creates: false,
            namespace,
            ..self.post(format!("to look at {path}"), path)
        };
        Ok(self.ask(ask).await?.data.map(|data| data.open()).unwrap_or_default())
    }
}
