//! Variables without a flag, and what several of them mean together.

use std::collections::BTreeSet;

use ci_creds::testing::options;
use ci_creds::testing::provider::PROVIDERS;
use serde_json::json;

use super::environment::tls::{mutual, tls};
use super::environment::{Give, far};
use super::one_read;
use crate::support::fake::redirect;
use crate::support::{Cmd, Fake, Pki, Reply, jwt, secret};

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
    bare().env("HOME", home.path()).env("CI", "true").env("NO_COLOR", "1").run().expect(3);
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
    let refusing = Fake::new(|_| Reply::text(407, ""));
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
        ("NO_PROXY", "*.example.invalid"),
        ("NO_PROXY", "vault.example.invalid:80"),
        ("NO_PROXY", "*.invalid:80"),
    ] {
        let before = fake.lines().len();
        far().env("HTTP_PROXY", &fake.addr).env(name, value).run().expect(5);
        assert_eq!(fake.lines().len(), before, "{name}={value}");
    }
}

#[test]
fn a_proxy_is_spelt_as_go_takes_it() {
    let fake = Fake::vault();
    let upper = fake.addr.replace("http://", "HTTP://");
    // Another port, the name itself where only what is below it is excepted, and another name that ends like it.
    for except in ["", "vault.example.invalid:81", "*.vault.example.invalid", "*.ample.invalid"] {
        let before = fake.lines().len();
        far().env("HTTP_PROXY", &upper).env("NO_PROXY", except).run().expect(0);
        assert_eq!(fake.lines().len(), before + 1, "{except}");
    }
    let run = far().env("HTTP_PROXY", "socks5://127.0.0.1:1").run().expect(3);
    assert!(run.stderr.contains("is not the address of an HTTP proxy"), "{run}");
}

/// What a run really did counts: a proxy that was not asked is not blamed, nor one that had its password.
#[test]
fn a_proxy_is_blamed_for_what_it_did() {
    let fake = Fake::vault();
    let direct = |except: &str| far().env("HTTP_PROXY", &fake.addr).env("NO_PROXY", except);
    let run = direct("vault.example.invalid").run().expect(5);
    assert!(run.stderr.contains("is the address right") && !run.stderr.contains("proxy"), "{run}");
    let bracketed = |except: &str| {
        let cmd =
            one_read("http://[fd00::1]:81").args(["--allow-http", "--max-retries", "0", "--timeout", "2s"]);
        cmd.env("HTTP_PROXY", &fake.addr).env("NO_PROXY", except)
    };
    bracketed("[fd00::2]").run().expect(0);
    for except in ["fd00::1", "[fd00::1]", "[fd00::1]:81", "fd00::/16"] {
        let before = fake.lines().len();
        let run = bracketed(except).run().expect(5);
        assert!(fake.lines().len() == before && !run.stderr.contains("proxy"), "{except}: {run}");
        if except != "[fd00::1]" {
            continue;
        }
        let seen = bracketed(except).before(["doctor"]).run();
        assert!(!seen.stdout.contains("through the proxy"), "{except}: {seen}");
    }
    let refusing = Fake::new(|_| Reply::text(407, ""));
    let (with, here) = (refusing.addr.replace("//", "//user:wr0ng@"), "https://vault.example.invalid");
    let usual = one_read(here).env("HTTPS_PROXY", &with).run().expect(3);
    assert!(usual.stderr.contains("the proxy of HTTPS_PROXY refuses the user and the password"), "{usual}");
    assert!(usual.stderr.contains("NO_PROXY") && !usual.stderr.contains("wr0ng"), "{usual}");
    let own = one_read(here).env("VAULT_HTTP_PROXY", &refusing.addr).run().expect(3);
    assert!(
        own.stderr.contains("asks for a user and a password") && !own.stderr.contains("NO_PROXY"),
        "{own}"
    );
}

#[test]
fn a_line_end_is_no_part_of_a_variable() {
    let (pki, fake) = tls();
    let file = format!("{}\n", pki.ca_file().display());
    for name in ["VAULT_CACERT", "SSL_CERT_FILE"] {
        one_read(&fake.addr).env(name, &file).run().expect(0);
    }
    let folder = format!("{}\r\n", pki.dir.path().display());
    one_read(&fake.addr).env("VAULT_CAPATH", folder).run().expect(0);
    let pair = json!({"access_key": "SCWKEY", "secret_key": "s3cret"});
    let fake = Fake::new(move |_| Reply::Json(200, json!({"data": pair})));
    let cmd = Cmd::new(["scaleway"]).env("VAULT_ADDR", &fake.addr).env("VAULT_TOKEN", "t\n");
    let cmd = cmd.env("CI_CREDS_SCALEWAY_ROLE", "web\n").env("CI_CREDS_SCALEWAY_MOUNT", "clouds\n");
    let cmd = cmd.env("CI_CREDS_SCALEWAY_ZONE", "fr-par-1\n").env("CI_CREDS_SCALEWAY_REGION", " fr-par\n");
    let run = cmd.run().expect(0);
    assert_eq!(fake.lines(), ["GET /v1/clouds/creds/web"]);
    for set in ["SCW_DEFAULT_ZONE='fr-par-1' ", "SCW_DEFAULT_REGION='fr-par' "] {
        assert!(run.stdout.contains(set), "{run}");
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
    let names: Vec<_> = options::UNSUPPORTED.options.iter().flat_map(|row| row.variables(None)).collect();
    let names: Vec<_> = names.iter().filter_map(|name| name.strip_prefix("VAULT_")).collect();
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

#[test]
fn the_pages_name_no_variable_without_effect() {
    let rows = || {
        let all = [
            &options::VAULT,
            &options::LOGIN,
            &options::ENGINE,
            &options::OUTPUT,
            &options::COMMAND,
            &options::READ,
            &options::ENV,
            &options::REVOKE,
            &options::SCANNING,
            &options::ROTATE,
            &options::VARIABLES,
            &options::UNSUPPORTED,
        ];
        all.into_iter().flat_map(|group| group.options.iter().copied())
    };
    let of = |provider: Option<&str>| rows().flat_map(|row| row.variables(provider)).collect::<Vec<_>>();
    let mut known: BTreeSet<String> = of(None).into_iter().chain(of(Some("X"))).collect();
    for provider in PROVIDERS {
        known.extend(of(Some(provider.name)));
        let own = provider.options.iter().flat_map(|option| option.opt.variables(Some(provider.name)));
        known.extend(own);
    }
    let is_one = |name: &&str| {
        let starts = ["VAULT_", "BAO_", "CI_CREDS_"].iter().any(|start| name.starts_with(start));
        starts && name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
    };
    let mut count = 0;
    for (page, text) in crate::support::pages::pages() {
        for name in text.split('`').filter(is_one).filter(|name| !name.ends_with('_')) {
            // How names are made is explained with X; to-be-continuous has variables of its own.
            let explained = ["CI_CREDS_X", "BAO_X", "VAULT_X"].contains(&name);
            let foreign = page == "docs/install.md" && ["VAULT_BASE_URL", "VAULT_OIDC_AUD"].contains(&name);
            assert!(explained || foreign || known.contains(name), "{page} names {name}, which has no effect");
            count += 1;
        }
    }
    assert!(count > 100, "only {count} were found");
}
