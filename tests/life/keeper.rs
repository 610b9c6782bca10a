//! `eval "$(ci-creds … --dead-man …)"`: a process in the background renews as long as the shell lives, and takes back at
//! once when it is gone.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::dead_man::{HEALTHY, database, is_gone_in_time, works_to_its_end};
use super::{Story, nothing_is_left};
use crate::support::running::Running;
use crate::support::shell::{shells, system_tool};
use crate::support::{Cmd, Postgres, Space, canary, eventually, say, script, secret, unique};

/// The processes in the background that a test left. All that it starts has a limit of the size of files that no other
/// test has, and passes it on.
struct Mark(u64);

impl Mark {
    fn new() -> Self {
        Self(u64::from_str_radix(&unique(), 16).unwrap() | 1 << 48)
    }

    /// The same command, under the limit.
    fn on(&self, cmd: Cmd) -> Cmd {
        cmd.wrapped(system_tool("prlimit"), [format!("--fsize={}", self.0)])
    }

    fn keepers(&self) -> Vec<String> {
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let is_ours = |folder: &std::path::PathBuf| {
            let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
            let limits = String::from_utf8_lossy(&read("limits")).into_owned();
            let size = limits.lines().find(|line| line.starts_with("Max file size"));
            size.is_some_and(|line| line.split_whitespace().nth(3) == Some(&self.0.to_string()))
                && read("cmdline") == b"ci-creds\0--keep-alive-in-the-background\0"
        };
        all.filter(is_ours).map(|folder| folder.display().to_string()).collect()
    }
}

/// Neither credentials nor a process in the background.
#[track_caller]
fn nothing_and_nobody_is_left(story: &Story<'_>, mark: &Mark) {
    nothing_is_left(story);
    eventually("the process in the background has ended", || mark.keepers().is_empty());
}

/// A script that stays when it has its credentials, without a program in its place.
fn staying(story: &Story<'_>, shell: &str, text: &str) -> Running {
    let text = format!("{text}\necho ready >&2; sleep 600 </dev/null >/dev/null 2>&1 & wait");
    let running = story.script(shell, &text).spawn();
    running.wait_for_stderr("ready");
    running
}

/// The window is longer than any test: it is not what ends them.
#[test]
fn what_was_given_ends_with_the_shell() {
    let space = Space::new();
    let story = Story::new(&space);
    let eval = "eval \"$(ci-creds exoscale --dead-man 10m)\"; test -n \"$EXOSCALE_API_SECRET\"";
    let running: Vec<_> = shells().iter().map(|shell| staying(&story, shell, eval)).collect();
    // Whoever watches a shell that is gone already takes back at once.
    thread::sleep(Duration::from_secs(2));
    assert_eq!(story.engine.leases().len(), running.len(), "one of them is taken back too early");
    for (number, one) in running.iter().enumerate() {
        match number % 2 {
            0 => one.signal(Signal::KILL),
            _ => one.signal_group(Signal::KILL),
        }
    }
    nothing_is_left(&story);
    for one in running {
        one.signal_group(Signal::KILL);
        one.wait().expect(137);
    }
}

/// What may stand between ci-creds and the shell, and around the shell: as jobs and GitLab Runner have it.
#[test]
fn the_shell_is_found_through_what_stands_between() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials").display().to_string();
    let ways = [
        "eval $(ci-creds exoscale --dead-man 10m)".to_owned(),
        "eval \"$(timeout 20 ci-creds exoscale --dead-man 10m)\"".to_owned(),
        "eval \"$(env A=b nice sh -c 'ci-creds exoscale --dead-man 10m; exit')\"".to_owned(),
        "eval \"$(ci-creds exoscale --dead-man 10m | cat)\"".to_owned(),
        "eval \"$(set -f; ci-creds exoscale --dead-man 10m || exit; :)\"".to_owned(),
        "out=$(ci-creds exoscale --dead-man 10m) || exit; eval \"$out\"".to_owned(),
        format!("ci-creds exoscale --dead-man 10m --output {file}; . {file}"),
        format!("ci-creds exoscale --dead-man 10m >{file}.2; . {file}.2"),
        // A subshell ends at once, and is not what counts.
        "x=$(eval \"$(ci-creds exoscale --dead-man 10m)\"; echo \"$EXOSCALE_API_SECRET\"); EXOSCALE_API_SECRET=$x"
            .to_owned(),
    ];
    let test = |way: &str| format!("{way}\ntest -n \"$EXOSCALE_API_SECRET\"");
    let mut running = Vec::new();
    for shell in ["dash", "bash"] {
        running.extend(ways.iter().map(|way| staying(&story, shell, &test(way))));
    }
    // The whole of a job's script is evaluated at the end of a pipeline.
    let job = test(&ways[0]).replace('"', "\\\"").replace('$', "\\$");
    let text = format!(": | eval \"{job}; echo ready >&2; sleep 600 </dev/null >/dev/null 2>&1 & wait\"");
    running.push(story.script("bash", &text).spawn());
    running[running.len() - 1].wait_for_stderr("ready");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(story.engine.leases().len(), running.len(), "one of them is taken back too early");
    running.iter().for_each(|one| one.signal_group(Signal::KILL));
    nothing_is_left(&story);
    running.into_iter().for_each(|one| drop(one.wait().expect(137)));
}

/// A script that goes on for longer than the window, with several providers.
#[test]
fn a_healthy_script_outlives_its_window() {
    let Some(postgres) = Postgres::start() else { return };
    let space = Space::new();
    let mount = postgres.mount(&space, 1, 0.0);
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "eval \"$(ci-creds read {mount}/creds/web DB_USER=username DB_PASSWORD=password --and login --dead-man 30s)\"\n\
         echo \"$DB_USER $DB_PASSWORD\" >pair; test -n \"$VAULT_TOKEN\"; sleep {HEALTHY}"
    );
    let cmd = script("dash", &text).env("HOME", "/nonexistent").dir(dir.path());
    let login = database(&space, &mount, "30s");
    let cmd = ["VAULT_ADDR", "VAULT_CACERT", "VAULT_AUTH_PATH", "VAULT_ROLE_ID", "VAULT_SECRET_ID"]
        .into_iter()
        .filter_map(|name| Some((name, login.get_env(name)?)))
        .fold(cmd, |cmd, (name, value)| cmd.env(name, value));
    let run = works_to_its_end(&postgres, &cmd, dir.path());
    assert!(run.stderr.contains(", ends with this shell, 30s later at most"), "{run}");
    eventually("the user is gone", || postgres.users().is_empty() && space.login_tokens().is_empty());
}

/// A container's end takes the process in the background along: then the window is the bound.
#[test]
fn without_the_process_in_the_background_the_window_is_the_bound() {
    let (space, mark) = (Space::new(), Mark::new());
    let story = Story::new(&space);
    let text = "eval \"$(ci-creds exoscale --dead-man 30s)\"; echo ready >&2; exec sleep 600";
    let running = mark.on(story.script("dash", text)).spawn();
    running.wait_for_stderr("ready");
    let keepers = mark.keepers();
    assert_eq!(keepers.len(), 1);
    let pid = keepers[0].trim_start_matches("/proc/");
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let killed = Instant::now();
    running.signal_group(Signal::KILL);
    is_gone_in_time("what the shell was given", killed, || !space.login_tokens().is_empty());
    nothing_is_left(&story);
    running.wait().expect(137);
}

/// Nothing of the job is in it that others of the machine could see, and it holds nothing open.
#[test]
fn the_process_in_the_background_shows_and_holds_nothing() {
    let (space, mark) = (Space::new(), Mark::new());
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let text = "exec 9>lock; flock 9; export OTHER\n\
                eval \"$(ci-creds exoscale --dead-man 10m)\"\n\
                exec 9>&-; flock --nonblock lock true; echo ready >&2; sleep 600 & wait";
    let running = mark.on(story.script("dash", text)).env("OTHER", secret()).dir(dir.path()).spawn();
    running.wait_for_stderr("ready");
    let keepers = mark.keepers();
    let [folder] = &keepers[..] else { panic!("{keepers:?}") };
    let read = |name: &str| fs::read(format!("{folder}/{name}"));
    // Of a process that is not dumpable, only root may read the environment.
    let environment = read("environ").unwrap_or_default();
    assert!(environment.is_empty(), "{}", String::from_utf8_lossy(&environment));
    assert_eq!(canary::find(&String::from_utf8_lossy(&read("cmdline").unwrap())), None);
    let stat = String::from_utf8(read("stat").unwrap()).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap();
    assert!(folder.ends_with(&format!("/{session}")), "it is no session of its own: {stat}");
    let limits = String::from_utf8(read("limits").unwrap()).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // Where this user may see it.
    for number in 0..3 {
        let link = fs::read_link(format!("{folder}/fd/{number}")).unwrap_or_else(|_| "/dev/null".into());
        assert_eq!(link.to_str(), Some("/dev/null"));
    }
    running.signal_group(Signal::KILL);
    nothing_and_nobody_is_left(&story, &mark);
    running.wait().expect(137);
}

#[test]
fn revoke_ends_the_process_in_the_background() {
    let (space, mark) = (Space::new(), Mark::new());
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state").display().to_string();
    let text = format!(
        "eval \"$(ci-creds exoscale --dead-man 30s --state-file {state})\"\n\
         ci-creds revoke --state-file {state}; echo ready >&2; sleep 600 </dev/null >/dev/null 2>&1 & wait"
    );
    let running = mark.on(story.script("dash", &text)).spawn();
    running.wait_for_stderr("ready");
    nothing_and_nobody_is_left(&story, &mark);
    assert!(!running.has_ended());
    running.signal_group(Signal::KILL);
    running.wait().expect(137);
    // The other way round, what the process has taken back is no fault of `revoke`.
    let text = format!("eval \"$(ci-creds exoscale --dead-man 30s --state-file {state})\"");
    mark.on(story.script("dash", &text)).run().expect(0);
    eventually("the process in the background has ended", || mark.keepers().is_empty());
    nothing_is_left(&story);
    let run = story.run(["revoke", "--state-file", &state]).run().expect(0);
    assert!(!run.stderr.contains("warning"), "{run}");
}

#[test]
fn a_run_that_fails_leaves_no_process_in_the_background() {
    let (space, mark) = (Space::new(), Mark::new());
    let story = Story::new(&space);
    let run = mark.on(story.script("dash", "ci-creds exoscale --dead-man 10m >/dev/full")).run().expect(6);
    assert!(run.stderr.contains("standard output did not take the credentials"), "{run}");
    eventually("there is none", || mark.keepers().is_empty());
    nothing_is_left(&story);
    // Killed between the login and the output; what its token has is the window's.
    let run = story.script("dash", ": $(ci-creds exoscale --dead-man 30s & sleep 0.05; kill -KILL $!; wait)");
    mark.on(run).may_show_secrets().run();
    eventually("there is none", || mark.keepers().is_empty());
    // A token that can't be cut has nobody who renews it.
    let policy = space.may_read(&[&format!("{}/creds/*", story.engine.mount)]);
    let batch = space.approle("batch", json!({"token_policies": policy, "token_type": "batch"}));
    let eval = "eval \"$(ci-creds exoscale --dead-man 10m ARGS)\"; test -n \"$EXOSCALE_API_SECRET\"";
    let run = |more: &str| {
        let cmd = story.script("dash", &eval.replace("ARGS", more)).no_env("VAULT_TOKEN").approle(&batch);
        mark.on(cmd).run()
    };
    let refused = run("").expect(6);
    assert!(
        refused.stderr.contains("error: --dead-man can't end the token: it is a batch token"),
        "{refused}"
    );
    let warned = run("--dead-man-best-effort").expect(0);
    assert!(warned.stderr.contains("--dead-man does not hold for the token"), "{warned}");
    assert!(mark.keepers().is_empty());
}

/// Whatever was taken for the job's shell, and lives on.
#[test]
fn it_ends_when_the_time_of_the_job_is_over() {
    let (space, mark) = (Space::new(), Mark::new());
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let text = "eval \"$(ci-creds exoscale --dead-man 10m)\"; echo ready >&2; sleep 600 </dev/null >/dev/null 2>&1 & wait";
    let cmd = story.script("dash", text).job(dir.path()).env("CI_JOB_TIMEOUT", "12");
    let running = mark.on(cmd).spawn();
    running.wait_for_stderr("ready");
    nothing_and_nobody_is_left(&story, &mark);
    assert!(!running.has_ended());
    running.signal_group(Signal::KILL);
    running.wait().expect(137);
}

/// Without /proc it is not known whose end to wait for.
#[test]
fn a_shell_that_can_not_be_watched_is_an_error() {
    let may = ["-rm", "/bin/sh", "-c", "mount -t tmpfs tmpfs /proc"];
    if !Command::new("/usr/bin/unshare").args(may).status().is_ok_and(|status| status.success()) {
        say("SKIPPED: a machine without /proc needs `unshare -rm` and mount");
        return;
    }
    let space = Space::new();
    let story = Story::new(&space);
    let run = |more: &str| {
        let text = format!(
            "mount -t tmpfs tmpfs /proc; eval \"$(ci-creds exoscale --dead-man 10m {more})\"; test -n \"$EXOSCALE_API_SECRET\""
        );
        story.script("dash", &text).wrapped("/usr/bin/unshare", ["-rm", "--"]).run()
    };
    let refused = run("").expect(6);
    assert!(refused.stderr.contains("error: --dead-man can't watch the shell"), "{refused}");
    assert!(refused.stderr.contains("`ci-creds … --dead-man … -- COMMAND` does without"), "{refused}");
    assert_eq!(story.engine.upstream_requests(), 0, "nothing is asked for");
    let warned = run("--dead-man-best-effort").expect(0);
    assert!(warned.stderr.contains("--dead-man does not hold: "), "{warned}");
}
