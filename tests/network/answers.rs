//! Hostile and broken answers: each is a named error in time, none a panic, none shows a body.

use std::time::Duration;

use serde_json::{Value, json};

use super::{one_read, with_jwt};
use crate::support::{Cmd, Fake, Reply, secret};

/// The run's error for this answer to the read.
fn error(code: i32, reply: impl Fn() -> Reply + Send + Sync + 'static) -> String {
    let fake = Fake::new(move |_| reply());
    let run = one_read(&fake.addr).env("VAULT_CLIENT_TIMEOUT", "2s").run_both().expect(code);
    assert!(run.elapsed < Duration::from_secs(8), "{:?}", run.elapsed);
    assert!(!run.stderr.contains("panic") && !run.stderr.contains("BODY"), "{run}");
    assert!(run.stderr.contains("error: "), "{run}");
    run.stderr
}

fn body(status: u16, text: impl Into<Vec<u8>>) -> impl Fn() -> Reply + Send + Sync {
    let text = text.into();
    move || Reply::Full(status, String::new(), text.clone())
}

#[test]
fn what_is_not_vaults_is_named() {
    let html = "<!doctype html><title>BODY sign in</title>";
    for (status, text, named) in [
        (200, html, "status 200 with an HTML page"),
        (403, html, "status 403 with an HTML page"),
        (404, "BODY", "status 404 with something that is not JSON"),
        (200, "", "status 200 with nothing"),
        (200, "null", "status 200 with something that is not JSON"),
        (200, r#"{"errors":"BODY"}"#, "JSON of another kind"),
        (403, r#"{"message":"BODY forbidden"}"#, "status 403 with JSON of another kind"),
        (200, r#"{"lease_duration":"BODY"}"#, "JSON of another kind"),
        (200, r#"[]"#, "JSON of another kind"),
        (200, r#"{"warnings":{"BODY":1}}"#, "JSON of another kind"),
    ] {
        let stderr = error(5, body(status, text));
        assert!(stderr.contains("did not answer the read of exoscale/apikey/ci as Vault does"), "{stderr}");
        assert!(stderr.contains(named), "{text}: {stderr}");
        assert!(stderr.contains("hint: is VAULT_ADDR right?"), "{stderr}");
    }
}

#[test]
fn fields_that_are_missing_or_null_are_named() {
    for data in
        [json!(null), json!({}), json!({"api_key": null, "api_secret": null}), json!({"api_key": [1]})]
    {
        let stderr = error(4, body(200, json!({"data": data}).to_string()));
        assert!(stderr.contains("api_key") || stderr.contains("no data"), "{data}: {stderr}");
    }
    let stderr = error(4, body(200, "{}"));
    assert!(stderr.contains("exoscale/apikey/ci"), "{stderr}");
}

#[test]
fn a_200_with_errors_is_a_no() {
    let stderr =
        error(4, body(200, r#"{"errors":["it went wrong"],"data":{"api_key":"EXO","api_secret":"x"}}"#));
    assert!(stderr.contains("Vault refused the read of exoscale/apikey/ci"), "{stderr}");
    assert!(stderr.contains("caused by: it went wrong"), "{stderr}");
}

#[test]
fn texts_of_a_server_are_made_harmless() {
    let text = format!("\u{1b}[31m\u{9b}2Jred\u{7}\r\n\u{202e}evil {} {}", secret(), "x".repeat(10_000));
    let reply = json!({"errors": [text]}).to_string();
    let fake = Fake::new(move |seen| {
        // The server says the token back.
        let token = seen.header("x-vault-token").unwrap_or_default();
        Reply::Full(400, String::new(), reply.replace("evil", token).into_bytes())
    });
    let run = one_read(&fake.addr).may_show_secrets().run().expect(4);
    assert!(run.stderr.chars().all(|char| char == '\n' || !char.is_control()), "{:?}", run.stderr);
    assert!(!run.stderr.contains('\u{202e}') && run.stderr.contains("[secret]"), "{run}");
    assert!(run.stderr.len() < 2000, "{run}");
}

#[test]
fn huge_deep_and_garbled_answers_end() {
    let huge = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec();
        bytes.resize(5 << 20, b'x');
        Reply::Bytes(bytes)
    };
    assert!(error(5, huge).contains("is longer than 4 MiB"));
    let endless = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n{\"data\":\"".to_vec();
        bytes.resize(6 << 20, b'x');
        Reply::Bytes(bytes)
    };
    assert!(error(5, endless).contains("is longer than 4 MiB"));
    let deep = format!("{{\"data\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(5, body(200, deep)).contains("JSON of another kind"));
    assert!(error(5, || Reply::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())).contains("was lost"));
    assert!(
        error(5, || Reply::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".to_vec()))
            .contains("was lost")
    );
}

#[test]
fn a_cut_a_silence_and_a_drip_end_in_time() {
    let whole = crate::support::fake::key().to_string();
    let (cut, bare) = (whole[..60].to_owned(), whole[..60].to_owned());
    let length = whole.len();
    let stderr = error(5, move || {
        Reply::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{cut}").into())
    });
    assert!(stderr.contains("was lost"), "{stderr}");
    let stderr = error(5, move || Reply::Bytes(format!("HTTP/1.1 200 OK\r\n\r\n{bare}").into()));
    assert!(stderr.contains("was lost: it was cut off"), "{stderr}");
    let stderr = error(5, || Reply::Late(Duration::from_secs(5)));
    assert!(stderr.contains("none came within 2s") && stderr.contains("VAULT_CLIENT_TIMEOUT"), "{stderr}");
    let drip = || {
        Reply::Drip(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100)).into(), Duration::from_millis(100))
    };
    assert!(error(5, drip).contains("none came within 2s"));
}

#[test]
fn a_login_without_a_token_is_no_login() {
    for auth in [Value::Null, json!({}), json!({"client_token": null}), json!({"client_token": ""})] {
        let reply = json!({"auth": auth});
        let fake = Fake::new(move |_| Reply::Json(200, reply.clone()));
        let run = with_jwt(&fake.addr).run().expect(5);
        assert!(run.stderr.contains("did not answer the JWT login at auth/jwt as Vault does"), "{run}");
    }
    // What is null beside it does not matter.
    let fake = Fake::new(|seen| {
        if seen.is_login() {
            Reply::Json(
                200,
                json!({"auth": {"client_token": secret(), "accessor": null, "token_type": null,
            "lease_duration": null, "renewable": null, "num_uses": null}}),
            )
        } else {
            Reply::Vault
        }
    });
    with_jwt(&fake.addr).run().expect(0);
}

#[test]
fn namespaces_are_explained() {
    let fake = Fake::new(|seen| {
        if seen.line.contains("sys/health") {
            Reply::Json(
                200,
                json!({"initialized": true, "sealed": false, "version": "1.21.4", "enterprise": false}),
            )
        } else {
            Reply::Vault
        }
    });
    let run = one_read(&fake.addr).env("VAULT_NAMESPACE", "team-a").run().expect(0);
    assert!(run.stderr.contains("community edition: it ignores the namespace team-a"), "{run}");
    // Health is asked without the namespace, and only where one is set.
    assert!(
        fake.seen()
            .iter()
            .filter(|seen| seen.line.contains("health"))
            .all(|seen| seen.header("x-vault-namespace").is_none())
    );
    one_read(&fake.addr).run().expect(0);
    assert_eq!(fake.lines().iter().filter(|line| line.contains("health")).count(), 1);
    let space = crate::support::Space::new();
    let cmd = one_read(&space.server.addr).env("VAULT_NAMESPACE", "no/such/team");
    let run = cmd.run().expect(4);
    assert!(run.stderr.contains("namespace not found"), "{run}");
    assert!(
        run.stderr.contains(
            "hint: check VAULT_NAMESPACE (--namespace) and CI_CREDS_AUTH_NAMESPACE (--auth-namespace)"
        ),
        "{run}"
    );
}

#[test]
fn a_login_that_wants_a_second_factor_is_refused() {
    let fake = Fake::new(|_| {
        let auth = json!({"client_token": "", "accessor": "", "mfa_requirement": {"mfa_request_id": "x"}});
        Reply::Json(200, json!({"auth": auth}))
    });
    let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &fake.addr);
    let run = cmd.env("VAULT_ROLE_ID", "r").env("VAULT_SECRET_ID", "s").run().expect(4);
    assert!(run.stderr.contains("asks for a second factor"), "{run}");
    assert_eq!(fake.seen().len(), 1, "it is asked once");
}
