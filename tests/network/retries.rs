//! What is repeated, what never is, and for how long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{one_read, with_jwt, with_secret_id};
use crate::support::openbao::free_port;
use crate::support::{Fake, Reply, require};

fn errors(status: u16, text: &str) -> (u16, Value) {
    (status, json!({"errors": [text]}))
}

#[test]
fn what_surely_did_not_run_is_repeated() {
    let no_leader = "local node not active but active cluster node not found";
    for (status, body) in [
        (412, Value::Null),
        (429, Value::Null),
        errors(429, "rate limit quota exceeded"),
        errors(502, "throttled"),
        errors(503, "Vault is sealed"),
        errors(500, no_leader),
    ] {
        let reply = body.clone();
        let fake = Fake::new(move |seen| match seen.number {
            0..2 => Reply::Json(status, reply.clone()),
            _ => Reply::Vault,
        });
        let run = with_jwt(&fake.addr).args(["-v"]).run().expect(0);
        assert_eq!(fake.seen().iter().filter(|seen| seen.is_login()).count(), 3, "{status} {body}");
        assert_eq!(
            run.stderr.matches(&format!("debug: status {status}; POST auth/jwt/login again in")).count(),
            2,
            "{run}"
        );
    }
}

#[test]
fn a_no_is_never_repeated() {
    for (status, code) in [(400, 4), (403, 4), (404, 4), (405, 4), (500, 5), (501, 5), (504, 5)] {
        let fake = Fake::new(move |_| {
            let (status, body) = errors(status, "no");
            Reply::Json(status, body)
        });
        with_secret_id(&fake.addr).run().expect(code);
        let logins = fake.seen().iter().filter(|seen| seen.is_login()).count();
        assert_eq!(logins, 1, "{status}: five wrong logins lock an AppRole");
    }
}

#[test]
fn retry_after_is_heeded() {
    let fake = Fake::new(|seen| match seen.number {
        0 => Reply::Full(429, "Retry-After: 2\r\n".to_owned(), Vec::new()),
        _ => Reply::Vault,
    });
    let run = one_read(&fake.addr).run().expect(0);
    assert!(run.elapsed >= Duration::from_secs(2), "{:?}", run.elapsed);
    // Nobody waits an hour because a server said so: the pause is cut, and it is the last one.
    let fake = Fake::new(|_| Reply::Full(429, "Retry-After: 3600\r\n".to_owned(), Vec::new()));
    let run = one_read(&fake.addr).env("VAULT_MAX_RETRIES", "0").run().expect(5);
    assert!(run.elapsed < Duration::from_secs(5), "{:?}", run.elapsed);
}

#[test]
fn a_server_that_comes_up_late_is_waited_for() {
    let port = free_port();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        Fake::on(&format!("127.0.0.1:{port}"), None, |_| Reply::Vault)
    });
    with_secret_id(&format!("http://127.0.0.1:{port}")).run().expect(0);
    assert!(late.join().unwrap().lines().len() >= 2);
}

/// The first thing that is repeated is said at once, and in a log not again for 5 s.
#[test]
fn a_wait_is_told() {
    let fake = || {
        Fake::new(|seen| match seen.number {
            0..3 => Reply::Json(503, json!({"errors": ["Vault is sealed"]})),
            _ => Reply::Vault,
        })
    };
    let log = fake();
    let run = one_read(&log.addr).run().expect(0);
    let peer = log.addr.trim_start_matches("http://");
    let told = format!("warning: {peer} answers with status 503; trying for 19 s more\n");
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{run}");
    assert!(run.stderr.starts_with(&told) || run.stderr.contains("trying for 20 s more"), "{run}");
    // On a terminal the line is in the place of the one before, and goes when the wait is over.
    let Some(python) = require("python3") else { return };
    let pty = "import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let terminal = fake();
    let cmd = one_read(&terminal.addr).wrapped(&python, ["-c", pty]).args(["--show", "--color", "never"]);
    let run = cmd.may_show_secrets().run().expect(0);
    let lines: Vec<_> = run.stdout.split("\r\x1b[K").collect();
    assert_eq!(lines.len(), 5, "{run}");
    assert!(lines[1..4].iter().all(|line| line.starts_with("warning: ") && !line.contains('\n')), "{run}");
    assert!(lines[4].contains("ci-creds: exoscale"), "{run}");
}

#[test]
#[cfg_attr(not(feature = "soak"), ignore = "takes its time: runs with --features soak")]
fn nobody_home_is_given_up_after_some_20_seconds() {
    let run = one_read("http://127.0.0.1:1").run().expect(5);
    let seconds = run.elapsed.as_secs();
    assert!((15..40).contains(&seconds), "{:?}", run.elapsed);
    assert!(run.stderr.contains("can't connect to 127.0.0.1:1"), "{run}");
    assert!(run.stderr.contains("Connection refused"), "{run}");
}

#[test]
fn an_unknown_name_is_no_connection() {
    let run = one_read("https://vault.example.invalid").env("VAULT_MAX_RETRIES", "1").run().expect(5);
    assert!(run.stderr.contains("can't connect to vault.example.invalid"), "{run}");
}

#[test]
fn a_revocation_is_repeated_when_its_connection_breaks() {
    let revocations = AtomicUsize::new(0);
    let fake = Fake::new(move |seen| match (seen.is_login(), seen.is_revocation()) {
        (true, _) => Reply::Vault,
        (_, true) if revocations.fetch_add(1, Ordering::SeqCst) < 2 => Reply::Drop,
        (_, true) => Reply::Vault,
        _ => Reply::Json(403, json!({"errors": ["permission denied"]})),
    });
    with_jwt(&fake.addr).run().expect(4);
    assert_eq!(fake.seen().iter().filter(|seen| seen.is_revocation()).count(), 3);
}
