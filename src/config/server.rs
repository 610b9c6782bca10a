//! How to reach Vault: the address, TLS, the proxy.

use std::time::Duration;

use reqwest::Url;

use super::Error;
use super::lookup::{Found, Lookup};
use crate::http::{self, Ca, FileFrom, Proxy, Tls, is_loopback};
use crate::secret::Secret;

/// Vault's own default (openbao `api/client.go`); the Exoscale engine may need 15 s.
const TIMEOUT: Duration = Duration::from_secs(60);

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

pub(super) fn server(lookup: &Lookup<'_>) -> Result<Server, Error> {
    let (address, unix_socket) = address(lookup)?;
    let file = |found: Found| FileFrom { path: found.value.into(), source: found.source };
    let skip_verify = lookup.switch("tls-skip-verify")?;
    let client = match (lookup.text("client-cert")?, lookup.text("client-key")?) {
        (Some(certificate), Some(key)) => Some((file(certificate), file(key))),
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => return Err(Error::HalfClient { source_name: one.source }),
    };
    let follow = lookup.vault_variable("DISABLE_REDIRECTS")?;
    let disable = match follow {
        Some(found) => super::boolean(&found.value).ok_or(Error::Value {
            source_name: found.source,
            wanted: "true or false",
            by_flag: false,
        })?,
        None => false,
    };
    Ok(Server {
        namespace: namespace(lookup, "namespace")?,
        auth_namespace: namespace(lookup, "auth-namespace")?,
        http: http::Settings {
            tls: Tls {
                ca: ca(lookup)?,
                client,
                server_name: lookup.text("tls-server-name")?.map(|found| found.value),
                skip_verify,
            },
            // A redirect may lead from http on this machine to https.
            needs_tls: address.scheme() == "https",
            proxy: proxy(lookup, &address)?,
            unix_socket,
            timeout: lookup.duration("timeout")?.filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT),
            max_retries: lookup.number("max-retries")?,
            redirect_hosts: lookup.list("redirect-host")?,
            follow_redirects: !disable,
            allow_http: lookup.switch("allow-http")?,
        },
        address,
    })
}

fn address(lookup: &Lookup<'_>) -> Result<(Url, Option<std::path::PathBuf>), Error> {
    let found = lookup.text("addr")?.ok_or(Error::NoAddress)?;
    let fault = |what: &str| Error::Address { source_name: found.source.clone(), what: what.to_owned() };
    let text = found.value.trim();
    if let Some(path) = text.strip_prefix("unix://") {
        let url = Url::parse("http://localhost").map_err(|_| fault("is not an address"))?;
        return Ok((url, Some(path.into())));
    }
    let url = Url::parse(text).map_err(|_| fault("is not an address"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) || lookup.switch("allow-http")? => {}
        "http" => return Err(Error::PlainHttp { source_name: found.source, host: http::host(&url) }),
        _ => return Err(fault("is neither https:// nor http://")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(fault("names no host"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(fault("has a user, a query or a fragment, which Vault's addresses do not have"));
    }
    Ok((url, None))
}

fn namespace(lookup: &Lookup<'_>, name: &str) -> Result<Option<String>, Error> {
    let found =
        lookup.text(name)?.map(|found| (found.value.trim().trim_matches('/').to_owned(), found.source));
    match found {
        Some((value, source)) if value.chars().any(|char| !char.is_ascii_graphic()) => {
            Err(Error::Namespace { source_name: source })
        }
        Some((value, _)) => Ok(Some(value).filter(|value| !value.is_empty())),
        None => Ok(None),
    }
}

/// File before text before folder, as in `vault` (api/client.go).
fn ca(lookup: &Lookup<'_>) -> Result<Ca, Error> {
    let file = |found: Found| FileFrom { path: found.value.into(), source: found.source };
    if let Some(found) = lookup.text("ca-cert")? {
        return Ok(Ca::File(file(found)));
    }
    if let Some(found) = lookup.vault_variable("CACERT_BYTES")? {
        return Ok(Ca::Bytes { pem: found.value, source: found.source });
    }
    if let Some(found) = lookup.text("ca-path")? {
        return Ok(Ca::Dir(file(found)));
    }
    system(lookup)
}

fn system(lookup: &Lookup<'_>) -> Result<Ca, Error> {
    let file = |found: Found| FileFrom { path: found.value.into(), source: found.source };
    Ok(Ca::System {
        file: lookup.plain("SSL_CERT_FILE")?.map(file),
        dir: lookup.plain("SSL_CERT_DIR")?.map(file),
    })
}

/// --proxy and its variables, else the usual ones. This machine is never behind a proxy.
fn proxy(lookup: &Lookup<'_>, address: &Url) -> Result<Option<Proxy>, Error> {
    if is_loopback(address) {
        return Ok(None);
    }
    match lookup.text("proxy")? {
        Some(found) => {
            Ok(Some(Proxy { url: Secret::new(found.value), source: found.source, except: String::new() }))
        }
        None => usual_proxy(lookup, address),
    }
}

/// HTTPS_PROXY and its like.
pub(super) fn usual_proxy(lookup: &Lookup<'_>, address: &Url) -> Result<Option<Proxy>, Error> {
    let usual = if address.scheme() == "https" {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["http_proxy", "HTTP_PROXY"]
    };
    let first = |names: &[&str]| -> Result<Option<Found>, Error> {
        names.iter().find_map(|name| lookup.plain(name).transpose()).transpose()
    };
    let found = first(&[usual[0], usual[1], "ALL_PROXY", "all_proxy"])?;
    let except = first(&["NO_PROXY", "no_proxy"])?.map(|found| found.value).unwrap_or_default();
    Ok(found.map(|found| Proxy { url: Secret::new(found.value), source: found.source, except }))
}

/// For addresses that are not Vault's: the system's roots, and nothing of what was set for Vault.
pub(super) fn elsewhere(lookup: &Lookup<'_>) -> Result<http::Settings, Error> {
    Ok(http::Settings {
        tls: Tls { ca: system(lookup)?, client: None, server_name: None, skip_verify: false },
        needs_tls: true,
        proxy: None,
        unix_socket: None,
        timeout: TIMEOUT,
        max_retries: None,
        redirect_hosts: Vec::new(),
        follow_redirects: false,
        allow_http: false,
    })
}
