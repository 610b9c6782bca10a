//! The environment table: for each row, every flag and variable of it has the effect that it is there for.

pub(super) mod tls;

use std::collections::BTreeSet;

use ci_creds::testing::options::{self, Variables};
use serde_json::json;

use super::{one_read, with_jwt, with_secret_id};
use crate::support::fake::redirect;
use crate::support::{Cmd, Fake, Reply, jwt, secret};

/// Gives a command one row's value, as the flag or as one of its variables.
pub(super) type Give<'a> = &'a dyn Fn(Cmd, &str) -> Cmd;

/// One row: the flag, and the test that goes through all its ways.
type Row = (&'static str, fn(Give<'_>));

/// The flags that have a row in the tests below.
const TESTED: &[Row] = &[
    ("addr", addr),
    ("namespace", namespace),
    ("auth-namespace", auth_namespace),
    ("ca-cert", tls::ca_cert),
    ("ca-path", tls::ca_path),
    ("client-cert", tls::client_cert),
    ("client-key", tls::client_key),
    ("tls-server-name", tls::tls_server_name),
    ("tls-skip-verify", tls::tls_skip_verify),
    ("proxy", proxy),
    ("timeout", timeout),
    ("max-retries", max_retries),
    ("redirect-host", redirect_host),
    ("allow-http", allow_http),
    ("auth", auth),
    ("auth-role", auth_role),
    ("auth-path", auth_path),
    ("role-id", role_id),
];

/// Written out, and not taken from the code: a row that is deleted there is missed here.
const VAULT_VARIABLES: &[(&str, &[&str])] = &[
    ("addr", &["AGENT_ADDR", "ADDR", "SERVER_URL"]),
    ("namespace", &["NAMESPACE"]),
    ("ca-cert", &["CACERT"]),
    ("ca-path", &["CAPATH"]),
    ("client-cert", &["CLIENT_CERT"]),
    ("client-key", &["CLIENT_KEY"]),
    ("tls-server-name", &["TLS_SERVER_NAME"]),
    ("tls-skip-verify", &["SKIP_VERIFY"]),
    ("proxy", &["PROXY_ADDR", "HTTP_PROXY"]),
    ("timeout", &["CLIENT_TIMEOUT"]),
    ("max-retries", &["MAX_RETRIES"]),
    ("auth", &["AUTH_METHOD"]),
    ("auth-role", &["AUTH_ROLE"]),
    ("auth-path", &["AUTH_PATH"]),
    ("role-id", &["ROLE_ID"]),
];

#[test]
fn every_row_works_as_a_flag_and_as_each_of_its_variables() {
    std::thread::scope(|scope| {
        for &(name, test) in TESTED {
            scope.spawn(move || {
                test(&|cmd, value| cmd.args([format!("--{name}={value}")]));
                let own = (name.to_owned(), vec![format!("CI_CREDS_{}", options::env_suffix(name))]);
                let (_, variables) =
                    VAULT_VARIABLES.iter().find(|(row, _)| *row == name).map_or(own, |(_, all)| {
                        let both = all.iter().flat_map(|x| [format!("BAO_{x}"), format!("VAULT_{x}")]);
                        (name.to_owned(), both.collect())
                    });
                for variable in variables {
                    test(&|cmd, value| cmd.env(&variable, value));
                }
            });
        }
    });
}

#[test]
fn no_row_is_without_a_test() {
    let tested: BTreeSet<_> = TESTED.iter().map(|(name, _)| *name).collect();
    for option in options::VAULT.options {
        assert!(tested.contains(option.name), "--{} has no test here", option.name);
        if let Variables::Vault(variables) = option.variables {
            let listed = VAULT_VARIABLES.iter().find(|(name, _)| *name == option.name);
            assert_eq!(listed.map(|(_, all)| *all), Some(variables), "--{}", option.name);
        }
    }
    let only = options::VARIABLES.options.iter().filter_map(|row| match row.variables {
        Variables::Vault(names) => Some(names),
        _ => None,
    });
    let only: BTreeSet<_> = only.flatten().copied().collect();
    let known = ["CACERT_BYTES", "CLIENT_CERT_BYTES", "CLIENT_KEY_BYTES", "DISABLE_REDIRECTS"];
    assert_eq!(
        only,
        known
            .into_iter()
            .chain(["TOKEN", "TOKEN_PATH", "SECRET_ID", "WRAPPED_SECRET_ID", "WRAP_TTL", "ID_TOKEN"])
            .collect()
    );
    let usual: Vec<_> = options::USUAL.options.iter().map(|row| row.name).collect();
    assert_eq!(usual, ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]);
}

fn no_addr() -> Cmd {
    one_read("").no_env("VAULT_ADDR")
}

fn addr(give: Give<'_>) {
    let fake = Fake::vault();
    give(no_addr(), &fake.addr).run().expect(0);
    give(no_addr(), &format!("{}/", fake.addr)).run().expect(0);
    give(no_addr(), &format!("{}/behind/a/prefix/", fake.addr)).run().expect(0);
    let path = "/v1/exoscale/apikey/ci";
    let expected = [format!("GET {path}"), format!("GET {path}"), format!("GET /behind/a/prefix{path}")];
    assert_eq!(fake.lines(), expected);
    for bad in ["vault.example.com", "ftp://vault.example.com", "https://", "https://a:b@vault.example.com"] {
        assert!(give(no_addr(), bad).run().expect(3).stderr.contains("hint: set "), "{bad}");
    }
}

fn namespace(give: Give<'_>) {
    let fake = Fake::vault();
    give(with_jwt(&fake.addr), "/team-a/b/").run().expect(0);
    let credentials: Vec<_> =
        fake.seen().into_iter().filter(|seen| !seen.line.contains("sys/health")).collect();
    assert!(credentials.len() >= 2);
    for seen in credentials {
        assert_eq!(seen.header("x-vault-namespace"), Some("team-a/b"), "{}", seen.line);
    }
}

fn auth_namespace(give: Give<'_>) {
    let fake = Fake::vault();
    give(with_jwt(&fake.addr).env("VAULT_NAMESPACE", "team/child"), "team").run().expect(0);
    for seen in fake.seen() {
        let expected = match seen.line.as_str() {
            "POST /v1/auth/jwt/login" | "POST /v1/auth/token/renew-self" => Some("team"),
            "GET /v1/exoscale/apikey/ci" => Some("team/child"),
            _ => None,
        };
        assert_eq!(seen.header("x-vault-namespace"), expected, "{}", seen.line);
    }
    assert!(fake.lines().contains(&"POST /v1/auth/jwt/login".to_owned()));
}

/// An address that only a proxy can reach.
const FAR: &str = "http://vault.example.invalid";

pub(super) fn far() -> Cmd {
    one_read(FAR).env("CI_CREDS_ALLOW_HTTP", "1").env("VAULT_MAX_RETRIES", "0")
}

fn proxy(give: Give<'_>) {
    let fake = Fake::vault();
    give(far(), &fake.addr).run().expect(0);
    assert_eq!(fake.lines(), [format!("GET {FAR}/v1/exoscale/apikey/ci")]);
    // Its own variable wins over the usual ones, and NO_PROXY is not about it.
    let cmd = far().env("HTTP_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "*");
    give(cmd, fake.addr.strip_prefix("http://").unwrap()).run().expect(0);
    let bad = give(far(), "socks5://127.0.0.1:1").run().expect(3);
    assert!(bad.stderr.contains("is not the address of an HTTP proxy"), "{bad}");
    let user = format!("http://user:{}@127.0.0.1:1", secret());
    assert!(give(far(), &user).run_both().expect(5).stderr.contains("hint: the proxy of "));
}

fn timeout(give: Give<'_>) {
    let fake = Fake::new(|_| Reply::Late(std::time::Duration::from_secs(8)));
    let run = give(one_read(&fake.addr), "1s").run().expect(5);
    assert!(run.stderr.contains("none came within 1s"), "{run}");
    assert!(run.stderr.contains("hint: --timeout or VAULT_CLIENT_TIMEOUT allows more time"), "{run}");
}

fn max_retries(give: Give<'_>) {
    let fake = Fake::new(|_| Reply::Json(503, json!({"errors": ["Vault is sealed"]})));
    give(one_read(&fake.addr), "0").run().expect(5);
    assert_eq!(fake.lines().len(), 1);
    give(one_read(&fake.addr), "2").run().expect(5);
    assert_eq!(fake.lines().len(), 4);
}

fn redirect_host(give: Give<'_>) {
    let active = Fake::vault();
    let to = format!("http://localhost:{}/v1/exoscale/apikey/ci", active.port);
    let standby = Fake::new(move |_| redirect(&to));
    one_read(&standby.addr).run().expect(3);
    give(one_read(&standby.addr), "localhost").run().expect(0);
    give(one_read(&standby.addr), "other.example.com").run().expect(3);
}

fn allow_http(give: Give<'_>) {
    let fake = Fake::vault();
    let base = one_read(FAR).env("VAULT_PROXY_ADDR", &fake.addr);
    let refused = base.run().expect(3);
    assert!(refused.stderr.contains("CI_CREDS_ALLOW_HTTP=true"), "{refused}");
    give(base, "true").run().expect(0);
}

fn auth(give: Give<'_>) {
    let fake = Fake::vault();
    give(one_read(&fake.addr).env("VAULT_ID_TOKEN", jwt::mint(json!({}))), "token").run().expect(0);
    assert!(!fake.lines().iter().any(|line| line.contains("login")));
}

fn auth_role(give: Give<'_>) {
    let fake = Fake::vault();
    give(with_jwt(&fake.addr), "web").run().expect(0);
    assert!(fake.seen()[0].body.contains(r#""role":"web""#));
}

fn auth_path(give: Give<'_>) {
    let fake = Fake::vault();
    give(with_jwt(&fake.addr), "jwt/gitlab").run().expect(0);
    assert_eq!(fake.lines()[0], "POST /v1/auth/jwt/gitlab/login");
}

fn role_id(give: Give<'_>) {
    let (fake, role_id) = (Fake::vault(), secret());
    let base = with_secret_id(&fake.addr).no_env("VAULT_ROLE_ID");
    give(base, &role_id).run().expect(0);
    assert!(fake.seen()[0].body.contains(&role_id));
}
