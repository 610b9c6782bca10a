//! A run that does not succeed leaves nothing behind: no lease, no key, no token.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::story::{ROLE, Story, nothing_is_left};
use crate::support::Space;

#[test]
fn a_full_disk_and_a_closed_stdout() {
    let space = Space::new();
    let story = Story::new(&space);
    for redirection in [">/dev/full", ">&-"] {
        let run = story.script("bash", &format!("ci-creds exoscale {redirection}")).run().expect(6);
        assert!(run.stderr.contains("error: standard output "), "{redirection}: {run}");
        nothing_is_left(&story);
    }
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("no-such-folder/creds");
    story.run(["exoscale", "--output", target.to_str().unwrap()]).run().expect(6);
    nothing_is_left(&story);
}

#[test]
fn credentials_that_end_too_soon() {
    let space = Space::new();
    let story = Story::new(&space);
    let run = story.run(["exoscale", "--min-ttl", "1h"]).run().expect(6);
    assert!(run.stderr.contains("valid for 15m only, which is less than --min-ttl 1h"), "{run}");
    nothing_is_left(&story);
}

/// --min-ttl is the first provider's; the next has a variable of its own.
#[test]
fn each_provider_has_a_life_of_its_own_to_last() {
    let space = Space::new();
    let story = Story::new(&space);
    let kv = space.kv1("scaleway");
    let pair = json!({"access_key": "SCW1", "secret_key": "of-scaleway", "expires_at": "5m"});
    space.write(&format!("{kv}/creds/dev"), pair);
    let policy =
        space.may_read(&[&format!("{}/creds/{ROLE}", story.engine.mount), &format!("{kv}/creds/dev")]);
    space.write(&format!("auth/{}/role/{ROLE}", story.approle.mount), json!({"token_policies": policy}));
    let run = story.run(["exoscale", "--min-ttl", "10m", "--and", "scaleway=dev"]);
    let run = run.env("CI_CREDS_SCALEWAY_MOUNT", &kv);
    let short = run.clone().env("CI_CREDS_SCALEWAY_MIN_TTL", "10m").run().expect(6);
    assert!(short.stderr.contains("scaleway credentials are valid for 5m only"), "{short}");
    nothing_is_left(&story);
    run.run().expect(0);
}

#[test]
fn a_stop_in_the_middle_of_a_slow_read() {
    let space = Space::new();
    let story = Story::new(&space);
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        story.engine.answer_after(Duration::from_secs(2));
        let running = story.run(["exoscale", "-vv"]).spawn();
        running.wait_for_stderr(&format!("creds/{ROLE}"));
        running.signal(signal);
        let run = running.wait().expect(code);
        assert!(run.stdout.ends_with(&format!("(exit {code}) && false\n")), "{run}");
        story.engine.answer_after(Duration::ZERO);
        nothing_is_left(&story);
    }
}

#[test]
fn an_engine_that_fails() {
    let space = Space::new();
    let story = Story::new(&space);
    story.engine.fail(true);
    let run = story.run(["exoscale"]).run().expect(5);
    assert!(run.stderr.contains("Vault could not carry out the read of "), "{run}");
    nothing_is_left(&story);
}

#[test]
fn an_answer_without_the_fields() {
    let space = Space::new();
    let story = Story::new(&space);
    let run = story
        .run(["exoscale"])
        .env("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=nope")
        .run()
        .expect(4);
    assert!(
        run.stderr.contains("has no nope") && run.stderr.contains("its fields: password, username"),
        "{run}"
    );
    nothing_is_left(&story);
}

#[test]
fn the_leases_of_a_given_token_go_where_its_policy_allows_it() {
    let space = Space::new();
    let story = Story::new(&space);
    let read = format!("path \"{}/creds/{ROLE}\" {{ capabilities = [\"read\"] }}", story.engine.mount);
    let revoke = "path \"sys/leases/revoke\" { capabilities = [\"update\"] }";
    let able = space.token(&[&space.policy(&format!("{read}\n{revoke}"))], json!({}));
    let [.., (_, job)] = story.logins(&crate::support::Cmd::new(["exoscale", "--min-ttl", "1h"]));
    job.env("VAULT_TOKEN", &able).run().expect(6);
    nothing_is_left(&story);
    assert!(space.is_alive(&able), "a token that was given is never revoked");
    let [.., (_, job)] = story.logins(&crate::support::Cmd::new(["exoscale", "--min-ttl", "1h"]));
    let run = job.run().expect(6);
    assert!(run.stderr.contains("can't be revoked and ends with its TTL"), "{run}");
    // With the reason, and the remedy.
    assert!(
        run.stderr.contains("permission denied; the token's policy must have: path \"sys/leases/revoke\""),
        "{run}"
    );
    assert_eq!(story.engine.leases().len(), 1);
}
