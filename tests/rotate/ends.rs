//! Rotations that come to their end, and what becomes of the old token.

use std::path::Path;

use serde_json::{Value, json};

use super::gitlab::Gitlab;
use super::story::Story;
use crate::support::pages::pages;
use crate::support::{Cluster, Space};

#[test]
fn a_new_token_comes_and_the_old_one_goes_with_grace() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let before = story.gitlab.kept("projects/22", "VAULT_TOKEN", "*");
    let run = story.rotate(["-vv"]).run().expect(0);
    let new = story.gitlab.value();
    assert!(new != old && story.issues(&new) && story.issues(&old), "{run}");
    let mut after = story.gitlab.kept("projects/22", "VAULT_TOKEN", "*");
    after["value"] = before["value"].clone();
    assert_eq!(after, before, "everything but the value stays");
    let ((old_accessor, ttl), (new_accessor, new_ttl)) = (story.lookup(&old), story.lookup(&new));
    assert!((3500..=3600).contains(&ttl) && new_ttl > 700 * 3600, "{ttl} {new_ttl}");
    assert!(run.stderr.contains(&old_accessor) && run.stderr.contains(&new_accessor), "{run}");
    story.job(&old).expect(0);
    story.job(&new).expect(0);
    assert!(space.login_tokens().len() <= 2, "the rotation's own login is gone");
    assert_eq!(run.stdout, "");
    let run = story.rotate(["--grace", "10m"]).run().expect(0);
    let shown = run.to_string().replace("9m59s", "10m");
    insta::assert_snapshot!(shown, @"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    ci-creds: VAULT_TOKEN of project 22 holds a new issuing token (accessor ID), valid 32 days, until TIME
    ci-creds: the old one (accessor ID, valid 10m, until TIME) goes on for jobs that have it
    ");
}

#[test]
fn a_rotation_through_a_standby_sees_the_token_that_it_has_just_made() {
    let cluster = Cluster::shared();
    for grace in ["0", "10m"] {
        let space = Space::on(&cluster.server);
        let story = Story::new(&space);
        let old = story.start();
        crate::network::cluster::caught_up(&cluster);
        let run = story.rotate(["--grace", grace]).env("VAULT_ADDR", cluster.standby()).run().expect(0);
        let new = story.gitlab.value();
        assert!(story.issues(&new) && new != old, "{run}");
        assert_eq!(space.is_alive(&old), grace != "0", "{run}");
    }
}

#[test]
fn without_grace_the_old_token_is_revoked() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let run = story.rotate(["--grace", "0"]).run().expect(0);
    assert!(!space.is_alive(&old) && story.issues(&story.gitlab.value()), "{run}");
    assert!(run.stderr.contains("is revoked"), "{run}");
}

#[test]
fn a_token_that_can_not_be_shortened_is_left_and_named() {
    let space = Space::new();
    let story = Story::new(&space);
    story.token_role(json!({"token_period": "24h"}));
    let periodic = story.start();
    let run = story.rotate([]).run().expect(0);
    assert!(run.stderr.contains("its token role has a period"), "{run}");
    story.token_role(json!({"token_period": 0}));
    let (accessor, ttl) = story.lookup(&periodic);
    assert!(ttl > 3600 && run.stderr.contains(&format!("accessor {accessor}, valid ")), "{run}");
    assert!(run.stderr.contains("is left to its end: "), "{run}");
    let fixed = space.token(&[&story.issuing_policy(), "default"], json!({"renewable": false, "ttl": "48h"}));
    story.gitlab.variable("groups/7", "VAULT_TOKEN", &fixed, &json!({}));
    let run = story.rotate(["--group", "7"]).run().expect(0);
    assert!(run.stderr.contains("it is not renewable; --grace 0 would revoke it"), "{run}");
    assert!(run.stderr.contains(&story.lookup(&fixed).0) && space.is_alive(&fixed), "{run}");
    story.gitlab.variable("projects/22", "OTHER", &fixed, &json!({"environment_scope": "prod"}));
    story.rotate(["--variable", "OTHER", "--grace=0"]).run().expect(0);
    assert!(!space.is_alive(&fixed));
}

#[test]
fn an_old_token_that_is_dead_or_short_is_no_obstacle() {
    let space = Space::new();
    let story = Story::new(&space);
    for value in ["changeme-later", &space.token(&[&story.issuing_policy()], json!({"ttl": "10m"}))] {
        let key = format!("V{}", value.len());
        story.gitlab.variable("projects/22", &key, value, &json!({"environment_scope": "*"}));
        story.rotate(["--variable", &key]).run().expect(0);
        let new = story.gitlab.kept("projects/22", &key, "*");
        assert!(story.issues(new["value"].as_str().unwrap()));
    }
}

#[test]
fn a_hidden_variable_is_changed_and_the_jobs_own_value_is_the_old_token() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.issuing_token();
    story.gitlab.variable("projects/22", "VAULT_TOKEN", &old, &json!({"hidden": true}));
    let run = story.rotate([]).env("VAULT_TOKEN", &old).run().expect(0);
    let kept = story.gitlab.kept("projects/22", "VAULT_TOKEN", "*");
    assert!(story.issues(kept["value"].as_str().unwrap()) && kept["hidden"] == json!(true), "{run}");
    assert!(story.lookup(&old).1 <= 3600, "{run}");
    let run = story.rotate([]).run().expect(0);
    assert!(run.stderr.contains("the variable is hidden, and this job does not have it"), "{run}");
}

#[test]
fn the_right_one_of_several_scopes_in_a_group_is_changed() {
    let space = Space::new();
    let story = Story::new(&space);
    let tokens = ["prod", "dev/*"].map(|scope| {
        let token = story.issuing_token();
        let attributes =
            json!({"environment_scope": scope, "masked": false, "raw": false, "protected": false});
        story.gitlab.variable("groups/7", "VAULT_TOKEN", &token, &attributes);
        token
    });
    let ambiguous = story.rotate(["--group", "group"]).run().expect(4);
    assert!(ambiguous.stderr.contains("choose one with --environment-scope"), "{ambiguous}");
    story.rotate(["--group", "group", "--environment-scope", "dev/*"]).run().expect(0);
    let value = |scope| story.gitlab.kept("groups/7", "VAULT_TOKEN", scope)["value"].clone();
    assert_eq!(value("prod"), json!(tokens[0]));
    assert_ne!(value("dev/*"), json!(tokens[1]));
    assert_eq!(story.gitlab.kept("groups/7", "VAULT_TOKEN", "dev/*")["masked"], json!(false));
}

#[test]
fn a_private_ca_and_a_path_prefix() {
    let (gitlab, pem) = Gitlab::with_tls();
    let space = Space::new();
    let story = Story::with(&space, gitlab);
    let old = story.start();
    let run = story.rotate([]).run().expect(3);
    assert!(run.stderr.contains("CI_SERVER_TLS_CA_FILE"), "{run}");
    let dir = tempfile::tempdir().unwrap();
    let (ca, token) = (dir.path().join("ca.pem"), dir.path().join("token"));
    std::fs::write(&ca, pem).unwrap();
    std::fs::write(&token, format!("{}\n", story.gitlab.token)).unwrap();
    let job = story
        .rotate(["--project", "group/project", "--gitlab-token-file", token.to_str().unwrap()])
        .no_env("CI_CREDS_GITLAB_TOKEN");
    job.clone().env("CI_SERVER_TLS_CA_FILE", &ca).run().expect(0);
    assert_ne!(story.gitlab.value(), old);
    job.env("CI_CREDS_GITLAB_CA_CERT", &ca).run().expect(0);
    let stdin = story.rotate(["--gitlab-token-file", "-"]).no_env("CI_CREDS_GITLAB_TOKEN");
    stdin.env("CI_SERVER_TLS_CA_FILE", &ca).stdin(story.gitlab.token.as_str()).run().expect(0);
}

#[test]
fn a_rehearsal_changes_nothing() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let run = story.rotate(["--dry-run"]).run().expect(0);
    assert_eq!((story.gitlab.value(), story.alive().len()), (old.clone(), 1), "{run}");
    assert!(story.gitlab.requests().iter().all(|request| request.starts_with("GET ")), "{run}");
    assert!(story.lookup(&old).1 > 700 * 3600 && space.login_tokens().is_empty(), "{run}");
    for text in ["it stays masked, protected, raw, env_var", "would end after 1h", "nothing was changed"] {
        assert!(run.stderr.contains(text), "{text}: {run}");
    }
    story.token_role(json!({"orphan": false}));
    let run = story.rotate(["--dry-run"]).run().expect(4);
    assert!(run.stderr.contains("set orphan=true"), "{run}");
    // What the real run would refuse: a role that leaves out what the old token may do.
    story.token_role(json!({"allowed_policies": ["another", "default"]}));
    for args in [&["--dry-run"][..], &[]] {
        let run = story.rotate([]).args(args).no_env("CI_CREDS_APPROLE").run().expect(4);
        assert!(run.stderr.contains("lacks what the old issuing token has"), "{args:?}: {run}");
    }
    for (change, text) in [
        (json!({"token_num_uses": 3}), "a limited number of requests"),
        (json!({"token_type": "batch", "renewable": false}), "a batch token"),
    ] {
        story.token_role(change);
        let run = story.rotate(["--dry-run"]).run().expect(4);
        assert!(run.stderr.contains(text), "{run}");
        story.token_role(json!({"token_num_uses": 0, "token_type": "default-service"}));
    }
    let run = story.rotate(["--dry-run", "--token-role", "other"]).run().expect(4);
    assert!(run.stderr.contains("auth/token/create/other"), "{run}");
    assert_eq!(story.space.server.api("GET", "sys/health", Value::Null).status, 200);
}

/// As the pages print it, in a job like the one that rotates.
#[test]
fn the_pages_line_rehearses() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let mut lines = Vec::new();
    let examples = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let readme = |folder: std::io::Result<std::fs::DirEntry>| {
        let path = folder.unwrap().path().join("README.md");
        Some((path.display().to_string(), std::fs::read_to_string(path).ok()?))
    };
    for (page, text) in pages().into_iter().chain(examples.filter_map(readme)) {
        let spans = text.split('`').skip(1).step_by(2);
        let rehearsals =
            spans.filter(|span| span.starts_with("ci-creds rotate") && span.contains("--dry-run"));
        lines.extend(rehearsals.map(|span| (page.clone(), span.to_owned())));
    }
    assert!(!lines.is_empty(), "no page says how a rotation is rehearsed");
    for (page, line) in lines {
        let words = line.split(' ').skip(2).map(|word| match word {
            "gitlab-ci-runner-issue" => story.token_role.as_str(),
            word => word,
        });
        let job = story.rotate([]).no_env("CI_CREDS_TOKEN_ROLE").no_env("CI_CREDS_APPROLE").args(words);
        let run = job.run();
        assert_eq!((run.code, story.gitlab.value()), (0, old.clone()), "{page}: {line}: {run}");
    }
}
