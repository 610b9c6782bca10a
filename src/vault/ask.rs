//! One request to Vault: its path, its token and its body. It must not send anything.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use zeroize::Zeroizing;

use super::Error;
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

    /// With an empty token no header is sent: an agent on the way adds its own.
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

pub(super) fn json(body: &Body) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    // Strings, numbers and lists of them into memory: this can't fail.
    let _ = serde_json::to_writer(&mut *bytes, body);
    bytes
}

pub(super) fn headers(ask: &Ask<'_>) -> Result<HeaderMap, Error> {
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
    // A caching proxy takes the header for a part of the request: equal requests of two jobs get an answer each, and
    // not the same token or lease (openbao 2.7.2 `bao proxy` with `cache {}`; its index is a hash of the whole
    // request).
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
