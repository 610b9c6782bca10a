//! What was issued lives as long as the command, and not longer.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::main_job::story::{Story, nothing_is_left};
use crate::support::{Cmd, Fake, Postgres, Reply, Space, eventually, fake, secret};

/// A database user whose lease is far shorter than the command: checked by logging in as it, each second.
#[test]
fn a_short_lease_lasts_as_long_as_the_command() {
    let Some(postgres) = Postgres::start() else { return };
    let space = Space::new();
    let mount = postgres.mount(&space, 1, 0.0);
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
    let role =
        json!({"db_name": "pg0", "default_ttl": "6s", "max_ttl": "60s", "creation_statements": create});
    space.write(&format!("{mount}/roles/short"), role);
    let policy = space.may_read(&[&format!("{mount}/creds/short")]);
    // The token alone would end before the command, too.
    let params = json!({"token_policies": policy, "token_ttl": "8s", "token_max_ttl": "5m"});
    let login = space.approle("ci", params);
    let seconds = if cfg!(feature = "soak") { 30 } else { 14 };
    let dir = tempfile::tempdir().unwrap();
    let script = format!("echo \"$DB_USER $DB_PASSWORD\" >pair; exec sleep {seconds}");
    let cmd = Cmd::new(["read", &format!("{mount}/creds/short"), "DB_USER=username", "DB_PASSWORD=password"]);
    let cmd = cmd.args(["--", "/bin/sh", "-c", &script]).env("PATH", "/usr/bin:/bin").dir(dir.path());
    let running = cmd.vault(space.server).approle(&login).spawn();
    let mut pair = String::new();
    eventually("the command has the pair", || {
        pair = std::fs::read_to_string(dir.path().join("pair")).unwrap_or_default();
        pair.ends_with('\n')
    });
    let started = Instant::now();
    let (user, password) = pair.trim().split_once(' ').unwrap();
    while started.elapsed() < Duration::from_secs(seconds - 1) {
        assert!(postgres.works(user, password), "after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_secs(1));
    }
    let run = running.wait().expect(0);
    assert!(!run.stderr.contains("warning"), "{run}");
    assert!(run.elapsed < Duration::from_secs(seconds + 3) || postgres.users().is_empty());
    eventually("the user is gone", || postgres.users().is_empty());
    assert!(!postgres.works(user, password) && space.login_tokens().is_empty());
}

#[test]
fn what_can_not_be_renewed_is_said_once_and_in_time() {
    let space = Space::new();
    let story = Story::new(&space);
    // The engine's leases live for 15 minutes, this token for 4 seconds, and it can't be renewed beyond 6.
    let policy = space.may_read(&[&format!("{}/creds/*", story.engine.mount)]);
    let login =
        space.approle("short", json!({"token_policies": policy, "token_ttl": "4s", "token_max_ttl": "6s"}));
    let cmd = story.run(["exoscale", "--", "/bin/sleep", "5"]).no_env("VAULT_TOKEN").approle(&login);
    let run = cmd.run().expect(0);
    assert_eq!(run.stderr.matches("the login's token can't be renewed: ").count(), 1, "{run}");
    // A set of its own life, with a job that may run longer: said at the start, with what helps.
    let kv = space.kv1("aws");
    let set = json!({"access_key": "AKIA", "secret_key": crate::support::secret(),
        "session_token": crate::support::secret(), "ttl": "30m"});
    space.write(&format!("{kv}/sts/web"), set);
    let token = space.token(&[&space.may_read(&[&format!("{kv}/sts/web")])], json!({"ttl": "5m"}));
    let dir = tempfile::tempdir().unwrap();
    let cmd = Cmd::new(["aws", "web", "--", "/bin/true"]).job(dir.path()).vault(space.server);
    let cmd = cmd.env("CI_CREDS_AWS_MOUNT", &kv).env("VAULT_TOKEN", &token);
    let run = cmd.clone().env("CI_JOB_TIMEOUT", "7200").run().expect(0);
    assert!(
        run.stderr.contains("before the job has to; with --refresh the command gets fresh ones"),
        "{run}"
    );
    let run = cmd.env("CI_JOB_TIMEOUT", "600").run().expect(0);
    assert!(!run.stderr.contains("can't be renewed"), "{run}");
}

/// A periodic token is never granted more than its period, however much is asked for, and never ends.
#[test]
fn a_periodic_token_is_kept_as_long_as_the_command_runs() {
    let space = Space::new();
    let story = Story::new(&space);
    let policy = space.may_read(&[&format!("{}/creds/*", story.engine.mount)]);
    let login = space.approle("periodic", json!({"token_policies": policy, "token_period": "4s"}));
    let cmd = story.run(["exoscale", "--", "/bin/sleep", "11"]).no_env("VAULT_TOKEN").approle(&login);
    let started = Instant::now();
    let running = cmd.spawn();
    eventually("the credentials are there", || story.engine.leases().len() == 1);
    while started.elapsed() < Duration::from_secs(10) {
        assert_eq!(story.engine.leases().len(), 1, "after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(500));
    }
    let run = running.wait().expect(0);
    assert!(!run.stderr.contains("can't be renewed"), "{run}");
    assert!(run.stderr.contains("the login's token ends after 4s, unless it is renewed"), "{run}");
    nothing_is_left(&story);
}

/// No answer's number of seconds takes the clock beyond its end, neither the first one's nor a renewal's.
#[test]
fn seconds_without_measure_are_survived() {
    for (first, renewed) in [(u64::MAX, u64::MAX), (2, u64::MAX)] {
        let fake = Fake::new(move |seen| {
            let mut answer = if seen.is_login() {
                fake::login()
            } else if seen.line.ends_with("/leases/renew") {
                json!({"lease_id": "a", "renewable": true})
            } else if seen.is_revocation() {
                return Reply::Vault;
            } else {
                fake::key()
            };
            if seen.is_login() {
                answer["auth"]["lease_duration"] = json!(if first == 2 { 3600 } else { first })
            } else {
                let seconds = if seen.line.ends_with("/leases/renew") { renewed } else { first };
                answer["lease_duration"] = json!(seconds);
            }
            Reply::Json(200, answer)
        });
        let cmd = Cmd::new(["exoscale", "ci", "--", "/bin/sleep", "2"]).env("VAULT_ADDR", &fake.addr);
        let run = cmd
            .env("VAULT_AUTH_METHOD", "approle")
            .env("VAULT_ROLE_ID", secret())
            .env("VAULT_SECRET_ID", secret())
            .run()
            .expect(0);
        let lines = fake.lines();
        assert_eq!(lines.iter().any(|line| line.ends_with("/leases/renew")), first == 2, "{run}: {lines:?}");
        assert!(lines.last().unwrap().ends_with("/revoke-self"), "{run}: {lines:?}");
    }
}
