//! Jobs as README describes them, run by gitlab-ci-local: several providers, a before_script and an after_script of
//! their own, and the four ways to include the template.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::pipeline::{Project, source};
use super::tools::output;
use crate::support::{Engine, Fake, Reply, Space, eventually, require};

/// Two providers, each with real leases, one state file, and lines of the job's own around them.
const SEVERAL: &str = "
include:
  - local: templates/ci-creds/template.yml
    inputs: { provider: exoscale, role: ci, keep-id-token: true }
  - local: templates/ci-creds/template.yml
    inputs: { provider: aws, role: ci, job-name: .aws }
deploy:
  extends: .ci-creds-approle
  before_script:
    - !reference [.ci-creds-approle, before_script]
    - !reference [.aws-approle, before_script]
    - ./tool before
  script:
    - ./tool script
  after_script:
    - ./tool after
    - !reference [.ci-creds-approle, after_script]
";

#[test]
fn several_providers_and_lines_of_the_jobs_own() {
    let Some(mut project) = Project::new(SEVERAL, &["./tool"]) else { return };
    let space = Space::new();
    let lease = json!({"ttl": "15m", "max_ttl": "30m"});
    let engines = ["exoscale", "aws"].map(|name| Engine::new(&space, name, lease.clone()));
    let paths = engines.each_ref().map(|engine| {
        engine.role("ci");
        format!("{}/creds/ci", engine.mount)
    });
    let policy = space.may_read(&paths.each_ref().map(String::as_str));
    let approle = space.approle("ci", json!({"token_policies": policy, "token_ttl": "15m"}));
    project.set([
        ("VAULT_ADDR", space.server.addr.as_str()),
        ("VAULT_ROLE_ID", &approle.role_id),
        ("VAULT_TOKEN", &space.issuing_token(&approle)),
        ("VAULT_AUTH_ROLE", "ci"),
        ("VAULT_AUTH_PATH", &approle.mount),
        ("CI_CREDS_EXOSCALE_MOUNT", &engines[0].mount),
        ("CI_CREDS_EXOSCALE_PATH", "creds/{role}"),
        ("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password"),
        ("CI_CREDS_AWS_MOUNT", &engines[1].mount),
        ("CI_CREDS_AWS_PATH", "creds/{role}"),
        ("CI_CREDS_AWS_FIELDS", "access_key=username,secret_key=password"),
    ]);
    project.run(&["deploy"]).expect(0);
    let calls = project.calls();
    assert_eq!(
        calls.iter().map(|call| &*call.line).collect::<Vec<_>>(),
        ["tool before", "tool script", "tool after"]
    );
    for (call, given) in calls.iter().zip([true, true, false]) {
        for name in ["EXOSCALE_API_SECRET", "AWS_SECRET_ACCESS_KEY"] {
            assert_eq!(call.env(name).is_some(), given, "{name} in {}", call.line);
        }
    }
    eventually("nothing is left", || {
        engines.iter().all(|engine| engine.leases().is_empty() && engine.objects().is_empty())
            && space.login_tokens().is_empty()
    });
    // The second provider is refused: what the first gave is taken back all the same.
    project.set([("CI_CREDS_AWS_MOUNT", "nowhere")]);
    let run = project.run(&["deploy"]);
    let lines: Vec<_> = project.calls().into_iter().map(|call| call.line).collect();
    assert!(run.code != 0 && lines == ["tool after"], "{lines:?} {run}");
    eventually("nothing is left", || engines[0].leases().is_empty() && space.login_tokens().is_empty());
}

#[test]
fn the_template_is_the_same_by_every_kind_of_include() {
    let Some(git) = require("git") else { return };
    let text = fs::read(source("templates/ci-creds/template.yml")).unwrap();
    let instance = Fake::new(move |_| Reply::text(200, text.clone()));
    let mut seen: Vec<(String, String)> = Vec::new();
    for how in [
        "local: templates/ci-creds/template.yml".to_owned(),
        "project: tools/ci-creds\n    ref: 0.1.0\n    file: templates/ci-creds/template.yml".to_owned(),
        "component: gitlab.example.com/tools/ci-creds/ci-creds@0.1.0".to_owned(),
        format!("remote: {}/tools/ci-creds/-/raw/0.1.0/templates/ci-creds/template.yml", instance.addr),
    ] {
        let pipeline = format!(
            "include:\n  - {how}\n    inputs: {{ provider: exoscale, role: ci }}\n\
             build:\n  extends: .ci-creds\n  script: [packer build hello.json]\n"
        );
        let Some(project) = Project::new(&pipeline, &[]) else { return };
        publish(&git, &project);
        let preview = project.preview();
        assert!(preview.contains("ci_creds_provider=\"exoscale\""), "{how}: {preview}");
        seen.push((how, preview));
    }
    for (how, preview) in &seen {
        assert_eq!(*preview, seen[0].1, "{how}");
    }
}

/// The template's own project at gitlab.example.com, as git and so gitlab-ci-local find it.
fn publish(git: &std::path::Path, project: &Project) {
    let repository = project.home().join("repositories/tools/ci-creds.git");
    fs::create_dir_all(repository.join("templates/ci-creds")).unwrap();
    fs::copy(source("templates/ci-creds/template.yml"), repository.join("templates/ci-creds/template.yml"))
        .unwrap();
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=alice", "-c", "user.email=alice@example.com", "commit", "-qm", "release"],
        &["tag", "0.1.0"],
    ] {
        output(Command::new(git).current_dir(&repository).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null"));
    }
    let settings = format!(
        "[url \"{}/\"]\n  insteadOf = ssh://git@gitlab.example.com:22/\n",
        project.home().join("repositories").display()
    );
    fs::write(project.home().join(".gitconfig"), settings).unwrap();
}
