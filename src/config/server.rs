//! How to reach Vault: the address, TLS, the proxy. It must not read a certificate.

use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use super::lookup::{FOLDER, Lookup, Sourced};
use super::{Error, address};
use crate::http::{self, Ca, FileFrom, Pem, Proxy, Tls, is_loopback};
use crate::input;
use crate::options::{self, Opt};
use crate::policy::MachinePolicy;
use crate::secret::Secret;
use crate::vault::Server;

/// Vault's own default (openbao `api/client.go`); the Exoscale engine may need 15 s.
const TIMEOUT: Duration = Duration::from_secs(60);
/// An address of Vault.
const EXAMPLE: &str = "https://vault.example.com:8200";

fn warn_of_unsupported(lookup: &Lookup<'_>, in_ci: bool) -> Result<(), Error> {
    for option in options::UNSUPPORTED.options {
        if let Some(found) = lookup.text(option)?
            && crate::env::boolean(&found.value) != Some(false)
        {
            tracing::warn!("{} has no effect: {}", found.source, option.help);
        }
    }
    let home = lookup.named("HOME", FOLDER)?.filter(|_| !in_ci);
    let own =
        home.and_then(|home| input::regular_file(&Path::new(&home.value).join(".vault")).ok().flatten());
    if own.is_some_and(|text| String::from_utf8_lossy(&text).contains("token_helper")) {
        tracing::warn!("the token_helper in ~/.vault has no effect: set VAULT_TOKEN");
    }
    Ok(())
}

pub(super) fn server(lookup: &Lookup<'_>, in_ci: bool) -> Result<Server, Error> {
    warn_of_unsupported(lookup, in_ci)?;
    let (address, unix_socket) = of_vault(lookup)?;
    let skip_verify = lookup.switch(&options::TLS_SKIP_VERIFY)?;
    if skip_verify && address.scheme() == "https" {
        tracing::warn!(
            "Vault's certificate is not checked: anyone on the way can read the token and the credentials"
        );
    }
    let is_plain = address.scheme() == "http";
    if let Some(found) = lookup.text(&options::CA_CERT)?.filter(|found| found.by_flag && is_plain) {
        tracing::warn!("{} is not used: the address is http://", found.source);
    }
    Ok(Server {
        namespace: namespace(lookup, &options::NAMESPACE)?,
        auth_namespace: namespace(lookup, &options::AUTH_NAMESPACE)?,
        http: http::Settings {
            tls: Tls {
                ca: ca(lookup)?,
                client: client(lookup)?,
                server_name: server_name(lookup)?,
                skip_verify,
            },
            needs_tls: address.scheme() == "https",
            proxy: proxy(lookup, &address)?,
            unix_socket,
            timeout: lookup
                .duration(&options::TIMEOUT)?
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(TIMEOUT),
            max_retries: lookup.number(&options::MAX_RETRIES)?,
            redirect_hosts: redirect_hosts(lookup)?,
            follow_redirects: !lookup.switch(&options::DISABLE_REDIRECTS)?,
            allow_http: lookup.switch(&options::ALLOW_HTTP)?,
            policy: lookup.env.policy().clone(),
        },
        address,
    })
}

fn of_vault(lookup: &Lookup<'_>) -> Result<(Url, Option<std::path::PathBuf>), Error> {
    let Some(found) = lookup.text(&options::ADDR)? else {
        let hidden = lookup.plain("VAULT_ADDR")?.filter(|_| lookup.env.has("BAO_ADDR"));
        let base_url = lookup.plain("VAULT_BASE_URL")?.map(|_| Error::BaseUrl);
        return Err(hidden.map(|_| Error::HiddenAddress).or(base_url).unwrap_or(Error::NoAddress));
    };
    let text = found.value.trim();
    let Some(socket) = text.strip_prefix("unix://") else {
        let host = address::vault(lookup, text, &found.source, EXAMPLE)?;
        if host.path().trim_end_matches('/').ends_with("/v1") {
            // As to-be-continuous' VAULT_BASE_URL has it. Every request would go to /v1/v1.
            let what = "ends with /v1, which belongs to each request, not to the address";
            return Err(Error::Address { source_name: found.source, what, example: EXAMPLE });
        }
        lookup.env.policy().check_address(&host, None, &found.source)?;
        return Ok((host, None));
    };
    if !socket.starts_with('/') {
        let what = "names no socket";
        return Err(Error::Address { source_name: found.source, what, example: "unix:///run/vault.sock" });
    }
    let host = address::vault(lookup, "http://localhost", &found.source, EXAMPLE)?;
    lookup.env.policy().check_address(&host, Some(Path::new(socket)), &found.source)?;
    Ok((host, Some(socket.into())))
}

/// The name that Vault's certificate must be for. Where the policy lists addresses, another server must not pass for
/// one of them.
fn server_name(lookup: &Lookup<'_>) -> Result<Option<String>, Error> {
    let Some(found) = lookup.text(&options::TLS_SERVER_NAME)? else { return Ok(None) };
    lookup.env.policy().check_host(found.value.trim(), &found.source)?;
    Ok(Some(found.value))
}

/// Where Vault may redirect to: the token travels along.
fn redirect_hosts(lookup: &Lookup<'_>) -> Result<Vec<String>, Error> {
    let hosts = lookup.list(&options::REDIRECT_HOST)?;
    if let Some(found) = lookup.text(&options::REDIRECT_HOST)? {
        hosts.iter().try_for_each(|host| lookup.env.policy().check_host(host, &found.source))?;
    }
    Ok(hosts)
}

fn namespace(lookup: &Lookup<'_>, option: &Opt) -> Result<Option<String>, Error> {
    let found =
        lookup.text(option)?.map(|found| (found.value.trim().trim_matches('/').to_owned(), found.source));
    match found {
        Some((value, source)) if value.chars().any(|char| !char.is_ascii_graphic()) => {
            Err(Error::Namespace { source_name: source })
        }
        Some((value, _)) => Ok(Some(value).filter(|value| !value.is_empty())),
        None => Ok(None),
    }
}

/// Refuses PEM text where a path belongs; another variable takes the text.
fn no_path(found: &Sourced, instead: &str) -> Result<(), Error> {
    if super::lookup::is_path(&found.value) {
        Err(Error::PathForValue { source_name: found.source.clone(), instead: Some(instead.to_owned()) })
    } else {
        Ok(())
    }
}

fn file(found: Sourced) -> FileFrom {
    FileFrom { path: found.value.into(), source: found.source }
}

/// The client certificate and its key: files before text, as in `bao` (api/client.go).
fn client(lookup: &Lookup<'_>) -> Result<Option<(Pem, Pem)>, Error> {
    let pem = |flag: &Opt, variable: &Opt, instead: &str| -> Result<Option<(Pem, String)>, Error> {
        if let Some(found) = lookup.text(flag)? {
            let source = found.source.clone();
            return Ok(Some((Pem::File(file(found)), source)));
        }
        let Some(found) = lookup.text(variable)? else { return Ok(None) };
        no_path(&found, instead)?;
        let source = found.source.clone();
        Ok(Some((Pem::Text { text: Secret::new(found.value), source: found.source }, source)))
    };
    match (
        pem(&options::CLIENT_CERT, &options::CLIENT_CERT_BYTES, "VAULT_CLIENT_CERT")?,
        pem(&options::CLIENT_KEY, &options::CLIENT_KEY_BYTES, "VAULT_CLIENT_KEY")?,
    ) {
        (Some((certificate, _)), Some((key, _))) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some((_, source_name)), None) | (None, Some((_, source_name))) => {
            Err(Error::HalfClient { source_name })
        }
    }
}

/// File before text before folder, as in `vault` (api/client.go); but a flag comes before any variable.
fn ca(lookup: &Lookup<'_>) -> Result<Ca, Error> {
    let folder = lookup.text(&options::CA_PATH)?;
    let by_flag = folder.as_ref().is_some_and(|found| found.by_flag);
    let bundle = lookup.text(&options::CA_CERT)?.filter(|found| found.by_flag || !by_flag);
    if let Some(found) = bundle {
        return Ok(Ca::File(file(found)));
    }
    if by_flag && let Some(found) = folder {
        return Ok(Ca::Dir(file(found)));
    }
    if let Some(found) = lookup.text(&options::CACERT_BYTES)? {
        no_path(&found, "VAULT_CACERT")?;
        return Ok(Ca::Bytes { pem: found.value, source: found.source });
    }
    if let Some(found) = folder {
        return Ok(Ca::Dir(file(found)));
    }
    system(lookup)
}

pub(super) fn system(lookup: &Lookup<'_>) -> Result<Ca, Error> {
    let file = |found: Sourced| FileFrom { path: found.value.into(), source: found.source };
    Ok(Ca::System {
        file: lookup.text(&options::SSL_CERT_FILE)?.map(file),
        dir: lookup.text(&options::SSL_CERT_DIR)?.map(file),
    })
}

/// --proxy and its variables, else the usual ones. This machine is never behind a proxy.
fn proxy(lookup: &Lookup<'_>, address: &Url) -> Result<Option<Proxy>, Error> {
    // Even where it is not used: the policy may forbid it.
    let own = lookup.text(&options::PROXY)?;
    if is_loopback(address) {
        return Ok(None);
    }
    match own {
        Some(found) => {
            Ok(Some(Proxy { url: Secret::new(found.value), source: found.source, except: String::new() }))
        }
        None => usual_proxy(lookup, address),
    }
}

/// HTTPS_PROXY and its like.
pub(super) fn usual_proxy(lookup: &Lookup<'_>, address: &Url) -> Result<Option<Proxy>, Error> {
    let usual = if address.scheme() == "https" { &options::HTTPS_PROXY } else { &options::HTTP_PROXY };
    let found = lookup.text(usual)?;
    let except = lookup.text(&options::NO_PROXY)?.map(|found| exceptions(&found.value, address));
    let except = except.unwrap_or_default();
    Ok(found.map(|found| Proxy { url: Secret::new(found.value), source: found.source, except }))
}

/// NO_PROXY as Go reads it, in the HTTP library's words: `*.example.com` is what is below that name, and `host:port`
/// counts for that port alone (golang.org/x/net, `http/httpproxy`).
fn exceptions(list: &str, address: &Url) -> String {
    let port = address.port_or_known_default().map(|port| port.to_string());
    let counts = |entry: &str| -> Option<String> {
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, Some(digits)),
            _ => (entry, None),
        };
        if wanted.is_some() && wanted != port.as_deref() {
            return None;
        }
        match name.strip_prefix("*.") {
            Some(above) if address.host_str().is_some_and(|host| host.eq_ignore_ascii_case(above)) => None,
            Some(above) => Some(format!(".{above}")),
            None => Some(name.trim_matches(['[', ']']).to_owned()),
        }
    };
    list.split(',').map(str::trim).filter_map(counts).collect::<Vec<_>>().join(",")
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
        policy: MachinePolicy::default(),
    })
}
