//! A real server with TLS and namespaces.

use rcgen::date_time_ymd;
use serde_json::json;

use super::Cure::{Done, Set};
use super::{Case, addr, all, back, case, one, surplus, wrong};
use crate::doctor::faults;
use crate::doctor::world::World;
use crate::support::{Options, Pki, Server, Space, bao, jwt, secret};

fn ca(world: &World<'_>) -> String {
    world.space.server.ca_cert().display().to_string()
}

fn namespace(world: &World<'_>) -> String {
    world.space.namespace.clone()
}

/// A name that the report says the certificate is for.
fn own_name(world: &World<'_>) -> String {
    let report = world.report();
    let seen = report.first(false).unwrap()["seen"].as_str().unwrap().to_owned();
    let (_, names) = seen.split_once("but for ").unwrap();
    names.split(", ").next().unwrap().trim().to_owned()
}

const TLS: &[Case] = &[
    case("unknown issuer", |w| w.unset("VAULT_CACERT"), ("tls", "can't trust"), Set("VAULT_CACERT", ca)),
    case(
        "another CA",
        |w| {
            w.unset("VAULT_CACERT");
            w.env("VAULT_CACERT_BYTES", Pki::new("somebody's CA").pem());
        },
        ("tls", "from an unknown issuer"),
        Done("VAULT_CACERT_BYTES has other CA certificates than the server's", |w| {
            let pem = std::fs::read_to_string(ca(w)).unwrap();
            w.env("VAULT_CACERT_BYTES", pem);
        }),
    ),
    wrong("no CA file", ("VAULT_CACERT", "/nowhere.pem"), ("tls", "/nowhere.pem"), ca),
    wrong(
        "another name",
        ("VAULT_TLS_SERVER_NAME", "vault.example.com"),
        ("tls", "is not for vault.example.com, but for"),
        own_name,
    ),
    case(
        "http where TLS is",
        |w| w.env("VAULT_ADDR", w.addr().replace("https:", "http:")),
        ("health", "speaks TLS, and the address says http://"),
        Set("VAULT_ADDR", addr),
    ),
    case(
        "TLS where http is",
        |w| w.env("VAULT_ADDR", bao().addr.replace("http:", "https:")),
        ("tls", "can't trust"),
        Done("does it speak TLS", back),
    ),
    surplus(
        "strict: certificate not checked",
        ("VAULT_SKIP_VERIFY", "true"),
        ("address", "its certificate is not checked"),
    ),
    case(
        "no namespace",
        |w| w.unset("VAULT_NAMESPACE"),
        ("login", "permission denied"),
        Set("VAULT_NAMESPACE", namespace),
    ),
    wrong("misspelt namespace", ("VAULT_NAMESPACE", "teem"), ("login", "namespace not found"), namespace),
    wrong(
        "login in another namespace",
        ("CI_CREDS_AUTH_NAMESPACE", "nope"),
        ("login", "namespace not found"),
        namespace,
    ),
];

#[test]
fn faults_of_tls_and_namespaces() {
    let server = Server::start(&Options { tls: true, root_token: secret(), ..Options::default() });
    for case in TLS {
        one(case, World::new(&Space::in_namespace(&server)));
    }
    let space = Space::in_namespace(&server);
    let world = World::new(&space);
    // The desk goes the same way.
    for (branch, code) in [("main", 0), ("dev", 4)] {
        let report = crate::doctor::desk::with_token(&world, &jwt::mint(json!({"ref": branch})));
        assert_eq!(report.code, code, "{:#}", report.body);
    }
    let report = world.report();
    let (tls, address) = (report.step("tls"), report.step("address"));
    assert_eq!(tls["status"], "ok", "{:#}", report.body);
    let seen = tls["seen"].as_str().unwrap();
    assert!(
        seen.contains("for ") && seen.contains("localhost") && seen.contains("from CN=Vault Dev CA"),
        "{seen}"
    );
    assert!(seen.contains("until 20"), "{seen}");
    assert!(
        address["seen"].as_str().unwrap().contains(&format!("namespace {}", space.namespace)),
        "{address}"
    );
}

/// A real server behind somebody's TLS, whose certificate is no longer, or not yet, good.
#[test]
fn certificates_that_have_ended_are_renewed() {
    fn behind(world: &mut World<'_>, from: (i32, u8, u8), until: (i32, u8, u8)) {
        let pki = Pki::new("the CA");
        let change = |params: &mut rcgen::CertificateParams| {
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
        };
        let front = faults::tls_front(pki.server_with(&["127.0.0.1"], change, false), world.upstream());
        world.env("VAULT_ADDR", front.addr);
        world.env("VAULT_CACERT_BYTES", pki.pem());
    }
    fn renewed(world: &mut World<'_>) {
        behind(world, (2020, 1, 1), (2090, 1, 1));
    }
    let cases = [
        case(
            "expired certificate",
            |w| behind(w, (2020, 1, 1), (2020, 2, 3)),
            ("tls", "can't trust"),
            Done("renew the server's certificate", renewed),
        ),
        case(
            "certificate of tomorrow",
            |w| behind(w, (2080, 1, 1), (2090, 1, 1)),
            ("tls", "can't trust"),
            Done("set this machine's clock", renewed),
        ),
    ];
    all(&cases);
}
