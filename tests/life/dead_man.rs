//! `--dead-man`: what a job was given ends by itself, within its window, whatever became of ci-creds.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::shell;
use crate::main_job::story::Story;
use crate::support::relay::{Towards, relay};
use crate::support::space::AppRole;
use crate::support::{Cmd, Postgres, Run, Space, eventually, secret};

/// The smallest window.
const WINDOW: Duration = Duration::from_secs(30);
/// What is allowed beyond it: Vault looks for what has ended each second or so.
const BEYOND: Duration = Duration::from_secs(10);
/// How often a process is killed. Those of a batch run side by side.
const KILLS: usize = if cfg!(feature = "soak") { 100 } else { 5 };
const BATCH: usize = 25;
/// How many seconds a healthy run takes: longer than its window.
pub(super) const HEALTHY: u64 = if cfg!(feature = "soak") { 180 } else { 40 };

/// Nothing may be left a window after `since`, and until then it is looked for.
#[track_caller]
pub(super) fn is_gone_in_time(what: &str, since: Instant, mut left: impl FnMut() -> bool) {
    while left() {
        assert!(since.elapsed() < WINDOW + BEYOND, "{what} is still there after {:?}", since.elapsed());
        thread::sleep(Duration::from_millis(200));
    }
}

/// `ci-creds read` of the real database engine, with a login of its own. `token_ttl` is that of the login's role.
pub(super) fn database(space: &Space<'static>, mount: &str, token_ttl: &str) -> Cmd {
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
    let role = json!({"db_name": "pg0", "default_ttl": "15m", "creation_statements": create});
    space.write(&format!("{mount}/roles/web"), role);
    let path = format!("{mount}/creds/web");
    let policy = space.may_read(&[&path]);
    let params = json!({"token_policies": policy, "token_ttl": token_ttl, "token_max_ttl": "30m"});
    let login: AppRole = space.approle("ci", params);
    Cmd::new(["read", &path, "DB_USER=username", "DB_PASSWORD=password", "--dead-man", "30s"])
        .vault(space.server)
        .approle(&login)
        .env("PATH", "/usr/bin:/bin")
}

#[test]
fn what_a_killed_process_leaves_ends_with_the_window() {
    let Some(postgres) = Postgres::start() else { return };
    let space = Space::new();
    let story = Story::new(&space);
    let mount = postgres.mount(&space, 1, 0.0);
    // As docs/reliability.md advises: the roles' tokens live no longer than the window, from the login on.
    let AppRole { mount: approle, role, .. } = &story.approle;
    space.write(&format!("auth/{approle}/role/{role}"), json!({"token_ttl": "30s"}));
    let read = database(&space, &mount, "30s").args(["--", "/bin/sleep", "60"]);
    for start in (0..KILLS).step_by(BATCH) {
        let mut killed = None;
        for number in start..KILLS.min(start + BATCH) {
            // Of each kind, and at moments that lie apart: before, in and after each request of a run.
            let cmd = match number % 4 {
                0 => read.clone(),
                1 => shell(&story, &["--dead-man", "30s"], "exec sleep 60"),
                _ => story.script("dash", "eval \"$(ci-creds exoscale --dead-man 30s)\"; sleep 60 & wait"),
            };
            let running = cmd.spawn();
            thread::sleep(Duration::from_millis(number as u64 * 37 % 400));
            // Of a script, the shell alone or all at once.
            if number % 4 != 3 {
                running.signal(Signal::KILL);
                thread::sleep(Duration::from_millis(number as u64 * 11 % 50));
            }
            killed = Some(Instant::now());
            running.signal_group(Signal::KILL);
            running.wait().expect(137);
        }
        is_gone_in_time("what the processes were given", killed.unwrap(), || {
            let users = postgres.users();
            !(users.is_empty() && story.engine.leases().is_empty() && space.login_tokens().is_empty())
        });
        // An engine that was at work when the connection broke may have made a key that Vault never gave a lease:
        // docs/reliability.md names it. Nobody was given that key, and no client can prevent it.
        eventually("what has a lease is gone", || story.engine.leases().is_empty());
        println!("keys without a lease: {}", story.engine.objects().len());
    }
}

/// A login's token that would live for a quarter of an hour ends with the window all the same.
#[test]
fn the_life_of_a_token_is_cut_to_the_window() {
    let Some(postgres) = Postgres::start() else { return };
    let space = Space::new();
    let mount = postgres.mount(&space, 1, 0.0);
    let running = database(&space, &mount, "15m").args(["--", "/bin/sleep", "60"]).spawn();
    running.wait_for_stderr("ends 30s after this process");
    let killed = Instant::now();
    running.signal_group(Signal::KILL);
    running.wait().expect(137);
    is_gone_in_time("what the process was given", killed, || {
        !(postgres.users().is_empty() && space.login_tokens().is_empty())
    });
}

/// Not once does a healthy run lose its credentials.
#[test]
fn a_healthy_run_outlives_its_window() {
    let Some(postgres) = Postgres::start() else { return };
    let space = Space::new();
    let mount = postgres.mount(&space, 1, 0.0);
    let script = format!("echo \"$DB_USER $DB_PASSWORD\" >pair; exec sleep {HEALTHY}");
    let dir = tempfile::tempdir().unwrap();
    let cmd = database(&space, &mount, "15m").args(["--", "/bin/sh", "-c", &script]).dir(dir.path());
    let run = works_to_its_end(&postgres, &cmd, dir.path());
    assert!(run.stderr.contains(", ends 30s after this process"), "{run}");
    assert!(!run.stderr.contains("warning"), "{run}");
    eventually("the user is gone", || postgres.users().is_empty());
}

/// Runs it to its end; the pair that it writes into `dir` works all the time.
#[track_caller]
pub(super) fn works_to_its_end(postgres: &Postgres, cmd: &Cmd, dir: &Path) -> Run {
    let running = cmd.spawn();
    let (user, password) = pair(dir);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(HEALTHY - 2) {
        assert!(postgres.works(&user, &password), "after {:?}", started.elapsed());
        thread::sleep(Duration::from_secs(1));
    }
    running.wait_within(Duration::from_secs(HEALTHY + 60)).expect(0)
}

fn pair(dir: &Path) -> (String, String) {
    let mut pair = String::new();
    eventually("the command has the pair", || {
        pair = fs::read_to_string(dir.join("pair")).unwrap_or_default();
        pair.ends_with('\n')
    });
    let (user, password) = pair.trim().split_once(' ').unwrap();
    (user.to_owned(), password.to_owned())
}

/// A way to the server on which nothing moves while it is down.
struct Line {
    addr: String,
    down: Arc<AtomicBool>,
}

impl Line {
    fn to(server: &str) -> Self {
        let port = server.rsplit(':').next().unwrap().parse().unwrap();
        let down = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&down);
        let hold_up = move |_: Towards, _: &[u8]| {
            while flag.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
        };
        let addr = format!("http://127.0.0.1:{}", relay(move || vec![port], hold_up));
        Self { addr, down }
    }
}

/// Vault does not answer for a while: within the window the job goes on, beyond it its credentials end. The command's
/// fate is its own in both cases.
#[test]
fn an_outage_is_told_at_half_the_window() {
    let outages: &[(u64, bool)] =
        if cfg!(feature = "soak") { &[(20, true), (60, false)] } else { &[(20, true)] };
    for &(seconds, survives) in outages {
        let space = Space::new();
        let line = Line::to(&space.server.addr);
        let policy = "default";
        let login = space.approle("ci", json!({"token_policies": policy, "token_ttl": "15m"}));
        let cmd = Cmd::new(["login", "--dead-man", "30s", "--", "/bin/sleep", &format!("{}", seconds + 14)]);
        let cmd = cmd.vault(space.server).env("VAULT_ADDR", &line.addr).approle(&login);
        let running = cmd.spawn();
        running.wait_for_stderr("ends 30s after this process");
        thread::sleep(Duration::from_secs(2));
        line.down.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(seconds));
        line.down.store(false, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(8));
        assert_eq!(!space.login_tokens().is_empty(), survives, "after {seconds} s");
        let run = running.wait_within(Duration::from_secs(150)).expect(0);
        assert_eq!(run.stderr.matches("the login's token is not renewed yet").count(), 1, "{run}");
        let ended = run.stderr.matches("could not be renewed in time and has ended").count();
        assert_eq!(ended, usize::from(!survives), "{run}");
    }
}

/// An error names what can't be bounded, and nothing of it stays; with --dead-man-best-effort it is a warning.
#[test]
fn what_can_not_be_bounded_is_named() {
    let space = Space::new();
    let story = Story::new(&space);
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"password": secret()}));
    let policy = space.may_read(&[&format!("{}/creds/*", story.engine.mount), &format!("{kv}/app")]);
    let login = |name: &str, more: serde_json::Value| {
        let mut params = json!({"token_policies": policy, "token_ttl": "5m"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        space.approle(name, params)
    };
    let exoscale = |login: &AppRole| {
        let cmd = story.run(["exoscale", "--dead-man", "1m"]).no_env("VAULT_TOKEN").approle(login);
        cmd.env("PATH", "/usr/bin:/bin")
    };
    let app = format!("{kv}/app");
    let read = Cmd::new(["read", &app, "A=password", "--dead-man", "1m"]).vault(space.server);
    let read = read.approle(&login("kv", json!({})));
    let cases = [
        (exoscale(&login("batch", json!({"token_type": "batch"}))), "the token: it is a batch token"),
        (exoscale(&login("counted", json!({"token_num_uses": 9}))), "the token: it is good for a number of"),
        (exoscale(&login("periodic", json!({"token_period": "5m"}))), "the token: it is periodic"),
        (
            story
                .run(["exoscale", "--dead-man", "1m"])
                .no_env("VAULT_ROLE_ID")
                .env("VAULT_TOKEN", &story.token),
            "the token: it was given in VAULT_TOKEN",
        ),
        (read, "it is not issued for this job"),
    ];
    for (cmd, why) in cases {
        let run = cmd.clone().args(["--", "/bin/true"]).run().expect(6);
        assert!(run.stderr.contains("error: --dead-man can't end ") && run.stderr.contains(why), "{run}");
        let run = cmd.args(["--dead-man-best-effort", "--", "/bin/true"]).run().expect(0);
        assert!(run.stderr.contains("--dead-man does not hold for ") && run.stderr.contains(why), "{run}");
    }
    for window in ["29s", "11m", "x"] {
        story.run(["exoscale", "--dead-man", window, "--", "/bin/true"]).run().expect(2);
    }
}
