//! Issues secret_ids, wrapped or not, and unwraps them. It must not log in with them.

use std::time::Duration;

use super::{Ask, Envelope, Error, Vault};
use crate::secret::Secret;

/// Where secret_ids of an AppRole are issued.
pub(crate) fn secret_id_path(mount: &str, role: &str) -> String {
    format!("auth/{mount}/role/{role}/secret-id")
}

impl Vault {
    /// `POST auth/MOUNT/role/ROLE/secret-id` with the issuing token (vault: `auth/approle`). The metadata is a JSON
    /// object written as a string. With `wrap_ttl` the answer is a wrapping token, and not yet the secret_id.
    pub async fn issue_secret_id(
        &self,
        issuer: &Secret,
        path: &str,
        metadata: &[(&'static str, String)],
        wrap_ttl: Option<Duration>,
    ) -> Result<SecretId, Error> {
        let action = format!("to issue a secret_id at {path}");
        let facts: serde_json::Map<_, _> =
            metadata.iter().map(|(fact, text)| ((*fact).to_owned(), text.as_str().into())).collect();
        let facts = serde_json::Value::Object(facts).to_string();
        let ask = Ask::create(&action, path).by(issuer).within(self.login_namespace());
        let ask = if metadata.is_empty() { ask } else { ask.with([("metadata", facts.as_str().into())]) };
        let envelope = self.ask(Ask { wrap_ttl, ..ask }).await?;
        match envelope.wrap_info {
            Some(wrapped) => Ok(SecretId::Wrapped(wrapped.token)),
            None => self.secret_id_of(&envelope, &action).map(SecretId::Plain),
        }
    }

    /// `sys/wrapping/lookup`, which needs no token: the path that made what is wrapped, as the server says it.
    pub async fn creation_path(&self, wrapping: &Secret) -> Result<String, Error> {
        let action = "to look up the wrapping token";
        let ask = Ask::write(action, "sys/wrapping/lookup")
            .within(self.login_namespace())
            .with([("token", wrapping.into())]);
        let data = self.ask(ask).await?.data;
        let path = data.as_ref().and_then(|data| data.field("creation_path")?.text());
        let path = path.map(|path| path.reveal().to_owned());
        path.ok_or_else(|| self.not_vault(action, "an answer without a creation_path"))
    }

    /// `sys/wrapping/unwrap` as the wrapping token, which it uses up. One that this run can have issued anew is `own`.
    pub async fn unwrap_secret_id(&self, wrapping: &Secret, own: bool) -> Result<Secret, Error> {
        let action = "to unwrap the secret_id";
        let ask = Ask::create(action, "sys/wrapping/unwrap").by(wrapping).within(self.login_namespace());
        let envelope = self.ask(Ask { spends: own, ..ask }).await?;
        self.secret_id_of(&envelope, action)
    }

    /// Counts what Vault says to secret_ids that were issued a moment before: five refusals lock the AppRole for every
    /// job (vault: `vault/request_handling.go`, user lockout). Returns how many it refused since one was good.
    pub fn count_refusals(&self, refused: bool) -> u32 {
        self.refusals.set(if refused { self.refusals.get() + 1 } else { 0 });
        self.refusals.get()
    }

    /// How many were refused since one was good.
    pub fn refusals(&self) -> u32 {
        self.refusals.get()
    }

    /// Whether a write was answered with an index, by which later requests see what was written.
    pub fn hands_out_index(&self) -> bool {
        self.client.hands_out_index(&self.base)
    }

    /// What answers, if it is a standby that may not know yet what was just written: one that hands out no index,
    /// which OpenBao before 2.7 does not.
    pub async fn stale_standby(&self) -> Option<String> {
        if self.hands_out_index() || self.client.is_stopped() {
            return None;
        }
        let health = self.health().await.ok().filter(|health| health.standby)?;
        Some(format!("{}, a standby of {}", self.client.peer(&self.base), health.product()))
    }

    fn secret_id_of(&self, envelope: &Envelope, action: &str) -> Result<Secret, Error> {
        let secret_id = envelope
            .data
            .as_ref()
            .and_then(|data| data.field("secret_id").filter(|value| !value.is_absent())?.text());
        secret_id.ok_or_else(|| self.not_vault(action, "an answer without a secret_id"))
    }
}

/// What issuing gives.
#[derive(Debug)]
pub enum SecretId {
    /// The secret_id.
    Plain(Secret),
    /// A wrapping token with the secret_id inside.
    Wrapped(Secret),
}
