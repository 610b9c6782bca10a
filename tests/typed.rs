//! What hands type, and what they are told: arguments and environment → exit code, first line, hint.

use crate::support::fake::{Fake, Reply};
use crate::support::{Cmd, jwt, require, script};

/// Arguments, variables, exit code, what the first line begins with, a text that the rest must have.
type Row = (&'static str, &'static [(&'static str, &'static str)], i32, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("help", &[], 0, "Short-lived cloud credentials", "Commands:"),
    ("help aws", &[], 0, "AWS", "Usage: ci-creds aws"),
    ("version", &[], 0, "ci-creds ", ""),
    ("man", &[], 0, "Short-lived cloud credentials", "Commands:"),
    ("man doctor", &[], 0, "Find out why", "Usage: ci-creds doctor"),
    ("-h", &[("COLUMNS", "80")], 0, "Short-lived", "see more with '--help'"),
    ("exoscale -h", &[("COLUMNS", "80")], 0, "An Exoscale API key", "--help"),
    ("-h exoscale", &[], 0, "An Exoscale API key", "--help"),
    ("rotate --help", &[], 0, "Replace the issuing token", "Examples:\n  ci-creds rotate"),
    // Options of every group before the command.
    ("--and aws=web exoscale ci", &[], 3, "error: the address of Vault is not set", "hint: set VAULT_ADDR"),
    ("--region eu-west-1 --wait aws web", &[], 3, "error: the address of Vault is not set", ""),
    ("--only KEY --require env", &[("KEY", "vault:kv/a#b")], 3, "error: the address of Vault is not set", ""),
    ("--data k=v read p A=f", &[], 3, "error: the address of Vault is not set", ""),
    ("--state-file f revoke", &[("VAULT_ADDR", "ftp://v")], 3, "error: VAULT_ADDR begins neither", ""),
    ("--token-role issuer --project 22 rotate", &[], 3, "error: there is nothing to log in with", ""),
    ("--claims {} doctor auth/jwt/role/web", &[], 3, "error: one fault", "the address of Vault is not set"),
    ("--no-mask exoscale ci -- true", &[], 3, "error: the address of Vault is not set", ""),
    ("-v exoscale ci", &[], 3, "error: the address of Vault is not set", "hint: set VAULT_ADDR"),
    ("--addr ftp://v exoscale ci", &[], 3, "error: --addr begins neither", "hint: set --addr to an address"),
    (
        "aws --role x",
        &[],
        2,
        "error: unexpected argument '--role'",
        "tip: the role is an argument: ci-creds aws x",
    ),
    ("exoscale --json", &[], 2, "error: unexpected argument '--json'", "tip: write --format json"),
    ("exoscale --token T", &[], 2, "error: unexpected argument '--token'", "set VAULT_TOKEN"),
    (
        "exoscale packer build x",
        &[],
        2,
        "error: unexpected argument 'build'",
        "ci-creds exoscale -- packer build x",
    ),
    ("exoscale ci aws", &[], 2, "error: unexpected argument 'aws'", "ci-creds exoscale --and aws"),
    (
        "exoscale ci",
        &[("VAULT_ADDR", "https://v.example/v1")],
        3,
        "error: VAULT_ADDR ends with /v1",
        "hint: ",
    ),
    (
        "exoscale ci",
        &[("VAULT_ADDR", "$VAULT_ADDR")],
        3,
        "error: VAULT_ADDR holds a $: it was not expanded. Is the variable that it names defined",
        "hint: set VAULT_ADDR to an address",
    ),
    (
        "exoscale ci --ttl 5m",
        &[("VAULT_ADDR", "https://v.example")],
        3,
        "error: ",
        "vault write exoscale/role/ROLE ttl=15m",
    ),
    (
        "exoscale ci",
        &[("CI_CREDS_STATEFILE", "auto")],
        3,
        "warning: CI_CREDS_STATEFILE has no effect: is CI_CREDS_STATE_FILE meant?",
        "error: the address of Vault is not set",
    ),
    (
        "doctor login",
        &[("CI_CREDS_ROLLE", "x")],
        3,
        "warning: CI_CREDS_ROLLE has no effect: is CI_CREDS_ROLE meant?",
        "",
    ),
    (
        "revoke --state-file none",
        &[("CI_CREDS_BEST_EFORT", "1")],
        0,
        "warning: CI_CREDS_BEST_EFORT has no effect: is CI_CREDS_BEST_EFFORT",
        "",
    ),
    ("exoscale ci", &[("CI_CREDS_VERSION", "1"), ("CI_CREDS_SHA256", "x")], 3, "error: the address", ""),
    (
        "exoscale ci --output nodir/x",
        &[("VAULT_ADDR", "https://v.example"), ("VAULT_TOKEN", "s.x")],
        6,
        "error: nodir/x can't be written: the folder nodir does not exist",
        "hint: --output takes",
    ),
    (
        "exoscale ci --dry-run",
        &[],
        3,
        "ci-creds doctor: --dry-run walks `ci-creds exoscale`",
        "configuration",
    ),
];

#[test]
fn habits_are_met() {
    let faults: Vec<String> = ROWS.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with the answer to a row.
fn fault((typed, env, code, first, rest): &Row) -> Option<String> {
    let run = Cmd::new(typed.split(' ')).envs(env.iter().copied()).run();
    let told = if *code == 0 && run.stderr.is_empty() { &run.stdout } else { &run.stderr };
    let brief = typed.split(' ').any(|word| word == "-h");
    let fits = told.lines().count() <= 24 && told.lines().all(|line| line.len() <= 80);
    // A list of variables stays on its line.
    let unbroken = told.matches("[env: ").count() == told.lines().filter(|line| has_list(line)).count();
    let good = run.code == *code && told.starts_with(first) && told.contains(rest);
    (!(good && unbroken && (fits || !brief))).then(|| format!("{typed}: {run}"))
}

/// Whether the line has a whole list of variables.
fn has_list(line: &str) -> bool {
    line.split_once("[env: ").is_some_and(|(_, list)| list.contains(']'))
}

/// Behind `--`, where credentials are there.
#[test]
fn commands_that_are_none_are_told_why() {
    let vault = Fake::vault();
    for (words, hint) in [
        (
            &["packer build x"][..],
            "this is one word with blanks: leave the quotes out, or let a shell part it",
        ),
        (&["cd", "x"], "cd is the shell's own: run sh -c 'cd …'"),
        (&["no-such-program"], "is it installed here, and is PATH right?"),
    ] {
        let cmd = Cmd::new(["exoscale", "ci", "--"]).args(words);
        let cmd = cmd.env("VAULT_ADDR", &vault.addr).env("VAULT_ID_TOKEN", jwt::mint(serde_json::json!({})));
        let run = cmd.run().expect(127);
        let error = run.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert_eq!(error, format!("error: {}: there is no such command", words[0]), "{run}");
        assert!(run.stderr.contains(&format!("hint: {hint}")), "{run}");
    }
}

/// Who closes the pipe has read enough: the report's own code counts, and the help's.
#[test]
fn a_closed_pipe_is_no_fault_of_a_report() {
    if require("bash").is_none() {
        return;
    }
    for (call, code) in [("doctor exoscale", 3), ("exoscale --help", 0), ("completions bash", 0)] {
        let text = format!("set +e; ci-creds {call} | true; exit ${{PIPESTATUS[0]}}");
        let run = script("bash", &text).run().expect(code);
        assert!(!run.stderr.contains("standard output"), "{run}");
    }
}

/// A dry run is doctor's look at that run. Its report is on stderr: an `eval` reads stdout.
#[test]
fn a_dry_run_is_doctors_look() {
    let vault = Fake::new(|request| {
        if request.line.contains("/apikey/") {
            Reply::Json(500, serde_json::json!({"errors": ["it was issued"]}))
        } else {
            crate::support::fake::vault(request)
        }
    });
    let call = |words: &str| {
        let cmd = Cmd::new(words.split(' ')).env("VAULT_ADDR", &vault.addr);
        cmd.env("VAULT_ID_TOKEN", jwt::mint(serde_json::json!({}))).run()
    };
    let (dry, doctor) = (call("exoscale ci --dry-run -- false"), call("doctor exoscale ci -- false"));
    assert_eq!((dry.code, &dry.stdout[..]), (doctor.code, ""), "{dry}");
    let steps = |text: &str| {
        let ids = text.lines().filter(|line| line.starts_with(['✓', '!', '✗', '-']));
        ids.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert!(steps(&doctor.stdout).len() > 3, "{doctor}");
    assert_eq!(steps(&dry.stderr), steps(&doctor.stdout), "{dry}{doctor}");
    assert!(vault.lines().iter().all(|line| !line.contains("/apikey/")), "{:?}", vault.lines());
}

/// Colours are for people: in a job's log and on request, never in JSON, nor in what `eval` reads.
#[test]
fn colours_are_where_people_read() {
    const RED: &str = "\x1b[1m\x1b[31merror:\x1b[0m";
    let run = |words: &str, env: &[(&str, &str)]| Cmd::new(words.split(' ')).envs(env.iter().copied()).run();
    for (words, env, coloured) in [
        ("exoscale ci", &[][..], false),
        ("exoscale ci", &[("CI", "true"), ("GITLAB_CI", "true")], true),
        ("exoscale ci", &[("GITLAB_CI", "true"), ("CI", "true"), ("NO_COLOR", "1")], false),
        ("exoscale ci", &[("CLICOLOR_FORCE", "1")], true),
        ("exoscale ci --color always", &[("NO_COLOR", "1")], true),
        ("exoscale ci --color never", &[("CLICOLOR_FORCE", "1")], false),
        ("exoscal", &[("CI_CREDS_COLOR", "always")], true),
    ] {
        let run = run(words, env);
        assert_eq!(run.stderr.contains(RED), coloured, "{words} {env:?}: {run}");
        assert_eq!(run.stderr.contains('\x1b'), coloured, "{words} {env:?}: {run}");
        assert!(!run.stdout.contains('\x1b') && run.stdout.contains("(exit "), "{run}");
    }
    let report = run("doctor exoscale ci --color always", &[]).expect(3);
    assert!(report.stdout.contains("\x1b[1m\x1b[31m✗\x1b[0m configuration"), "{report}");
    let report = run("doctor exoscale ci --color always --format json", &[]).expect(3);
    assert!(report.stdout.starts_with('{') && !report.stdout.contains('\x1b'), "{report}");
    let vault = Fake::vault();
    for format in ["sh", "json", "dotenv"] {
        let words = format!("exoscale ci --color always --format {format}");
        let cmd = Cmd::new(words.split(' ')).env("VAULT_ADDR", &vault.addr);
        let run = cmd.env("VAULT_ID_TOKEN", jwt::mint(serde_json::json!({}))).run().expect(0);
        assert!(!run.stdout.contains('\x1b'), "{run}");
    }
    let run = run("exoscale ci --color sometimes", &[("VAULT_ADDR", "https://v.example")]).expect(2);
    assert!(run.stderr.contains("--color must be auto, always or never"), "{run}");
}
