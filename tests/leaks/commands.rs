//! The same in the commands that hand nothing over: each option that their --help shows, and each variable that a
//! run may look at, holds a secret in the place of a path, a name or an address.

use ci_creds::testing::options;

use super::values::{self, MORE, NOWHERE};
use crate::support::Cmd;

/// The commands, each called so that it reads the most.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["status", "--format=json"],
    &["revoke"],
    &["scan", "--revoke", "/nowhere"],
    &["env"],
    &["setup", "scaleway", "ci", "--mint"],
    &["setup", "aws", "ci", "--format=json"],
    &["exoscale", "ci", "--state-file=auto"],
];

/// The options of a command that take a value, by its --help.
fn flags(command: &str) -> Vec<String> {
    let help = Cmd::new([command, "--help"]).run().expect(0).stdout;
    let takes = |line: &str| {
        let (flag, rest) = line.trim_start().trim_start_matches("-q, ").split_once(' ')?;
        (flag.starts_with("--") && rest.starts_with('<')).then(|| flag.to_owned())
    };
    let found: Vec<_> = help.lines().filter_map(takes).collect();
    assert!(found.len() > 10, "{command}: {found:?}");
    found
}

/// Every variable of an option, and what else a run looks at.
fn variables() -> Vec<String> {
    let groups = [&options::VAULT, &options::LOGIN, &options::ENGINE, &options::OUTPUT, &options::COMMAND];
    let more = [&options::REVOKE, &options::SCANNING, &options::READ, &options::ENV];
    let rows = groups.into_iter().chain(more).chain([&options::VARIABLES, &options::USUAL]);
    let rows = rows.flat_map(|group| group.options);
    let mut all: Vec<_> = rows
        .flat_map(|row| ["aws", "scaleway"].into_iter().flat_map(|cloud| row.variables(Some(cloud))))
        .chain(MORE.iter().map(|name| (*name).to_owned()))
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn commands_that_hand_nothing_over_show_none_either() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("project");
    let contents = values::contents();
    let variables = variables();
    let (mut leaks, mut runs) = (Vec::new(), 0);
    for words in COMMANDS {
        let base = || {
            let cmd = Cmd::new(words.iter().copied()).dir(dir.path()).envs(NOWHERE.iter().copied());
            cmd.env("CI", "true").env("CI_PROJECT_DIR", &project).envs([
                ("VAULT_AUTH_METHOD", "token"),
                ("VAULT_TOKEN", "none"),
                ("DATABASE", "vault:kv/web#password"),
            ])
        };
        let flags = flags(words[0]).into_iter().map(|flag| (flag, true));
        let places = flags.chain(variables.iter().map(|name| (name.clone(), false)));
        for (number, (place, is_flag)) in places.enumerate() {
            for (index, (kind, content)) in contents.iter().enumerate() {
                // Each place gets two of them, and CI_PROJECT_DIR all; with `soak`, so does each.
                let is_turn = (number + index) % 7 == 0 || place == "CI_PROJECT_DIR";
                if !is_turn && !cfg!(feature = "soak") {
                    continue;
                }
                let cmd = if is_flag {
                    base().args([format!("{place}={content}")])
                } else {
                    base().env(&place, content)
                };
                let run = cmd.very_verbose().may_show_secrets().run();
                runs += 1;
                if let Some(leak) = values::leak(&place, kind, &format!("{}{}", run.stdout, run.stderr)) {
                    leaks.push(format!("{}, {place}, {kind}: {leak}", words.join(" ")));
                }
                assert!(run.code != 101 && run.code != 1 && run.signal.is_none(), "{place}, {kind}:\n{run}");
            }
        }
    }
    assert!(runs > 1000, "{runs}");
    assert!(leaks.is_empty(), "{} of {runs}:\n{}", leaks.len(), leaks.join("\n"));
}
