//! The examples, end to end: their Vault side is applied to an empty server exactly as it is printed, engines and
//! all, and their pipelines run job by job. Replaced are the clouds' programs (by recorders), GitLab's keys and API, AWS,
//! the cluster and Exoscale's plugin (by stubs, moto and a stand-in).

mod exoscale;
mod runner;
mod scaleway;
mod terraform;
mod variables;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::pipeline::{Call, Project, source};
use super::schema::EXAMPLES;
use super::tools::output;
use crate::support::cmd::PROGRAM;
use crate::support::shell::{SYSTEM_SHELL, system_tool};
use crate::support::{Options, Server, Space, eventually, jwt, openbao, secret};

const ADDR: &str = "VAULT_ADDR";
/// The GitLab of the examples.
const GITLAB: &str = "https://gitlab.example.com";

/// Runs a script of an example as an administrator, who has these variables.
fn apply(server: &Server, script: &str, variables: &[(&str, &str)]) {
    apply_for(GITLAB, server, script, variables);
}

/// The same for this GitLab, whose address stands in the script in the place of the example's.
fn apply_for(gitlab: &str, server: &Server, script: &str, variables: &[(&str, &str)]) {
    let text = fs::read_to_string(source(&format!("examples/{script}"))).unwrap();
    let home = tempfile::tempdir().unwrap();
    // As a person would run it: twice, over somebody's shoulder, with the program of Vault or that of OpenBao.
    for name in ["vault", "bao"] {
        let tools = home.path().join(name);
        fs::create_dir(&tools).unwrap();
        symlink(openbao::binary(), tools.join(name)).unwrap();
        let mut command = Command::new(SYSTEM_SHELL);
        command.args(["-c", &text.replace(GITLAB, gitlab)]).env_clear().envs(variables.iter().copied());
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display())).env("HOME", home.path());
        command.env("VAULT_ADDR", &server.addr).env("VAULT_TOKEN", &server.root_token);
        let said = output(&mut command);
        let given = variables
            .iter()
            .filter(|(name, _)| ["SECRET", "PASSWORD", "TOKEN"].iter().any(|word| name.contains(word)));
        for (name, value) in given {
            assert!(!said.contains(value), "{script} prints {name}:\n{said}");
        }
    }
}

/// A server as a new customer has it.
fn empty(plugin_dir: Option<PathBuf>) -> Server {
    Server::start(&Options { root_token: secret(), plugin_dir, ..Options::default() })
}

/// The SHA-256 of a file, as an operator gets it.
pub fn sha256(file: &std::path::Path) -> String {
    let text = output(Command::new(system_tool("sha256sum")).arg(file));
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Registers the AWS plugins by Vault's names for them: "with OpenBao, plugins to register first".
pub fn register_aws(server: &Server, plugins: &std::path::Path) {
    for (kind, program) in [("secret", "aws-engine"), ("auth", "aws-auth")] {
        let sum = sha256(&plugins.join(program));
        server.ok(
            "PUT",
            &format!("sys/plugins/catalog/{kind}/aws"),
            json!({"sha256": sum, "command": program}),
        );
    }
}

/// A GitLab that publishes the harness's key.
pub fn gitlab_keys() -> String {
    jwt::issuer().addr
}

/// Nothing that a job was given is alive: no lease of these engines, and no token but root's and `kept`.
#[track_caller]
pub fn nothing_is_left(server: &Server, kept: usize, engines: &[&str]) {
    let space = Space::on(server);
    let tokens = || {
        let all = server.ok("LIST", "auth/token/accessors", Value::Null);
        all["data"]["keys"].as_array().unwrap().len()
    };
    eventually("no lease and no token is left", || {
        engines.iter().all(|engine| space.leases(engine).is_empty()) && tokens() == 1 + kept
    });
}

/// The block of README's YAML that has this job, as a project's whole pipeline.
fn readme(job: &str, recorders: &[&str]) -> Option<Project> {
    let page = fs::read_to_string(source("README.md")).unwrap();
    let mut blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let block = blocks.find(|block| block.lines().any(|line| line == format!("{job}:")));
    Project::new(block.unwrap_or_else(|| panic!("README has no job {job}")), recorders)
}

/// Runs a job that must pass; the recorded call of a program.
#[track_caller]
fn passes(project: &Project, job: &str, program: &str) -> Call {
    let run = project.run(&[job]).expect(0);
    let call = project.calls().into_iter().find(|call| call.line.starts_with(program));
    call.unwrap_or_else(|| panic!("{program} was not called: {run}"))
}

/// Runs a job that must fail before its script, and say this.
#[track_caller]
fn is_denied(project: &Project, job: &str, text: &str) {
    let run = project.run(&[job]);
    assert!(run.code != 0 && project.calls().is_empty(), "{run}");
    assert!(run.to_string().contains(text), "{run}");
}

/// What stands between two marks of a script is what the command in the first mark prints, to the byte.
#[test]
fn the_scripts_are_what_setup_prints() {
    let tools = tempfile::tempdir().unwrap();
    symlink(&*PROGRAM, tools.path().join("ci-creds")).unwrap();
    let mut parts = 0;
    for example in EXAMPLES {
        for script in ["vault.sh", "engine.sh"] {
            let name = format!("examples/{example}/{script}");
            let text = fs::read_to_string(source(&name)).unwrap();
            let (mut rest, mut by_hand) = (&*text, String::new());
            while let Some((before, part)) = rest.split_once("\n# >>> ") {
                by_hand.push_str(before);
                let (line, part) = part.split_once('\n').unwrap();
                let (printed, after) = part.split_once("# <<<\n").unwrap_or_else(|| panic!("{name}: {line}"));
                let mut command = Command::new(SYSTEM_SHELL);
                command.args(["-c", line]).env_clear();
                command.env("PATH", format!("{}:/usr/bin:/bin", tools.path().display()));
                let wanted = output(&mut command);
                let filled = script == "vault.sh" || !wanted.contains("\"<");
                assert!(!wanted.is_empty() && filled, "{name}: {line}\n{wanted}");
                assert_eq!(printed, wanted, "{name}: put there what this prints: {line}");
                (rest, parts) = (after, parts + 1);
            }
            // By hand is only what setup can't know: no login's role and no policy.
            by_hand.push_str(rest);
            for word in ["policy write", "/role/", "auth enable"] {
                assert!(!by_hand.contains(word), "{name}: {word}");
            }
        }
    }
    assert_eq!(parts, 13);
}

/// A protected variable and a role that binds a ref do not reach every branch.
#[test]
fn every_job_with_credentials_says_on_which_refs_it_runs() {
    let mut jobs = 0;
    for example in std::fs::read_dir(source("examples")).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(text) = std::fs::read_to_string(example.join(".gitlab-ci.yml")) else { continue };
        let blocks: Vec<&str> = text.split("\n\n").collect();
        let named = |name: &str| {
            blocks.iter().copied().find(|block| block.lines().any(|line| line == format!("{name}:")))
        };
        for block in &blocks {
            let Some(parent) = block.lines().find_map(|line| line.strip_prefix("  extends: ")) else {
                continue;
            };
            let name =
                block.lines().find(|line| line.ends_with(':') && !line.starts_with([' ', '#'])).unwrap();
            if name.starts_with('.') {
                continue;
            }
            jobs += 1;
            let says = |block: &str| block.contains("\n  rules:");
            assert!(
                says(block) || named(parent).is_some_and(says),
                "{}: {name} has no rules",
                example.display()
            );
        }
    }
    assert!(jobs >= 12, "{jobs}");
}
