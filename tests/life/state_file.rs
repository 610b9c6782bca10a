//! The state file, and `ci-creds revoke`, which takes back what it lists.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{nothing_is_left, shell};
use crate::main_job::story::{ROLE, Story};
use crate::support::{Cmd, Options, Server, Space, eventually, say};

fn revoke(path: &Path) -> Cmd {
    Cmd::new(["revoke", "--state-file"]).args([path])
}

fn issue(story: &Story<'_>, path: &Path) {
    story.run(["exoscale", "--state-file", path.to_str().unwrap()]).run().expect(0);
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_it_lists_is_taken_back_once_and_for_all() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    issue(&story, &path);
    issue(&story, &path);
    assert_eq!((lines(&path).len(), story.engine.leases().len()), (2, 2));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(&path).unwrap().contains(&story.issuing_token));
    let run = revoke(&path).run_both();
    let nothing = format!(
        "ci-creds: revoke: nothing to take back: {} is not there, or lists nothing\n",
        path.display()
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, nothing.as_str()));
    nothing_is_left(&story);
    assert!(!path.exists());
}

/// A process that was killed while it wrote leaves a copy of all lines.
#[test]
fn what_a_killed_process_left_beside_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let copy = |name: &str, age: u64| {
        let path = dir.path().join(name);
        fs::write(&path, "{\"token\":\"hvs.CANARY\"}\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    };
    let (old, young, other) =
        (copy(".ci-creds-abCD12", 3600), copy(".ci-creds-abCD13", 0), copy(".ci-creds-notes.txt", 3600));
    revoke(&dir.path().join("state")).run_both().expect(0);
    assert!(!old.exists() && young.exists() && other.exists());
}

#[test]
fn auto_is_beside_the_checkout() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    story.run(["exoscale"]).job(dir.path()).env("CI_CREDS_STATE_FILE", "auto").run().expect(0);
    let path = dir.path().join("project.tmp/ci-creds.state");
    assert_eq!(lines(&path).len(), 1);
    // GitLab Runner's own folder may be root's, and writable by all.
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    story.run(["exoscale", "--state-file", "auto"]).job(dir.path()).run().expect(0);
    assert_eq!(lines(&path).len(), 2);
    Cmd::new(["revoke"]).job(dir.path()).run().expect(0);
    nothing_is_left(&story);
    assert!(!path.exists());
    Cmd::new(["revoke"]).run().expect(3);
    story.run(["exoscale", "--state-file", "auto"]).run().expect(3);
}

#[test]
fn a_token_that_has_ended_is_success() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    issue(&story, &path);
    let token = lines(&path)[0]["tokens"][0]["token"].as_str().unwrap().to_owned();
    assert_eq!(space.server.api_as(&token, "POST", "auth/token/revoke-self", Value::Null).status, 204);
    revoke(&path).run().expect(0);
    assert!(!path.exists());
}

#[test]
fn a_token_that_may_not_end_itself_is_named_and_stays_listed() {
    let (space, dir) = (Space::new(), tempfile::tempdir().unwrap());
    let (story, path) = (Story::new(&space), dir.path().join("state"));
    let policy = space.may_read(&[&format!("{}/creds/{ROLE}", story.engine.mount)]);
    let role = json!({"token_policies": policy, "token_no_default_policy": true, "token_ttl": "15m"});
    let login = space.approle("bare", role);
    let cmd = |args: &[&str]| story.run(["exoscale"]).no_env("VAULT_TOKEN").approle(&login).args(args);
    let lacks = "its policies lack path \"auth/token/revoke-self\"";
    let run = cmd(&["--", "/bin/true"]).run().expect(0);
    assert!(run.stderr.contains(lacks), "{run}");
    cmd(&["--state-file", path.to_str().unwrap()]).run().expect(0);
    let run = revoke(&path).run().expect(4);
    assert!(run.stderr.contains(lacks) && path.exists(), "{run}");
}

#[test]
fn what_others_may_read_or_replace_is_refused() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    issue(&story, &path);
    let refused = |path: &Path, reason: &str| {
        for cmd in [revoke(path), story.run(["exoscale", "--state-file", path.to_str().unwrap()])] {
            let run = cmd.run().expect(3);
            assert!(run.stderr.contains(reason), "{reason}: {run}");
        }
    };
    let (link, second) = (dir.path().join("link"), dir.path().join("second"));
    symlink(&path, &link).unwrap();
    refused(&link, "it is a symbolic link");
    refused(dir.path(), "state file");
    fs::hard_link(&path, &second).unwrap();
    refused(&path, "it has a second name");
    fs::remove_file(second).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    refused(&path, "others may read or write it");
    refused(&path, &format!("`chmod 600 {}`", path.display()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let run = story.run(["exoscale", "--state-file", open.join("state").to_str().unwrap()]).run().expect(3);
    assert!(run.stderr.contains("others may write its folder"), "{run}");
    if rustix::process::geteuid().is_root() {
        // Whoever owns it can rename and remove the file, whatever the mode.
        let foreign = dir.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        let path = foreign.join("state").display().to_string();
        let named = ["exoscale", "--state-file", &path];
        for mode in [0o700, 0o755, 0o1777] {
            fs::set_permissions(&foreign, fs::Permissions::from_mode(mode)).unwrap();
            chown(&foreign, Some(65_534), None).unwrap();
            let run = story.run(named).run().expect(3);
            assert!(run.stderr.contains("its folder is somebody else's"), "{run}");
            assert!(run.stderr.contains("--state-file or CI_CREDS_STATE_FILE"), "{run}");
        }
        // In a job the lines are sealed, and a container's folders may be a helper's.
        let secret = crate::support::secret();
        story.run(named).env("CI", "true").env("CI_JOB_TOKEN", &secret).run().expect(0);
        revoke(Path::new(&path)).env("CI", "true").env("CI_JOB_TOKEN", &secret).run().expect(0);
    } else {
        say("SKIPPED: only root can make the folder of somebody else");
    }
    let run = story.run(["exoscale", "--state-file", "state"]).job(dir.path()).run().expect(3);
    assert!(run.stderr.contains("inside the project directory"), "{run}");
    // A slash at the end of the checkout's path is none of the name of the folder beside it.
    let checkout = dir.path().join("checkout");
    fs::create_dir(&checkout).unwrap();
    let slash = format!("{}/", checkout.display());
    let auto = story.run(["exoscale", "--state-file", "auto"]).job(&checkout).env("CI_PROJECT_DIR", &slash);
    auto.run().expect(0);
    assert!(dir.path().join("checkout.tmp/ci-creds.state").exists());
    Cmd::new(["revoke"]).vault(space.server).job(&checkout).env("CI_PROJECT_DIR", &slash).run().expect(0);
    // None of these runs issued anything, and the first one can still be taken back.
    assert_eq!(story.engine.leases().len(), 1);
    revoke(&path).run().expect(0);
    nothing_is_left(&story);
}

#[test]
fn a_damaged_line_does_not_hold_up_the_others() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    issue(&story, &path);
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{{\"version\":1,\"id\"\n{good}")).unwrap();
    let run = revoke(&path).run().expect(3);
    assert!(run.stderr.contains("is damaged: line 1 is not one of ci-creds'"), "{run}");
    nothing_is_left(&story);
    let aside = dir.path().join("state.damaged");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "{\"version\":1,\"id\"\n");
    assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);
    // It holds nothing up the next time, and the next one is kept as well.
    assert!(!path.exists());
    fs::write(&path, "junk\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let run = revoke(&path).args(["--best-effort"]).run().expect(0);
    assert!(run.stderr.contains("warning: the state file") && !path.exists(), "{run}");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "{\"version\":1,\"id\"\njunk\n");
}

#[test]
fn what_can_not_be_reached_stays() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    issue(&story, &path);
    issue(&story, &path);
    let good = fs::read_to_string(&path).unwrap();
    let address = format!("{}/", space.server.addr);
    let first = good.lines().next().unwrap();
    let dead = first.replace(&address, "http://127.0.0.1:1/");
    fs::write(&path, good.replace(first, &dead)).unwrap();
    let run = revoke(&path).run().expect(5);
    assert!(run.stderr.contains("warning: ") && run.stderr.contains("run `ci-creds revoke` again"), "{run}");
    assert!(
        run.stderr.contains(&format!("error: not everything in {} was taken back: ", path.display())),
        "{run}"
    );
    assert_eq!((lines(&path).len(), story.engine.leases().len()), (1, 1));
    revoke(&path).args(["--best-effort"]).run().expect(0);
    assert_eq!(lines(&path).len(), 1);
    fs::write(&path, format!("{first}\n")).unwrap();
    revoke(&path).run().expect(0);
    nothing_is_left(&story);
}

#[test]
fn a_given_token_is_never_written_down() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let (_, login) =
        story.logins(&Cmd::new(["exoscale", "--state-file"]).args([&path])).into_iter().last().unwrap();
    login.run().expect(0);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&story.token) && lines(&path)[0]["leases"].as_array().unwrap().len() == 1);
    let run = revoke(&path).run().expect(3);
    assert!(run.stderr.contains("set VAULT_TOKEN"), "{run}");
    let revoke = |path| revoke(path).vault(space.server);
    let run = revoke(&path).env("VAULT_TOKEN", &story.token).run().expect(4);
    assert!(run.stderr.contains("path \"sys/leases/revoke\""), "{run}");
    assert_eq!(lines(&path).len(), 1);
    let rules = format!(
        "path \"sys/leases/revoke\" {{ capabilities = [\"update\"] allowed_parameters = {{ \"lease_id\" = [\"{}/creds/*\"] \"sync\" = [] }} }}",
        story.engine.mount
    );
    let token = space.token(&[&space.policy(&rules)], json!({"ttl": "5m"}));
    revoke(&path).env("VAULT_TOKEN", &token).run().expect(0);
    assert!(!path.exists());
    eventually("the lease is gone", || story.engine.leases().is_empty());
    assert!(space.is_alive(&story.token) && space.is_alive(&token));
}

#[test]
fn a_command_has_a_line_while_it_runs() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let options = ["--state-file", path.to_str().unwrap()];
    let run = shell(&story, &options, &format!("grep -c token {}", path.display())).run().expect(0);
    assert_eq!(run.stdout, "1\n");
    assert!(!path.exists());
    nothing_is_left(&story);
    // Outside of a job, what a killed process left is taken back by the next `revoke`.
    let running = shell(&story, &options, "echo ready >&2; exec sleep 20").spawn();
    running.wait_for_stderr("ready");
    running.signal(Signal::KILL);
    eventually("the line is there", || lines(&path).len() == 1);
    assert_eq!(story.engine.leases().len(), 1);
    revoke(&path).run().expect(0);
    nothing_is_left(&story);
    running.signal_group(Signal::KILL);
    running.wait().expect(137);
}

#[test]
fn files_with_credentials_go_too() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = (dir.path().join("state"), dir.path().join("credentials.json"));
    let args =
        ["--state-file", path.to_str().unwrap(), "--output", file.to_str().unwrap(), "--format", "json"];
    story.run(["exoscale"]).args(args).run().expect(0);
    assert!(file.exists());
    revoke(&path).run().expect(0);
    assert!(!file.exists() && !path.exists());
    nothing_is_left(&story);
}

/// What is left of the line are the names of the variables, for `scan`.
#[test]
fn nothing_is_listed_that_needs_no_taking_back() {
    let space = Space::new();
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"password": crate::support::secret()}));
    let policy = space.may_read(&[&format!("{kv}/app")]);
    let login = space.approle(ROLE, json!({"token_policies": policy, "token_ttl": "5m"}));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let cmd = Cmd::new(["read", &format!("{kv}/app"), "A=password", "--state-file"]).args([&path]);
    cmd.vault(space.server).approle(&login).run().expect(0);
    assert!(space.login_tokens().is_empty());
    let all = lines(&path);
    let listed = |kind: &str| all[0].get(kind).cloned().unwrap_or(json!([]));
    assert_eq!(all.len(), 1);
    assert_eq!(
        ["tokens", "leases", "files", "minted"].map(listed),
        [json!([]), json!([]), json!([]), json!([])]
    );
    assert_eq!(listed("names"), json!(["A"]));
    let run = revoke(&path).run().expect(0);
    assert!(run.stderr.contains("nothing to take back") && !path.exists(), "{run}");
}

/// The line says how to reach the server: no flag and no variable has to repeat it.
#[test]
fn it_knows_the_way() {
    let server = Server::start(&Options { tls: true, ..Options::default() });
    let space = Space::on(&server);
    let login = space.approle("ci", json!({"token_ttl": "5m"}));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let (addr, ca) = (server.addr.clone(), server.ca_cert());
    // A relative file, named from another folder than `revoke` runs in.
    let cmd = Cmd::new(["login", "--addr", &addr, "--ca-cert", ca.file_name().unwrap().to_str().unwrap()]);
    let cmd = cmd.args(["--state-file"]).args([&path]).dir(ca.parent().unwrap()).approle(&login);
    cmd.run().expect(0);
    assert_eq!(space.login_tokens().len(), 1);
    revoke(&path).run().expect(0);
    assert!(space.login_tokens().is_empty());
}
