//! A Vault that takes requests and does not answer while everything is to be taken back: it ends in time, and what is
//! left is named.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{one_read, with_jwt};
use crate::support::fake::Seen;
use crate::support::{Cmd, Fake, Reply, eventually, jwt, secret};

/// No answer within the time of any test.
const NEVER: Reply = Reply::Late(Duration::from_secs(40));

/// Stops a run at its slow read of a Vault that never revokes anything.
fn stopped(cmd: impl Fn(&str) -> Cmd) -> String {
    let fake = Fake::new(|seen| match seen {
        seen if seen.is_revocation() => NEVER,
        seen if seen.line.starts_with("GET /v1/exoscale/") => Reply::Late(Duration::from_secs(1)),
        _ => Reply::Vault,
    });
    let running = cmd(&fake.addr).args(["-v"]).spawn();
    running.wait_for_stderr("debug: GET exoscale/apikey/ci");
    running.signal(Signal::TERM);
    let run = running.wait().expect(143);
    assert!(fake.seen().iter().any(Seen::is_revocation), "{run}");
    run.stderr
}

#[test]
fn what_there_was_no_time_to_take_back_is_named() {
    std::thread::scope(|scope| {
        let lease = scope.spawn(|| stopped(one_read));
        let token = scope.spawn(|| stopped(with_jwt));
        for (text, left) in [
            (lease.join().unwrap(), "exoscale/apikey/ci/a-lease was not revoked ("),
            (token.join().unwrap(), "the token with accessor an-accessor was not revoked ("),
        ] {
            assert!(text.contains(left) && text.contains("); it ends with its TTL, at 20"), "{text}");
        }
    });
}

fn is_read(seen: &Seen) -> bool {
    seen.line.starts_with("GET /v1/")
}

fn sts(seen: &Seen) -> Reply {
    if is_read(seen) {
        Reply::Json(
            200,
            json!({"data": {"access_key": "ASIA", "secret_key": secret(), "session_token": "t"}}),
        )
    } else {
        Reply::Vault
    }
}

/// What hangs, the request that is waited for before the stop, and what is said.
type Case = (&'static [&'static str], fn(&Seen) -> Reply, &'static str, &'static str);

/// Wherever the stop comes, the process is gone before GitLab kills it, and says what is left.
#[test]
fn a_stop_is_over_in_time_wherever_it_comes() {
    const TOKEN: &str =
        "the token with accessor an-accessor was not revoked (no time was left for it after the stop)";
    let cases: [Case; 5] = [
        // Nothing answers from the read on.
        (
            &["exoscale", "ci"],
            |seen| if seen.is_login() { Reply::Vault } else { NEVER },
            "GET /v1/exoscale",
            TOKEN,
        ),
        // A token that nothing needs.
        (
            &["aws", "web"],
            |seen| if seen.is_revocation() { NEVER } else { sts(seen) },
            "POST /v1/auth/token/revoke-self",
            TOKEN,
        ),
        // A run that fails, and is at taking back.
        (
            &["exoscale", "ci"],
            |seen| match seen {
                seen if seen.is_revocation() => NEVER,
                seen if is_read(seen) => Reply::Json(400, json!({"errors": ["no such role"]})),
                _ => Reply::Vault,
            },
            "POST /v1/auth/token/revoke-self",
            TOKEN,
        ),
        // A key that is being made at the cloud itself.
        (
            &["scaleway", "ci", "--mint", "--application-id", "2f0b5c4e-6a3c-4a53-9a5e-0c1d2e3f4a5b"],
            |seen| match seen {
                seen if seen.line.contains("/iam/") => NEVER,
                seen if is_read(seen) => {
                    Reply::Json(200, json!({"data": {"access_key": "S", "secret_key": secret()}}))
                }
                _ => Reply::Vault,
            },
            "POST /iam/",
            "may be left at Scaleway; it ends within 15m by itself (no time was left for it)",
        ),
        // A command that has ended.
        (
            &["exoscale", "ci", "--", "true"],
            |seen| if seen.is_revocation() { NEVER } else { Reply::Vault },
            "POST /v1/auth/token/revoke-self",
            TOKEN,
        ),
    ];
    std::thread::scope(|scope| {
        for (args, script, moment, left) in cases {
            scope.spawn(move || {
                let fake = Fake::new(script);
                let env = [("VAULT_ADDR", fake.addr.clone()), ("VAULT_ID_TOKEN", jwt::mint(json!({})))];
                let running = Cmd::new(args).envs(env).env("SCW_API_URL", &fake.addr).spawn();
                eventually(moment, || fake.lines().iter().any(|line| line.starts_with(moment)));
                let stopped = Instant::now();
                running.signal(Signal::TERM);
                let code = if args.contains(&"--") { 0 } else { 143 };
                let run = running.wait().expect(code);
                assert!(
                    stopped.elapsed() < Duration::from_millis(9_500),
                    "{args:?}: {:?}",
                    stopped.elapsed()
                );
                assert_eq!(run.stderr.matches(left).count(), 1, "{args:?}: {run}");
                // What is said of a lost answer is true: the token is still there.
                let (lost, ends) =
                    ("may have made a key", "or with the login's token, which was not revoked");
                assert_eq!(run.stderr.contains(lost), run.stderr.contains(ends), "{args:?}: {run}");
            });
        }
    });
}
