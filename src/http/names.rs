//! VAULT_TLS_SERVER_NAME: the name that is asked for in the TLS handshake (SNI) and checked in the certificate, while
//! the connection goes to the address, and the Host header names the address.
//!
//! The HTTP library takes the SNI from the URL. So the URL gets the name, and a resolver leads it to the address.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderValue;
use rustls::pki_types::ServerName;

use super::Settings;

/// The name to ask for, and the one host that is asked for it.
#[derive(Clone, Default)]
pub(super) struct Names(Option<Arc<Other>>);

struct Other {
    name: String,
    /// The host of the first request: later ones may go elsewhere, and have a name of their own.
    host: OnceLock<String>,
}

impl Names {
    /// There is nothing to do without a server name, for an IP address, which no handshake carries, and behind a
    /// proxy, which would look the name up itself. The certificate is checked in each case.
    pub(super) fn new(settings: &Settings) -> Self {
        let name = settings.tls.server_name.as_deref().filter(|_| settings.proxy.is_none());
        let name = name.filter(|name| matches!(ServerName::try_from(*name), Ok(ServerName::DnsName(_))));
        Self(name.map(|name| Arc::new(Other { name: name.to_ascii_lowercase(), host: OnceLock::new() })))
    }

    /// The URL to give to the library, and the Host header where it is another than the URL's.
    pub(super) fn dial(&self, url: &Url) -> (Url, Option<HeaderValue>) {
        let unchanged = || (url.clone(), None);
        let (Some(other), Some(host), "https") = (&self.0, url.host_str(), url.scheme()) else {
            return unchanged();
        };
        if other.host.get_or_init(|| host.to_owned()) != host {
            return unchanged();
        }
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut dialled = url.clone();
        match (dialled.set_host(Some(&other.name)), HeaderValue::from_str(&authority)) {
            (Ok(()), Ok(authority)) => (dialled, Some(authority)),
            _ => unchanged(),
        }
    }

    /// The resolver that knows the name, and that resolves localhost itself.
    pub(super) fn resolver(&self) -> Arc<impl Resolve + 'static> {
        Arc::new(Resolver(self.0.clone()))
    }
}

struct Resolver(Option<Arc<Other>>);

/// Resolves `host`. Plain http to localhost is allowed because it never leaves the machine: so that name is this host,
/// whatever /etc/hosts or a name server says (RFC 6761, section 6.3).
///
/// # Errors
/// Those of the system's resolver.
pub(crate) async fn look_up(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let other = self.0.as_ref().filter(|other| name.as_str() == other.name);
        let known = other.and_then(|other| other.host.get());
        let host = known.map_or(name.as_str(), String::as_str).trim_matches(['[', ']']).to_owned();
        Box::pin(async move {
            let found = look_up(&host, 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
