//! The state file is not trusted: what an earlier job of the runner, another user or a slip can put into it, or do to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::nothing_is_left;
use crate::main_job::story::{ROLE, Story};
use crate::support::{Cmd, Fake, Options, Reply, Server, Space, eventually, secret};

/// A state file, and the folder that it is in.
pub(super) struct State {
    pub(super) dir: tempfile::TempDir,
    pub(super) path: PathBuf,
}

impl State {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        Self { dir, path }
    }

    pub(super) fn option(&self) -> [&str; 2] {
        ["--state-file", self.path.to_str().unwrap()]
    }

    pub(super) fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_default()
    }

    pub(super) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Puts these lines into the file, as somebody would who may write there.
    pub(super) fn plant(&self, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&self.path, text).unwrap();
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn revoke(&self) -> Cmd {
        Cmd::new(["revoke", "--state-file"]).args([&self.path])
    }
}

/// Without a job: the line is plain.
pub(super) fn line_of(story: &Story<'_>) -> Value {
    let state = State::new();
    story.run(["exoscale"]).args(state.option()).run().expect(0);
    state.lines().remove(0)
}

/// The line of a run with a token that was given: a lease, and no token.
fn line_of_given(story: &Story<'_>) -> Value {
    let state = State::new();
    let (_, cmd) = story.logins(&Cmd::new(["exoscale"]).args(state.option())).into_iter().last().unwrap();
    cmd.run().expect(0);
    state.lines().remove(0)
}

#[test]
fn a_token_that_is_not_in_a_line_goes_only_to_the_configured_address() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let fake = Fake::vault();
    let good = line_of_given(&story);
    let mut poisoned = good.clone();
    poisoned["server"]["address"] = json!(format!("{}/", fake.addr));
    state.plant(&[poisoned]);
    let token = secret();
    for configured in [true, false] {
        let cmd = state.revoke().env("VAULT_TOKEN", &token);
        let cmd = if configured { cmd.vault(space.server) } else { cmd };
        let run = cmd.run().expect(3);
        assert!(run.stderr.contains("VAULT_TOKEN goes only to the address that is set now"), "{run}");
    }
    assert!(fake.seen().is_empty(), "{:?}", fake.lines());
    // To the configured address by the settings of now, whatever the line says.
    let mut poisoned = good;
    let proxy = Fake::vault();
    poisoned["server"]["proxy"] = json!({"url": proxy.addr, "except": ""});
    poisoned["server"]["unix_socket"] = Value::Null;
    state.plant(&[poisoned]);
    let cmd = state.revoke().args(["--addr", &space.server.addr]);
    cmd.env("VAULT_TOKEN", &story.token).run().expect(4);
    assert!(proxy.seen().is_empty(), "{:?}", proxy.lines());
}

#[test]
fn plain_http_is_allowed_now_or_not_at_all() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let mut line = line_of(&story);
    line["server"]["address"] = json!("http://192.0.2.1:8200/");
    line["server"]["allow_http"] = json!(true);
    line["server"]["timeout"] = json!(1);
    state.plant(&[line]);
    let run = state.revoke().run().expect(3);
    assert!(run.stderr.contains("plain http; CI_CREDS_ALLOW_HTTP=true allows that"), "{run}");
    assert_eq!(state.lines().len(), 1);
}

#[test]
fn that_no_certificate_is_checked_is_said_by_this_job_or_now() {
    let server = Server::start(&Options { tls: true, ..Options::default() });
    let space = Space::on(&server);
    let login = space.approle("ci", json!({"token_ttl": "5m"}));
    let state = State::new();
    let cmd = Cmd::new(["login", "--addr", &server.addr, "--tls-skip-verify"]).args(state.option());
    let cmd = cmd.approle(&login);
    cmd.run().expect(0);
    let run = state.revoke().run().expect(5);
    assert!(run.stderr.contains("certificate"), "{run}");
    assert_eq!(space.login_tokens().len(), 1);
    state.revoke().env("VAULT_SKIP_VERIFY", "true").run().expect(0);
    // A line that was sealed in this job says it as well as a variable.
    let token = secret();
    cmd.env("CI_JOB_TOKEN", &token).run().expect(0);
    state.revoke().env("CI_JOB_TOKEN", &token).run().expect(0);
    assert!(space.login_tokens().is_empty());
}

#[test]
fn lines_are_sealed_for_their_job() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (secret(), secret());
    let job =
        |cmd: Cmd, token: &str, id: &str| cmd.job(dir.path()).env("CI_JOB_TOKEN", token).env("CI_JOB_ID", id);
    let issue =
        |token: &str| job(story.run(["exoscale", "--state-file", "auto"]), token, "1").run().expect(0);
    let revoke = |token: &str, id: &str| job(Cmd::new(["revoke"]), token, id).run().expect(0);
    issue(&ours);
    let path = dir.path().join("project.tmp/ci-creds.state");
    let text = fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(names, ["version", "written", "salt", "nonce", "sealed"]);
    // Another job's, another's with the same id, and one outside of any job: they leave it alone.
    for (token, id) in [(&theirs, "2"), (&theirs, "1"), (&ours, "2")] {
        revoke(token, id);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    Cmd::new(["revoke", "--state-file"]).args([&path]).run().expect(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // Lines of several jobs live side by side, and each takes its own back.
    issue(&theirs);
    assert_eq!(story.engine.leases().len(), 2);
    revoke(&theirs, "1");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    revoke(&ours, "1");
    assert!(!path.exists());
    nothing_is_left(&story);
}

/// Without the job's secret nothing can be sealed: that is said where GitLab would have set it.
#[test]
fn an_empty_secret_of_the_job_is_named() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let word = "warning: CI_JOB_TOKEN is empty: the lines of the state file can't be sealed";
    let cmd = story.run(["exoscale", "--state-file", "auto"]).job(dir.path());
    for (empty, times) in [(Some(""), 1), (Some(" "), 1), (None, 0)] {
        let cmd = empty.map_or_else(|| cmd.clone(), |empty| cmd.clone().env("CI_JOB_TOKEN", empty));
        for cmd in [cmd.clone(), cmd.args(["--", "true"])] {
            let run = cmd.run().expect(0);
            assert_eq!(run.stderr.matches(word).count(), times, "{run}");
        }
    }
    Cmd::new(["revoke"]).job(dir.path()).run().expect(0);
    nothing_is_left(&story);
}

#[test]
fn a_job_uses_no_line_that_it_did_not_seal() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let line = line_of(&story);
    state.plant(std::slice::from_ref(&line));
    let run = state.revoke().vault(space.server).env("CI_JOB_TOKEN", secret()).run().expect(0);
    assert!(run.stderr.contains("lists only what other jobs were given (lines: 1)"), "{run}");
    assert_eq!((state.lines(), story.engine.leases().len()), (vec![line], 1));
    state.revoke().run().expect(0);
    nothing_is_left(&story);
}

#[test]
fn what_another_job_left_is_dropped_after_a_day() {
    let space = Space::new();
    let story = Story::new(&space);
    let (state, ours) = (State::new(), secret());
    story.run(["exoscale"]).args(state.option()).env("CI_JOB_TOKEN", secret()).run().expect(0);
    let fresh = state.lines().remove(0);
    let written = |time: &str| {
        let mut line = fresh.clone();
        line["written"] = json!(time);
        line
    };
    // The time is not vouched for: one that is far in the future does not keep a line either.
    state.plant(&[written("2026-01-01T00:00:00Z"), fresh.clone(), written("2199-01-01T00:00:00Z")]);
    let run = state.revoke().env("CI_JOB_TOKEN", &ours).run().expect(0);
    assert!(run.stderr.contains("dropped 2 lines of other jobs, more than a day old"), "{run}");
    assert_eq!(state.lines(), [fresh]);
}

/// An entry of `files` for a file that is there.
fn file_entry(state: &State, path: &Path) -> Value {
    let mut entry = state.lines()[0]["files"][0].clone();
    if entry.is_string() {
        entry = json!(path)
    } else {
        entry["made"] = json!(path);
        entry["goal"] = json!(path);
    }
    entry
}

#[test]
fn only_what_ci_creds_wrote_is_deleted() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let (file, prey) = (state.dir.path().join("out"), state.dir.path().join("prey"));
    let issue = || {
        let output = ["--output", file.to_str().unwrap(), "--format", "json"];
        story.run(["exoscale"]).args(state.option()).args(output).run().expect(0);
    };
    // A poisoned line names a file of the user's.
    issue();
    fs::write(&prey, "mine").unwrap();
    let (mut line, entry) = (state.lines().remove(0), file_entry(&state, &prey));
    line["files"].as_array_mut().unwrap().push(entry);
    state.plant(&[line]);
    let run = state.revoke().run().expect(0);
    assert!(run.stderr.contains("prey is not what ci-creds wrote there, and stays"), "{run}");
    assert_eq!((fs::read_to_string(&prey).unwrap().as_str(), file.exists()), ("mine", false));
    // What something else has put there since.
    issue();
    fs::remove_file(&file).unwrap();
    fs::write(&file, "theirs").unwrap();
    state.revoke().run().expect(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
    // What was changed since, in place.
    issue();
    let changed = fs::read_to_string(&file).unwrap().replace('{', "[");
    fs::write(&file, &changed).unwrap();
    state.revoke().run().expect(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    nothing_is_left(&story);
}

/// The process is killed when the state file lists the new file, and the old one is still in its place.
#[test]
fn the_file_that_was_there_before_outlives_a_kill() {
    let space = Space::new();
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"password": secret()}));
    let policy = space.may_read(&[&format!("{kv}/app")]);
    let login = space.approle(ROLE, json!({"token_policies": policy, "token_ttl": "5m"}));
    // The token is revoked between the two: there the run is held up.
    let upstream = space.server.addr.strip_prefix("http://").unwrap().to_owned();
    let slow = Fake::new(move |seen| {
        if seen.is_revocation() {
            std::thread::sleep(Duration::from_secs(20));
        }
        crate::support::forward::forward(seen, &upstream)
    });
    let state = State::new();
    let file = state.dir.path().join("out");
    fs::write(&file, "older").unwrap();
    let cmd =
        Cmd::new(["read", &format!("{kv}/app"), "A=password", "--format", "json", "--output"]).args([&file]);
    let running = cmd.args(state.option()).env("VAULT_ADDR", &slow.addr).approle(&login).spawn();
    eventually("it revokes the token", || slow.seen().iter().any(crate::support::fake::Seen::is_revocation));
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!(state.lines()[0]["files"].as_array().unwrap().len(), 1);
    let mut line = state.lines().remove(0);
    line["server"]["address"] = json!(format!("{}/", space.server.addr));
    state.plant(&[line]);
    state.revoke().run().expect(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "older");
    let left: Vec<_> =
        fs::read_dir(state.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["out"]);
}

fn locked(path: &Path) -> fs::File {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn a_locked_state_file_is_an_error_and_no_wait_without_end() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let says = format!("error: the state file {} is locked by another process", state.path.display());
    let lock = locked(&state.path);
    for cmd in [story.run(["exoscale"]).args(state.option()), state.revoke()] {
        let run = cmd.run().expect(6);
        assert!(run.stderr.contains(&says) && run.stderr.contains("fuser -v"), "{run}");
    }
    // A stop is heard meanwhile.
    let running = state.revoke().args(["-vv"]).spawn();
    std::thread::sleep(Duration::from_millis(500));
    running.signal(Signal::TERM);
    running.wait().expect(143);
    drop(lock);
    assert!(story.engine.leases().is_empty());
    // Locked when there is something to write: it is taken back.
    fs::remove_file(&state.path).unwrap();
    story.engine.answer_after(Duration::from_secs(2));
    let running = story.run(["exoscale"]).args(state.option()).spawn();
    let before = story.engine.upstream_requests();
    eventually("the engine is at it", || story.engine.upstream_requests() > before);
    let _lock = locked(&state.path);
    let run = running.wait().expect(6);
    assert!(run.stderr.contains(&says), "{run}");
    nothing_is_left(&story);
}

#[test]
fn servers_that_do_not_answer_hold_up_no_other() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let good = line_of(&story);
    let tarpit = |_| Fake::new(|_| Reply::Late(Duration::from_secs(120)));
    let tarpits: Vec<Fake> = (0..3).map(tarpit).collect();
    let mut lines: Vec<Value> = tarpits
        .iter()
        .map(|tarpit| {
            let mut line = good.clone();
            (line["id"], line["server"]["address"]) =
                (json!(tarpit.port.to_string()), json!(format!("{}/", tarpit.addr)));
            line
        })
        .collect();
    lines.push(good);
    state.plant(&lines);
    let running = state.revoke().spawn();
    nothing_is_left(&story);
    eventually("its line is gone", || state.lines().len() == 3);
    running.signal(Signal::TERM);
    running.wait().expect(143);
    assert_eq!(state.lines().len(), 3);
}

#[test]
fn what_ended_long_ago_is_dropped_with_a_word() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let good = line_of(&story);
    let mut dead = good.clone();
    (dead["id"], dead["server"]["address"]) = (json!("dead"), json!("https://127.0.0.1:1/"));
    dead["tokens"][0]["ends"] = json!("2020-11-21T10:15:00Z");
    state.plant(&[dead, good]);
    let run = state.revoke().run().expect(0);
    let word =
        "what a run was given by https://127.0.0.1:1/ ended at 2020-11-21T10:15:00Z: its line is dropped";
    assert!(run.stderr.contains(word) && !state.path.exists(), "{run}");
    nothing_is_left(&story);
}

#[test]
fn the_line_is_there_before_an_engine_is_asked() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    story.engine.answer_after(Duration::from_secs(5));
    let before = story.engine.upstream_requests();
    let running = story.run(["exoscale"]).args(state.option()).spawn();
    eventually("the engine is at it", || story.engine.upstream_requests() > before);
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!(state.lines().len(), 1);
    assert_eq!(space.login_tokens().len(), 1);
    state.revoke().run().expect(0);
    assert!(space.login_tokens().is_empty() && !state.path.exists());
}

/// The same for `doctor --issue`, which logs in and issues as the run does.
#[test]
fn what_doctor_was_given_is_in_the_file_before_an_engine_is_asked() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let doctor = || story.run(["exoscale"]).args(state.option()).args(["--issue"]).before(["doctor"]);
    doctor().run().expect(0);
    assert!(!state.path.exists() && space.login_tokens().is_empty());
    story.engine.answer_after(Duration::from_secs(5));
    let before = story.engine.upstream_requests();
    let running = doctor().spawn();
    eventually("the engine is at it", || story.engine.upstream_requests() > before);
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!((state.lines().len(), space.login_tokens().len()), (1, 1));
    state.revoke().run().expect(0);
    assert!(space.login_tokens().is_empty() && !state.path.exists());
}
