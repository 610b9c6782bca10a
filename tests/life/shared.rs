//! Tokens and leases that others have too: what a caching proxy hands out twice is nobody's alone.

use serde_json::json;

use crate::main_job::story::{ROLE, Story, nothing_is_left};
use crate::support::jwt;
use crate::support::{BaoProxy, Cmd, Fake, Reply, Running, Space, eventually, fake};

/// A job with the story's JWT login, by way of `addr`.
fn job(story: &Story<'_>, args: &[&str], addr: &str, id_token: &str) -> Cmd {
    let [_, (_, cmd), _] = story.logins(&Cmd::new(args).env("PATH", "/usr/bin:/bin"));
    cmd.no_env("VAULT_ADDR").env("VAULT_AGENT_ADDR", addr).env("VAULT_ID_TOKEN", id_token)
}

/// Started, and its command runs.
fn started(cmd: &Cmd) -> Running {
    let running = cmd.spawn();
    running.wait_for_stderr("running");
    running
}

#[test]
fn two_jobs_behind_a_caching_proxy_do_not_end_each_other() {
    let space = Space::new();
    let story = Story::new(&space);
    let proxy = BaoProxy::start(space.server, "cache {}", &[]);
    let id_token = jwt::mint(json!({}));
    let dir = tempfile::tempdir().unwrap();
    let until = |name: &str| {
        format!("echo running >&2; while [ ! -e {}/{name} ]; do sleep 0.1; done", dir.path().display())
    };
    let (a, b) = (until("a"), until("b"));
    let first = job(&story, &["exoscale", "--", "/bin/sh", "-c", &a], &proxy.addr, &id_token);
    let second = job(&story, &["exoscale", "--", "/bin/sh", "-c", &b], &proxy.addr, &id_token);
    let (first, second) = (started(&first), started(&second));
    assert_eq!((story.engine.objects().len(), space.login_tokens().len()), (2, 2), "each has its own");
    std::fs::write(dir.path().join("a"), "").unwrap();
    first.wait().expect(0);
    eventually("what the first had is gone, and only that", || {
        story.engine.objects().len() == 1 && space.login_tokens().len() == 1
    });
    std::fs::write(dir.path().join("b"), "").unwrap();
    second.wait().expect(0);
    nothing_is_left(&story);
}

#[test]
fn two_calls_of_one_job_do_not_end_each_other() {
    let space = Space::new();
    let story = Story::new(&space);
    let proxy = BaoProxy::start(space.server, "cache {}", &[]);
    let id_token = jwt::mint(json!({}));
    let login = job(&story, &["login"], &proxy.addr, &id_token).may_show_secrets().run().expect(0);
    let token = login.stdout.split("VAULT_TOKEN='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let path = format!("{}/creds/{ROLE}", story.engine.mount);
    job(&story, &["read", &path, "X=username", "--", "/bin/true"], &proxy.addr, &id_token).run().expect(0);
    assert!(space.is_alive(&token), "the job's token went with the second call");
    // The same with the token that the job holds: each read has a lease of its own.
    let read = |command: &str| {
        let cmd =
            job(&story, &["read", &path, "X=username", "--", "/bin/sh", "-c", command], &proxy.addr, "");
        cmd.env("VAULT_AUTH_METHOD", "token").env("VAULT_TOKEN", &token)
    };
    read("exit 0").run().expect(0);
    read("exit 0").run().expect(0);
    assert_eq!(story.engine.leases().len(), 2, "the policy of the story may not revoke leases");
}

/// Vault behind a cache that has the answer already.
fn cached(seen: &fake::Seen, header: &str) -> Reply {
    match fake::vault(seen) {
        Reply::Json(200, body) => Reply::Full(200, header.to_owned(), body.to_string().into_bytes()),
        other => other,
    }
}

#[test]
fn what_came_out_of_a_cache_is_left_alone() {
    for header in ["X-Cache: HIT\r\nAge: 7\r\n", "X-Cache: Hit from there\r\n", "Age: 7\r\n"] {
        let server =
            Fake::new(move |seen| if seen.is_login() { cached(seen, header) } else { fake::vault(seen) });
        let cmd = Cmd::new(["exoscale", "ci", "--", "/bin/true"]).env("VAULT_ADDR", &server.addr);
        let run = cmd.env("VAULT_ROLE_ID", "r").env("VAULT_SECRET_ID", "s").run().expect(0);
        let lines = server.lines();
        let ends = |end: &str| lines.iter().filter(|line| line.ends_with(end)).count();
        assert_eq!((ends("/revoke-self"), ends("/renew-self")), (0, 0), "{header}: {lines:?}\n{run}");
        assert_eq!(ends("/sys/leases/revoke"), 1, "{header}: {lines:?}");
        assert!(run.stderr.contains("came out of a cache"), "{run}");
    }
}

#[test]
fn a_lease_that_came_out_of_a_cache_is_left_alone() {
    let server = Fake::new(|seen| {
        if seen.is_login() || seen.is_revocation() {
            fake::vault(seen)
        } else {
            cached(seen, "X-Cache: HIT\r\n")
        }
    });
    let cmd = Cmd::new(["exoscale", "ci", "--", "/bin/true"]).env("VAULT_ADDR", &server.addr);
    let run = cmd.env("VAULT_TOKEN", "s.mine").run().expect(0);
    assert!(server.lines().iter().all(|line| !line.contains("revoke")), "{:?}", server.lines());
    assert!(run.stderr.contains("exoscale/apikey/ci/a-lease came out of a cache"), "{run}");
}

#[test]
fn a_shared_tokens_leases_are_in_the_state_file_and_it_is_not() {
    let server =
        Fake::new(|seen| if seen.is_login() { cached(seen, "X-Cache: HIT\r\n") } else { fake::vault(seen) });
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let cmd = Cmd::new(["exoscale", "ci", "--state-file"]).args([&state]).env("VAULT_ADDR", &server.addr);
    cmd.env("VAULT_ROLE_ID", "r").env("VAULT_SECRET_ID", "s").may_show_secrets().run().expect(0);
    Cmd::new(["revoke", "--state-file"]).args([&state]).run().expect(0);
    let lines = server.lines();
    assert!(lines.iter().all(|line| !line.ends_with("revoke-self")), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("/sys/leases/revoke")), "{lines:?}");
}

#[test]
fn doctor_leaves_a_token_alone_that_is_older_than_its_login() {
    let server = Fake::new(|seen| {
        if seen.line.ends_with("/lookup-self") {
            let data = json!({"creation_time": 1_700_000_000, "ttl": 900, "policies": ["ci"]});
            return Reply::Json(200, json!({"data": data}));
        }
        if seen.line.contains("/sys/health") {
            return Reply::Json(200, json!({"initialized": true, "sealed": false, "version": "2.7.2"}));
        }
        fake::vault(seen)
    });
    let cmd = Cmd::new(["doctor", "exoscale", "ci"]).env("VAULT_ADDR", &server.addr);
    let run = cmd.env("VAULT_ROLE_ID", "r").env("VAULT_SECRET_ID", "s").run();
    assert!(run.stdout.contains("made before this login"), "{run}");
    assert!(server.lines().iter().all(|line| !line.ends_with("revoke-self")), "{:?}", server.lines());
}
