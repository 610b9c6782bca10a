//! The examples, end to end: their Vault side is applied to an empty server exactly as it is printed, engines and
//! all, and their pipelines run job by job. Replaced are the clouds' programs (by recorders), GitLab's keys and API, AWS,
//! the cluster and Exoscale's plugin (by stubs, moto and a stand-in).

mod exoscale;
mod runner;
mod scaleway;
mod terraform;
mod variables;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::pipeline::{Call, Project, source};
use super::tools::output;
use crate::support::{Options, Server, Space, eventually, jwt, openbao, require, secret};

const ADDR: &str = "VAULT_ADDR";

/// Runs a script of an example as an administrator, who has `vault` (here it is `bao`) and these variables.
fn apply(server: &Server, script: &str, variables: &[(&str, &str)]) {
    let tools = tempfile::tempdir().unwrap();
    symlink(openbao::binary(), tools.path().join("vault")).unwrap();
    let mut command = Command::new("sh");
    // As a person would run it: twice, and over somebody's shoulder.
    command.arg(source(&format!("examples/{script}"))).env_clear().envs(variables.iter().copied());
    command.env("PATH", format!("{}:/usr/bin:/bin", tools.path().display())).env("HOME", tools.path());
    command.env("VAULT_ADDR", &server.addr).env("VAULT_TOKEN", &server.root_token);
    for _ in 0..2 {
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
pub fn sha256(file: &std::path::Path) -> Option<String> {
    let text = output(Command::new(require("sha256sum")?).arg(file));
    Some(text.split(' ').next().unwrap_or_default().to_owned())
}

/// Registers the AWS plugins by Vault's names for them: "with OpenBao, plugins to register first".
pub fn register_aws(server: &Server, plugins: &std::path::Path) {
    for (kind, program) in [("secret", "aws-engine"), ("auth", "aws-auth")] {
        let sum = sha256(&plugins.join(program)).unwrap();
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
