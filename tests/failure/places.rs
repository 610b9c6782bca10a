//! Places that can't take the credentials: a full disk, a closed or read-only stdout, a reader that is gone, a
//! terminal, a job's debug trace.

use serde_json::json;

use crate::support::{Cmd, Engine, Space, eventually, require, secret};

/// A job that gets an issued pair from a real engine.
struct Job<'a> {
    engine: &'a Engine<'a>,
    cmd: Cmd,
}

impl<'a> Job<'a> {
    fn new(space: &'a Space<'static>, engine: &'a Engine<'a>) -> Self {
        engine.role("ci");
        let policy = space.may_read(&[&format!("{}/creds/ci", engine.mount)]);
        let login = space.approle("ci", json!({"token_policies": [policy], "token_ttl": "10m"}));
        let path = format!("{}/creds/ci", engine.mount);
        let cmd = Cmd::program("/bin/sh").vault(space.server).approle(&login).env("CREDS", &path);
        Self { engine, cmd }
    }

    /// `$READ` prints the pair; `text` says where to.
    fn script(&self, text: &str) -> Cmd {
        let program = crate::support::cmd::PROGRAM.as_str();
        let read = format!("{program} read \"$CREDS\" A=username B=password");
        self.cmd.clone().args(["-c", &text.replace("$READ", &read)])
    }

    fn has_nothing(&self, requests: usize, what: &str) {
        eventually(&format!("nothing is left after {what}"), || {
            self.engine.leases().is_empty() && self.engine.objects().is_empty()
        });
        assert_eq!(self.engine.upstream_requests(), requests, "{what}");
    }
}

#[test]
fn what_can_not_be_written_is_taken_back() {
    let space = Space::new();
    let engine = Engine::new(&space, "engine", json!({"ttl": "15m", "max_ttl": "1h"}));
    let job = Job::new(&space, &engine);
    let mut requests = engine.upstream_requests();
    for format in ["sh", "fish", "json", "dotenv"] {
        // The engine makes one and removes it again: two requests.
        for (place, text, sent) in [
            ("a full disk", "$READ --format F >/dev/full", 2),
            ("a read-only stdout", "$READ --format F 1</dev/null", 2),
            ("a reader that is gone", "{ sleep 0.2; $READ --format F; echo $? >&2; } | :", 2),
            ("a closed stdout", "$READ --format F >&-", 0),
            ("a closed stdout and stdin", "$READ --format F >&- <&-", 0),
        ] {
            let what = format!("{place}, {format}");
            let run = job.script(&text.replace('F', format)).run();
            let code =
                if run.code == 0 { run.stderr.lines().last().unwrap().parse().unwrap() } else { run.code };
            assert_eq!((code, run.stdout.as_str()), (6, ""), "{what}: {run}");
            requests += sent;
            job.has_nothing(requests, &what);
        }
        // Without stderr, or stdin, there is less to say, but no less to do.
        for elsewhere in ["2>&- <&-", "2>/dev/full", "2>/dev/full -vv"] {
            let run = job.script(&format!("$READ --format {format} {elsewhere}")).run().expect(0);
            assert!(!run.stdout.is_empty() && !run.stdout.contains("exit"), "{elsewhere}: {run}");
            assert_eq!(engine.objects().len(), 1, "{format}");
            space.write("sys/leases/revoke", json!({"lease_id": engine.leases().remove(0)}));
            requests += 2;
            job.has_nothing(requests, format);
        }
    }
}

#[test]
fn a_traced_shell_gets_no_secret_unless_it_says_so() {
    let space = Space::new();
    let engine = Engine::new(&space, "engine", json!({"ttl": "15m"}));
    let job = Job::new(&space, &engine);
    for (format, failure) in [
        ("sh", " unset A B; false && true; (exit 6) && false\n"),
        ("fish", "; return 6; end; __ci_creds_failed\n"),
    ] {
        for on in ["true", "1", "t"] {
            let cmd = job.script(&format!("$READ --format {format}")).env("CI_DEBUG_TRACE", on);
            let run = cmd.run().expect(6);
            assert!(run.stdout.ends_with(failure) && run.stderr.contains("CI_DEBUG_TRACE is on"), "{run}");
        }
    }
    job.has_nothing(0, "CI_DEBUG_TRACE");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    for text in ["$READ --show", "$READ --format json", "$READ --output \"$OUT\""] {
        job.script(text).env("CI_DEBUG_TRACE", "true").env("OUT", &file).run().expect(0);
    }
    job.script("$READ").env("CI_DEBUG_TRACE", "false").run().expect(0);
}

#[test]
fn a_terminal_shows_no_secret_unless_asked() {
    let Some(script) = require("script") else { return };
    let space = Space::new();
    let path = format!("{}/app", space.kv1("kv"));
    let value = secret();
    space.write(&path, json!({"a": value}));
    let token = space.token(&[&space.may_read(&[&path])], json!({}));
    let on_terminal = |line: &str| {
        let command =
            line.replace("$READ", &format!("{} read {path} A=a", crate::support::cmd::PROGRAM.as_str()));
        let cmd = Cmd::program(&script).args(["-qec", &command, "/dev/null"]).vault(space.server);
        cmd.env("VAULT_TOKEN", &token).env("SHELL", "/bin/sh")
    };
    for format in ["sh", "fish", "json", "dotenv"] {
        let run = on_terminal(&format!("$READ --format {format}")).run().expect(6);
        assert!(run.stdout.contains("secrets are not printed to a terminal"), "{run}");
        assert!(!run.stdout.contains("exit 6") && !run.stdout.contains("return 6"), "{run}");
    }
    let run = on_terminal("$READ --show").may_show_secrets().run().expect(0);
    assert!(run.stdout.contains(&value), "{run}");
}
