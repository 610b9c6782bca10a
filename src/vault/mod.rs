//! Vault's HTTP API in Vault's words. What is sent, and what is known to be secret in it, is said here once.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use zeroize::Zeroizing;

use crate::http::{self, Call, Client};
use crate::secret::Secret;
use crate::stop::Stop;

mod answer;
mod clock;
mod data;
mod error;
mod look;
mod secret_id;
mod token;

pub use answer::{Auth, Envelope};
#[doc(hidden)]
pub use answer::{judge, readable};
pub use data::Data;
pub use error::{Advised, Error, Said};
pub use look::Health;
pub use secret_id::SecretId;
pub use token::TokenInfo;

/// How long the server's health is waited for.
const HEALTH: Duration = Duration::from_secs(2);

/// A server, and how to talk to it.
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
    /// Secrets that were sent: a server may say them back in an error.
    known: RefCell<Vec<Secret>>,
    /// How far this machine's clock is ahead of the server's, by the last answer.
    ahead: Cell<Option<SignedDuration>>,
}

/// The JSON object of a request.
#[derive(Debug, Clone, Default)]
pub struct Body(pub Vec<(String, Value)>);

/// Where an engine is mounted.
#[derive(Debug)]
pub struct Mount {
    /// With a / at its end.
    pub path: String,
    /// For the KV engine.
    pub kv_version: Option<u32>,
}

/// One value of a [`Body`].
#[derive(Debug, Clone)]
pub enum Value {
    /// Sent, and masked wherever the server says it back.
    Secret(Secret),
    /// Sent.
    Plain(serde_json::Value),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Plain(text.into())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            match value {
                Value::Secret(secret) => map.serialize_entry(name, secret.reveal())?,
                Value::Plain(value) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// A request in Vault's words.
struct Ask<'a> {
    /// For messages: `Vault refused {action}`.
    action: String,
    method: Method,
    /// Below /v1/.
    path: &'a str,
    query: &'a [(String, Secret)],
    token: Option<&'a Secret>,
    body: Option<Body>,
    creates: bool,
    leases: bool,
    namespace: Option<&'a str>,
    /// The answer shall come wrapped, for this long.
    wrap_ttl: Option<Duration>,
}

impl Vault {
    /// Nothing is sent yet.
    pub fn new(client: Client, base: Url, namespace: Option<String>, auth_namespace: Option<String>) -> Self {
        Self { client, base, namespace, auth_namespace, known: RefCell::default(), ahead: Cell::new(None) }
    }

    /// What tells whether the process was asked to stop.
    pub fn stop(&self) -> &crate::stop::Stop {
        self.client.stop()
    }

    /// The server of a configuration.
    pub fn at(server: &Server, stop: Stop) -> Result<Self, http::Error> {
        let client = Client::new(server.http.clone(), stop)?;
        let (namespace, auth_namespace) = (server.namespace.clone(), server.auth_namespace.clone());
        Ok(Self::new(client, server.address.clone(), namespace, auth_namespace))
    }

    /// The same server, for taking back: a stop does not end it.
    pub fn unstoppable(&self) -> Self {
        Self {
            client: self.client.unstoppable(),
            base: self.base.clone(),
            namespace: self.namespace.clone(),
            auth_namespace: self.auth_namespace.clone(),
            known: RefCell::default(),
            ahead: Cell::new(None),
        }
    }

    /// The client, for other servers.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Masks `secret` wherever the server says it back.
    pub fn hide(&self, secret: &Secret) {
        let mut known = self.known.borrow_mut();
        if !known.iter().any(|one| one.reveal() == secret.reveal()) {
            known.push(secret.clone());
        }
    }

    /// `POST auth/MOUNT/login`.
    pub async fn login(&self, action: String, path: &str, body: Body) -> Result<Auth, Error> {
        let ask = Ask { body: Some(body), namespace: self.login_namespace(), ..self.post(action, path) };
        let action = ask.action.clone();
        let auth = self.ask(ask).await?.auth;
        // With a second factor outstanding, Vault answers with an empty one.
        let auth = auth.filter(|auth| !auth.client_token.reveal().is_empty());
        auth.ok_or_else(|| self.not_vault(action, "an answer without a token"))
    }

    /// Reads, or writes where `post`, a path that makes credentials.
    pub async fn issue(
        &self,
        token: &Secret,
        path: &str,
        parameters: &[(String, Secret)],
        post: bool,
    ) -> Result<Envelope, Error> {
        let ask = Ask {
            token: Some(token),
            leases: true,
            namespace: self.namespace.as_deref(),
            ..self.post(String::new(), path)
        };
        let ask = match post {
            true => {
                let fields =
                    parameters.iter().map(|(name, value)| (name.clone(), Value::Secret(value.clone())));
                Ask { action: format!("the write to {path}"), body: Some(Body(fields.collect())), ..ask }
            }
            false => {
                Ask { action: format!("the read of {path}"), method: Method::GET, query: parameters, ..ask }
            }
        };
        self.ask(ask).await
    }

    /// `sys/internal/ui/mounts/PATH`: the mount that serves `path`, if the token may use anything in it.
    pub async fn mount_of(&self, token: &Secret, path: &str) -> Result<Option<Mount>, Error> {
        let path = format!("sys/internal/ui/mounts/{path}");
        let ask = Ask {
            method: Method::GET,
            token: Some(token),
            creates: false,
            namespace: self.namespace.as_deref(),
            ..self.post("to look at a mount".to_owned(), &path)
        };
        let Some(data) = self.ask(ask).await?.data else { return Ok(None) };
        let text = |name: &str| Some(data.field(name)?.text()?.reveal().to_owned());
        let is_kv = text("type").is_some_and(|kind| kind == "kv" || kind == "generic");
        let version = || text("options.version").and_then(|text| text.parse().ok()).unwrap_or(1);
        Ok(text("path").map(|path| Mount { path, kv_version: is_kv.then(version) }))
    }

    /// `auth/token/renew-self`, so that the token lives `seconds` from now if it may.
    pub async fn renew_self(&self, token: &Secret, seconds: u64) -> Result<Auth, Error> {
        let body = Body(vec![("increment".to_owned(), Value::Plain(seconds.into()))]);
        let ask = Ask {
            token: Some(token),
            body: Some(body),
            creates: false,
            namespace: self.login_namespace(),
            ..self.post("to renew the token".to_owned(), "auth/token/renew-self")
        };
        let action = ask.action.clone();
        self.ask(ask).await?.auth.ok_or_else(|| self.not_vault(action, "an answer without a token"))
    }

    /// `auth/token/revoke-self`: the token's leases go with it.
    pub async fn revoke_self(&self, token: &Secret) -> Result<(), Error> {
        let ask = Ask {
            token: Some(token),
            creates: false,
            namespace: self.login_namespace(),
            ..self.post("to revoke the token".to_owned(), "auth/token/revoke-self")
        };
        self.ask(ask).await.map(drop)
    }

    /// `sys/leases/renew`: the seconds from now that were granted, of `seconds` that were asked for.
    pub async fn renew_lease(&self, token: &Secret, lease: &str, seconds: u64) -> Result<u64, Error> {
        let fields = vec![
            ("lease_id".to_owned(), lease.into()),
            ("increment".to_owned(), Value::Plain(seconds.into())),
        ];
        let ask = Ask {
            token: Some(token),
            body: Some(Body(fields)),
            creates: false,
            namespace: self.namespace.as_deref(),
            ..self.post(format!("to renew the lease {lease}"), "sys/leases/renew")
        };
        self.ask(ask).await.map(|answer| answer.lease_duration)
    }

    /// `sys/leases/revoke`, done when it answers.
    pub async fn revoke_lease(&self, token: &Secret, lease: &str) -> Result<(), Error> {
        let body =
            Body(vec![("lease_id".to_owned(), lease.into()), ("sync".to_owned(), Value::Plain(true.into()))]);
        let ask = Ask {
            token: Some(token),
            body: Some(body),
            creates: false,
            namespace: self.namespace.as_deref(),
            ..self.post(format!("to revoke the lease {lease}"), "sys/leases/revoke")
        };
        self.ask(ask).await.map(drop)
    }

    /// `auth/token/lookup-self`: the seconds that the token still has, `None` if it never ends.
    pub async fn token_ttl(&self, token: &Secret) -> Result<Option<u64>, Error> {
        let ask = Ask {
            method: Method::GET,
            token: Some(token),
            creates: false,
            namespace: self.login_namespace(),
            ..self.post("to look the token up".to_owned(), "auth/token/lookup-self")
        };
        let data = self.ask(ask).await?.data;
        let ttl = data.as_ref().and_then(|data| data.field("ttl")?.text()?.reveal().parse().ok());
        Ok(ttl.filter(|ttl| *ttl > 0))
    }

    /// `sys/capabilities-self`: what the token may do at each of `paths`, in their order.
    pub async fn capabilities(&self, token: &Secret, paths: &[&str]) -> Result<Vec<Vec<String>>, Error> {
        self.capabilities_in(self.namespace.as_deref(), token, paths).await
    }

    async fn capabilities_in(
        &self,
        namespace: Option<&str>,
        token: &Secret,
        paths: &[&str],
    ) -> Result<Vec<Vec<String>>, Error> {
        let ask = Ask {
            token: Some(token),
            body: Some(Body(vec![("paths".to_owned(), Value::Plain(paths.into()))])),
            creates: false,
            namespace,
            ..self.post("to list capabilities".to_owned(), "sys/capabilities-self")
        };
        let data = self.ask(ask).await?.data.unwrap_or(Data::Null);
        let of = |path: &&str| match data.field(path) {
            Some(Data::List(list)) => {
                list.iter().filter_map(|item| Some(item.text()?.reveal().to_owned())).collect()
            }
            _ => Vec::new(),
        };
        Ok(paths.iter().map(of).collect())
    }

    /// Warns of a server that ignores namespaces, where one is set: Vault's community edition serves the root
    /// namespace's data instead. Its health says `enterprise: false`, which OpenBao does not have (wire.md).
    pub async fn check_namespaces(&self) {
        let named = self.namespace.as_ref().or(self.auth_namespace.as_ref());
        let Some(namespace) = named.filter(|_| !self.client.is_stopped()) else { return };
        let ask = Ask { method: Method::GET, creates: false, ..self.post(String::new(), "sys/health") };
        let Ok(headers) = headers(&ask) else { return };
        let (url, method) = (self.url(&ask), ask.method);
        let call = Call { url, headers, method, body: None, creates: false, leases: false };
        let health = self.client.send(&call, |_, _| http::Verdict::Final);
        // It is a courtesy: nobody waits for it.
        let Ok(Ok(answer)) = tokio::time::timeout(HEALTH, health).await else { return };
        let health: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        if health.is_some_and(|health| health["enterprise"] == false) {
            tracing::warn!(
                "this server is Vault's community edition: it ignores the namespace {namespace} and uses its root; unset \
                 VAULT_NAMESPACE, or use the address of Vault Enterprise or OpenBao"
            );
        }
    }

    /// How long taking back may take. GitLab kills a job's processes 10 s after it stopped them.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.client.is_stopped() { 8 } else { 30 })
    }

    fn login_namespace(&self) -> Option<&str> {
        self.auth_namespace.as_deref().or(self.namespace.as_deref())
    }

    fn post<'a>(&self, action: String, path: &'a str) -> Ask<'a> {
        Ask {
            action,
            method: Method::POST,
            path,
            query: &[],
            token: None,
            body: None,
            creates: true,
            leases: false,
            namespace: None,
            wrap_ttl: None,
        }
    }

    fn not_vault(&self, action: String, what: &str) -> Error {
        Error::NotVault { action, host: self.client.peer(&self.base), said: Said(vec![what.to_owned()]) }
    }

    /// The one way to ask.
    async fn ask(&self, ask: Ask<'_>) -> Result<Envelope, Error> {
        self.remember(&ask);
        tracing::debug!("{} {}", ask.method, ask.path);
        let call = Call {
            url: self.url(&ask),
            headers: headers(&ask)?,
            body: ask.body.as_ref().map(json),
            method: ask.method,
            creates: ask.creates,
            leases: ask.leases,
        };
        let creates = ask.creates;
        let answer = self.client.send(&call, answer::judge).await?;
        self.ahead.set(answer.date.as_deref().and_then(clock::ahead_of).or(self.ahead.get()));
        if answer.status == 204 {
            return Ok(Envelope::default());
        }
        let parsed: Result<Envelope, _> = serde_json::from_slice(&answer.body);
        let known = self.known.borrow();
        let errors = || parsed.as_ref().ok()?.errors.as_ref().map(|texts| answer::readable(texts, &known));
        match (answer.status, &parsed) {
            (200..=299, Ok(_)) if errors().is_none_or(|errors| errors.is_empty()) => {}
            (status @ (200..=299 | 400..=499), Ok(envelope))
                if errors().is_some() || envelope.warnings.is_some() =>
            {
                let mut texts = errors().unwrap_or_default();
                texts.extend(answer::readable(envelope.warnings.as_deref().unwrap_or_default(), &known));
                if texts.is_empty() {
                    texts.push(format!("status {status}"));
                }
                let (action, said) = (ask.action, Said(texts));
                return Err(match status {
                    412 | 429 => Error::Unable { action, status, said },
                    _ => Error::Refused { action, status, said },
                });
            }
            (status @ 500.., Ok(_)) if errors().is_some() => {
                return Err(Error::Unable {
                    action: ask.action,
                    status,
                    said: Said(errors().unwrap_or_default()),
                });
            }
            (status, _) => {
                return Err(self.not_vault(ask.action, &instead(status, &answer.body)));
            }
        }
        let envelope = parsed.unwrap_or_default();
        for warning in answer::readable(envelope.warnings.as_deref().unwrap_or_default(), &known) {
            // A renewal's caller judges what was granted.
            match creates {
                true => tracing::warn!("Vault says of {}: {warning}", ask.path),
                false => tracing::debug!("Vault says of {}: {warning}", ask.path),
            }
        }
        Ok(envelope)
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(ask.path.split('/'));
        }
        if !ask.query.is_empty() {
            let pairs = ask.query.iter().map(|(name, value)| (name, value.reveal()));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }

    fn remember(&self, ask: &Ask<'_>) {
        let fields = ask.body.iter().flat_map(|body| &body.0);
        let sent = fields.filter_map(|(_, value)| match value {
            Value::Secret(secret) => Some(secret),
            Value::Plain(_) => None,
        });
        sent.chain(ask.token).for_each(|secret| self.hide(secret));
    }
}

fn json(body: &Body) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    // Strings, numbers and lists of them into memory: this can't fail.
    let _ = serde_json::to_writer(&mut *bytes, body);
    bytes
}

fn headers(ask: &Ask<'_>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    // Agents and proxies with require_request_header ask for it.
    headers.insert(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
    let header = |text: &str, what| HeaderValue::from_str(text).map_err(|_| Error::Unsendable(what));
    if let Some(token) = ask.token {
        let mut token = header(token.reveal(), "the token")?;
        token.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-vault-token"), token);
    }
    if let Some(namespace) = ask.namespace {
        headers.insert(HeaderName::from_static("x-vault-namespace"), header(namespace, "the namespace")?);
    }
    if let Some(ttl) = ask.wrap_ttl {
        headers.insert(HeaderName::from_static("x-vault-wrap-ttl"), ttl.as_secs().into());
    }
    Ok(headers)
}

/// What came instead of an answer of Vault's; never the body itself.
fn instead(status: u16, body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    let kind = match start.first() {
        None => "nothing",
        Some(b'<') => "an HTML page",
        // Go's HTTP server, on a TLS port.
        Some(_) if body.starts_with(b"Client sent an HTTP request to an HTTPS server") => {
            "a remark that this port wants https://"
        }
        Some(b'{' | b'[') => "JSON of another kind",
        Some(_) => "something that is not JSON",
    };
    format!("status {status} with {kind}")
}

/// The time, to the second, from which lives are counted.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
