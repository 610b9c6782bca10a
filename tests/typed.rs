//! What hands type, and what they are told: arguments and environment → exit code, first line, hint.

use crate::support::Cmd;

/// Arguments, variables, exit code, what the first line begins with, a text that the rest must have.
type Row = (&'static str, &'static [(&'static str, &'static str)], i32, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("help", &[], 0, "Short-lived cloud credentials", "Commands:"),
    ("help aws", &[], 0, "AWS", "Usage: ci-creds aws"),
    ("version", &[], 0, "ci-creds ", ""),
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
];

#[test]
fn habits_are_met() {
    for (typed, env, code, first, rest) in ROWS {
        let run = Cmd::new(typed.split(' ')).envs(env.iter().copied()).run();
        let told = if *code == 0 { &run.stdout } else { &run.stderr };
        assert_eq!(run.code, *code, "{typed}: {run}");
        assert!(told.starts_with(first), "{typed}: {run}");
        assert!(told.contains(rest), "{typed}: {run}");
    }
}
