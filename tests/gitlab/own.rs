//! This project's own pipeline: its job `template`, with .ci/template-server and an ID token that the server can check.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::pipeline::{Project, source};
use super::stories::{gitlab_keys, nothing_is_left};
use crate::support::cmd::PROGRAM;
use crate::support::{Options, Server, jwt, require};

#[test]
fn the_job_that_tests_the_template_passes() {
    let pipeline = fs::read_to_string(source(".gitlab-ci.yml")).unwrap();
    let (Some(mut project), Some(_)) = (Project::new(&pipeline, &[]), require("curl")) else { return };
    // What a checkout has, and what the job gets as an artifact: its program is nowhere else.
    fs::create_dir_all(project.root().join(".ci")).unwrap();
    fs::copy(source(".ci/template-server"), project.root().join(".ci/template-server")).unwrap();
    fs::create_dir_all(project.root().join("target/release")).unwrap();
    symlink(&*PROGRAM, project.root().join("target/release/ci-creds")).unwrap();
    fs::remove_file(project.tools().join("ci-creds")).unwrap();
    // In place of the service, and started alike: the root token is `root`.
    let (server, issuer) = (Server::start(&Options::default()), gitlab_keys());
    project.set([
        ("OPENBAO", server.addr.clone()),
        ("CI_SERVER_URL", issuer.clone()),
        ("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer, "aud": "ci-creds-test"}))),
    ]);
    let run = project.run(&["template"]).expect(0);
    assert!(run.stderr.contains("exoscale") || run.stdout.contains("ci-creds: exoscale"), "{run}");
    nothing_is_left(&server, 0, &[]);
    // Not by chance: with another key in the engine the script's check fails.
    server.ok("POST", "exoscale/apikey/ci", json!({"api_key": "EXO-other", "api_secret": "of-the-test"}));
    fs::write(project.root().join(".ci/template-server"), "#!/bin/sh\n").unwrap();
    assert_ne!(project.run(&["template"]).code, 0);
}
