//! Keys that were made at Scaleway, and how each is taken back: by the command's end, by `revoke`, by the sweep.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::scaleway::Mint;
use crate::support::{Cmd, Fake, Reply, Space, eventually, require, script};

/// A job's login of its own, where the state file may hold the token.
fn with_login(mint: &Mint<'_>, cmd: Cmd) -> Cmd {
    let policy = mint.space.may_read(&[&format!("{}/data/creds/dev", mint.kv)]);
    let login = mint.space.approle("ci", json!({"token_policies": policy, "token_ttl": "10m"}));
    mint.env(cmd).no_env("VAULT_TOKEN").approle(&login)
}

fn made(mint: &Mint<'_>, path: &Path, args: &[&str]) -> String {
    let cmd = Cmd::new(["scaleway", "dev", "--mint", "--state-file", path.to_str().unwrap()]).args(args);
    let before = mint.iam.keys();
    with_login(mint, cmd).run().expect(0);
    let (name, key) = mint.iam.keys().into_iter().find(|(name, _)| !before.contains_key(name)).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(&name), "{text}");
    for secret in [&key.secret_key, &mint.iam.parent.0, &mint.iam.parent.1] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    name
}

/// Secrets that are not in the file go only to what is configured: here both are, as in the job.
fn revoke(mint: &Mint<'_>, path: &Path) -> Cmd {
    let cmd = Cmd::new(["revoke", "--state-file"]).args([path]);
    cmd.vault(mint.space.server).env("SCW_API_URL", &mint.iam.url)
}

fn deletions(mint: &Mint<'_>) -> Vec<String> {
    mint.log().into_iter().filter(|line| line.starts_with("DELETE")).collect()
}

#[test]
fn revoke_reads_the_parent_again_and_deletes_the_key() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let other = mint.iam.other("ci-creds: job 4242 of group/project (0123456789abcdef)");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let name = made(&mint, &path, &[]);
    revoke(&mint, &path).run_both().expect(0);
    assert_eq!(mint.iam.keys().into_keys().collect::<Vec<_>>(), [other]);
    assert_eq!(deletions(&mint), [format!("DELETE 204 {name}")]);
    assert!(space.login_tokens().is_empty() && !path.exists());
}

#[test]
fn a_key_that_is_gone_or_has_ended_is_success() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let name = made(&mint, &path, &[]);
    mint.iam.state().keys.clear();
    revoke(&mint, &path).run().expect(0);
    assert_eq!(deletions(&mint), [format!("DELETE 404 {name}")]);
    // Scaleway has ended this one: nobody needs to be asked, not even Scaleway.
    made(&mint, &path, &["--ttl", "1s"]);
    std::thread::sleep(Duration::from_millis(1_100));
    mint.iam.state().down = true;
    revoke(&mint, &path).run().expect(0);
    assert_eq!(deletions(&mint).len(), 1);
    assert!(space.login_tokens().is_empty() && !path.exists());
}

#[test]
fn what_could_not_be_deleted_stays_in_the_file() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let name = made(&mint, &path, &[]);
    mint.iam.state().down = true;
    let run = revoke(&mint, &path).env("VAULT_MAX_RETRIES", "0").run().expect(5);
    assert!(run.stderr.contains(&name) && run.stderr.contains("it ends at "), "{run}");
    revoke(&mint, &path).args(["--best-effort"]).env("VAULT_MAX_RETRIES", "0").run().expect(0);
    // The token reads the parent, and is kept as long as there is a key to delete.
    assert!(fs::read_to_string(&path).unwrap().contains(&name));
    assert_eq!(space.login_tokens().len(), 1);
    mint.iam.state().down = false;
    revoke(&mint, &path).run().expect(0);
    assert!(mint.iam.keys().is_empty() && space.login_tokens().is_empty() && !path.exists());
}

/// Scaleway being down is no reason not to ask Vault.
#[test]
fn a_cloud_that_is_down_does_not_hold_up_the_other_lines() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let name = made(&mint, &path, &[]);
    let other = space.token(&["default"], json!({}));
    let first = fs::read_to_string(&path).unwrap();
    let mut second: Value = serde_json::from_str(&first).unwrap();
    second["id"] = json!("another");
    second["minted"] = json!([]);
    second["tokens"][0]["token"] = json!(other);
    fs::write(&path, format!("{first}{second}\n")).unwrap();
    mint.iam.state().down = true;
    let run = revoke(&mint, &path).env("VAULT_MAX_RETRIES", "0").run().expect(5);
    assert!(run.stderr.contains("Scaleway could not be reached"), "{run}");
    assert!(run.stderr.contains("again when Scaleway answers"), "{run}");
    assert!(!space.is_alive(&other), "{run}");
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    mint.iam.state().down = false;
    revoke(&mint, &path).run().expect(0);
    assert!(!mint.iam.keys().contains_key(&name) && !path.exists());
}

#[test]
fn a_given_token_has_to_be_given_again() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    mint.run(&["--state-file", path.to_str().unwrap()]).run().expect(0);
    assert!(!fs::read_to_string(&path).unwrap().contains(&mint.token));
    let run = revoke(&mint, &path).run();
    assert!(run.code != 0 && run.stderr.contains("made with a token that is not here"), "{run}");
    assert_eq!(mint.iam.keys().len(), 1);
    revoke(&mint, &path).env("VAULT_TOKEN", &mint.token).run().expect(0);
    assert!(mint.iam.keys().is_empty() && !path.exists() && space.is_alive(&mint.token));
}

#[test]
fn the_key_lives_as_long_as_the_command() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let show = ["--", "sh", "-c", "echo $SCW_ACCESS_KEY $SCW_SECRET_KEY; exit 3"];
    let run = with_login(&mint, Cmd::new(["scaleway", "dev", "--mint"]).args(show)).run().expect(3);
    assert!(run.stdout.starts_with("SCW") && run.stdout.ends_with(" [MASKED]\n"), "{run}");
    assert!(mint.iam.keys().is_empty() && space.login_tokens().is_empty());
    // Killed without a word: the state file is there for the next one.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let cmd = Cmd::new(["scaleway", "dev", "--mint", "--state-file", path.to_str().unwrap()]);
    let running = with_login(&mint, cmd.args(["--", "sleep", "60"])).spawn();
    eventually("the command runs", || fs::read_to_string(&path).is_ok_and(|text| text.contains("SCW")));
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!(mint.iam.keys().len(), 1);
    revoke(&mint, &path).run().expect(0);
    assert!(mint.iam.keys().is_empty() && space.login_tokens().is_empty() && !path.exists());
}

/// `scw iam api-key list -o json` and `delete`, against a folder with a file for each key.
const SCW: &str = r#"#!/bin/sh
test -n "$SCW_SECRET_KEY" || exit 9
case "$*" in
  "iam api-key list -o json") cat "$KEYS" ;;
  "iam api-key delete SCW"*) echo "$4" ;;
  *) exit 8 ;;
esac
"#;

#[test]
fn the_documented_sweep_deletes_what_has_ended_and_nothing_else() {
    if require("jq").is_none() {
        return;
    }
    let page = include_str!("../../docs/clouds.md");
    let job = page.split("\nsweep:\n").nth(1).unwrap().split("```").next().unwrap();
    let lines = job.split("  script:\n    - ").nth(1).unwrap();
    let text = lines.replace("- |\n", "").lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let space = Space::new();
    let mint = Mint::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let keys: Value = json!([
        {"access_key": "SCWENDED", "description": "ci-creds: job 1 of a/b (0)", "expires_at": "2020-01-01T10:00:00.123456Z"},
        {"access_key": "SCWALIVE", "description": "ci-creds: job 2 of a/b (1)", "expires_at": "2999-01-01T10:00:00Z"},
        {"access_key": "SCWENDLESS", "description": "ci-creds: job 3 of a/b (2)", "expires_at": null},
        {"access_key": "SCWOTHERS", "description": "somebody's", "expires_at": "2020-01-01T10:00:00Z"},
    ]);
    fs::write(dir.path().join("keys"), keys.to_string()).unwrap();
    let scw = dir.path().join("scw");
    fs::write(&scw, SCW).unwrap();
    fs::set_permissions(&scw, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = format!("PATH={}:$PATH\n{text}", dir.path().display());
    let run = mint
        .env(script("bash", &text))
        .env("CI_CREDS_SCALEWAY_PATH", "data/creds/dev")
        .env("KEYS", dir.path().join("keys"))
        .run()
        .expect(0);
    assert_eq!(run.stdout, "SCWENDED\n", "{run}");
}

/// A parent goes to the API that is configured, never to one that only the state file names.
#[test]
fn a_parent_goes_only_to_the_configured_api() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let name = made(&mint, &path, &[]);
    let fake = Fake::new(|_| Reply::Json(204, Value::Null));
    let genuine = fs::read_to_string(&path).unwrap();
    let mut poisoned: Value = serde_json::from_str(&genuine).unwrap();
    poisoned["minted"][0]["url"] = json!(format!("{}/", fake.addr));
    fs::write(&path, format!("{poisoned}\n")).unwrap();
    let run = revoke(&mint, &path).run().expect(3);
    let hint =
        format!("the API key {name} was made at {}/: set SCW_API_URL to that to have it deleted", fake.addr);
    assert!(run.stderr.contains(&hint), "{run}");
    assert!(fake.seen().is_empty(), "{:?}", fake.lines());
    fs::write(&path, genuine).unwrap();
    revoke(&mint, &path).run().expect(0);
    assert!(mint.iam.keys().is_empty() && space.login_tokens().is_empty() && !path.exists());
}
