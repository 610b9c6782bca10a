//! A signal at any moment: the whole of the credentials, or the failure statement, and nothing issued that stays.

use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::cmd::PROGRAM;
use crate::support::running::Running;
use crate::support::{Cmd, Engine, Fake, Reply, Space, eventually, jwt, require, say, script, secret};

const RUNS: u64 = if cfg!(feature = "soak") { 2_000 } else { 100 };

/// With the status that a shell gives them.
const SIGNALS: [(Signal, i32); 6] = [
    (Signal::TERM, 143),
    (Signal::INT, 130),
    (Signal::HUP, 129),
    (Signal::QUIT, 131),
    (Signal::USR1, 138),
    (Signal::USR2, 140),
];

/// What ends a process by itself, and that no tool sends to stop one.
const OTHERS: [(Signal, i32); 7] = [
    (Signal::ALARM, 142),
    (Signal::XCPU, 152),
    (Signal::VTALARM, 154),
    (Signal::PROF, 155),
    (Signal::STKFLT, 144),
    (Signal::IO, 157),
    (Signal::POWER, 158),
];

/// A run whose read has begun. The read is slow: what was logged in is taken back.
fn under_way() -> (Fake, Running) {
    let vault = Fake::new(|seen| {
        if seen.line.starts_with("GET") { Reply::Late(Duration::from_millis(500)) } else { Reply::Vault }
    });
    let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr);
    let running = cmd.env("VAULT_ID_TOKEN", jwt::mint(json!({}))).spawn();
    eventually("the read is under way", || vault.seen().iter().any(|seen| seen.line.starts_with("GET")));
    (vault, running)
}

#[test]
fn no_signal_ends_a_run_without_a_word() {
    for (signal, code) in OTHERS.into_iter().chain(SIGNALS) {
        let (vault, running) = under_way();
        running.signal(signal);
        let run = running.wait();
        assert_eq!((run.code, run.signal), (code, None), "{run}");
        assert!(run.stdout.ends_with(&format!("; (exit {code}) && false\n")), "{run}");
        assert!(vault.seen().iter().any(|seen| seen.is_revocation()), "{run}");
    }
}

/// Sends a signal by its number: rustix has no names for real-time signals.
fn kill(number: i32, pid: u32) {
    script("dash", &format!("kill -{number} {pid}")).run().expect(0);
}

#[test]
fn no_real_time_signal_ends_a_run_without_a_word() {
    if require("dash").is_none() {
        return;
    }
    for number in if cfg!(feature = "soak") { (34..=64).collect() } else { vec![34, 35, 50, 64] } {
        let (vault, running) = under_way();
        kill(number, running.pid());
        let run = running.wait();
        assert_eq!((run.code, run.signal), (162, None), "{number}: {run}");
        assert!(run.stdout.ends_with("; (exit 162) && false\n"), "{run}");
        assert!(run.stderr.contains("error: stopped by a real-time signal"), "{run}");
        assert!(vault.seen().iter().any(|seen| seen.is_revocation()), "{run}");
    }
}

#[test]
fn a_real_time_signal_asks_the_command_to_stop() {
    if require("dash").is_none() {
        return;
    }
    let vault = Fake::vault();
    let cmd = Cmd::new(["exoscale", "ci", "--", "/bin/sh", "-c", "echo begun >&2; exec sleep 60"]);
    let running = cmd.env("VAULT_ADDR", &vault.addr).env("VAULT_ID_TOKEN", jwt::mint(json!({}))).spawn();
    running.wait_for_stderr("begun");
    kill(40, running.pid());
    let run = running.wait().expect(143);
    assert!(vault.seen().iter().any(|seen| seen.is_revocation()), "{run}");
}

#[test]
fn a_file_size_limit_is_an_error_of_writing() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Fake::vault();
    let cmd = Cmd::new(["exoscale", "ci"])
        .env("VAULT_ADDR", &vault.addr)
        .env("VAULT_ID_TOKEN", jwt::mint(json!({})));
    let limited = |cmd: Cmd, to: &str| {
        let script = format!("ulimit -f 0; exec \"$@\"{to}");
        cmd.env("FILE", dir.path().join("out")).wrapped("/bin/sh", ["-c", &script, "sh"])
    };
    let run = limited(cmd.clone(), " >\"$FILE\"").run().expect(6);
    assert!(run.stderr.contains("error: "), "{run}");
    let file = dir.path().join("file");
    let run = limited(cmd.args([std::ffi::OsStr::new("--output"), file.as_os_str()]), "").run().expect(6);
    assert!(run.stderr.contains("error: ") && !file.exists(), "{run}");
    assert_eq!(vault.seen().iter().filter(|seen| seen.is_revocation()).count(), 2);
}

#[test]
fn a_signal_at_any_moment() {
    let space = Space::new();
    let engine = Engine::new(&space, "engine", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("ci");
    engine.answer_after(Duration::from_millis(10));
    let path = format!("{}/creds/ci", engine.mount);
    let policy = space.may_read(&[&path]);
    let login = space.approle("ci", json!({"token_policies": [policy], "token_ttl": "10m"}));
    let mut ends = [0; 3];
    let mut state = 20_u64;
    for run in 0..RUNS {
        // An even spread over a run's time, the same in each test run, and all the way past its end.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = Duration::from_micros((state >> 33) % 60_000);
        let (signal, code) = SIGNALS[run as usize % SIGNALS.len()];
        let cmd = Cmd::new(["read", &path, "A=username", "B=password"]).vault(space.server).approle(&login);
        let running = cmd.spawn();
        sleep(moment);
        running.signal(signal);
        let run = running.wait();
        let what = format!("signal after {moment:?}: {run}");
        match (run.code, run.signal) {
            (0, None) => {
                ends[0] += 1;
                if require("dash").is_some() {
                    let check = "eval $TEXT; case $A$B in *Q*|*q*) ;; *) exit 9 ;; esac";
                    script("dash", check).env("TEXT", &run.stdout).run().expect(0);
                }
            }
            (_, None) => {
                ends[1] += 1;
                assert_eq!(run.code, code, "{what}");
                assert_eq!(
                    run.stdout,
                    format!(" unset A B; false && true; (exit {code}) && false\n"),
                    "{what}"
                );
            }
            // Before a program can listen, the system ends it; what then helps is in the README.
            (_, Some(_)) => {
                ends[2] += 1;
                assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{what}");
            }
        }
    }
    eventually("only whole runs have a token", || space.login_tokens().len() == ends[0]);
    for accessor in space.login_tokens() {
        space.write("auth/token/revoke-accessor", json!({"accessor": accessor}));
    }
    eventually("nothing is left", || {
        space.login_tokens().is_empty() && engine.leases().is_empty() && engine.objects().is_empty()
    });
    let [whole, stopped, early] = ends;
    say(&format!(
        "signals: {whole} runs ended before, {stopped} were stopped, {early} had not begun to listen"
    ));
    assert!(whole > 0 && stopped > 0, "the moments are all before or all after the run: {ends:?}");
}

/// Whatever it waits for, a stop is answered: also where nothing comes on standard input, or out of a FIFO.
#[test]
fn a_signal_while_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    crate::support::fifo(&fifo);
    for source in ["-", fifo.to_str().unwrap()] {
        // Opened for writing as well, so that its end never comes.
        let text = format!(
            "exec <>'{}'; exec {} exoscale ci --secret-id-file {source}",
            fifo.display(),
            PROGRAM.as_str()
        );
        let cmd = Cmd::program("/bin/sh").args(["-c", &text]).env("VAULT_ADDR", "http://127.0.0.1:1");
        let cmd = cmd.env("VAULT_ROLE_ID", secret()).env("VAULT_AUTH_ROLE", "ci");
        let running = cmd.spawn();
        sleep(Duration::from_millis(500));
        running.signal(Signal::TERM);
        let run = running.wait();
        assert!(
            run.stdout.starts_with(" unset EXOSCALE_API_KEY")
                && run.stdout.ends_with(" false && true; (exit 143) && false\n"),
            "{run}"
        );
        assert!(run.elapsed < Duration::from_secs(20), "{:?}", run.elapsed);
    }
}
