//! The environment table: for each row, every flag and variable of it has the effect that it is there for.

use std::collections::BTreeSet;

use ci_creds::cli::options::{self, Variables};
use ci_creds::config::{UNSUPPORTED, USUAL_VARIABLES, VARIABLES_ONLY};
use serde_json::json;

use super::{one_read, with_jwt, with_secret_id};
use crate::support::fake::redirect;
use crate::support::{Cmd, Fake, Pki, Reply, jwt, secret};

/// Gives a command one row's value, as the flag or as one of its variables.
type Give<'a> = &'a dyn Fn(Cmd, &str) -> Cmd;

/// The flags that have a row in the tests below.
const TESTED: &[(&str, fn(Give<'_>))] = &[
    ("addr", addr),
    ("namespace", namespace),
    ("auth-namespace", auth_namespace),
    ("ca-cert", ca_cert),
    ("ca-path", ca_path),
    ("client-cert", client_cert),
    ("client-key", client_key),
    ("tls-server-name", tls_server_name),
    ("tls-skip-verify", tls_skip_verify),
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
                let own = (name.to_owned(), vec![format!("CI_CREDS_{}", options::shout(name))]);
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
    let only: BTreeSet<_> = VARIABLES_ONLY.iter().map(|(x, _)| *x).collect();
    let known = ["CACERT_BYTES", "CLIENT_CERT_BYTES", "CLIENT_KEY_BYTES", "DISABLE_REDIRECTS"];
    assert_eq!(only, known.into_iter().chain(["TOKEN", "SECRET_ID", "ID_TOKEN"]).collect());
    let usual: Vec<_> = USUAL_VARIABLES.iter().map(|(name, _)| *name).collect();
    assert_eq!(usual, ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]);
}

#[test]
fn the_readme_has_every_row() {
    let readme = include_str!("../../README.md");
    let has = |name: &str| assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
    for option in options::VAULT.options {
        has(&format!("--{}", option.name));
        option.variables(None).iter().filter(|name| !name.starts_with("BAO_")).for_each(|name| has(name));
    }
    VARIABLES_ONLY.iter().chain(UNSUPPORTED).for_each(|(x, _)| has(&format!("VAULT_{x}")));
    USUAL_VARIABLES.iter().for_each(|(name, _)| has(name));
    // And nothing that the code does not know.
    let known: BTreeSet<String> = [&options::VAULT, &options::LOGIN]
        .iter()
        .flat_map(|group| group.options)
        .flat_map(|option| option.variables(None))
        .chain(VARIABLES_ONLY.iter().chain(UNSUPPORTED).map(|(x, _)| format!("VAULT_{x}")))
        .collect();
    let table = readme.split("## Variables").nth(1).unwrap().split("\n## ").next().unwrap();
    let names = table.split('`').filter(|word| word.starts_with("VAULT_") || word.starts_with("CI_CREDS_"));
    for name in names.filter(|name| !name.ends_with("_X")) {
        assert!(known.contains(name), "README.md names {name}, which has no effect");
    }
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

fn tls() -> (Pki, Fake) {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["127.0.0.1"]), |_| Reply::Vault);
    (pki, fake)
}

fn ca_cert(give: Give<'_>) {
    let (pki, fake) = tls();
    one_read(&fake.addr).run().expect(3);
    give(one_read(&fake.addr), pki.ca_file().to_str().unwrap()).run().expect(0);
    let missing = give(one_read(&fake.addr), "/nowhere/ca.pem").run().expect(3);
    assert!(missing.stderr.contains("/nowhere/ca.pem ("), "{missing}");
}

fn ca_path(give: Give<'_>) {
    let (pki, fake) = tls();
    let other = Pki::new("Another CA");
    pki.ca_file();
    pki.file("other.crt", &other.pem());
    give(one_read(&fake.addr), pki.dir.path().to_str().unwrap()).run().expect(0);
    other.ca_file();
    give(one_read(&fake.addr), other.dir.path().to_str().unwrap()).run().expect(3);
}

fn mutual() -> (Pki, Fake, String, String) {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server_with(&["127.0.0.1"], |_| {}, true), |_| Reply::Vault);
    let (certificate, key) = pki.issue(&["runner"], |_| {});
    (pki, fake, certificate, key)
}

fn client_cert(give: Give<'_>) {
    let (pki, fake, certificate, key) = mutual();
    let base = one_read(&fake.addr)
        .env("VAULT_CACERT", pki.ca_file())
        .env("VAULT_CLIENT_KEY", pki.file("key", &key));
    give(base.clone(), pki.file("cert", &certificate).to_str().unwrap()).run().expect(0);
    assert!(fake.seen().iter().all(|seen| seen.client_certificate));
    assert!(base.run().expect(3).stderr.contains("needs both"));
    let bad = give(base, pki.file("bad", "junk").to_str().unwrap()).run().expect(3);
    assert!(bad.stderr.contains("holds no certificate in PEM form"), "{bad}");
}

fn client_key(give: Give<'_>) {
    let (pki, fake, certificate, key) = mutual();
    let base = one_read(&fake.addr)
        .env("VAULT_CACERT", pki.ca_file())
        .env("VAULT_CLIENT_CERT", pki.file("cert", &certificate));
    give(base.clone(), pki.file("key", &key).to_str().unwrap()).run().expect(0);
    let (_, other) = pki.issue(&["x"], |_| {});
    let wrong = give(base, pki.file("other", &other).to_str().unwrap()).run().expect(3);
    assert!(wrong.stderr.contains("do not go together"), "{wrong}");
}

#[test]
fn a_server_that_wants_a_client_certificate_is_understood() {
    let (pki, fake, ..) = mutual();
    let run = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file()).run().expect(3);
    assert!(run.stderr.contains("it asks for a client certificate"), "{run}");
    assert!(run.stderr.contains("hint: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"), "{run}");
}

fn tls_server_name(give: Give<'_>) {
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["vault.internal"]), |_| Reply::Vault);
    let base = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file());
    assert!(base.run().expect(3).stderr.contains("VAULT_TLS_SERVER_NAME"));
    give(base.clone(), "vault.internal").run().expect(0);
    let seen = &fake.seen()[0];
    assert_eq!(seen.sni.as_deref(), Some("vault.internal"));
    assert_eq!(seen.header("host"), Some(format!("127.0.0.1:{}", fake.port).as_str()));
    let wrong = give(base, "other.internal").run().expect(3);
    assert!(wrong.stderr.contains("is not for other.internal, but for vault.internal"), "{wrong}");
}

fn tls_skip_verify(give: Give<'_>) {
    let (_pki, fake) = tls();
    let run = give(one_read(&fake.addr), "true").run().expect(0);
    assert!(run.stderr.contains("warning: Vault's certificate is not checked"), "{run}");
    give(one_read(&fake.addr), "F").run().expect(3);
    let no_boolean = give(one_read(&fake.addr), "yes").run();
    assert!(matches!(no_boolean.code, 2 | 3) && no_boolean.stderr.contains("true or false"), "{no_boolean}");
}

/// An address that only a proxy can reach.
const FAR: &str = "http://vault.example.invalid";

fn far() -> Cmd {
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

/// A variable without a flag, in both its forms.
fn both(x: &str, test: impl Fn(Give<'_>)) {
    for prefix in ["BAO", "VAULT"] {
        test(&|cmd, value| cmd.env(format!("{prefix}_{x}"), value));
    }
}

#[test]
fn certificates_may_be_text() {
    let (pki, fake) = tls();
    both("CACERT_BYTES", |give| {
        give(one_read(&fake.addr), &pki.pem()).run().expect(0);
        let bad = give(one_read(&fake.addr), "junk").run().expect(3);
        assert!(bad.stderr.contains("CACERT_BYTES holds no CA certificate"), "{bad}");
        // A file comes first, a folder last.
        let other = Pki::new("Another CA");
        give(one_read(&fake.addr).env("VAULT_CACERT", other.ca_file()), &pki.pem()).run().expect(3);
        give(one_read(&fake.addr).env("VAULT_CAPATH", other.dir.path()), &pki.pem()).run().expect(0);
    });
    let (pki, fake, certificate, key) = mutual();
    let base = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file());
    both("CLIENT_CERT_BYTES", |give| {
        give(base.clone().env("VAULT_CLIENT_KEY", pki.file("key", &key)), &certificate).run().expect(0);
    });
    both("CLIENT_KEY_BYTES", |give| {
        give(base.clone().env("VAULT_CLIENT_CERT", pki.file("cert", &certificate)), &key).run().expect(0);
    });
}

#[test]
fn a_flag_comes_before_any_variable() {
    let (pki, fake) = tls();
    let other = Pki::new("Another CA");
    pki.ca_file();
    let cmd = one_read(&fake.addr).env("VAULT_CACERT", other.ca_file());
    cmd.clone().run().expect(3);
    cmd.args(["--ca-path", pki.dir.path().to_str().unwrap()]).run().expect(0);
}

#[test]
fn redirects_can_be_switched_off() {
    both("DISABLE_REDIRECTS", |give| {
        let active = Fake::vault();
        let to = format!("{}/v1/exoscale/apikey/ci", active.addr);
        let standby = Fake::new(move |_| redirect(&to));
        give(one_read(&standby.addr), "false").run().expect(0);
        let refused = give(one_read(&standby.addr), "1").run().expect(3);
        assert!(refused.stderr.contains("VAULT_DISABLE_REDIRECTS is set"), "{refused}");
        give(one_read(&standby.addr), "maybe").run().expect(3);
    });
}

#[test]
fn logins_are_found() {
    let fake = Fake::vault();
    let body = |number: usize| fake.seen()[number].body.clone();
    let bare = || Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &fake.addr).env("VAULT_AUTH_ROLE", "web");
    both("TOKEN", |give| {
        let (token, before) = (secret(), fake.lines().len());
        give(bare(), &token).run().expect(0);
        assert_eq!(fake.seen()[before].header("x-vault-token"), Some(token.as_str()));
    });
    both("SECRET_ID", |give| {
        let (secret_id, before) = (secret(), fake.lines().len());
        give(bare().env("VAULT_ROLE_ID", "r"), &secret_id).run().expect(0);
        assert!(body(before).contains(&secret_id));
    });
    both("ID_TOKEN", |give| {
        let (id_token, before) = (jwt::mint(json!({})), fake.lines().len());
        give(bare(), &id_token).run().expect(0);
        assert!(body(before).contains(&id_token));
    });
    // ~/.vault-token, outside CI.
    let (home, token, before) = (tempfile::tempdir().unwrap(), secret(), fake.lines().len());
    std::fs::write(home.path().join(".vault-token"), format!("{token}\n")).unwrap();
    bare().env("HOME", home.path()).run().expect(0);
    assert_eq!(fake.seen()[before].header("x-vault-token"), Some(token.as_str()));
    bare().env("HOME", home.path()).env("CI", "true").run().expect(3);
}

#[test]
fn an_empty_bao_variable_hides_vaults() {
    let fake = Fake::vault();
    one_read(&fake.addr).env("BAO_TOKEN", "").run().expect(3);
    one_read(&fake.addr).env("BAO_ADDR", "").run().expect(3);
    one_read("http://127.0.0.1:1").env("BAO_ADDR", &fake.addr).run().expect(0);
    one_read("http://127.0.0.1:1").env("VAULT_AGENT_ADDR", &fake.addr).run().expect(0);
}

#[test]
fn the_usual_proxy_variables_count() {
    let fake = Fake::vault();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let before = fake.lines().len();
        far().env(name, &fake.addr).run().expect(0);
        assert_eq!(fake.lines().len(), before + 1, "{name}");
    }
    let refusing = Fake::new(|_| Reply::Full(407, String::new(), Vec::new()));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let before = refusing.lines().len();
        let run = one_read("https://vault.example.invalid").env(name, &refusing.addr).run().expect(3);
        assert!(run.stderr.contains(&format!("the proxy of {name} asks for a user and a password")), "{run}");
        assert_eq!(refusing.lines()[before..], ["CONNECT vault.example.invalid:443"]);
    }
    assert!(far().env("HTTP_PROXY", &refusing.addr).run().expect(3).stderr.contains("asks for a user"));
    for (name, value) in [
        ("NO_PROXY", "example.invalid"),
        ("no_proxy", ".example.invalid"),
        ("NO_PROXY", "a, vault.example.invalid"),
    ] {
        let before = fake.lines().len();
        far().env("HTTP_PROXY", &fake.addr).env(name, value).run().expect(5);
        assert_eq!(fake.lines().len(), before, "{name}={value}");
    }
}

#[test]
fn this_machine_is_never_behind_a_proxy() {
    let fake = Fake::vault();
    for name in ["HTTP_PROXY", "ALL_PROXY", "VAULT_PROXY_ADDR"] {
        one_read(&fake.addr).env(name, "http://127.0.0.1:1").run().expect(0);
        one_read(&format!("http://localhost:{}", fake.port)).env(name, "http://127.0.0.1:1").run().expect(0);
    }
}

#[test]
fn the_system_store_can_be_named() {
    let (pki, fake) = tls();
    pki.ca_file();
    one_read(&fake.addr).env("SSL_CERT_FILE", pki.ca_file()).run().expect(0);
    one_read(&fake.addr).env("SSL_CERT_DIR", pki.dir.path()).run().expect(0);
    let missing = one_read(&fake.addr).env("SSL_CERT_FILE", "/nowhere.pem").run().expect(3);
    assert!(missing.stderr.contains("/nowhere.pem (SSL_CERT_FILE)"), "{missing}");
}

#[test]
fn what_has_no_effect_is_named() {
    let fake = Fake::vault();
    let names: Vec<_> = UNSUPPORTED.iter().map(|(x, _)| *x).collect();
    assert_eq!(names, ["MFA", "RATE_LIMIT", "SRV_LOOKUP", "HEADERS", "CONFIG_PATH"]);
    for x in names {
        both(x, |give| {
            let run = give(one_read(&fake.addr), "1").run().expect(0);
            assert!(run.stderr.contains(&format!("_{x} has no effect")), "{run}");
        });
    }
    one_read(&fake.addr).env("VAULT_SRV_LOOKUP", "false").run().expect(0).stderr.contains("no effect");
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault"), "token_helper = \"/bin/x\"").unwrap();
    let run = one_read(&fake.addr).env("HOME", home.path()).run().expect(0);
    assert!(run.stderr.contains("the token_helper in ~/.vault has no effect"), "{run}");
}

#[test]
fn a_unix_socket_and_ipv6_are_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::unix(&dir.path().join("vault.sock"), |_| Reply::Vault);
    one_read(&fake.addr).env("HTTP_PROXY", "http://127.0.0.1:1").run().expect(0);
    assert_eq!(fake.lines(), ["GET /v1/exoscale/apikey/ci"]);
    let gone = dir.path().join("gone.sock");
    let run = one_read(&format!("unix://{}", gone.display())).env("VAULT_MAX_RETRIES", "0").run().expect(5);
    assert!(run.stderr.contains(&format!("can't connect to {}", gone.display())), "{run}");
    one_read("unix://relative").run().expect(3);
    let fake = Fake::on("[::1]:0", None, |_| Reply::Vault);
    one_read(&fake.addr).run().expect(0);
    assert_eq!(fake.seen()[0].header("host"), Some(format!("[::1]:{}", fake.port).as_str()));
    let pki = Pki::new("A test's CA");
    let fake = Fake::on("[::1]:0", Some(pki.server(&["::1"]).into()), |_| Reply::Vault);
    one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file()).run().expect(0);
}
