//! Checks Vault's address, and by which way it is reached. It must not send anything.

use super::{Step, Way};
use crate::error::Code;
use crate::http::is_loopback;
use crate::input;
use crate::vault::Server;

pub(super) async fn look(way: &mut Way) -> Vec<Step> {
    vec![address(&way.server)]
}

fn address(server: &Server) -> Step {
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
