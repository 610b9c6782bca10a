//! `ci-creds exoscale -- COMMAND`: as if a shell had started it, and nothing is left when it has ended.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{nothing_is_left, shell};
use crate::main_job::story::Story;
use crate::support::{CANARY, Cmd, Space, require};

#[test]
fn it_gets_the_credentials_and_nothing_that_logs_in() {
    let space = Space::new();
    let story = Story::new(&space);
    let script = "test -n \"$EXOSCALE_API_SECRET\" && env | cut -d= -f1 | sort; cat; exit 7";
    let cmd = Cmd::new(["exoscale", "--", "/bin/sh", "-c", script])
        .envs([("PATH", "/usr/bin:/bin"), ("EXOSCALE_KEY", "stale"), ("CI_JOB_JWT", "x"), ("KEPT", "x")])
        .stdin("typed");
    for (name, cmd) in story.logins(&cmd) {
        let run = cmd.run().expect(7);
        let names: Vec<_> = run.stdout.lines().filter(|line| !line.starts_with("CI_CREDS_")).collect();
        let expected = [
            "CI",
            "EXOSCALE_API_KEY",
            "EXOSCALE_API_SECRET",
            "KEPT",
            "NO_COLOR",
            "PATH",
            "PWD",
            "VAULT_ADDR",
        ];
        let also = ["VAULT_AUTH_PATH", "VAULT_AUTH_ROLE", "typed"];
        let names: Vec<_> = names.into_iter().filter(|name| !also.contains(name) && *name != "_").collect();
        assert_eq!(names, expected, "{name}: {run}");
        assert!(run.stdout.ends_with("typed") && run.stderr.starts_with("ci-creds: exoscale"), "{run}");
        if name != "token" {
            nothing_is_left(&story);
        }
    }
    // The given token's lease can't be revoked by its policy: it is named.
    let (_, given) = story.logins(&cmd).into_iter().last().unwrap();
    assert!(given.run().stderr.contains("can't be revoked and ends with its TTL"));
}

#[test]
fn its_status_is_a_shells() {
    let space = Space::new();
    let story = Story::new(&space);
    let table = [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
    ];
    for (script, code) in table {
        let run = shell(&story, &["-q"], script).run().expect(code);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{script}");
        nothing_is_left(&story);
    }
    let plain = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let crlf = program("crlf", b"#!/bin/sh\r\n");
    let foreign = program("foreign", b"\x7fELF\x02\x01\x01\0not of this machine");
    let commands = [
        (crlf.as_str(), 126),
        (foreign.as_str(), 126),
        ("/no/such/command", 127),
        ("no-such-command", 127),
        (plain.path().to_str().unwrap(), 126),
        ("/", 126),
    ];
    for (command, code) in commands {
        let run = story.run(["exoscale", "--", command]).run().expect(code);
        assert!(run.stdout.is_empty() && run.stderr.contains(&format!("error: {command}")), "{run}");
        nothing_is_left(&story);
    }
}

/// `execvp` has always done so, and so does a shell.
#[test]
fn a_script_without_a_first_line_is_the_shells() {
    let space = Space::new();
    let story = Story::new(&space);
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("deploy");
    std::fs::write(&script, "test -n \"$EXOSCALE_API_SECRET\" && exit \"$1\"\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for program in [script.to_str().unwrap(), "deploy"] {
        story.run(["exoscale", "-q", "--", program, "5"]).env("PATH", folder.path()).run().expect(5);
        nothing_is_left(&story);
    }
}

#[test]
fn our_own_errors_keep_their_codes_and_print_no_statement() {
    let space = Space::new();
    let story = Story::new(&space);
    for (args, code) in [
        (&["exoscal", "--", "true"][..], 2),
        (&["exoscale", "--"], 2),
        (&["exoscale", "--format", "json", "--", "true"], 2),
        (&["exoscale", "--secret-id-file", "-", "--", "true"], 2),
        (&["exoscale", "--refresh"], 2),
        (&["exoscale", "no-such-role", "--", "true"], 4),
        (&["exoscale", "--addr", "http://127.0.0.1:1", "--max-retries", "0", "--", "true"], 5),
        (&["exoscale", "--min-ttl", "1h", "--", "true"], 6),
    ] {
        let run = story.run([]).args(args).run().expect(code);
        let printed = if args.contains(&"--") { "" } else { " false && true; (exit 2) && false\n" };
        assert!(run.stdout.ends_with(printed) && (run.stdout.is_empty() == printed.is_empty()), "{run}");
        nothing_is_left(&story);
    }
}

#[test]
fn it_gets_the_signals() {
    let space = Space::new();
    let story = Story::new(&space);
    let all = [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ];
    for (name, signal) in all {
        let script =
            format!("trap 'echo {name}; exit 9' {name}; echo ready >&2; while :; do sleep 0.02; done");
        let running = shell(&story, &[], &script).spawn();
        running.wait_for_stderr("ready");
        running.signal(signal);
        let run = running.wait().expect(9);
        assert_eq!(run.stdout, format!("{name}\n"));
        nothing_is_left(&story);
    }
    // One that does not care goes on, and one that does not handle it ends by it.
    let running = shell(&story, &[], "trap '' TERM; echo ready >&2; sleep 0.5; exit 4").spawn();
    running.wait_for_stderr("ready");
    running.signal(Signal::TERM);
    running.wait().expect(4);
    let running = shell(&story, &[], "echo ready >&2; exec sleep 60").spawn();
    running.wait_for_stderr("ready");
    running.signal(Signal::TERM);
    running.wait().expect(143);
    nothing_is_left(&story);
}

/// On a terminal Ctrl-C reaches the command once, from the terminal, and ci-creds still takes back.
#[test]
fn a_terminals_interrupt_comes_once() {
    let Some(python) = require("python3") else { return };
    let space = Space::new();
    let story = Story::new(&space);
    let script = "trap 'echo got-int' INT; echo ready; i=0; while [ $i -lt 30 ]; do sleep 0.05; i=$((i+1)); done; exit 5";
    let program = r#"
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen, sent = b"", False
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    if b"ready" in seen and not sent:
        os.write(fd, b"\x03")
        sent = True
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(seen.count(b"got-int"), status)
"#;
    let cmd = shell(&story, &[], script);
    let cmd = cmd.wrapped(python, ["-c", program]);
    assert_eq!(cmd.run().expect(0).stdout, "1 5\n");
    nothing_is_left(&story);
}

#[test]
fn a_child_left_in_the_background_holds_nothing_up() {
    let space = Space::new();
    let story = Story::new(&space);
    let started = Instant::now();
    let run = shell(&story, &[], "(sleep 20; echo late) & echo early").run().expect(0);
    assert_eq!(run.stdout, "early\n");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    nothing_is_left(&story);
    let run = shell(&story, &["--no-mask"], "(sleep 3; echo late) & echo early").run().expect(0);
    assert_eq!(run.stdout, "early\nlate\n");
}

#[test]
fn login_gives_it_a_token_that_ends_with_it() {
    let space = Space::new();
    let story = Story::new(&space);
    let script =
        "test -z \"$VAULT_SECRET_ID$VAULT_ROLE_ID\" && printf %s \"$VAULT_TOKEN\" >token && sleep 0.5";
    let dir = tempfile::tempdir().unwrap();
    let cmd =
        story.run(["login", "--", "/bin/sh", "-c", script]).dir(dir.path()).env("PATH", "/usr/bin:/bin");
    let running = cmd.spawn();
    let mut alive = false;
    crate::support::eventually("the command has the token", || {
        let token = std::fs::read_to_string(dir.path().join("token")).unwrap_or_default();
        alive |= !token.is_empty() && space.is_alive(&token);
        alive
    });
    running.wait().expect(0);
    let token = std::fs::read_to_string(dir.path().join("token")).unwrap();
    assert!(!space.is_alive(&token));
    nothing_is_left(&story);
}

#[test]
fn its_limits_are_those_of_the_caller() {
    let space = Space::new();
    let story = Story::new(&space);
    let limits = |cmd: Cmd| cmd.env("PATH", "/usr/bin:/bin").run().expect(0).stdout;
    let show = "ulimit -S -c; ulimit -H -c; grep SigIgn /proc/self/status";
    let alone = limits(Cmd::program("/bin/sh").args(["-c", &format!("trap '' HUP; {show}")]));
    let inner = format!("trap '' HUP; exec \"$@\" -- /bin/sh -c '{show}'");
    let with = limits(story.run(["exoscale"]).wrapped("/bin/sh", ["-c", &inner, "sh"]));
    assert_eq!(with, alone);
}

#[test]
fn two_providers_are_both_there_or_neither() {
    let space = Space::new();
    let story = Story::new(&space);
    let kv = space.kv1("scaleway");
    space.write(
        &format!("{kv}/creds/ci"),
        json!({"access_key": "SCWXXXXXXXXXXXXXXXXX", "secret_key": CANARY}),
    );
    let cmd = |role: &str| {
        let policy = space.may_read(&[&format!("{kv}/creds/ci"), &format!("{}/creds/*", story.engine.mount)]);
        let login = space.approle("both", json!({"token_policies": policy, "token_ttl": "5m"}));
        story
            .run([
                "exoscale",
                "--and",
                &format!("scaleway={role}"),
                "--",
                "/bin/sh",
                "-c",
                "echo $SCW_ACCESS_KEY",
            ])
            .no_env("VAULT_TOKEN")
            .approle(&login)
            .env("CI_CREDS_SCALEWAY_MOUNT", &kv)
    };
    assert_eq!(cmd("ci").run().expect(0).stdout, "SCWXXXXXXXXXXXXXXXXX\n");
    nothing_is_left(&story);
    assert_eq!(cmd("nobody").run().expect(4).stdout, "");
    nothing_is_left(&story);
}

/// Who asks ci-creds to stop for a while means the command: it never runs without its renewal and its mask.
#[test]
fn a_command_stops_and_goes_on_with_it() {
    let space = Space::new();
    let story = Story::new(&space);
    let folder = tempfile::tempdir().unwrap();
    let cmd = shell(&story, &["-q"], "echo $$ > pid; until [ -e go ]; do sleep 0.05; done; exit 7");
    let Some(bash) = require("bash") else { return };
    // Job control gives it a process group that may be stopped.
    let text = "set -m
        state() { sed 's/.*) //' \"/proc/$1/stat\" | cut -c1; }
        \"$@\" & job=$!
        until [ -s pid ]; do sleep 0.05; done
        child=$(cat pid); kill -TSTP $job
        for i in $(seq 200); do [ \"$(state $child)\" = T ] && break; sleep 0.05; done
        echo \"command $(state $child)\"
        kill -CONT $job; : > go
        wait $job; echo \"status $?\"";
    let run = cmd.wrapped(bash, ["-c", text, "bash"]).dir(folder.path()).run().expect(0);
    assert_eq!(run.stdout, "command T\nstatus 7\n", "{run}");
    nothing_is_left(&story);
}
