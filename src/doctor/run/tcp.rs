//! Checks the name and the connection: to the proxy, where there is one. It must not send a request.

use std::time::Duration;

use reqwest::Url;

use super::{Step, Way};
use crate::error::Code;
use crate::http;

/// How long the name and the connection may take each.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look(way: &mut Way) -> Vec<Step> {
    let server = &way.server;
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
