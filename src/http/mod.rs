//! All outgoing network: one client with one private way to send. It knows TLS, proxies, time-outs, redirects, retries
//! and size limits; it must not judge what an answer means.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use reqwest::header::{AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::shutdown::{PATIENCE, Shutdown};

mod call;
mod certificate;
mod content;
mod error;
mod index;
mod names;
mod redirect;
mod retry;
mod roots;
mod settings;
mod tls;
mod verify;

pub use call::{Answer, Call, Judgement};
use call::{cached, wants_tls};
pub use error::{Cause, Error};
pub(crate) use names::look_up;
use retry::{Failed, Pause, pause_unless};
pub(crate) use settings::host;
pub use settings::{Endpoint, Proxy, Settings, is_loopback};
pub(crate) use tls::FileFrom;
pub use tls::{Ca, Pem, Tls};

/// The longest answer: a secret is far shorter.
const LONGEST_ANSWER: usize = 4 << 20;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest wait that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long a request is repeated, unless a number is set: a cluster has elected its leader by then.
const WINDOW: Duration = Duration::from_secs(20);

/// The client for all requests.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
    settings: std::sync::Arc<Settings>,
    names: names::Names,
    indexes: index::Indexes,
    shutdown: Shutdown,
}

impl Client {
    /// Reads certificates; connects when the first request is sent.
    pub async fn new(settings: Settings, shutdown: Shutdown) -> Result<Self, Error> {
        Self::with(settings, shutdown, false).await
    }

    /// The same where a token may be alive already: a stop that takes it back waits for no file.
    pub async fn late(settings: Settings, shutdown: Shutdown) -> Result<Self, Error> {
        Self::with(settings, shutdown, true).await
    }

    async fn with(settings: Settings, shutdown: Shutdown, is_late: bool) -> Result<Self, Error> {
        let names = names::Names::new(&settings);
        let reader = roots::Reader { shutdown: &shutdown, is_late };
        let inner = tls::client(&settings, &names, CONNECT, &reader).await?;
        Ok(Self { inner, settings: settings.into(), names, indexes: index::Indexes::default(), shutdown })
    }

    /// Whether the server at `url` tells how far its cluster is.
    pub fn hands_out_index(&self, url: &Url) -> bool {
        self.indexes.knows(url)
    }

    /// The server or proxy that a request to `url` goes to, for messages.
    pub fn peer(&self, url: &Url) -> String {
        self.settings.peer(url)
    }

    /// How often a request is repeated at most, where a number is set.
    pub fn max_retries(&self) -> Option<usize> {
        self.settings.max_retries
    }

    /// Whether the process was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.shutdown.check().is_err()
    }

    /// What tells whether the process was asked to stop.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// A client for other addresses, which the same signals end.
    pub async fn sibling(&self, settings: Settings) -> Result<Self, Error> {
        Self::late(settings, self.shutdown.clone()).await
    }

    /// The same connections, with another stop.
    pub fn with_shutdown(&self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self.clone() }
    }

    /// The same connections, for revoking: a signal does not end their requests.
    pub fn without_cancellation(&self) -> Self {
        self.with_shutdown(self.shutdown.without_cancellation())
    }

    /// Sends `call` as often as is safe and useful; `judge` tells what an answer means.
    pub async fn send(&self, call: &Call, judge: fn(&Call, &Answer) -> Judgement) -> Result<Answer, Error> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(4))
            .with_jitter()
            .with_max_times(self.settings.max_retries.unwrap_or(usize::MAX));
        let (started, counted) = (Instant::now(), self.settings.max_retries.is_some());
        let shutdown = self.shutdown.clone();
        let outcome = (|| self.attempt(call, judge))
            .retry(backoff)
            .sleep(move |pause| pause_unless(shutdown.clone(), pause))
            .when(|failed| failed.again && (counted || started.elapsed() < WINDOW))
            .adjust(|failed, pause| pause.map(|pause| failed.pause.after(pause)))
            .notify(|failed, pause| {
                tracing::debug!("{}; {} again in {:.1} s", failed.reason(), call.name(), pause.as_secs_f32());
                if !matches!(failed.pause, Pause::Short) {
                    let left = WINDOW.saturating_sub(started.elapsed()).as_secs();
                    let told = failed.told(&self.peer(&call.url));
                    if counted {
                        crate::console::waiting(&format!("{told}; trying again"))
                    } else {
                        crate::console::waiting(&format!("{told}; trying for {left} s more"))
                    }
                }
            })
            .await;
        crate::console::waited();
        match outcome {
            Ok(answer) => Ok(answer),
            Err(Failed { outcome: Ok(answer), .. }) => Ok(answer),
            Err(Failed { outcome: Err(error), .. }) => Err(error),
        }
    }

    async fn attempt(&self, call: &Call, judge: fn(&Call, &Answer) -> Judgement) -> Result<Answer, Failed> {
        self.shutdown.check().map_err(|stopped| Failed::for_good(stopped.into()))?;
        let answer = match self.follow(call).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = self.or_wants_tls(call, error).await;
                let again = error.never_ran() || (!call.creates && error.is_passing());
                let error = if call.creates && !again { error.or_lost(self.settings.timeout) } else { error };
                return Err(Failed { outcome: Err(error), again, pause: Pause::Usual });
            }
        };
        match judge(call, &answer) {
            Judgement::Final => Ok(answer),
            Judgement::Again => {
                let pause =
                    answer.retry_after.map_or(Pause::Usual, |pause| Pause::Told(pause.min(LONGEST_PAUSE)));
                Err(Failed { outcome: Ok(answer), again: true, pause })
            }
            Judgement::Soon => Err(Failed { outcome: Ok(answer), again: true, pause: Pause::Short }),
            Judgement::Unforwarded if self.indexes.stay() => Box::pin(self.attempt(call, judge)).await,
            Judgement::Unforwarded => Ok(answer),
            Judgement::Lost(what) => Err(self.lost(call, &answer, what, false)),
            Judgement::Foreign => Err(self.lost(call, &answer, "another answered in its place", true)),
        }
    }

    fn lost(&self, call: &Call, answer: &Answer, what: &str, foreign: bool) -> Failed {
        let cause = format!("{what} (status {})", answer.status);
        Failed::for_good(Error::Lost { host: self.peer(&call.url), cause, timed_out: false, foreign })
    }

    /// The fault of a port that speaks TLS, where `error` comes from that. A server says so in an answer to plain HTTP,
    /// but it resets the connection when the request is longer than what it reads first (go: `crypto/tls`), as a login
    /// with an ID token is. The answer to a short one gets through. No request on such a port has run.
    async fn or_wants_tls(&self, call: &Call, error: Error) -> Error {
        let plain = call.body.is_some() && call.url.scheme() == "http";
        if !plain || !matches!(error, Error::Broken { .. }) {
            return error;
        }
        let mut url = call.url.clone();
        url.set_path("/");
        url.set_query(None);
        match self.once(&Call::new(Method::GET, url.clone(), HeaderMap::new()), &url).await {
            Err(wants_tls @ Error::WantsTls { .. }) => wants_tls,
            _ => error,
        }
    }

    /// One round trip, or two where the first answer is a redirect that may be followed.
    async fn follow(&self, call: &Call) -> Result<Answer, Error> {
        let answer = self.once(call, &call.url).await?;
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(answer);
        }
        let target = redirect::target(&call.url, answer.status, answer.location.as_deref(), &self.settings)?;
        tracing::debug!("redirected to {}", host(&target));
        let answer = if target.scheme() == "https" && !self.settings.needs_tls {
            self.with_tls().await?.once(call, &target).await
        } else {
            self.once(call, &target).await
        };
        match answer {
            Ok(answer) if matches!(answer.status, 301 | 302 | 303 | 307 | 308) => Err(Error::Redirect {
                host: host(&target),
                reason: "it redirects again".to_owned(),
                hint: "give the address of the active node, or of the load balancer",
            }),
            // The standby may have passed the request on before the leader died (openbao 2.7.2, a raft cluster while
            // its leader dies): only for what has no lease is one more of it harmless.
            Err(Error::Connect { host, cause, .. }) if call.leases || call.spends => {
                let cause = format!("a standby pointed to {host}, which is gone: {cause}");
                Err(Error::Lost { host: self.peer(&call.url), cause, timed_out: false, foreign: false })
            }
            answer => answer,
        }
    }

    /// For a redirect from plain http on this machine to https: only then are roots needed.
    async fn with_tls(&self) -> Result<Self, Error> {
        let settings = Settings { needs_tls: true, ..Settings::clone(&self.settings) };
        Ok(Self { indexes: self.indexes.clone(), ..self.sibling(settings).await? })
    }

    async fn once(&self, call: &Call, url: &Url) -> Result<Answer, Error> {
        let (dialled, authority) = self.names.dial(url);
        let mut headers = call.headers.clone();
        self.indexes.put(url, &mut headers);
        let mut request = self.inner.request(call.method.clone(), dialled).headers(headers);
        if let Some(authority) = authority {
            request = request.header(reqwest::header::HOST, authority);
        }
        if let Some(body) = &call.body {
            if !call.headers.contains_key(CONTENT_TYPE) {
                request = request.header(CONTENT_TYPE, "application/json");
            }
            request = request.body(body.to_vec());
        }
        if !call.creates {
            return self.shutdown.guard(Duration::ZERO, self.exchange(request, url)).await?;
        }
        let answer = self.shutdown.guard(PATIENCE, self.exchange(request, url)).await;
        answer.map_err(|stopped| Error::Abandoned { host: self.peer(url), stopped })?
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, url: &Url) -> Result<Answer, Error> {
        let fault = |error| Error::from_reqwest(error, url, &self.settings);
        let mut response = request.send().await.map_err(fault)?;
        self.indexes.learn(url, response.headers());
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let mut answer = Answer {
            status: response.status().as_u16(),
            date: header(DATE),
            certificate: response
                .extensions()
                .get::<reqwest::tls::TlsInfo>()
                .and_then(|info| info.peer_certificate().map(<[u8]>::to_vec)),
            cached: cached(header(AGE), response.headers().get_all("x-cache")),
            retry_after: header(RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs),
            location: header(LOCATION),
            body: Zeroizing::default(),
        };
        let length = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        if length > LONGEST_ANSWER {
            return Err(Error::TooLong { host: self.peer(url) });
        }
        answer.body.reserve_exact(length);
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            if answer.body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Error::TooLong { host: self.peer(url) });
            }
            answer.body.extend_from_slice(&chunk);
        }
        tracing::debug!("{} from {}", answer.status, self.peer(url));
        if url.scheme() == "http" && answer.status == 400 && wants_tls(&answer.body) {
            return Err(Error::WantsTls { host: host(url) });
        }
        if answer.status == 407 {
            return Err(Error::proxy_refuses(&self.settings));
        }
        Ok(answer)
    }
}

/// A secret for a header. Without it a request would be refused as if it had expired.
///
/// # Errors
/// `what` has characters that no header can carry: nothing was sent.
pub(crate) fn secret_header(secret: &Secret, what: &str) -> Result<HeaderValue, Error> {
    let header = HeaderValue::from_str(secret.reveal()).map(|mut header| {
        header.set_sensitive(true);
        header
    });
    header.map_err(|_| Error::Setting {
        what: format!("{what} has characters that can't be sent"),
        hint: "give it as it was issued, on one line".to_owned(),
    })
}
