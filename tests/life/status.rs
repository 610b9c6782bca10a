//! `ci-creds status`: what the state file lists, and whether it still lives. It changes nothing, and trusts as little
//! as `revoke`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::main_job::story::{ROLE, Story};
use crate::support::{Cmd, Fake, Space, jwt, secret};

fn status(path: &Path) -> Cmd {
    Cmd::new(["status", "--state-file"]).args([path])
}

fn report(cmd: &Cmd) -> Value {
    serde_json::from_str(&cmd.clone().args(["--format", "json"]).run_both().expect(0).stdout).unwrap()
}

/// The kinds of a run's things, and whether they live.
fn lives(run: &Value) -> Vec<(String, Option<bool>)> {
    let lists = run["lists"].as_array().unwrap().iter();
    lists.map(|one| (one["kind"].as_str().unwrap().to_owned(), one["lives"].as_bool())).collect()
}

#[test]
fn what_lives_and_what_has_ended() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = (dir.path().join("state"), dir.path().join("key.json"));
    let nothing = report(&status(&path));
    assert_eq!((nothing["version"].as_u64(), nothing["runs"].as_array().unwrap().len()), (Some(1), 0));
    assert!(!path.exists() && nothing["exists"] == false, "{nothing:#}");
    let options = ["--state-file", path.to_str().unwrap(), "--format", "json", "--output"];
    story.run(["exoscale"]).args(options).args([&file]).run().expect(0);
    let before = fs::read(&path).unwrap();
    let first = report(&status(&path));
    assert_eq!(lives(&first["runs"][0]), [("token".to_owned(), Some(true)), ("file".to_owned(), Some(true))]);
    let ttl = first["runs"][0]["lists"][0]["ttl_seconds"].as_u64().unwrap();
    assert!((600..=900).contains(&ttl), "{first:#}");
    let table = status(&path).run_both().expect(0).stdout;
    assert!(table.contains("✓ token  accessor ") && table.contains("Vault knows it"), "{table}");
    // Behind ci-creds' back.
    let [accessor] = &space.login_tokens()[..] else { panic!("one token") };
    space.server.ok("POST", "auth/token/revoke-accessor", json!({"accessor": accessor}));
    fs::write(&file, "another").unwrap();
    let second = report(&status(&path));
    assert_eq!(
        lives(&second["runs"][0]),
        [("token".to_owned(), Some(false)), ("file".to_owned(), Some(false))],
        "{second:#}"
    );
    assert_eq!(fs::read(&path).unwrap(), before, "a look changed the file");
}

/// A policy such as `setup` prints lets no token look itself up: what Vault says then is not what it says of a token
/// that has ended.
#[test]
fn a_token_that_may_not_look_itself_up_lives() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let policy = space.may_read(&[&format!("{}/creds/{ROLE}", story.engine.mount)]);
    let narrow = json!({"token_policies": policy, "token_no_default_policy": true, "token_ttl": "15m"});
    story.jwt.role("narrow", narrow);
    let login = Cmd::new(["login", "--state-file"]).args([&path]).vault(space.server);
    login.jwt(&story.jwt, "narrow", &jwt::mint(json!({}))).run().expect(0);
    let told = report(&status(&path));
    assert_eq!(lives(&told["runs"][0]), [("token".to_owned(), Some(true))], "{told:#}");
    let table = status(&path).run_both().expect(0).stdout;
    assert!(table.contains("✓ token ") && table.contains("its policy does not let it"), "{table}");
    let [accessor] = &space.login_tokens()[..] else { panic!("one token") };
    space.server.ok("POST", "auth/token/revoke-accessor", json!({"accessor": accessor}));
    assert_eq!(lives(&report(&status(&path))["runs"][0]), [("token".to_owned(), Some(false))]);
}

/// A lease of a token that was given: looked up with VAULT_TOKEN, at the address that is set, or not at all.
#[test]
fn a_lease_is_asked_about_with_the_users_token() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let (_, cmd) =
        story.logins(&Cmd::new(["exoscale", "--state-file"]).args([&path])).into_iter().last().unwrap();
    cmd.run().expect(0);
    assert_eq!(lives(&report(&status(&path))["runs"][0]), [("lease".to_owned(), None)]);
    let root = status(&path).vault(space.server).env("VAULT_TOKEN", &space.server.root_token);
    assert_eq!(lives(&report(&root)["runs"][0]), [("lease".to_owned(), Some(true))]);
    let own = status(&path).vault(space.server).env("VAULT_TOKEN", &story.token);
    assert_eq!(lives(&report(&own)["runs"][0]), [("lease".to_owned(), Some(true))]);
    let nobody = space.token(&["nobody"], json!({"no_default_policy": true}));
    let narrow = status(&path).vault(space.server).env("VAULT_TOKEN", nobody);
    let told = report(&narrow);
    assert_eq!(lives(&told["runs"][0]), [("lease".to_owned(), None)]);
    let seen = told["runs"][0]["lists"][0]["seen"].as_str().unwrap();
    assert!(seen.contains("path \"sys/leases/lookup\""), "{seen}");
    // Elsewhere the token does not go.
    let fake = Fake::vault();
    let mut line: Value = serde_json::from_str(fs::read_to_string(&path).unwrap().trim()).unwrap();
    line["server"]["address"] = json!(format!("{}/", fake.addr));
    fs::write(&path, format!("{line}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let away = status(&path).vault(space.server).env("VAULT_TOKEN", secret());
    assert_eq!(lives(&report(&away)["runs"][0]), [("lease".to_owned(), None)]);
    assert!(fake.seen().is_empty(), "{:?}", fake.lines());
}

/// Another job's line is counted and not used, and a token of few uses is not spent on a look.
#[test]
fn what_is_not_asked_about() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    story.run(["exoscale", "--state-file", path.to_str().unwrap()]).run().expect(0);
    let other = status(&path).job(dir.path()).env("CI_JOB_TOKEN", "glcbt-64_0123456789abcdefghij");
    let told = report(&other);
    assert_eq!((told["others"].as_u64(), told["runs"].as_array().unwrap().len()), (Some(1), 0), "{told:#}");
    let counted = dir.path().join("counted");
    let policy = space.may_read(&[&format!("{}/creds/{ROLE}", story.engine.mount)]);
    let login = space.approle("few", json!({"token_policies": policy, "token_num_uses": 5}));
    let run = story.run(["exoscale", "--state-file", counted.to_str().unwrap()]);
    run.no_env("VAULT_TOKEN").approle(&login).run().expect(0);
    let uses = || {
        let token = fs::read_to_string(&counted).unwrap();
        let token: Value = serde_json::from_str(token.trim()).unwrap();
        let lookup = json!({"token": token["tokens"][0]["token"]});
        space.server.ok("POST", "auth/token/lookup", lookup)["data"]["num_uses"].as_u64()
    };
    let before = uses();
    assert_eq!(lives(&report(&status(&counted))["runs"][0]), [("token".to_owned(), None)]);
    assert_eq!(uses(), before);
}
