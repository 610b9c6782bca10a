//! One request to Vault, and the one way to send it. It must not show a secret of its own: each is named here once.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use zeroize::Zeroizing;

use super::{Envelope, Error, ServerErrors, Vault, answer};
use crate::http::Call;
use crate::secret::Secret;

/// The JSON object of a request.
#[derive(Debug, Clone, Default)]
pub struct Body(pub Vec<(String, Value)>);

/// One value of a [`Body`].
#[derive(Debug, Clone)]
pub enum Value {
    /// Sent, and masked in every text of the server.
    Secret(Secret),
    /// Sent.
    Plain(serde_json::Value),
    /// An object, sent; the secrets in it are masked.
    Nested(Body),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Plain(text.into())
    }
}

impl From<&Secret> for Value {
    fn from(secret: &Secret) -> Self {
        Self::Secret(secret.clone())
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Body {
    fn from(fields: [(&str, Value); N]) -> Self {
        Self(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            match value {
                Value::Secret(secret) => map.serialize_entry(name, secret.reveal())?,
                Value::Plain(value) => map.serialize_entry(name, value)?,
                Value::Nested(body) => map.serialize_entry(name, body)?,
            }
        }
        map.end()
    }
}

/// A request, said as `Ask::read(…).by(token).within(namespace)`.
pub(super) struct Ask<'a> {
    /// For messages: `Vault refused {action}`.
    pub(super) action: String,
    pub(super) method: Method,
    /// Below /v1/.
    pub(super) path: &'a str,
    pub(super) query: &'a [(String, Secret)],
    pub(super) token: Option<&'a Secret>,
    pub(super) body: Option<Body>,
    /// Whether it creates something that must be revoked.
    pub(super) creates: bool,
    /// Whether that has a lease.
    pub(super) leases: bool,
    /// Whether it may use up the secret that it sends.
    pub(super) spends: bool,
    pub(super) namespace: Option<&'a str>,
    /// The User-Agent, where it is not the usual one.
    pub(super) agent: Option<&'a str>,
    /// The answer shall come wrapped, for this long.
    pub(super) wrap_ttl: Option<Duration>,
}

impl<'a> Ask<'a> {
    /// A GET that creates nothing.
    pub(super) fn read(action: impl Into<String>, path: &'a str) -> Self {
        Self { method: Method::GET, creates: false, ..Self::create(action, path) }
    }

    /// A POST that creates nothing.
    pub(super) fn write(action: impl Into<String>, path: &'a str) -> Self {
        Self { creates: false, ..Self::create(action, path) }
    }

    /// A POST that creates something; it is repeated only when it certainly did not run.
    pub(super) fn create(action: impl Into<String>, path: &'a str) -> Self {
        Self {
            action: action.into(),
            method: Method::POST,
            path,
            query: &[],
            token: None,
            body: None,
            creates: true,
            leases: false,
            spends: false,
            namespace: None,
            agent: None,
            wrap_ttl: None,
        }
    }

    /// An empty token is none: an agent on the way adds its own.
    pub(super) fn by(self, token: &'a Secret) -> Self {
        Self { token: Some(token).filter(|token| !token.reveal().is_empty()), ..self }
    }

    pub(super) fn within(self, namespace: Option<&'a str>) -> Self {
        Self { namespace, ..self }
    }

    pub(super) fn with(self, body: impl Into<Body>) -> Self {
        Self { body: Some(body.into()), ..self }
    }
}

impl Vault {
    /// Sends the request: the only way to Vault.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Envelope, Error> {
        self.remember(&ask);
        tracing::debug!("{} {}", ask.method, ask.path);
        let answer = self.client.send(&self.call(&ask)?, answer::judge).await?;
        self.note_time(&answer);
        let envelope = self.understood(&ask.action, answer.status, &answer.body);
        let mut envelope = envelope.map_err(|error| lost(error, &ask, answer.status, &answer.body))?;
        envelope.cached = answer.cached;
        let warnings = envelope.warnings.as_deref().unwrap_or_default();
        for warning in answer::readable(warnings, &self.known.borrow()) {
            // A renewal's caller judges what was granted.
            if ask.creates {
                tracing::warn!("Vault says of {}: {warning}", ask.path)
            } else {
                tracing::debug!("Vault says of {}: {warning}", ask.path)
            }
        }
        Ok(envelope)
    }

    /// What is sent.
    pub(super) fn call(&self, ask: &Ask<'_>) -> Result<Call, Error> {
        Ok(Call {
            url: self.url(ask),
            headers: headers(ask)?,
            body: ask.body.as_ref().map(json),
            method: ask.method.clone(),
            creates: ask.creates,
            leases: ask.leases,
            spends: ask.spends,
        })
    }

    /// What an answer means: Vault's own errors decide where there are some, whatever the status.
    fn understood(&self, action: &str, status: u16, body: &[u8]) -> Result<Envelope, Error> {
        if status == 204 {
            return Ok(Envelope::default());
        }
        let Some(envelope) = answer::object::<Envelope>(body) else {
            return Err(self.no_answer(action, status, body));
        };
        let known = self.known.borrow();
        let texts = |all: &Option<Vec<_>>| answer::readable(all.as_deref().unwrap_or_default(), &known);
        let (errors, warnings) = (texts(&envelope.errors), texts(&envelope.warnings));
        let unable = |said| Error::Unable { action: action.to_owned(), status, said: ServerErrors(said) };
        match status {
            200..=299 if errors.is_empty() => Ok(envelope),
            _ if answer::is_behind(status, envelope.errors.as_deref()) => {
                Err(Error::Behind { action: action.to_owned() })
            }
            200..=299 | 400..=499 if envelope.errors.is_some() || envelope.warnings.is_some() => {
                let mut said = [errors, warnings].concat();
                if said.is_empty() {
                    said.push(format!("status {status}"));
                }
                Err(match status {
                    429 => unable(said),
                    _ => {
                        let by_policy = answer::is_by_policy(envelope.errors.as_deref().unwrap_or_default());
                        Error::Refused {
                            action: action.to_owned(),
                            status,
                            by_policy,
                            said: ServerErrors(said),
                        }
                    }
                })
            }
            404 if is_deleted(&envelope) => Err(Error::Refused {
                action: action.to_owned(),
                status,
                by_policy: false,
                said: ServerErrors(vec!["this version of the secret is deleted or destroyed".to_owned()]),
            }),
            500.. if envelope.errors.is_some() => Err(unable(errors)),
            _ => Err(self.no_answer(action, status, body)),
        }
    }

    pub(super) fn not_vault(&self, action: &str, what: &str) -> Error {
        Error::NotVault {
            action: action.to_owned(),
            host: self.client.peer(&self.base),
            lost: false,
            forbidden: false,
            said: ServerErrors(vec![what.to_owned()]),
        }
    }

    /// An answer that is not Vault's.
    pub(super) fn no_answer(&self, action: &str, status: u16, body: &[u8]) -> Error {
        match self.not_vault(action, &instead(status, body)) {
            Error::NotVault { action, host, lost, said, .. } => {
                Error::NotVault { action, host, lost, forbidden: status == 403, said }
            }
            error => error,
        }
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
        ask.token.iter().for_each(|secret| self.hide(secret));
        ask.body.iter().for_each(|body| self.remember_all(body));
    }

    fn remember_all(&self, body: &Body) {
        for (_, value) in &body.0 {
            match value {
                Value::Secret(secret) => self.hide(secret),
                Value::Plain(_) => {}
                Value::Nested(inside) => self.remember_all(inside),
            }
        }
    }
}

/// A success that can't be read is a lost answer, where something was made: a number that is none, the same key twice,
/// bytes that are not UTF-8, an end that comes too early. A page or a remark for people is not Vault's.
fn lost(error: Error, ask: &Ask<'_>, status: u16, body: &[u8]) -> Error {
    let for_people = body.trim_ascii_start().starts_with(b"<");
    match error {
        Error::NotVault { action, host, said, forbidden, .. } => {
            let lost = ask.creates && matches!(status, 200..=299) && !for_people;
            Error::NotVault { action, host, said, forbidden, lost }
        }
        error => error,
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
    if let Some(agent) = ask.agent {
        headers.insert(USER_AGENT, header(agent, "the job's number")?);
    }
    // A caching proxy takes the header for a part of the request: equal requests of two jobs get an answer each, and not
    // the same token or lease (openbao 2.7.2 `bao proxy` with `cache {}`; its index is a hash of the whole request).
    if ask.creates
        && let Ok(id) = crate::process::random()
        && let Ok(id) = HeaderValue::from_str(&id)
    {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Some(ttl) = ask.wrap_ttl {
        headers.insert(HeaderName::from_static("x-vault-wrap-ttl"), ttl.as_secs().into());
    }
    Ok(headers)
}

/// KV version 2 answers so for a version that is gone: with its metadata, and without errors.
fn is_deleted(answer: &Envelope) -> bool {
    answer.data.as_ref().is_some_and(|data| data.field("metadata.version").is_some())
}

/// What came instead of an answer of Vault's; never the body itself.
fn instead(status: u16, body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    let kind = match start.first() {
        None => "nothing",
        Some(b'<') => "an HTML page",
        Some(b'{' | b'[') => "JSON of another kind",
        Some(_) => "something that is not JSON",
    };
    format!("status {status} with {kind}")
}
