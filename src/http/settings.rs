//! How to reach a server, and what hosts are called. It must not read the environment.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::Tls;
use crate::input;
use crate::policy::MachinePolicy;
use crate::secret::Secret;

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Certificates and names.
    pub tls: Tls,
    /// Whether any request goes over TLS; if not, no root is read.
    pub needs_tls: bool,
    /// The proxy to use, if any.
    pub proxy: Option<Proxy>,
    /// The socket that requests go to, instead of the address's host.
    pub unix_socket: Option<PathBuf>,
    /// How long one request may take, body included.
    pub timeout: Duration,
    /// How often a request is repeated; `None`: as often as fits some 20 s.
    pub max_retries: Option<usize>,
    /// Hosts that a redirect may lead to, beside the one that was asked.
    pub redirect_hosts: Vec<String>,
    /// Whether redirects are followed at all.
    pub follow_redirects: bool,
    /// Whether plain http may leave this machine.
    pub allow_http: bool,
    /// Where the machine's administrator lets redirects lead; for a server that is not Vault, the policy that allows
    /// all.
    pub policy: MachinePolicy,
}

/// A server, and how to reach it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address.
    pub url: Url,
    /// How it is reached.
    pub settings: Settings,
}

/// A proxy, and the hosts that are reached without it.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its address, which may hold a password.
    pub url: Secret,
    /// The variable or flag that named it.
    pub source: String,
    /// As in NO_PROXY.
    pub except: String,
}

/// This machine, and the addresses at which clouds give their machines and containers credentials.
const NEVER_PROXIED: &str =
    "localhost,127.0.0.0/8,::1,169.254.169.254,169.254.170.2,169.254.170.23,fd00:ec2::254,fd00:ec2::23";

impl Proxy {
    /// What is reached without it.
    pub(super) fn exceptions(&self) -> String {
        format!("{NEVER_PROXIED},{}", self.except)
    }
}

impl Settings {
    /// The proxy that requests to `url` go through.
    pub fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref().filter(|_| !is_loopback(url) && self.unix_socket.is_none())?;
        let matcher = hyper_util::client::proxy::matcher::Matcher::builder()
            .all("http://proxy")
            .no(proxy.exceptions())
            .build();
        matcher.intercept(&url.as_str().parse().ok()?).map(|_| proxy)
    }

    /// The server or proxy that a request to `url` goes to, for messages.
    pub(super) fn peer(&self, url: &Url) -> String {
        self.unix_socket.as_ref().map_or_else(|| host(url), |path| input::path(path))
    }
}

/// Host and port, for people.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the socket");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether requests to this host never leave the machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
