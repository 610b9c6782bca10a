//! `ci-creds aws --wait`: the key of an IAM user is handed over when AWS knows it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cmd, Fake, Reply, Space, secret};

/// A KV mount in the engine's place: a pair without a session token, or with one.
fn job(space: &Space<'_>, sts: &Fake, token: Option<&str>) -> Cmd {
    let kv = space.kv1("aws");
    let pair = json!({"access_key": "AKIANEW", "secret_key": secret(), "session_token": token});
    space.write(&format!("{kv}/sts/user"), pair);
    let login = space.token(&[&space.may_read(&[&format!("{kv}/sts/user")])], json!({}));
    let cmd = Cmd::new(["aws", "user", "--wait", "--mount", &kv]).vault(space.server);
    cmd.env("VAULT_TOKEN", login).env("AWS_ENDPOINT_URL_STS", &sts.addr)
}

#[test]
fn it_is_handed_over_when_aws_has_known_it_three_times_in_a_row() {
    let space = Space::new();
    let sts = Fake::new(|seen| match seen.number {
        // Unknown; known to one part; unknown to another; then known to all.
        0 | 2 => Reply::text(403, "<ErrorResponse/>"),
        _ => Reply::text(200, "<GetCallerIdentityResponse/>"),
    });
    let run = job(&space, &sts, None).run().expect(0);
    assert!(run.stdout.contains("export AWS_ACCESS_KEY_ID='AKIANEW'"), "{run}");
    assert!(run.stderr.contains("waiting until AWS knows the new key, up to 60 s"), "{run}");
    let seen = sts.seen();
    assert_eq!(seen.len(), 6, "no, yes, no, yes, yes, yes");
    assert!(seen.iter().all(|one| one.body == "Action=GetCallerIdentity&Version=2011-06-15"));
    let signed = |one: &crate::support::fake::Seen| {
        one.header("authorization").is_some_and(|text| text.contains("Credential=AKIANEW/"))
    };
    assert!(seen.iter().all(signed));
}

#[test]
fn a_session_needs_no_waiting() {
    let space = Space::new();
    let sts = Fake::new(|_| Reply::Drop);
    let run = job(&space, &sts, Some(&secret())).run().expect(0);
    assert!(sts.seen().is_empty() && !run.stderr.contains("waiting"), "{run}");
}

#[test]
fn a_stop_ends_the_waiting() {
    let space = Space::new();
    let sts = Fake::new(|_| Reply::text(403, ""));
    let running = job(&space, &sts, None).spawn();
    running.wait_for_stderr("waiting until AWS knows");
    running.signal(Signal::TERM);
    let run = running.wait().expect(143);
    assert!(
        run.stdout.ends_with(" false && true; (exit 143) && false\n")
            && run.elapsed < Duration::from_secs(10),
        "{run}"
    );
}
