//! What the harness makes of a command and of what it prints.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustix::process::Signal;
use serde_json::json;

use crate::support::shell::system_tool;
use crate::support::{CANARY, Cmd, Space, canary, jwt, require, script, secret, shells, stable};

/// A command other than ci-creds, to see what the harness makes of it.
fn sh(text: &str) -> Cmd {
    Cmd::program("/bin/sh").args(["-c", text])
}

fn fails(cmd: &Cmd) -> String {
    let fault = std::panic::catch_unwind(|| cmd.run()).expect_err("the check must fail this run");
    fault.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn the_canary_is_found_in_every_encoding() {
    let secret = secret();
    for before in ["", "a", "ab", "user:", "\u{ff}\u{fe}>?"] {
        let text = format!("{before}{secret}?~>");
        assert!(canary::find(&STANDARD.encode(&text)).is_some(), "base64 after {before:?}");
        assert!(canary::find(&URL_SAFE_NO_PAD.encode(&text)).is_some(), "URL-safe base64 after {before:?}");
    }
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in [&secret, &percent, &percent.to_lowercase(), &hex, &secret.to_uppercase()] {
        assert!(canary::find(&format!("error: {text} is wrong")).is_some(), "{text}");
    }
    assert!(canary::find(&secret.replace('A', "%41")).is_some(), "percent-encoded in part");
}

#[test]
fn live_tokens_are_found_and_plain_text_is_not() {
    let space = Space::new();
    let reply = space.server.ok("POST", "auth/token/create", json!({"ttl": "1m"}));
    let token = reply["auth"]["client_token"].as_str().unwrap();
    assert!(canary::find(&format!("X-Vault-Token: {token}")).is_some());
    assert!(canary::find("hvs.CAESIJlWh-xyz_0123456789abcdef").is_some());
    let header_and_claims = jwt::mint(json!({}));
    assert!(canary::find(&header_and_claims).is_some());
    assert!(canary::find("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.sig").is_some());
    let harmless =
        "error: no such role at auth/jwt, eyJ alone, vault-ci-token-1795247686107364045, docs.openbao.org";
    assert_eq!(canary::find(harmless), None);
}

#[test]
fn a_leak_fails_the_run() {
    assert!(fails(&sh(&format!("echo {CANARY} >&2"))).contains("a secret on stderr: the canary, raw"));
    assert!(fails(&sh(&format!("echo {CANARY}; exit 3"))).contains("a secret on stdout"));
    sh(&format!("echo {CANARY}")).run().expect(0);
    sh(&format!("echo {CANARY} >&2; exit 3")).may_show_secrets().run().expect(3);
}

#[test]
fn the_environment_is_empty_and_the_arguments_arrive() {
    let env = system_tool("env");
    assert_eq!(Cmd::program(&env).run().expect(0).stdout, "");
    let set = Cmd::program(&env).env("A", "1").env("B", "2").env("A", "3").no_env("B").run();
    assert_eq!(set.stdout, "A=3\n");
    let args = sh(r#"printf '[%s]' "$@""#).args(["program", "aws", "--", "-v"]).very_verbose().run();
    assert_eq!(args.stdout, "[aws][-vv][--][-v]");
    assert_eq!(Cmd::program(system_tool("cat")).stdin("typed").run().stdout, "typed");
}

#[test]
fn run_both_sees_what_only_v_shows() {
    let quiet = sh("echo $#").args(["program"]).run_both();
    assert_eq!(quiet.stdout, "0\n");
    let cmd = sh(&format!("if [ $# = 1 ]; then echo {CANARY} >&2; fi")).args(["program"]);
    cmd.run().expect(0);
    assert!(std::panic::catch_unwind(|| cmd.run_both()).is_err());
    let cmd = sh("exit $#").args(["program"]);
    assert!(std::panic::catch_unwind(|| cmd.run_both()).is_err(), "-vv may not change the code");
}

#[test]
fn a_job_has_a_project_directory_and_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let run =
        sh("pwd; echo $CI_PROJECT_DIR $CI_PROJECT_PATH $CI_JOB_STARTED_AT").job(dir.path()).run().expect(0);
    insta::assert_snapshot!(run, @r"
    exit code: 0
    ----- stdout -----
    TMP/project
    TMP/project group/project TIME
    ----- stderr -----
    ");
}

#[test]
fn a_run_shows_what_varies_by_name() {
    let space = Space::new();
    let text = format!(
        "{} at {}/v1/{}/creds/a/{}, until 2026-11-21T10:15:00.123Z, {}, key vault-ci-token-1795247686107364045",
        secret(),
        space.server.addr,
        space.name("aws"),
        "s2iGn15Es2iGn15Es2iGn15E",
        "request 2cfdba89-6b55-6ced-33f8-4a536cacb7d4 took 12.5ms",
    );
    insta::assert_snapshot!(
        stable(&text),
        @"CANARY at http://127.0.0.1:PORT/v1/X-aws/creds/a/ID, until TIME, request UUID took N ms, key vault-ci-token-NANOS"
    );
}

#[test]
fn signals_reach_the_process_and_show_in_the_code() {
    let running = sh("trap 'exit 7' TERM; echo ready >&2; while :; do sleep 0.05; done")
        .env("PATH", "/usr/bin:/bin")
        .spawn();
    running.wait_for_stderr("ready");
    running.signal(Signal::TERM);
    running.wait().expect(7);
    let killed = sh("kill -9 $$").run();
    assert_eq!((killed.code, killed.signal), (137, Some(9)));
}

#[test]
fn scripts_find_the_command_in_every_shell() {
    for shell in shells() {
        let run = script(shell, "command -v ci-creds; eval 'a=1;'; echo \"$a$b\"; echo not here")
            .env("b", "2")
            .run();
        assert_eq!(run.stdout.lines().nth(1), Some("12"), "{shell}: {run}");
        assert!(run.stdout.lines().next().unwrap().ends_with("/ci-creds"), "{shell}: {run}");
        assert_eq!(run.stderr, "", "{shell}");
        let stopped = script(shell, "eval '(exit 4)'; echo not reached").run();
        assert_eq!((stopped.code, stopped.stdout.as_str()), (4, ""), "{shell} stops at a failure");
    }
    if require("fish").is_some() {
        let run = script("fish", "command -v ci-creds; set x 1; echo $x").run().expect(0);
        assert!(run.stdout.ends_with("/ci-creds\n1\n") && run.stderr.is_empty(), "{run}");
    }
}
