//! A standby points to the active node: under rules, for the token travels along.

use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{one_read, with_jwt};
use crate::support::fake::redirect;
use crate::support::{Fake, Pki, Reply};

fn standby(to: String) -> Fake {
    Fake::new(move |seen| redirect(&format!("{to}{}", seen.target())))
}

#[test]
fn method_body_and_token_go_along_on_307_and_308() {
    for status in [307, 308] {
        let active = Fake::vault();
        let to = active.addr.clone();
        let standby = Fake::new(move |seen| {
            let path = seen.target();
            Reply::Full(status, format!("Location: {to}{path}\r\n"), Vec::new())
        });
        with_jwt(&standby.addr).run().expect(0);
        let (asked, came) = (standby.seen(), active.seen());
        assert!(came.len() >= 2);
        for (one, other) in asked.iter().zip(&came) {
            assert_eq!((&one.line, &one.body), (&other.line, &other.body));
            assert_eq!(one.header("x-vault-token"), other.header("x-vault-token"));
        }
    }
}

#[test]
fn the_token_goes_to_no_other_host() {
    let other = Fake::vault();
    let standby = standby(format!("http://localhost:{}", other.port));
    let run = one_read(&standby.addr).run_both().expect(3);
    assert!(run.stderr.contains(&format!("redirects to another host, localhost:{}", other.port)), "{run}");
    assert!(run.stderr.contains("--redirect-host or CI_CREDS_REDIRECT_HOST"), "{run}");
    assert!(other.lines().is_empty());
}

#[test]
fn only_one_redirect_of_two_kinds_is_followed() {
    let active = Fake::vault();
    let second = standby(active.addr.clone());
    let first = standby(second.addr.clone());
    let run = one_read(&first.addr).run().expect(3);
    assert!(run.stderr.contains("it redirects again"), "{run}");
    assert!(active.lines().is_empty());
    for status in [301, 302, 303] {
        let to = active.addr.clone();
        let moved =
            Fake::new(move |_| Reply::Full(status, format!("Location: {to}/login\r\n"), b"<html>".to_vec()));
        let run = one_read(&moved.addr).run().expect(3);
        assert!(run.stderr.contains(&format!("a redirect ({status}) to ")), "{run}");
        assert!(active.lines().is_empty());
    }
    let nowhere = Fake::new(|_| Reply::text(307, ""));
    assert!(one_read(&nowhere.addr).run().expect(3).stderr.contains("it redirects to nowhere"));
}

#[test]
fn https_never_becomes_http() {
    let (pki, active) = (Pki::new("A test's CA"), Fake::vault());
    let to = format!("{}/v1/exoscale/apikey/ci", active.addr);
    let fake = Fake::tls(pki.server(&["127.0.0.1"]), move |_| redirect(&to));
    let run = one_read(&fake.addr).env("VAULT_CACERT", pki.ca_file()).run().expect(3);
    assert!(run.stderr.contains("it redirects to plain http://"), "{run}");
    assert!(active.lines().is_empty());
    let far = standby("http://vault.example.invalid".to_owned());
    assert!(one_read(&far.addr).run().expect(3).stderr.contains("it redirects to plain http://"));
}

#[test]
fn http_on_this_machine_may_become_https() {
    let pki = Pki::new("A test's CA");
    let active = Fake::tls(pki.server(&["127.0.0.1"]), |_| Reply::Vault);
    let agent = standby(active.addr.clone());
    one_read(&agent.addr).env("VAULT_CACERT", pki.ca_file()).run().expect(0);
    let run = one_read(&agent.addr).run().expect(3);
    assert!(run.stderr.contains("unknown issuer, CN=A test's CA"), "{run}");
}

#[test]
fn a_dead_target_means_to_ask_the_first_address_again() {
    // A login: a token more is harmless.
    let fake = Fake::new(|seen| match (seen.is_login(), seen.number) {
        (true, 0..3) => redirect("http://127.0.0.1:1/v1/auth/jwt/login"),
        _ => Reply::Vault,
    });
    with_jwt(&fake.addr).run().expect(0);
    assert_eq!(fake.seen().iter().filter(|seen| seen.is_login()).count(), 4);
    // A read that makes nothing, such as a revocation.
    let revocations = AtomicUsize::new(0);
    let fake = Fake::new(move |seen| match (seen.is_login(), seen.is_revocation()) {
        (true, _) => Reply::Vault,
        (_, true) if revocations.fetch_add(1, Ordering::SeqCst) == 0 => {
            redirect("http://127.0.0.1:1/v1/auth/token/revoke-self")
        }
        (_, true) => Reply::Vault,
        _ => Reply::Json(403, json!({"errors": ["permission denied"]})),
    });
    with_jwt(&fake.addr).run().expect(4);
    let revocations = fake.seen().iter().filter(|seen| seen.is_revocation()).count();
    assert_eq!(revocations, 2, "{:?}", fake.lines());
}

#[test]
fn an_engine_behind_a_dead_target_may_have_run() {
    // The standby may have passed it on before the leader died: the token goes, and all is done once more.
    let fake = Fake::new(|seen| match seen.number {
        1 => redirect("http://127.0.0.1:1/v1/exoscale/apikey/ci"),
        _ => Reply::Vault,
    });
    let run = with_jwt(&fake.addr).run().expect(0);
    let lines: Vec<_> = fake.lines().into_iter().filter(|line| !line.contains("renew")).collect();
    let round = ["POST /v1/auth/jwt/login", "GET /v1/exoscale/apikey/ci"];
    assert_eq!(lines, [&round[..], &["POST /v1/auth/token/revoke-self"], &round[..]].concat());
    assert!(run.stderr.contains("a standby pointed to 127.0.0.1:1, which is gone"), "{run}");
}
