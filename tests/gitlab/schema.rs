//! GitLab's published schema for pipelines, and shellcheck for the shell in the template.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::pipeline::{Project, source};
use super::tools::{check_jsonschema, output};
use crate::support::require;

/// Pipelines that use the template with the documented combinations of inputs.
const COMBINATIONS: &[&str] = &[
    "{provider: exoscale}",
    "{provider: exoscale, role: ci, vault-addr: 'https://vault.example.com', namespace: team, auth-role: ci}",
    "{provider: aws, role: deploy, auth-method: aws, auth-role: runner, revoke: false}",
    "{provider: scaleway, auth-method: kubernetes, auth-path: k8s, job-name: .scaleway}",
    "{provider: login, audience: 'https://vault.example.com', auth-method: cert}",
    "{provider: none, install: 'https://mirror.example.com/ci-creds', version: 1.2.3, sha256: 'aa bb'}",
    "{provider: login, auth-method: token, install: '$CI_API_V4_URL/projects/1/packages/generic/ci-creds', version: 1.2.3, sha256: aa}",
    "{provider: exoscale, auth-method: approle, auth-path: runners/approle}",
];

const EXAMPLES: &[&str] = &["exoscale-approle", "aws-jwt-terraform", "aws-runner-iam", "scaleway-kubernetes"];

fn pipeline(inputs: &str) -> String {
    let job = if inputs.contains(".scaleway") { ".scaleway" } else { ".ci-creds" };
    format!(
        "include:\n  - local: templates/ci-creds.yml\n    inputs: {inputs}\n\
         jwt:\n  extends: {job}\n  script: [echo hi]\n\
         approle:\n  extends: {job}-approle\n  script: [echo hi]\n\
         own:\n  extends: {job}\n  before_script: [!reference [{job}, before_script], echo mine]\n  \
         script: [echo hi]\n  after_script: [echo mine, !reference [{job}, after_script]]\n"
    )
}

/// What gitlab-ci-local prints beside the pipeline goes to stderr; the first line may still be a mark.
fn check(checker: &Path, file: &Path) {
    let args =
        ["-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"];
    output(Command::new(checker).args(args).arg(file));
}

#[test]
#[cfg_attr(
    not(feature = "soak"),
    ignore = "gitlab-ci-local starts once for each combination: --features soak"
)]
fn the_template_is_valid_with_each_combination_of_inputs() {
    let Some(checker) = check_jsonschema() else { return };
    let dir = tempfile::tempdir().unwrap();
    for inputs in COMBINATIONS {
        let text = pipeline(inputs);
        let file = dir.path().join("pipeline.yml");
        fs::write(&file, &text).unwrap();
        check(&checker, &file);
        let Some(project) = Project::new(&text, &[]) else { return };
        let resolved = project.preview();
        assert!(!resolved.contains("$[["), "{resolved}");
        fs::write(&file, &resolved).unwrap();
        check(&checker, &file);
    }
}

#[test]
fn the_template_has_its_header_and_its_jobs() {
    let text = fs::read_to_string(source("templates/ci-creds.yml")).unwrap();
    let (header, jobs) = text.split_once("\n---\n").unwrap();
    let Some(checker) = check_jsonschema() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, part) in [("header.yml", header), ("jobs.yml", jobs)] {
        let file = dir.path().join(name);
        fs::write(&file, part).unwrap();
        check(&checker, &file);
    }
    for used in jobs.split("$[[ inputs.").skip(1).map(|rest| rest.split(' ').next().unwrap()) {
        assert!(header.contains(&format!("    {used}:\n      description: ")), "{used} is an input");
    }
}

#[test]
fn the_examples_are_valid() {
    let Some(checker) = check_jsonschema() else { return };
    for name in EXAMPLES {
        check(&checker, &source(&format!("examples/{name}/.gitlab-ci.yml")));
        if let Some(project) = Project::example(name, &[]) {
            let resolved = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
            fs::write(resolved.path(), project.preview()).unwrap();
            check(&checker, resolved.path());
        }
    }
}

#[test]
fn this_projects_pipeline_is_valid() {
    let Some(checker) = check_jsonschema() else { return };
    let text = fs::read_to_string(source(".gitlab-ci.yml")).unwrap();
    check(&checker, &source(".gitlab-ci.yml"));
    let Some(project) = Project::new(&text, &[]) else { return };
    let resolved = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    fs::write(resolved.path(), project.preview()).unwrap();
    check(&checker, resolved.path());
    // Its scripts are those that are there.
    for script in
        text.split(".ci/").skip(1).map(|rest| rest.split([' ', ')', '\n', '"', ',', '.']).next().unwrap())
    {
        assert!(script.is_empty() || source(&format!(".ci/{script}")).exists(), "{script}");
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(shellcheck) = require("shellcheck") else { return };
    for inputs in COMBINATIONS {
        for text in super::shell::scripts(inputs) {
            let file = tempfile::NamedTempFile::with_suffix(".sh").unwrap();
            fs::write(file.path(), format!("#!/bin/sh\nset -eu\n{text}")).unwrap();
            output(Command::new(&shellcheck).args(["--severity=style"]).arg(file.path()));
        }
    }
    for name in EXAMPLES {
        let scripts = ["vault.sh", "engine.sh"].map(|script| source(&format!("examples/{name}/{script}")));
        output(Command::new(&shellcheck).args(scripts));
    }
}
