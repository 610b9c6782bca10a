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
    (
        "--claims {} doctor auth/jwt/role/web",
        &[],
        3,
        "error: doctor found one fault",
        "the address of Vault is not set",
    ),
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
        "exoscale gitlab-ci-runner terraform apply",
        &[],
        2,
        "error: unexpected argument 'terraform'",
        "`--`: ci-creds exoscale gitlab-ci-runner -- terraform apply\n",
    ),
    ("aws --wait web ./x y", &[], 2, "error: unexpected", "`--`: ci-creds aws --wait web -- ./x y\n"),
    ("login mytool x", &[], 2, "error: unexpected argument 'mytool'", "`--`: ci-creds login -- mytool x\n"),
    (
        "exoscale terraform -auto-approve",
        &[],
        2,
        "error: unexpected argument '-a'",
        "`--`: ci-creds exoscale -- terraform -auto-approve\n",
    ),
    (
        "revoke exoscale",
        &[],
        2,
        "error: unexpected argument 'exoscale'",
        "Usage: ci-creds revoke [OPTIONS]\n",
    ),
    ("revoke --all", &[], 2, "error: unexpected argument '--all'", "Usage: ci-creds revoke [OPTIONS]\n"),
    ("completions pwsh", &[], 2, "error: invalid value 'pwsh'", "[possible values: bash, zsh, fish]"),
    ("man nope", &[], 2, "error: unrecognized subcommand 'nope'", ""),
    ("help exoscle", &[], 2, "error: unrecognized subcommand 'exoscle'", "exists: 'exoscale'"),
    ("setup exoscle x", &[], 2, "error: `exoscle` is not a provider", "is exoscale meant?"),
    ("doctor exoscle x", &[], 2, "error: `exoscle` is neither", "is exoscale meant?"),
    ("doctor aws a b", &[], 2, "error: `b` has no place behind aws", "Usage: ci-creds doctor"),
    ("exoscale ", &[], 2, "error: ROLE is empty: is the variable set?", "Usage: ci-creds exoscale"),
    ("doctor exoscale ", &[], 2, "error: ROLE is empty: is the variable set?", "Usage: ci-creds doctor"),
    ("aws web --and exoscale=", &[], 2, "error: the role behind --and is empty", "Usage: ci-creds aws"),
    (
        "read TOKEN=token secret/app",
        &[],
        2,
        "error: the path comes first: ci-creds read secret/app TOKEN=token\n",
        "Usage: ci-creds read [OPTIONS] <PATH>",
    ),
    ("read secret/app TOKEN = token", &[], 2, "error: no blank stands beside the = of NAME=FIELD", ""),
    ("read secret/app TOKEN= token", &[], 2, "error: no blank stands beside the = of NAME=FIELD", ""),
    (
        "read secret/app TOKEN=token echo hi",
        &[],
        2,
        "error: a command to run stands behind `--`: ci-creds read … -- echo hi\n",
        "Usage: ci-creds read [OPTIONS] <PATH>",
    ),
    (
        "env",
        &[("TOKEN", "vault:secret/app")],
        3,
        "error: TOKEN begins like a reference: it has no #FIELD\nhint: the form is vault:PATH#FIELD",
        "",
    ),
    ("revoke -h", &[("COLUMNS", "80")], 0, "Take back", "ci-creds revoke --state-file auto\n"),
    ("status --state-file nope.state", &[], 0, "/", "nope.state\n\nThis file is not there: "),
    (
        "exoscale ci --output ",
        &[("VAULT_ADDR", "https://v.example"), ("VAULT_TOKEN", "s.x")],
        2,
        "error: --output must be the path of a file",
        "",
    ),
    (
        "exoscale ci --ca-cert nope.pem",
        &[("VAULT_ADDR", "http://127.0.0.1:1"), ("VAULT_MAX_RETRIES", "0"), ("VAULT_TOKEN", "s.x")],
        5,
        "warning: --ca-cert is not used: the address is http://",
        "",
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

/// What a slip must not be answered with.
#[test]
fn no_tip_leads_astray() {
    for (typed, tip) in [
        ("revoke exoscale", "--and"),
        ("revoke --all", "--allow-http"),
        ("exoscale --tls-skip-verfy", "--tls-skip-verify"),
        ("exoscale ci --no-mas", "--no-mask"),
        ("completions pwsh", "zsh'"),
        ("exoscale --frobnicate", "terraform"),
        ("exoscale ci --frobnicate x", "terraform"),
        ("status --frobnicate", "terraform"),
    ] {
        let run = Cmd::new(typed.split(' ')).run().expect(2);
        assert!(!run.stderr.contains(tip), "{typed}: {run}");
    }
    let run = Cmd::new(["read", "secret/app", "TOKEN=token PORT=port"]).run().expect(2);
    assert!(run.stderr.starts_with("error: `'TOKEN=token PORT=port'` is one word"), "{run}");
}

/// GitLab leaves the name of a variable that is not defined in the place of its value.
#[test]
fn what_was_not_expanded_is_not_sent() {
    let vault = Fake::vault();
    let id_token = jwt::mint(serde_json::json!({}));
    let role = [("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID", "s")];
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("VAULT_TOKEN", &[]),
        ("BAO_TOKEN", &[]),
        ("VAULT_ID_TOKEN", &[]),
        ("VAULT_ROLE_ID", &role),
        ("VAULT_SECRET_ID", &role),
        ("VAULT_AUTH_ROLE", &[("VAULT_ID_TOKEN", &id_token)]),
        ("VAULT_AUTH_PATH", &[("VAULT_ID_TOKEN", &id_token)]),
        ("VAULT_NAMESPACE", &[("VAULT_ID_TOKEN", &id_token)]),
        ("CI_CREDS_EXOSCALE_MOUNT", &[("VAULT_ID_TOKEN", &id_token)]),
    ];
    for (name, others) in cases {
        for text in ["$WEB_PROD", "${WEB_PROD}"] {
            let cmd =
                Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).envs(others.iter().copied());
            let run = cmd.env(name, text).run().expect(3);
            let error = format!("error: {name} holds a $WEB_PROD: it was not expanded\n");
            assert!(run.stderr.starts_with(&error), "{run}");
            assert!(run.stderr.contains("hint: is WEB_PROD defined, and for this job?"), "{run}");
        }
    }
    assert!(vault.lines().is_empty(), "{:?}", vault.lines());
    // Another login, and nobody uses the token.
    let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).env("VAULT_ID_TOKEN", &id_token);
    cmd.env("VAULT_TOKEN", "$WEB_PROD").run().expect(0);
    // A secret may begin with a $.
    let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).envs(role);
    cmd.env("VAULT_SECRET_ID", "$a-b").run().expect(0);
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
