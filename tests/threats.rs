//! docs/threats.md keeps its word: each test that it names is there, and its policy is one.

use std::path::Path;

use serde_json::json;

use crate::gitlab::shell::{SHELLS, scripts};
use crate::leaks::policy::Machine;
use crate::support::{Cmd, Fake, jwt, require, script};

const PAGE: &str = include_str!("../docs/threats.md");

/// The words in backticks of a line.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn the_tests_that_it_names_are_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut count = 0;
    for row in PAGE.lines().filter(|line| line.contains(".rs`")) {
        let mut file = String::new();
        for word in code(row.rsplit(" | ").next().unwrap()) {
            if word.ends_with(".rs") {
                file =
                    std::fs::read_to_string(tests.join(word)).unwrap_or_else(|_| panic!("no tests/{word}"));
                continue;
            }
            assert!(
                file.contains(&format!("fn {word}() {{")),
                "{word} is in no file that the page names: {row}"
            );
            count += 1;
        }
    }
    assert!(count > 30, "{count} tests");
}

/// The policy that it shows.
fn policy() -> &'static str {
    PAGE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn its_policy_is_one() {
    let text = policy();
    let Some(machine) = Machine::with(text) else { return };
    let run = machine.on(Cmd::new(["revoke", "--state-file", "/nowhere/state"])).run();
    assert!(!run.stderr.contains("policy.toml"), "{run}");
    let doctor = Cmd::new(["doctor", "exoscale", "ci"]).env("VAULT_ADDR", "https://vault.example.com:8200");
    let run = machine.on(doctor.env("VAULT_TOKEN", "t")).run().expect(3);
    let seen = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(seen.contains("policy.toml does not allow the login token"), "{run}");
    // All names of `forbid` stand in the page.
    let all = "forbid = [\"nonsense\"]";
    let run = Machine::with(all).unwrap().on(Cmd::new(["revoke"])).run().expect(3);
    let names = run.stderr.split("forbid takes ").nth(1).unwrap().trim();
    names.split(", ").for_each(|name| assert!(PAGE.contains(&format!("| `{name}` |")), "{name}"));
}

/// Also in a job with a trace, which `show` is about: none shows the template's own lines.
#[test]
fn the_template_works_under_its_policy() {
    let fake = Fake::vault();
    let Some(machine) = Machine::with(&policy().replace("https://vault.example.com:8200", &fake.addr)) else {
        return;
    };
    let [before, after] = scripts("{provider: exoscale, role: ci}");
    let before = before.replace("ci_creds_auth=approle", "ci_creds_auth=jwt");
    for shell in SHELLS.into_iter().filter(|shell| require(shell).is_some()) {
        for (trace, is_on) in [("", "false"), ("set -x; ", "true")] {
            let dir = tempfile::tempdir().unwrap();
            let job = |text: &str| {
                let cmd = script(shell, &format!("{trace}{text}")).job(dir.path());
                let path = cmd.get_env("PATH").unwrap().to_owned();
                let cmd = cmd.env("VAULT_ADDR", &fake.addr).env("VAULT_ID_TOKEN", jwt::mint(json!({})));
                machine.on(cmd.env("CI_DEBUG_TRACE", is_on)).env("PATH", path).run()
            };
            let script = "test -n \"$EXOSCALE_API_SECRET\"; echo \"given, traced: $CI_DEBUG_TRACE\"";
            let run = job(&format!("{before}\n{script}")).expect(0);
            assert_eq!(run.stdout, format!("given, traced: {is_on}\n"), "{shell}: {run}");
            let before_it = fake.seen().len();
            job(&after).expect(0);
            assert!(fake.seen()[before_it..].iter().any(|seen| seen.is_revocation()), "{shell}");
        }
    }
}
