//! What one line, or the state file as a whole, must not do to the other lines: hold up their revocation.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::nothing_is_left;
use super::trust::{State, line_of};
use crate::main_job::story::Story;
use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Fake, Options, Reply, Server, Space, eventually, secret};

#[test]
fn a_ca_file_that_is_gone_holds_up_its_own_line_alone() {
    let server = Server::start(&Options { tls: true, ..Options::default() });
    let space = Space::on(&server);
    let login = space.approle("ci", json!({"token_ttl": "5m"}));
    let state = State::new();
    let (gone, good) = (state.dir.path().join("gone.pem"), server.ca_cert());
    fs::copy(&good, &gone).unwrap();
    for ca in [&gone, &good] {
        let cmd = Cmd::new(["login", "--addr", &server.addr, "--ca-cert"]).args([ca]).args(state.option());
        cmd.approle(&login).run().expect(0);
    }
    fs::remove_file(&gone).unwrap();
    let run = state.revoke().run().expect(3);
    assert!(run.stderr.contains(&format!("{} (the state file) can't be read", gone.display())), "{run}");
    assert_eq!((state.lines().len(), space.login_tokens().len()), (1, 1));
    // The CA of another address is none for this one.
    let elsewhere = state.revoke().env("VAULT_ADDR", "https://127.0.0.1:1").env("VAULT_CACERT", &good);
    elsewhere.run().expect(3);
    let status = Cmd::new(["status", "--state-file"]).args([&state.path]).vault(&server).run().expect(0);
    assert!(status.stdout.contains("Vault knows it"), "{status}");
    state.revoke().vault(&server).run().expect(0);
    assert!(space.login_tokens().is_empty() && !state.path.exists());
}

/// In a job: what the file says is another job's, or junk, and must not stop this one.
#[test]
fn a_file_of_damaged_lines_stops_no_job() {
    let space = Space::new();
    let story = Story::new(&space);
    let (state, token) = (State::new(), secret());
    let aside = state.dir.path().join("state.damaged");
    let issue = || story.run(["exoscale"]).args(state.option()).env("CI_JOB_TOKEN", &token).run().expect(0);
    // Memory that is a small multiple of the file's size is enough.
    let revoke = || {
        let script = "ulimit -v 400000 && exec \"$@\"";
        let cmd = Cmd::program("/bin/sh").args(["-c", script, "sh", PROGRAM.as_str()]);
        cmd.args(["revoke", "--best-effort", "--state-file"]).args([&state.path]).env("CI_JOB_TOKEN", &token)
    };
    state.plant(&[]);
    fs::write(&state.path, "x\n".repeat(4 << 20)).unwrap();
    issue();
    let run = revoke().run().expect(0);
    assert!(run.stderr.contains("is damaged: line 1") && !state.path.exists(), "{run}");
    assert!(fs::metadata(&aside).unwrap().len() <= 1 << 20);
    nothing_is_left(&story);

    // Longer than what is read: a run notes its line all the same, and `revoke` finds one within the limit.
    let long = "x".repeat(17 << 20);
    state.plant(&[]);
    fs::write(&state.path, &long).unwrap();
    let run = issue();
    assert!(run.stderr.contains(&format!("it is {} now", aside.display())), "{run}");
    assert_eq!((state.lines().len(), fs::metadata(&aside).unwrap().len()), (1, 17 << 20));
    fs::write(&state.path, format!("{}\n{long}", state.text())).unwrap();
    let run = revoke().run().expect(0);
    assert!(run.stderr.contains("took back what one run was given") && !state.path.exists(), "{run}");
    nothing_is_left(&story);

    // Where it can't be moved aside, it is dropped.
    fs::remove_file(&aside).unwrap();
    fs::create_dir(&aside).unwrap();
    state.plant(&[]);
    fs::write(&state.path, &long).unwrap();
    let run = issue();
    assert!(run.stderr.contains("can't be kept as"), "{run}");
    revoke().run().expect(0);
    nothing_is_left(&story);
}

#[test]
fn a_mode_that_lets_others_read_stops_no_job() {
    let space = Space::new();
    let story = Story::new(&space);
    let (state, token) = (State::new(), secret());
    story.run(["exoscale"]).args(state.option()).env("CI_JOB_TOKEN", &token).run().expect(0);
    fs::set_permissions(&state.path, fs::Permissions::from_mode(0o666)).unwrap();
    // Its lines are sealed in a job. Elsewhere somebody may have read, or written, plain ones.
    let run = state.revoke().run().expect(3);
    assert!(run.stderr.contains("others may read or write it"), "{run}");
    state.revoke().env("CI_JOB_TOKEN", &token).run().expect(0);
    nothing_is_left(&story);
}

#[test]
fn many_servers_that_do_not_answer_hold_up_no_other() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let good = line_of(&story);
    let tarpits: Vec<Fake> = (0..40).map(|_| Fake::new(|_| Reply::Late(Duration::from_secs(120)))).collect();
    let stuck = |tarpit: &Fake| {
        let mut line = good.clone();
        (line["id"], line["server"]["address"]) =
            (json!(tarpit.port.to_string()), json!(format!("{}/", tarpit.addr)));
        line
    };
    let mut lines: Vec<Value> = tarpits.iter().map(stuck).collect();
    lines.push(good.clone());
    state.plant(&lines);
    let running = state.revoke().spawn();
    nothing_is_left(&story);
    eventually("its line is gone", || state.lines().len() == tarpits.len());
    running.signal(Signal::TERM);
    running.wait().expect(143);
}

#[test]
fn what_had_ended_is_not_told_as_taken_back() {
    let space = Space::new();
    let story = Story::new(&space);
    let state = State::new();
    let good = line_of(&story);
    let mut long_ago = good.clone();
    (long_ago["id"], long_ago["tokens"][0]["ends"]) = (json!("dead"), json!("2020-11-21T10:15:00Z"));
    let told = |lines: &[Value]| {
        state.plant(lines);
        let run = state.revoke().run().expect(0);
        run.stderr.lines().last().unwrap_or_default().to_owned()
    };
    let nothing =
        format!("ci-creds: revoke: nothing to take back: what {} listed had ended", state.path.display());
    assert_eq!(told(&[long_ago.clone()]), nothing);
    assert_eq!(told(&[long_ago, good.clone()]), "ci-creds: revoke: took back what one run was given");
    nothing_is_left(&story);
    // Vault does not know the token any longer.
    assert_eq!(told(&[good]), nothing);
}
