//! Two jobs of one runner, by the template's own lines: the first one is hostile, and the folder beside the checkout
//! outlives it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::shell::{Story, scripts};
use crate::support::{Fake, Space, eventually, require, script, secret};

#[test]
fn what_an_earlier_job_writes_into_the_state_file_gets_nothing() {
    let space = Space::new();
    let story = Story::new(&space);
    let [before, after] = scripts(&story.inputs());
    for shell in ["bash", "dash", "busybox"].into_iter().filter(|shell| require(shell).is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let (mine, theirs) = (secret(), secret());
        let job = |text: &str, token: &str, id: &str| {
            let cmd = story.job(script(shell, text), &space, dir.path());
            cmd.env("CI_JOB_TOKEN", token).env("CI_JOB_ID", id).run()
        };
        let state = dir.path().join("project.tmp/ci-creds.state");
        // The job of somebody else was killed: its line is there, and no token is to be read in it.
        job(&before, &theirs, "1").expect(0);
        let killed = fs::read_to_string(&state).unwrap();
        let line: Value = serde_json::from_str(&killed).unwrap();
        assert!(line["sealed"].is_string() && line["tokens"].is_null(), "{shell}: {killed}");
        // The hostile one writes what it likes.
        let (fake, prey) = (Fake::vault(), dir.path().join("prey"));
        fs::write(&prey, "mine").unwrap();
        let server = json!({"address": format!("{}/", fake.addr), "namespace": null, "auth_namespace": null,
            "ca": {"system": {"file": null, "dir": null}}, "client": null, "server_name": null, "skip_verify": true,
            "proxy": null, "unix_socket": null, "timeout": 60, "redirect_hosts": [], "follow_redirects": true,
            "allow_http": true});
        let entry = json!({"made": prey, "goal": prey, "device": 0, "inode": 0, "size": 4, "digest": ""});
        let poisoned = |version: u32, files: Value| {
            json!({"version": version, "written": jiff::Timestamp::now().to_string(), "id": "x", "server": server,
                "tokens": [], "leases": [{"id": "aws/creds/admin/x", "ends": null}], "files": files})
        };
        let planted =
            [poisoned(1, json!([prey])), poisoned(2, json!([entry]))].map(|line| format!("{line}\n"));
        fs::write(&state, format!("{}{killed}", planted.concat())).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
        // The next one has a VAULT_TOKEN, the issuing one.
        job(&before, &mine, "2").expect(0);
        assert_eq!(story.engine.leases().len(), 2, "{shell}");
        let run = job(&after, &mine, "2").expect(0);
        assert!(fake.seen().is_empty(), "{shell}: {:?} {run}", fake.lines());
        assert_eq!(fs::read_to_string(&prey).unwrap(), "mine", "{shell}");
        // Its own lease is gone; the other one is the other job's, who may still take it back.
        eventually("its own lease is gone", || story.engine.leases().len() == 1);
        assert!(fs::read_to_string(&state).unwrap().contains(killed.trim()), "{shell}");
        job(&after, &theirs, "1").expect(0);
        eventually("nothing is left", || story.engine.leases().is_empty() && space.login_tokens().is_empty());
    }
}
