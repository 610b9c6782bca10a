//! One request, one answer, and what a judge can say of it. Nothing is sent here.

use std::time::Duration;

use reqwest::header::{GetAll, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

/// One request.
pub struct Call {
    /// GET, POST, …
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Tokens are marked as sensitive.
    pub headers: HeaderMap,
    /// JSON.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// Whether it makes something that has to be taken back: then it is repeated only if it surely did not run.
    pub creates: bool,
    /// Whether that is something with a lease: then a redirect to a dead node is no proof that it did not run.
    pub leases: bool,
    /// Whether it uses up what it sends, as a login with a one-use secret_id: then it is sent again only if no node can
    /// have seen it.
    pub spends: bool,
}

/// One answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, whole.
    pub body: Zeroizing<Vec<u8>>,
    /// The server's clock.
    pub date: Option<String>,
    /// The server's certificate, DER.
    pub certificate: Option<Vec<u8>>,
    /// For an answer out of a cache on the way, which others get as well: how long it lay there.
    pub cached: Option<Duration>,
    /// When the server wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    /// Where it redirects to.
    pub(super) location: Option<String>,
}

impl Answer {
    /// An answer for the fuzzers.
    #[doc(hidden)]
    pub fn new(status: u16, body: &[u8]) -> Self {
        let body = Zeroizing::new(body.to_vec());
        Self { status, body, date: None, certificate: None, cached: None, retry_after: None, location: None }
    }
}

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Return it.
    Final,
    /// The request did not run: ask again.
    Again,
    /// The node has not caught up with its cluster, and did not run it: ask again soon.
    Soon,
    /// The node refuses to forward at a client's request, and did not run it: send it again without that header.
    Unforwarded,
    /// The request may have run, and this is not its answer: what it is instead.
    Lost(&'static str),
    /// The request may have run, and something else than the server answered.
    Foreign,
}

impl Call {
    /// A request without a body that makes nothing, and can be sent as often as one likes.
    pub fn new(method: Method, url: Url, headers: HeaderMap) -> Self {
        Self { method, url, headers, body: None, creates: false, leases: false, spends: false }
    }

    /// `GET aws/sts/web`, for -v.
    pub(super) fn name(&self) -> String {
        let path = self.url.path();
        format!("{} {}", self.method, path.split_once("/v1/").map_or(path, |(_, path)| path))
    }
}

/// How Go's HTTP server and nginx answer plain HTTP on a TLS port (go: `net/http/server.go`; nginx: error 497).
pub(super) fn wants_tls(body: &[u8]) -> bool {
    const TEXTS: [&[u8]; 2] =
        [b"Client sent an HTTP request to an HTTPS server", b"The plain HTTP request was sent to HTTPS port"];
    TEXTS.iter().any(|text| body.windows(text.len()).any(|part| part == *text))
}

/// Caches say so in X-Cache (vault and openbao: `command/agentproxyshared/cache/handler.go`; `Hit from …` of others),
/// or by an age (RFC 9111, section 5.1); some give what is fresh an age of 0.
pub(super) fn cached(age: Option<String>, notes: GetAll<'_, HeaderValue>) -> Option<Duration> {
    let age = age.and_then(|age| age.trim().parse().ok()).map(Duration::from_secs).unwrap_or_default();
    let is_hit = |note: &HeaderValue| note.as_bytes().to_ascii_lowercase().starts_with(b"hit");
    (!age.is_zero() || notes.iter().any(is_hit)).then_some(age)
}
