//! The template's shell as GitLab Runner puts it together: before_script and script in one shell, after_script in
//! another, and a trace when CI_DEBUG_TRACE is on.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::pipeline::source;
use super::tools::output;
use crate::support::cmd::PROGRAM;
use crate::support::space::AppRole;
use crate::support::{Cmd, Engine, Fake, Reply, Space, canary, eventually, jwt, require, say, script};

/// The shells of GitLab Runner's images.
pub const SHELLS: [&str; 3] = ["bash", "dash", "busybox"];

/// The blocks of the `-approle` job: before_script and after_script, with these inputs.
pub fn scripts(inputs: &str) -> [String; 2] {
    let text = fs::read_to_string(source("templates/ci-creds/template.yml")).unwrap();
    let (header, jobs) = text.split_once("\n---\n").unwrap();
    let mut name = "";
    let mut values: Vec<(&str, String)> = Vec::new();
    for line in header.lines() {
        match (line.strip_prefix("    "), line.strip_prefix("      default: ")) {
            (_, Some(default)) => values.push((name, default.trim_matches('"').to_owned())),
            (Some(rest), None) if !rest.starts_with(' ') => name = rest.trim_end_matches(':'),
            _ => {}
        }
    }
    for pair in inputs.trim_matches(['{', '}']).split(", ") {
        let (name, value) = pair.split_once(": ").unwrap();
        values.retain(|(known, _)| *known != name);
        values.push((name, value.trim_matches('\'').to_owned()));
    }
    let jobs = values
        .iter()
        .fold(jobs.to_owned(), |jobs, (name, value)| jobs.replace(&format!("$[[ inputs.{name} ]]"), value));
    let block = |anchor: &str| {
        let (_, rest) = jobs.split_once(&format!("- &{anchor} |\n")).unwrap();
        let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("      "));
        lines.map(|line| format!("{}\n", line.trim_start_matches("      "))).collect::<String>()
    };
    let program = block("program");
    [format!("ci_creds_auth=approle\n{program}{}", block("credentials")), program + &block("revoke")]
}

/// Story 1, with an engine that has real leases.
pub struct Story<'a> {
    pub engine: Engine<'a>,
    approle: AppRole,
    issuing_token: String,
}

impl<'a> Story<'a> {
    pub fn new(space: &'a Space<'a>) -> Self {
        let engine = Engine::new(space, "exoscale", json!({"ttl": "15m", "max_ttl": "30m"}));
        engine.role("ci");
        let policy = space.may_read(&[&format!("{}/creds/ci", engine.mount)]);
        let approle = space.approle("ci", json!({"token_policies": policy, "token_ttl": "15m"}));
        let approle = AppRole { secret_id: None, ..approle };
        let issuing_token = space.issuing_token(&approle);
        Self { engine, approle, issuing_token }
    }

    pub fn inputs(&self) -> String {
        format!("{{provider: exoscale, role: ci, auth-role: ci, auth-path: {}}}", self.approle.mount)
    }

    pub fn job(&self, cmd: Cmd, space: &Space<'_>, dir: &std::path::Path) -> Cmd {
        cmd.vault(space.server)
            .job(dir)
            .split_custody(&self.approle, &self.issuing_token)
            // Empty project variables must not hide what the inputs say.
            .env("VAULT_AUTH_ROLE", "")
            .env("VAULT_AUTH_PATH", "")
            .env("CI_CREDS_EXOSCALE_MOUNT", &self.engine.mount)
            .env("CI_CREDS_EXOSCALE_PATH", "creds/{role}")
            .env("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password")
    }
}

#[test]
fn a_job_is_given_credentials_and_they_are_taken_back_even_under_trace() {
    let space = Space::new();
    let story = Story::new(&space);
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        for trace in ["", "set -x; "] {
            let dir = tempfile::tempdir().unwrap();
            let [before, after] = scripts(&story.inputs());
            let text = format!("{trace}{before}\ntest -n \"$EXOSCALE_API_SECRET\"; echo it works");
            let job = |text: &str| {
                let cmd = story.job(script(shell, text), &space, dir.path());
                cmd.env("CI_DEBUG_TRACE", if trace.is_empty() { "false" } else { "true" }).run()
            };
            let run = job(&text).expect(0);
            assert!(run.stdout.contains("it works") && canary::find(&run.stdout).is_none(), "{shell}: {run}");
            assert_eq!(story.engine.leases().len(), 1, "{shell}");
            // The same shell prints what it does, and nothing secret; then the other one.
            let run = job(&format!("{trace}{after}")).expect(0);
            assert!(canary::find(&run.stdout).is_none(), "{shell}: {run}");
            eventually("nothing is left", || {
                story.engine.leases().is_empty() && space.login_tokens().is_empty()
            });
        }
    }
}

/// No after_script runs, and the credentials would live for a quarter of an hour.
#[test]
fn a_job_that_is_killed_keeps_nothing_with_dead_man() {
    let space = Space::new();
    let story = Story::new(&space);
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let [before, _] = scripts(&story.inputs().replace('{', "{dead-man: 10m, "));
        let text = format!("{before}\ntest -n \"$EXOSCALE_API_SECRET\"; echo ready >&2; sleep 600 & wait");
        let running = story.job(script(shell, &text), &space, dir.path()).spawn();
        running.wait_for_stderr("ready");
        assert_eq!(story.engine.leases().len(), 1, "{shell}");
        running.signal_group(Signal::KILL);
        running.wait().expect(137);
        eventually("nothing is left", || story.engine.leases().is_empty() && space.login_tokens().is_empty());
    }
}

#[test]
fn what_a_project_sets_for_other_jobs_does_not_turn_the_template_off() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let [before, after] = scripts(&story.inputs());
    let job = |text: &str| {
        let others = [
            ("CI_CREDS_FORMAT", "json"),
            ("CI_CREDS_OUTPUT", "creds.json"),
            ("CI_CREDS_STATE_FILE", "../state"),
        ];
        story.job(script("dash", text), &space, dir.path()).envs(others).run()
    };
    job(&format!("{before}\ntest -n \"$EXOSCALE_API_SECRET\"")).expect(0);
    assert_eq!(story.engine.leases().len(), 1);
    job(&after).expect(0);
    eventually("nothing is left", || story.engine.leases().is_empty() && space.login_tokens().is_empty());
}

#[test]
fn an_entrypoint_starts_the_shell_and_the_script_is_its_standard_input() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    // As an image's entrypoint does, with its own ideas, before the docker executor's shell.
    let entrypoint = dir.path().join("entrypoint");
    fs::write(&entrypoint, "#!/bin/sh\ncd /\numask 000\nexport EXOSCALE_KEY=of-the-image\nexec \"$@\"\n")
        .unwrap();
    fs::set_permissions(&entrypoint, Permissions::from_mode(0o755)).unwrap();
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        let [before, after] = scripts(&story.inputs());
        let job = |text: &str| {
            let words = if shell == "busybox" { vec!["busybox", "sh", "-e"] } else { vec![shell, "-e"] };
            let like = script(shell, "");
            let job = story.job(Cmd::program(&entrypoint).args(words).inherit(&like), &space, dir.path());
            job.stdin(format!("{text}\n")).run()
        };
        let run =
            job(&format!("{before}\necho \"${{EXOSCALE_KEY-gone}} ${{#EXOSCALE_API_SECRET}}\"")).expect(0);
        assert_eq!(run.stdout, "gone 24\n", "{shell}: {run}");
        let state = fs::metadata(dir.path().join("project.tmp/ci-creds.state")).unwrap();
        assert_eq!(state.mode() & 0o777, 0o600, "{shell}");
        job(&after).expect(0);
        eventually("nothing is left", || story.engine.leases().is_empty() && space.login_tokens().is_empty());
    }
}

#[test]
fn a_failure_stops_the_job_with_its_code_in_any_shell() {
    let space = Space::new();
    let story = Story::new(&space);
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let [before, after] = scripts(&story.inputs().replace("role: ci,", "role: other,"));
        let run = story.job(script(shell, &format!("{before}\necho not reached")), &space, dir.path()).run();
        assert!(run.code == 4 && !run.stdout.contains("not reached"), "{shell}: {run}");
        story.job(script(shell, &after), &space, dir.path()).run().expect(0);
        // No program at all, and a shell that does not stop by itself.
        let missing = format!("set +e\n{before}\necho not reached");
        let run = story.job(script(shell, &missing), &space, dir.path()).env("PATH", "/usr/bin:/bin").run();
        assert!(run.code == 127 && !run.stdout.contains("not reached"), "{shell}: {run}");
    }
    assert!(space.login_tokens().is_empty());
}

/// A variable that still holds what logged in is found by whatever the script runs.
#[test]
fn nothing_that_logged_in_is_left_for_the_script() {
    const ID_TOKENS: [&str; 5] =
        ["VAULT_ID_TOKEN", "BAO_ID_TOKEN", "CI_JOB_JWT_V2", "CI_JOB_JWT_V1", "CI_JOB_JWT"];
    let space = Space::new();
    let story = Story::new(&space);
    let again = "\nenv; test -n \"${EXOSCALE_API_SECRET-}${VAULT_TOKEN-}\"; code=0; ci-creds exoscale ci || code=$?; exit $code";
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::vault();
        let [before, _] = scripts("{provider: exoscale, role: ci}");
        let before = before.replace("ci_creds_auth=approle", "ci_creds_auth=jwt");
        let token = jwt::mint(json!({}));
        let job = |text: &str| {
            let cmd = script(shell, text).job(dir.path()).envs(ID_TOKENS.map(|name| (name, &token)));
            cmd.env("VAULT_ADDR", &fake.addr).env("VAULT_TOKEN", "").may_show_secrets()
        };
        let own = |job: Cmd| job.env("CI_CREDS_ID_TOKEN_ENV", "OF_THE_PROJECT").env("OF_THE_PROJECT", &token);
        let text = format!("{before}{}", again.replace("exoscale ci", "exoscale ci --auth jwt"));
        for job in [job(&text), own(job(&text))] {
            let run = job.run().expect(3);
            assert!(!run.stdout.contains(&token), "{shell}: {run}");
        }
        assert_eq!(fake.seen().iter().filter(|seen| seen.is_login()).count(), 2, "{shell}");
        // A name that is none is nobody's to unset.
        for name in ["a b", "1", "$(id)"] {
            let [before, _] = scripts(&story.inputs());
            let job = story.job(script(shell, &before), &space, dir.path());
            job.env("CI_CREDS_ID_TOKEN_ENV", name).run().expect(0);
        }
        // AppRole: neither of the halves. What the script is given may have such a name.
        for provider in ["exoscale, role: ci", "login"] {
            let [before, after] = scripts(&story.inputs().replace("exoscale, role: ci", provider));
            let job = story.job(script(shell, &format!("{before}{again}")), &space, dir.path());
            let halves = ["VAULT_ROLE_ID", "VAULT_TOKEN"].map(|name| job.get_env(name).unwrap().to_owned());
            let run = job.may_show_secrets().run();
            for half in halves {
                assert!(!run.stdout.contains(half.to_str().unwrap()), "{shell}: {run}");
            }
            // A login's own token is what the script asked for; its policy lets it read.
            assert_eq!(run.code, if provider == "login" { 0 } else { 3 }, "{shell}: {run}");
            story.job(script(shell, &after), &space, dir.path()).run().expect(0);
        }
    }
}

#[test]
fn several_providers_share_a_state_file_and_revoke_can_be_turned_off() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let [first, _] = scripts(&story.inputs().replace('{', "{keep-id-token: true, "));
    let [before, after] = scripts(&story.inputs());
    story.job(script("bash", &format!("{first}{before}")), &space, dir.path()).run().expect(0);
    assert_eq!(story.engine.leases().len(), 2);
    story.job(script("bash", &after), &space, dir.path()).run().expect(0);
    eventually("nothing is left", || story.engine.leases().is_empty() && space.login_tokens().is_empty());
    let inputs = story.inputs().replace("{provider", "{revoke: false, provider");
    let [before, after] = scripts(&inputs);
    story.job(script("bash", &before), &space, dir.path()).run().expect(0);
    story.job(script("bash", &after), &space, dir.path()).run().expect(0);
    assert_eq!(story.engine.leases().len(), 1);
}

#[test]
fn what_a_cancelled_job_was_given_is_taken_back() {
    let space = Space::new();
    let story = Story::new(&space);
    let nothing_is_left = || {
        eventually("nothing is left", || {
            let engine = &story.engine;
            engine.leases().is_empty() && engine.objects().is_empty() && space.login_tokens().is_empty()
        });
    };
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let [before, after] = scripts(&story.inputs());
        let job = |text: &str| story.job(script(shell, text), &space, dir.path());
        // GitLab Runner sends SIGTERM to all processes of the job, and then runs after_script.
        let running = job(&format!("{before}\necho it works >&2; sleep 60")).spawn();
        running.wait_for_stderr("it works");
        assert_eq!(story.engine.leases().len(), 1, "{shell}");
        running.signal_group(Signal::TERM);
        running.wait().expect(143);
        job(&after).run().expect(0);
        nothing_is_left();
        // While the engine is at work.
        story.engine.answer_after(Duration::from_secs(1));
        let seen = story.engine.upstream_requests();
        let running = job(&format!("{before}\necho it works >&2; sleep 60")).spawn();
        eventually("the engine is at work", || story.engine.upstream_requests() > seen);
        running.signal_group(Signal::TERM);
        let run = running.wait();
        assert!(run.code == 143 && !run.stderr.contains("it works"), "{shell}: {run}");
        story.engine.answer_after(Duration::ZERO);
        job(&after).run().expect(0);
        nothing_is_left();
    }
}

#[test]
fn an_image_that_is_not_roots_downloads_ci_creds_and_uses_it() {
    let Some(setpriv) = require("setpriv") else { return };
    if !rustix::process::geteuid().is_root() {
        say("SKIPPED: only root can become somebody else");
        return;
    }
    let space = Space::new();
    let story = Story::new(&space);
    let program = fs::read(&*PROGRAM).unwrap();
    let mirror = Fake::new(move |_| Reply::text(200, program.clone()));
    let sum = output(Command::new("sha256sum").arg(&*PROGRAM));
    let more = format!("{{install: '{}', version: 1.2.3, sha256: '{}', ", mirror.addr, &sum[..64]);
    let [before, after] = scripts(&story.inputs().replace('{', &more));
    // As the docker executor leaves it: made by root, writable by all.
    let dir = tempfile::tempdir().unwrap();
    let tmp = dir.path().join("project.tmp");
    fs::create_dir(&tmp).unwrap();
    for (path, mode) in [(dir.path(), 0o755), (&*tmp, 0o777)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let job = |text: &str| {
        let job = story.job(script("dash", text), &space, dir.path()).env("PATH", "/usr/bin:/bin");
        job.wrapped(&setpriv, ["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).run()
    };
    let run = job(&format!("{before}\ntest -n \"$EXOSCALE_API_SECRET\"; id -u")).expect(0);
    assert_eq!(run.stdout, "65534\n", "{run}");
    let state = fs::metadata(tmp.join("ci-creds.state")).unwrap();
    assert_eq!((state.uid(), state.mode() & 0o777), (65534, 0o600));
    assert_eq!(story.engine.leases().len(), 1);
    job(&after).expect(0);
    eventually("nothing is left", || story.engine.leases().is_empty() && space.login_tokens().is_empty());
}
