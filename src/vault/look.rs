//! Calls that only look. They must not create anything, or use up more than one use of a token.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Ask, Data, Error, Value, Vault, answer};
use crate::secret::Secret;
use crate::text::Text;

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
    pub version: Text,
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

/// Where an engine is mounted.
#[derive(Debug, Default)]
pub struct Mount {
    /// With a / at its end.
    pub path: String,
    /// `kv`, `aws`, …
    pub kind: String,
    /// For the KV engine.
    pub kv_version: Option<u32>,
    /// What names it in a policy's template.
    pub accessor: String,
}

/// The time-out of calls that only improve a message.
const PATIENCE: Duration = Duration::from_secs(2);

impl Vault {
    /// `GET sys/health`; every state is an answer. It knows no namespace (OpenBao: 400 in one).
    pub async fn health(&self) -> Result<Health, Error> {
        let query = ["standbyok", "perfstandbyok"].map(|name| (name.to_owned(), Secret::from("true")));
        let codes = ["sealedcode", "uninitcode", "drsecondarycode"];
        let query: Vec<_> =
            query.into_iter().chain(codes.map(|name| (name.to_owned(), Secret::from("200")))).collect();
        let action = "to tell its health";
        let ask = Ask { query: &query, ..Ask::read(action, "sys/health") };
        let answer = self.client.send(&self.call(&ask)?, answer::judge).await?;
        self.note_time(&answer);
        let health = serde_json::from_slice::<Health>(&answer.body);
        let health = health.map_err(|_| self.no_answer(action, answer.status, &answer.body))?;
        Ok(Health { certificate: answer.certificate, ..health })
    }

    /// Warns of a server that ignores namespaces, where one is set: Vault's community edition serves the root
    /// namespace's data instead. Its health says `enterprise: false`, which OpenBao does not have (openbao:
    /// `http/sys_health.go`).
    pub async fn check_namespaces(&self) {
        let named = self.namespace.as_ref().or(self.auth_namespace.as_ref());
        let Some(namespace) = named.filter(|_| !self.client.is_stopped()) else { return };
        let Ok(Ok(health)) = tokio::time::timeout(PATIENCE, self.health()).await else { return };
        if health.enterprise == Some(false) {
            tracing::warn!(
                "this server is Vault's community edition: it ignores the namespace {namespace} and uses its root; unset \
                 VAULT_NAMESPACE, or use the address of Vault Enterprise or OpenBao"
            );
        }
    }

    /// The configuration at `path`, as JSON; for paths that hold no secret.
    pub async fn look(&self, token: &Secret, path: &str) -> Result<serde_json::Value, Error> {
        let namespace =
            if path.starts_with("auth/") { self.login_namespace() } else { self.namespace.as_deref() };
        let ask = Ask::read(format!("to look at {path}"), path).by(token).within(namespace);
        Ok(self.ask(ask).await?.data.map(|data| data.open()).unwrap_or_default())
    }

    /// The names at `path`: `GET PATH?list=true`, which is LIST.
    pub async fn list(&self, token: &Secret, path: &str) -> Result<Vec<String>, Error> {
        let query = [("list".to_owned(), Secret::from("true"))];
        let ask = Ask::read(format!("to list {path}"), path).by(token).within(self.login_namespace());
        let data = self.ask(Ask { query: &query, ..ask }).await?.data.unwrap_or(Data::Null);
        Ok(match data.field("keys") {
            Some(Data::List(list)) => {
                list.iter().filter_map(|item| Some(item.text()?.reveal().to_owned())).collect()
            }
            _ => Vec::new(),
        })
    }

    /// `sys/internal/ui/mounts/PATH`: the mount that serves `path`, if the token may use anything in it.
    pub async fn mount_of(&self, token: &Secret, path: &str) -> Result<Mount, Error> {
        let path = format!("sys/internal/ui/mounts/{path}");
        let ask = Ask::read("to look at a mount", &path).by(token).within(self.namespace.as_deref());
        let data = self.ask(ask).await?.data.unwrap_or(Data::Null);
        let text = |name: &str| Some(data.field(name)?.text()?.reveal().to_owned());
        let kind = text("type").unwrap_or_default();
        let is_kv = kind == "kv" || kind == "generic";
        let version = || text("options.version").and_then(|text| text.parse().ok()).unwrap_or(1);
        let [path, accessor] = ["path", "accessor"].map(|name| text(name).unwrap_or_default());
        Ok(Mount { path, kind, kv_version: is_kv.then(version), accessor })
    }

    /// `sys/capabilities-self`: what the token may do at each of `paths`, in their order.
    pub async fn capabilities(&self, token: &Secret, paths: &[&str]) -> Result<Vec<Vec<String>>, Error> {
        self.capabilities_in(self.namespace.as_deref(), token, paths).await
    }

    /// `sys/capabilities-self` in the namespace of the logins: what the token may do at `path`.
    pub async fn login_capabilities(&self, token: &Secret, path: &str) -> Result<Vec<String>, Error> {
        self.capabilities_in(self.login_namespace(), token, &[path])
            .await
            .map(|mut all| all.pop().unwrap_or_default())
    }

    async fn capabilities_in(
        &self,
        namespace: Option<&str>,
        token: &Secret,
        paths: &[&str],
    ) -> Result<Vec<Vec<String>>, Error> {
        let ask = Ask::write("to list capabilities", "sys/capabilities-self")
            .by(token)
            .within(namespace)
            .with([("paths", Value::Plain(paths.into()))]);
        let data = self.ask(ask).await?.data.unwrap_or(Data::Null);
        let of = |path: &&str| match data.field(path) {
            Some(Data::List(list)) => {
                list.iter().filter_map(|item| Some(item.text()?.reveal().to_owned())).collect()
            }
            _ => Vec::new(),
        };
        Ok(paths.iter().map(of).collect())
    }
}
