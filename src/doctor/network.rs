//! From the configuration to a server that answers.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{Status, Step};
use crate::config::Setting;
use crate::error::Code;
use crate::http::{self, is_loopback};
use crate::input;
use crate::text::Text;
use crate::vault::Server;
use crate::vault::{self, Health, Vault};

/// From here on the clocks are worth a word; Vault's JWT method allows 60 s (go-jose `jwt/validation.go`).
const SKEW_SEEN: i64 = 30;
/// From here on expiry times are wrong by more than anybody allows for.
const SKEW_BAD: i64 = 150;
/// How long one of these steps may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is set, and where.
pub(super) fn configuration(sources: &[Setting]) -> Step {
    let shown = sources.iter().map(|one| match &one.value {
        Some(value) => format!("{}={value}", one.source),
        None => format!("{} (set, not shown)", one.source),
    });
    let shown: Vec<_> = shown.collect();
    match shown.is_empty() {
        true => Step::ok("configuration", "nothing is set"),
        false => Step::ok("configuration", shown.join(", ")),
    }
}

/// Where Vault is, and which way leads there.
pub(super) fn address(server: &Server) -> Step {
    let mut seen = server.address.to_string();
    if let Some(path) = &server.http.unix_socket {
        seen = format!("the socket {}", input::path(path));
    }
    match server.http.proxy_for(&server.address) {
        Some(proxy) => seen = format!("{seen}, through the proxy of {}", proxy.source),
        None => seen.push_str(", directly"),
    }
    let both = [("namespace", &server.namespace), ("login in namespace", &server.auth_namespace)];
    for (what, namespace) in both {
        if let Some(namespace) = namespace {
            seen = format!("{seen}, {what} {namespace}");
        }
    }
    if server.address.scheme() == "http" && !is_loopback(&server.address) && server.http.unix_socket.is_none()
    {
        let hint = "use https: on the way anyone can read the tokens and the credentials";
        return Step::warn("address", seen, hint).code(Code::Environment);
    }
    if server.http.tls.skip_verify {
        let hint = "unset VAULT_SKIP_VERIFY and set VAULT_CACERT: as it is, anyone on the way can be Vault";
        return Step::warn("address", format!("{seen}, its certificate is not checked"), hint)
            .code(Code::Environment);
    }
    Step::ok("address", seen)
}

/// The name and the connection: to the proxy, where there is one.
pub(super) async fn connection(server: &Server) -> Vec<Step> {
    if server.http.unix_socket.is_some() {
        return Vec::new();
    }
    let proxy = server.http.proxy_for(&server.address);
    let parsed = proxy.and_then(|proxy| {
        let text = proxy.url.reveal();
        Url::parse(text).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{text}")).ok())
    });
    let source = proxy.map(|proxy| proxy.source.clone());
    let url = parsed.as_ref().unwrap_or(&server.address);
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let whose = source.as_ref().map_or("the address", |_| "the proxy");
    let hint = match &source {
        Some(source) => {
            format!(
                "is the proxy in {source} right? Without one: unset {source}, or put the host into NO_PROXY"
            )
        }
        None => "is VAULT_ADDR (or --addr) right, and may this runner reach it?".to_owned(),
    };
    let mut steps = Vec::new();
    let looked = tokio::time::timeout(PATIENCE, http::look_up(&name, port)).await;
    let addresses: Vec<_> = match looked {
        Ok(Ok(addresses)) => addresses,
        other => {
            let why = match other {
                Ok(Err(error)) => error.to_string(),
                _ => "no answer".to_owned(),
            };
            let seen = format!("{whose} {name} is not known: {why}");
            return vec![Step::fail("dns", Code::Unreachable, seen).hint(hint)];
        }
    };
    if name.parse::<std::net::IpAddr>().is_err() {
        let mut shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        shown.dedup();
        steps.push(Step::ok("dns", format!("{name} is {}", shown.join(", "))));
    }
    let mut why = "it has no address".to_owned();
    for address in addresses {
        match tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                steps.push(Step::ok("tcp", format!("{whose} {address} accepts connections")));
                return steps;
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "no answer".to_owned(),
        }
    }
    let seen = format!("{whose} {name}:{port} takes no connection: {why}");
    steps.push(Step::fail("tcp", Code::Unreachable, seen).hint(hint));
    steps
}

/// TLS, health and clock: one request tells all three.
pub(super) async fn server(server: &Server, vault: &Vault) -> Vec<Step> {
    let tls = server.address.scheme() == "https";
    let health = match vault.health().await {
        Ok(health) => health,
        Err(error @ vault::Error::Http(http::Error::Tls { .. } | http::Error::Setting { .. })) => {
            return vec![Step::failed("tls", &error)];
        }
        Err(error) => return vec![Step::failed("health", &error)],
    };
    let mut steps = Vec::new();
    if tls {
        let certificate = health.certificate.as_deref().and_then(certificate);
        steps.push(certificate.unwrap_or_else(|| Step::ok("tls", "the certificate is accepted")));
    }
    steps.push(state(&health));
    if steps.iter().all(|step| step.status != Status::Fail) {
        steps.extend(health.time().map(clock));
    }
    steps
}

fn state(health: &Health) -> Step {
    let product = health.product();
    if !health.initialized {
        return Step::fail("health", Code::Unreachable, format!("{product} is not initialised"))
            .hint("initialise it: vault operator init");
    }
    if health.sealed {
        return Step::fail("health", Code::Unreachable, format!("{product} is sealed"))
            .hint("unseal it, then retry the job");
    }
    let standby = if health.standby { ", a standby" } else { ", active" };
    Step::ok("health", format!("{product}, unsealed{standby}"))
}

/// Whether what answers is a standby, and whether a run through it sees what it has just written; asked after a login,
/// which writes, or with a token that was `given`.
pub(super) async fn standby(vault: &Vault, given: bool) -> Option<Step> {
    let health = vault.health().await.ok().filter(|health| health.standby)?;
    let node = format!("a standby of {} answers", health.product());
    Some(match (vault.hands_out_index(), given) {
        (true, _) => Step::ok("cluster", format!("{node}; by its index a run sees what it has just written")),
        (false, true) => {
            Step::ok("cluster", format!("{node}; whether it hands out an index shows after a login"))
        }
        (false, false) => Step::warn(
            "cluster",
            format!("{node}, without an index: for some 100 ms it may not know what was just written"),
            "update to OpenBao 2.7, set disable_standby_reads = true, or let VAULT_ADDR lead to the active node",
        ),
    })
}

fn clock(theirs: Timestamp) -> Step {
    let ahead = vault::now().as_second() - theirs.as_second();
    let length = crate::duration::show(Duration::from_secs(ahead.unsigned_abs()));
    let which = if ahead > 0 { "ahead of" } else { "behind" };
    let hint = "set the clock of the runner, or of Vault's machine: times in tokens and credentials are off";
    match ahead.abs() {
        SKEW_BAD.. => {
            let seen = format!("this machine's clock is {length} {which} Vault's");
            Step::fail("clock", Code::Environment, seen).hint(hint)
        }
        SKEW_SEEN.. => Step::warn("clock", format!("this machine's clock is {length} {which} Vault's"), hint),
        1.. => Step::ok("clock", format!("{length} {which} Vault's")),
        _ => Step::ok("clock", "the same as Vault's"),
    }
}

/// Whose certificate it is, and until when.
fn certificate(der: &[u8]) -> Option<Step> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|names| &names.value.general_names);
    let names: Vec<String> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            _ => None,
        })
        .take(5)
        .collect();
    let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
    let clean = |text: String| Text::new(&text).chars().take(80).collect::<String>();
    let seen = format!(
        "for {}, from {}, until {end}",
        clean(names.join(" ")),
        clean(certificate.issuer().to_string())
    );
    let left = end.as_second() - vault::now().as_second();
    Some(match left {
        ..604_800 => Step::warn("tls", seen, "renew the server's certificate: it ends within a week"),
        _ => Step::ok("tls", seen),
    })
}
