//! Text of a server on its way to stderr: it forges no line, and hides nothing.

use serde_json::json;

use crate::support::{Cmd, Fake, Reply, jwt};

/// Escapes, a forged line, a text that runs backwards, an Arabic mark, a character of no width.
const HOSTILE: &str = "ok\u{1b}[2J\r\nerror: forged\u{202e}evil\u{61c}\u{200b}\u{2066}\u{feff}";

/// Nothing in what people read moves a cursor, begins a line or turns it round.
#[track_caller]
fn assert_harmless(text: &str) {
    let bad = ['\u{1b}', '\r', '\u{202e}', '\u{61c}', '\u{200b}', '\u{2066}', '\u{feff}'];
    assert!(!text.contains(bad), "{text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("error: forged")), "{text}");
}

#[test]
fn a_wrapping_tokens_path_forges_nothing() {
    let path = format!("auth/approle/role/{HOSTILE}/secret-id");
    let fake = Fake::new(move |_| Reply::text(200, json!({"data": {"creation_path": path}}).to_string()));
    let cmd = Cmd::new(["exoscale", "ci"])
        .env("VAULT_ADDR", &fake.addr)
        .env("VAULT_ROLE_ID", "ci")
        .env("VAULT_AUTH_ROLE", "web")
        .env("VAULT_WRAPPED_SECRET_ID", "wrapped");
    let run = cmd.run_both().expect(4);
    assert!(run.stderr.contains("may have been intercepted"), "{run}");
    assert_harmless(&run.stderr);
}

/// A login and a read whose every text is hostile; the secrets are not.
fn hostile() -> Fake {
    Fake::new(|seen| {
        if seen.is_login() {
            return Reply::text(
                200,
                json!({"auth": {"client_token": "token", "accessor": HOSTILE, "token_type": HOSTILE,
                    "lease_duration": 3600, "renewable": true, "policies": [HOSTILE]}, "warnings": [HOSTILE]})
                .to_string(),
            );
        }
        if seen.is_revocation() {
            return Reply::text(403, json!({"errors": [HOSTILE]}).to_string());
        }
        Reply::text(
            200,
            json!({"lease_id": "exoscale/apikey/ci/1", "lease_duration": 600, "renewable": true,
                "version": HOSTILE, "initialized": true, "sealed": false,
                "data": {"api_key": "EXO1", "api_secret": "exosecret", "name": HOSTILE, HOSTILE: HOSTILE,
                    "type": HOSTILE, "path": HOSTILE, "policies": [HOSTILE], "accessor": HOSTILE}})
            .to_string(),
        )
    })
}

#[test]
fn labels_accessors_and_warnings_forge_nothing() {
    let fake = hostile();
    let cmd = Cmd::new(["exoscale", "ci"])
        .env("VAULT_ADDR", &fake.addr)
        .env("VAULT_ID_TOKEN", jwt::mint(json!({})));
    let run = cmd.clone().very_verbose().run().expect(0);
    assert_harmless(&run.stderr);
    let run = cmd.clone().args(["--", "true"]).env("PATH", "/usr/bin:/bin").very_verbose().run().expect(0);
    assert_harmless(&run.stderr);
    // A field that is not there: the others are named.
    let run = cmd.args(["--field", "api_key=none"]).run_both().expect(4);
    assert_harmless(&run.stderr);
}

#[test]
fn doctor_forges_nothing() {
    let fake = hostile();
    let token = [("VAULT_ADDR", fake.addr.as_str()), ("VAULT_TOKEN", "none")];
    for format in ["plain", "json"] {
        for subject in [&["exoscale", "ci"][..], &["auth/jwt/role/ci"]] {
            let run = Cmd::new(["doctor", "--format", format]).args(subject).envs(token).run();
            assert_harmless(&run.stderr);
            assert_harmless(&run.stdout);
        }
    }
}

#[test]
fn paths_of_the_user_forge_nothing() {
    let nowhere =
        [("VAULT_ADDR", "https://127.0.0.1:9"), ("VAULT_TOKEN", "none"), ("VAULT_MAX_RETRIES", "0")];
    let path = format!("/nowhere/{HOSTILE}");
    for variable in
        ["VAULT_CACERT", "VAULT_CAPATH", "CI_CREDS_OUTPUT", "CI_CREDS_STATE_FILE", "VAULT_NAMESPACE"]
    {
        let run = Cmd::new(["exoscale", "ci"]).envs(nowhere).env(variable, &path).run_both();
        assert_ne!(run.code, 0);
        assert_harmless(&run.stderr);
    }
}
