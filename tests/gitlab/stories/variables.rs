//! References in variables: secrets of KV and a database user.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{ADDR, apply, apply_for, empty, gitlab_keys, is_denied, nothing_is_left, passes};
use crate::gitlab::pipeline::{Project, source};
use crate::support::{Postgres, jwt, openbao, secret};

const ENGINES: &[&str] = &["web-db/creds"];

#[test]
fn secrets_in_variables() {
    let recorders = ["./deploy", "./migrate"];
    let Some(mut project) = Project::example("secrets-in-variables", &recorders) else { return };
    let Some(database) = Postgres::start() else { return };
    let (password, token, kubeconfig) = (secret(), secret(), project.home().join("kubeconfig"));
    fs::write(&kubeconfig, "clusters: []\n").unwrap();
    database.run(&format!("CREATE ROLE vault SUPERUSER LOGIN PASSWORD '{password}'"));
    database.run("CREATE ROLE web_owner");
    database.run("CREATE DATABASE web OWNER web_owner");
    let (server, issuer) = (empty(None), gitlab_keys());
    let engines = [
        ("DB_ADMIN_PASSWORD", password.as_str()),
        ("DB_ADDRESS", &format!("127.0.0.1:{}", database.port)),
        ("API_TOKEN", &token),
        ("KUBECONFIG", kubeconfig.to_str().unwrap()),
    ];
    apply(&server, "secrets-in-variables/engine.sh", &engines);
    apply_for(&issuer, &server, "secrets-in-variables/vault.sh", &[]);
    project.set([(ADDR, server.addr.clone()), ("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer})))]);
    // What it does with the file: the file is gone after the job.
    let deploy = project.root().join("deploy");
    let copy = project.home().join("copy");
    let script = fs::read_to_string(&deploy).unwrap() + &format!("cat \"$KUBECONFIG\" >{}\n", copy.display());
    fs::write(&deploy, script).unwrap();
    let call = passes(&project, "deploy", "deploy");
    assert_eq!(call.env("API_TOKEN"), Some(token.as_str()));
    assert_eq!(call.env("API_URL"), Some("https://api.example.com"));
    assert_eq!(fs::read_to_string(copy).unwrap(), "clusters: []\n");
    assert!(!std::path::Path::new(call.env("KUBECONFIG").unwrap()).exists());
    nothing_is_left(&server, 0, ENGINES);

    let call = passes(&project, "migrate", "migrate");
    let (user, password) = (call.env("DB_USER").unwrap(), call.env("DB_PASSWORD").unwrap());
    assert!(!user.starts_with("vault:") && !password.starts_with("vault:"), "{call:?}");
    assert!(call.env("VAULT_ID_TOKEN").is_none());
    nothing_is_left(&server, 0, ENGINES);
    assert!(!database.works(user, password), "the database user is gone");

    project.set([("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer, "ref": "dev"})))]);
    is_denied(&project, "deploy", "ref=dev");
    nothing_is_left(&server, 0, ENGINES);
}

/// Each row of the page's table: what one has gives the same as what to write.
#[test]
fn the_table_of_ways_keeps_its_word() {
    let server = empty(None);
    for value in ["first", "second"] {
        server.ok("POST", "secret/data/app", json!({"data": {"token": value}}));
    }
    server.ok("POST", "secret/data/kube", json!({"data": {"config": "clusters: []"}}));
    for (mount, data) in [("kv", json!({"token": "second"})), ("web-db", json!({"username": "web"}))] {
        server.ok("POST", &format!("sys/mounts/{mount}"), json!({"type": "kv", "options": {"version": "1"}}));
        let path = if mount == "kv" { "kv/app" } else { "web-db/creds/web" };
        server.ok("POST", path, data);
    }
    let tools = tempfile::tempdir().unwrap();
    symlink(openbao::binary(), tools.path().join("vault")).unwrap();
    let sh = |text: &str| {
        let cmd = crate::support::script("dash", text)
            .env("PATH", format!("{}:/usr/bin:/bin", tools.path().display()));
        let cmd = cmd.env("HOME", tools.path()).env("VAULT_ADDR", &server.addr).env("TMPDIR", tools.path());
        cmd.env("VAULT_TOKEN", &server.root_token).run().expect(0).stdout.trim_end().to_owned()
    };
    let page = fs::read_to_string(source("examples/secrets-in-variables/README.md")).unwrap();
    let rows = page
        .lines()
        .skip_while(|line| *line != "| you have | write |")
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let (mut count, mut commands) = (0, 0);
    for row in rows {
        let codes: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let (old, new) = (codes[0].replace("\\|", "|"), *codes.last().unwrap());
        let reference = codes.iter().rev().find(|code| code.contains('#')).unwrap_or(&new);
        let read = if reference.starts_with("vault-file:") { "cat \"$X\"" } else { "printf %s \"$X\"" };
        let program = &*crate::support::cmd::PROGRAM;
        let value = sh(&format!("X='{reference}'; export X; eval \"$({program} env 2>/dev/null)\"; {read}"));
        let wanted = if old.starts_with("vault ") {
            commands += 1;
            sh(&old)
        } else {
            "second".to_owned()
        };
        assert_eq!(value, wanted, "{row}");
        count += 1;
    }
    assert_eq!((count, commands), (9, 5));
}
