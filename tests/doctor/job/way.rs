//! The way to Vault: address, proxy, connection, what answers, its state and its clock.

use serde_json::{Value, json};

use super::Cure::{Done, Set};
use super::{Case, addr, all, back, case, one, surplus, wrong};
use crate::doctor::faults;
use crate::doctor::world::World;
use crate::support::{Options, Pki, Server, Space, bao, secret};

/// Vault behind a name that only a proxy can reach.
fn behind_a_proxy(world: &mut World<'_>) -> String {
    let pki = Pki::new("the CA");
    let front = faults::tls_front(pki.server(&["vault.example.invalid"]), world.upstream());
    world.env("VAULT_ADDR", "https://vault.example.invalid");
    world.env("VAULT_CACERT_BYTES", pki.pem());
    faults::proxy_to(front.port)
}

const CASES: &[Case] = &[
    case(
        "no address",
        |w| w.unset("VAULT_ADDR"),
        ("configuration", "address of Vault"),
        Set("VAULT_ADDR", addr),
    ),
    wrong("no URL", ("VAULT_ADDR", "vault"), ("configuration", "VAULT_ADDR"), addr),
    case(
        "plain http",
        |w| w.env("VAULT_ADDR", "http://vault.example.com"),
        ("configuration", "plain http to vault.example.com"),
        Done("use https", back),
    ),
    wrong(
        "unknown host",
        ("VAULT_ADDR", "https://vault.invalid"),
        ("dns", "vault.invalid is not known"),
        addr,
    ),
    wrong("closed port", ("VAULT_ADDR", "http://127.0.0.1:1"), ("tcp", "takes no connection"), addr),
    case(
        "a web page",
        |w| w.env("VAULT_ADDR", faults::web_page()),
        ("health", "did not answer"),
        Set("VAULT_ADDR", addr),
    ),
    case(
        "dead proxy",
        |w| {
            let proxy = behind_a_proxy(w);
            w.env("THE_RIGHT_PROXY", proxy);
            w.env("HTTPS_PROXY", "http://127.0.0.1:1");
        },
        ("tcp", "the proxy 127.0.0.1:1 takes no connection"),
        Done("is the proxy in HTTPS_PROXY right?", |w| {
            let proxy = behind_a_proxy(w);
            w.env("HTTPS_PROXY", proxy);
        }),
    ),
    case(
        "unknown proxy",
        |w| {
            behind_a_proxy(w);
            w.env("VAULT_PROXY_ADDR", "http://proxy.invalid:3128");
        },
        ("dns", "the proxy proxy.invalid is not known"),
        Done("unset VAULT_PROXY_ADDR", |w| {
            w.unset("VAULT_PROXY_ADDR");
            back(w);
        }),
    ),
    case(
        "strict: clock",
        |w| w.env("VAULT_ADDR", faults::other_time(w.upstream())),
        ("clock", "clock is 10m"),
        Done("set the clock", back),
    ),
    case(
        "not initialised",
        |w| w.env("VAULT_ADDR", faults::empty()),
        ("health", "is not initialised"),
        Done("vault operator init", back),
    ),
    surplus(
        "half a client certificate",
        ("VAULT_CLIENT_CERT", "/a.pem"),
        ("configuration", "client certificate needs both"),
    ),
    surplus(
        "boolean",
        ("VAULT_SKIP_VERIFY", "maybe"),
        ("configuration", "VAULT_SKIP_VERIFY must be true or false"),
    ),
    surplus(
        "duration",
        ("VAULT_CLIENT_TIMEOUT", "soon"),
        ("configuration", "VAULT_CLIENT_TIMEOUT must be a duration"),
    ),
    surplus("namespace", ("VAULT_NAMESPACE", "nope"), ("login", "namespace not found")),
    case(
        "namespace of the login",
        |w| w.env("CI_CREDS_AUTH_NAMESPACE", "nope"),
        ("login", "namespace not found"),
        Done("CI_CREDS_AUTH_NAMESPACE", |w| w.unset("CI_CREDS_AUTH_NAMESPACE")),
    ),
];

#[test]
fn faults_of_the_way_to_vault() {
    all(CASES);
}

/// A run works with it as well.
#[test]
fn a_wrong_clock_does_not_end_the_report() {
    let space = Space::on(bao());
    let mut world = World::new(&space);
    world.env("VAULT_ADDR", faults::other_time(world.upstream()));
    let report = world.report();
    assert_eq!((report.code, &report.first(false)), (0, &None), "{:#}", report.body);
}

/// A real server that is sealed, and unsealed with its key, as the hint says.
#[test]
fn a_sealed_server_is_unsealed() {
    let server = Server::start(&Options { root_token: secret(), ..Options::default() });
    let space = Space::on(&server);
    let sealed = case(
        "sealed",
        |w| _ = w.space.ok("PUT", "sys/seal", Value::Null),
        ("health", "is sealed"),
        Done("unseal it", |w| {
            let key = unseal_key(w.space.server);
            w.space.ok("PUT", "sys/unseal", json!({"key": key}));
            crate::support::eventually("it is active again", || {
                w.space.server.api("GET", "sys/health", Value::Null).status == 200
            });
        }),
    );
    one(&sealed, World::new(&space));
}

/// The server prints it when it has started, and that can be later than its first answer.
fn unseal_key(server: &Server) -> String {
    let printed = || {
        let log = std::fs::read_to_string(server.dir.join("log")).unwrap();
        Some(log.split_once("Unseal Key: ")?.1.split_once('\n')?.0.trim().to_owned())
    };
    crate::support::eventually("the unseal key is printed", || printed().is_some());
    printed().unwrap()
}
