//! Why a request got no answer. It must not show a header, a body or a password in an address.

use std::error::Error as StdError;

use reqwest::Url;

use super::Settings;
use crate::duration;
use crate::error::{Code, Explain};
use crate::shutdown::Stopped;

/// An error of the network, of TLS, or of their settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection was made: nothing was sent.
    #[error("can't connect to {host}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the system says.
        #[source]
        cause: Cause,
        /// The proxy that was asked, by its variable.
        proxy: Option<String>,
    },
    /// The certificate, or the TLS connection, is not acceptable.
    #[error("can't trust {host}")]
    Tls {
        /// Host and port.
        host: String,
        /// What is wrong.
        #[source]
        cause: Cause,
        /// What corrects it.
        hint: String,
    },
    /// http:// where the port wants TLS.
    #[error("{host} speaks TLS, and the address says http://")]
    WantsTls {
        /// Host and port.
        host: String,
    },
    /// The time-out.
    #[error("{host} did not answer within {}", duration::show(*.after))]
    Timeout {
        /// Host and port.
        host: String,
        /// The time-out that is set.
        after: std::time::Duration,
    },
    /// The connection broke after something was sent.
    #[error("{host} broke the connection off")]
    Broken {
        /// Host and port.
        host: String,
        /// What the system says.
        #[source]
        cause: Cause,
    },
    /// A request that creates something may have run, and its answer did not come.
    #[error("the answer of {host} was lost: {cause}")]
    Lost {
        /// Host and port.
        host: String,
        /// What happened to it.
        cause: String,
        /// Whether more time may help.
        timed_out: bool,
        /// Whether another server answered in its place.
        foreign: bool,
    },
    /// The process was asked to stop, and the answer to a request that creates something did not come in time.
    #[error("{stopped} before {host} answered")]
    Abandoned {
        /// Host and port.
        host: String,
        /// The signal.
        stopped: Stopped,
    },
    /// The answer is too long.
    #[error("the answer of {host} is longer than 4 MiB")]
    TooLong {
        /// Host and port.
        host: String,
    },
    /// A redirect that must not be followed.
    #[error("{host} can't be used: {reason}")]
    Redirect {
        /// Host and port.
        host: String,
        /// Where it leads.
        reason: String,
        /// What to set.
        hint: &'static str,
    },
    /// A certificate, key or proxy that can't be used.
    #[error("{what}")]
    Setting {
        /// The variable or flag, and what is wrong with it.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The process was asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What the system or a library said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub String);

impl Error {
    /// Whether the request surely was not sent.
    pub(super) fn never_ran(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }

    /// Whether it may work a moment later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Broken { .. })
    }

    /// Whether a request that creates something may have run although its answer never came.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Abandoned { .. })
    }

    /// For a request that creates something: a connection that broke, and an answer that is not taken, are lost
    /// answers.
    pub(super) fn or_lost(self, timeout: std::time::Duration) -> Self {
        let lost = |host, cause, timed_out| Self::Lost { host, cause, timed_out, foreign: false };
        match self {
            Self::Broken { host, cause } => lost(host, cause.0, false),
            Self::Timeout { host, .. } => {
                lost(host, format!("none came within {}", duration::show(timeout)), true)
            }
            Self::TooLong { host } => lost(host, "it is longer than 4 MiB".to_owned(), false),
            other => other,
        }
    }

    /// 407.
    pub(super) fn proxy_refuses(settings: &Settings) -> Self {
        let proxy = settings.proxy.as_ref();
        let source = proxy.map_or("HTTPS_PROXY", |proxy| &proxy.source);
        let given = proxy.is_some_and(|proxy| proxy.url.reveal().contains('@'));
        let what = if given {
            format!("the proxy of {source} refuses the user and the password that are in it")
        } else {
            format!("the proxy of {source} asks for a user and a password")
        };
        // NO_PROXY does not count for a proxy that is set for Vault alone.
        let usual = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
        let around = usual.iter().any(|name| name.eq_ignore_ascii_case(source));
        let around = if around { ", or list Vault's host in NO_PROXY" } else { "" };
        let hint = if given {
            format!("correct them in {source} (special characters as %XX){around}")
        } else {
            format!("set {source} to http://USER:PASSWORD@HOST:PORT{around}")
        };
        Self::Setting { what, hint }
    }

    pub(super) fn from_reqwest(error: reqwest::Error, url: &Url, settings: &Settings) -> Self {
        let host = settings.peer(url);
        if let Some(tls) = find::<rustls::Error>(&error) {
            let (cause, hint) = super::certificate::explain(tls, settings);
            return Self::Tls { host, cause: Cause(cause), hint };
        }
        if error.is_timeout() && !error.is_connect() {
            return Self::Timeout { host, after: settings.timeout };
        }
        let mut cause = root(&error);
        if error.is_connect() {
            if cause.contains("proxy auth") {
                return Self::proxy_refuses(settings);
            }
            if error.is_timeout() {
                cause =
                    format!("no connection within {}", duration::show(super::CONNECT.min(settings.timeout)));
            }
            let proxy = settings.proxy_for(url).map(|proxy| proxy.source.clone());
            return Self::Connect { host, cause: Cause(cause), proxy };
        }
        if url.scheme() == "http" {
            cause.push_str(" (plain http:// was sent: does this port speak TLS?)");
        }
        Self::Broken { host, cause: Cause(cause) }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Tls { .. } | Self::WantsTls { .. } | Self::Redirect { .. } | Self::Setting { .. } => {
                Code::Environment
            }
            Self::Stopped(stopped) | Self::Abandoned { stopped, .. } => stopped.0,
            _ => Code::Unreachable,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Connect { proxy: Some(proxy), .. } => vec![format!("the proxy of {proxy} is used")],
            Self::Connect { .. } => vec!["is the address right, and can this runner reach it?".to_owned()],
            Self::Tls { hint, .. } | Self::Setting { hint, .. } => vec![hint.clone()],
            Self::Timeout { .. } | Self::Lost { timed_out: true, .. } => {
                vec!["--timeout or VAULT_CLIENT_TIMEOUT allows more time".to_owned()]
            }
            Self::Lost { foreign: true, .. } => {
                vec![
                    "is this the server's address? A proxy or load balancer may answer in its place"
                        .to_owned(),
                ]
            }
            Self::WantsTls { host } => vec![format!("this port speaks TLS: write https://{host}")],
            Self::TooLong { .. } => vec!["is this the address of Vault?".to_owned()],
            Self::Redirect { hint, .. } => vec![(*hint).to_owned()],
            _ => Vec::new(),
        }
    }
}

/// The first error of this type in the chain; an `io::Error` may carry it inside.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The innermost message: the outer ones only say that sending failed.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
