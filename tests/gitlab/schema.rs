//! GitLab's published schema for pipelines, and shellcheck for all the shell around them. Each of the two programs starts
//! once for all files, and gitlab-ci-local once for all combinations of inputs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::pipeline::{Project, source};
use super::tools::{check_jsonschema, output};
use crate::support::require;

/// The documented combinations of inputs; each becomes a pipeline, and all of them one, with job names of their own.
const COMBINATIONS: &[&str] = &[
    "{provider: exoscale}",
    "{provider: exoscale, role: ci, vault-addr: 'https://vault.example.com', namespace: team, auth-role: ci}",
    "{provider: aws, role: deploy, auth-method: aws, auth-role: runner, revoke: false}",
    "{provider: scaleway, auth-method: kubernetes, auth-path: k8s}",
    "{provider: login, audience: 'https://vault.example.com', auth-method: cert}",
    "{provider: none, install: 'https://mirror.example.com/ci-creds', version: 1.2.3, sha256: 'aa bb'}",
    "{provider: login, auth-method: token, install: '$CI_API_V4_URL/projects/1/packages/generic/ci-creds', version: 1.2.3, sha256: aa}",
    "{provider: exoscale, auth-method: approle, auth-path: runners/approle, dead-man: 2m}",
    "{provider: aws, install: '$CI_API_V4_URL/projects/1/packages/generic/ci-creds', signed-by: 'https://gitlab.example.com/tools/ci-creds'}",
    "{provider: aws, role: ci, ttl: 30m, region: eu-west-1, role-arn: 'arn:aws:iam::1:role/ci', and: 'scaleway=dev login'}",
    "{provider: scaleway, mount: cloud/scw, path: 'creds/{role}', zone: fr-par-1, ca-cert: $VAULT_CA_FILE}",
    "{provider: read, read: 'kv/data/app DB_PASSWORD=password', keep-id-token: true, script-timeout: 2h, after-script-timeout: 5m, scan: dist/ report.xml}",
];

pub(super) const EXAMPLES: &[&str] = &[
    "exoscale-approle",
    "aws-jwt-terraform",
    "aws-runner-iam",
    "scaleway-kubernetes",
    "secrets-in-variables",
];

/// A pipeline that has the template once for each of these inputs, and jobs that extend it in each documented way.
fn pipeline(all: &[&str]) -> String {
    let (mut include, mut jobs) = ("include:\n".to_owned(), String::new());
    for (number, inputs) in all.iter().enumerate() {
        let job = format!(".job-{number}");
        let inputs = format!("{}, job-name: {job}}}", inputs.trim_end_matches('}'));
        include += &format!("  - local: templates/ci-creds/template.yml\n    inputs: {inputs}\n");
        jobs += &format!(
            "jwt-{number}:\n  extends: {job}\n  script: [echo hi]\n\
             approle-{number}:\n  extends: {job}-approle\n  script: [echo hi]\n\
             own-{number}:\n  extends: {job}\n  before_script: [!reference [{job}, before_script], echo mine]\n  \
             script: [echo hi]\n  after_script: [echo mine, !reference [{job}, after_script]]\n"
        );
    }
    include + &jobs
}

/// Every file must fit GitLab's schema.
#[track_caller]
fn check(checker: &Path, files: &[PathBuf]) {
    let args =
        ["-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"];
    output(Command::new(checker).args(args).args(files));
}

/// The pieces of a Markdown file in YAML.
fn snippets(markdown: &str) -> Vec<String> {
    let fences = markdown.split("```yaml\n").skip(1);
    fences.map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// Runner's older bash loses the code of a line without it.
#[test]
fn what_is_retried_by_its_code_keeps_it_on_every_runner() {
    let mut seen = 0;
    let pages = std::iter::once(source("README.md"))
        .chain(fs::read_dir(source("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    let pages = pages.flat_map(|page| snippets(&fs::read_to_string(page).unwrap()));
    let examples = EXAMPLES.iter().map(|name| source(&format!("examples/{name}/.gitlab-ci.yml")));
    let examples = examples.flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        text.split("\n\n").map(str::to_owned).collect::<Vec<_>>()
    });
    for job in pages.chain(examples).filter(|job| job.contains("exit_codes")) {
        let calls = job.lines().filter(|line| line.contains("- ") && line.contains("ci-creds "));
        for line in calls.filter(|line| !line.trim_start().starts_with('#')) {
            assert!(line.contains("|| exit $?"), "{line}\n{job}");
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen}");
}

#[test]
fn every_pipeline_is_valid_for_gitlab() {
    let Some(checker) = check_jsonschema() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (mut files, mut resolved) = (Vec::new(), Vec::new());
    let mut add = |name: &str, text: &str| {
        let file = dir.path().join(format!("{name}.yml"));
        fs::write(&file, text).unwrap();
        files.push(file);
    };
    let template = fs::read_to_string(source("templates/ci-creds/template.yml")).unwrap();
    let (header, jobs) = template.split_once("\n---\n").unwrap();
    add("header", header);
    add("jobs", jobs);
    for used in jobs.split("$[[ inputs.").skip(1).map(|rest| rest.split(' ').next().unwrap()) {
        assert!(header.contains(&format!("    {used}:\n      description: ")), "{used} is an input");
    }
    let all = pipeline(COMBINATIONS);
    add("combinations", &all);
    resolved.push(("combinations", Project::new(&all, &[])));
    for name in EXAMPLES {
        add(name, &fs::read_to_string(source(&format!("examples/{name}/.gitlab-ci.yml"))).unwrap());
        resolved.push((name, Project::example(name, &[])));
    }
    let own = fs::read_to_string(source(".gitlab-ci.yml")).unwrap();
    add("own", &own);
    for script in own.split(".ci/").skip(1).map(|rest| rest.split([' ', ')', '\n', '"', ',']).next().unwrap())
    {
        assert!(script.ends_with('.') || source(&format!(".ci/{script}")).exists(), "{script} is there");
    }
    resolved.push(("own", Project::new(&own, &[])));
    let mut documented = 0;
    let component = "templates/ci-creds/README.md";
    let component = (component.to_owned(), fs::read_to_string(source(component)).unwrap());
    for (page, text) in crate::support::pages::pages().into_iter().chain([component]) {
        for (number, text) in snippets(&text).iter().enumerate() {
            add(&format!("{}-{number}", page.replace('/', "-")), text);
            documented += 1;
        }
    }
    assert!(documented >= 20, "only {documented} pipelines are on the pages");
    for (name, project) in resolved {
        // As GitLab sees it, with the includes and references filled in.
        let Some(project) = project else { continue };
        let text = project.preview();
        assert!(!text.contains("$[[") && !text.contains("!reference"), "{text}");
        add(&format!("{name}-resolved"), &text);
    }
    check(&checker, &files);
}

#[test]
fn the_check_of_the_schema_does_check() {
    let Some(checker) = check_jsonschema() else { return };
    let file = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    fs::write(
        file.path(),
        "deploy:\n  script: [echo hi]\n  id_tokens: {VAULT_ID_TOKEN: {audience: nobody}}\n",
    )
    .unwrap();
    let args = ["-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci"];
    let output = Command::new(checker).args(args).arg(file.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(shellcheck) = require("shellcheck") else { return };
    let dir = tempfile::tempdir().unwrap();
    let scripts = fs::read_dir(source(".ci")).unwrap().map(|entry| entry.unwrap().path());
    let is_shell = |path: &PathBuf| {
        fs::read_to_string(path)
            .is_ok_and(|text| text.lines().next().is_some_and(|line| line.ends_with("sh")))
    };
    let mut files: Vec<_> = scripts.filter(is_shell).collect();
    assert!(files.len() >= 2, "{files:?}");
    for name in EXAMPLES {
        files.extend(["vault.sh", "engine.sh"].map(|script| source(&format!("examples/{name}/{script}"))));
    }
    for (number, inputs) in COMBINATIONS.iter().enumerate() {
        for (part, text) in super::shell::scripts(inputs).iter().enumerate() {
            let file = dir.path().join(format!("{number}-{part}.sh"));
            fs::write(&file, format!("#!/bin/sh\nset -eu\n{text}")).unwrap();
            files.push(file);
        }
    }
    output(Command::new(&shellcheck).args(["--severity=style"]).args(files));
}
