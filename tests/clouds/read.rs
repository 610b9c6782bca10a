//! `read`: whatever else Vault issues.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::postgres::Postgres;
use crate::support::{Cmd, Engine, Space, eventually, require, script, secret};

fn job(space: &Space<'_>, cmd: Cmd, token: &str) -> Cmd {
    cmd.vault(space.server).env("VAULT_TOKEN", token)
}

#[test]
fn both_versions_of_kv_with_and_without_data() {
    let space = Space::new();
    let (kv1, kv2, password) = (space.kv1("one"), space.kv2("two"), secret());
    space.write(&format!("{kv1}/app"), json!({"password": password}));
    space.write(&format!("{kv2}/data/app"), json!({"data": {"password": password}}));
    // Who may read data/app only is refused at app: 403. Who may read all finds nothing there: 404.
    for (rule, path, told) in [
        (format!("{kv2}/data/app"), format!("{kv2}/data/app"), None),
        (format!("{kv2}/data/app"), format!("{kv2}/app"), Some("data/app, as it is KV version 2")),
        (format!("{kv2}/*"), format!("{kv2}/app"), Some("data/app, as it is KV version 2")),
        (format!("{kv1}/app"), format!("{kv1}/app"), None),
        (format!("{kv1}/app"), format!("{kv1}/data/app"), Some("/app, as it is KV version 1")),
    ] {
        let token = space.token(&[&space.may_read(&[&rule])], json!({}));
        let text = format!("eval $(ci-creds read {path} PASSWORD=password); echo \"$PASSWORD\"");
        let run = job(&space, script("dash", &text), &token).run().expect(0);
        assert_eq!(run.stdout, format!("{password}\n"), "{path}");
        assert_eq!(run.stderr.contains("as it is KV version"), told.is_some(), "{run}");
        assert!(told.is_none_or(|told| run.stderr.contains(told)), "{run}");
    }
    let nobody = space.token(&["default"], json!({}));
    let run = job(&space, Cmd::new(["read", &format!("{kv2}/app"), "A=b"]), &nobody).run().expect(4);
    assert!(run.stderr.contains(&format!("path and policy have data/: {kv2}/data/app")), "{run}");
}

#[test]
fn a_deleted_version_is_vaults_own_no() {
    let space = Space::new();
    let kv2 = space.kv2("two");
    space.write(&format!("{kv2}/data/app"), json!({"data": {"password": secret()}}));
    space.server.ok("DELETE", &format!("{kv2}/data/app"), Value::Null);
    let token = space.token(&[&space.may_read(&[&format!("{kv2}/data/app")])], json!({}));
    let run =
        job(&space, Cmd::new(["read", &format!("{kv2}/data/app"), "A=password"]), &token).run().expect(4);
    assert!(run.stderr.contains("caused by: this version of the secret is deleted or destroyed"), "{run}");
}

#[test]
fn numbers_booleans_nested_fields_and_many_lines() {
    let space = Space::new();
    let (kv, pem) = (space.kv1("kv"), format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", secret()));
    let data = json!({"big": 9_007_199_254_740_993_i64, "huge": 18_446_744_073_709_551_615_u64, "small": -7,
        "on": true, "rate": 0.25, "a.b": "exact", "a": {"b": "nested", "c": {"d": "deep"}}, "pem": pem});
    space.write(&format!("{kv}/all"), data);
    let token = space.token(&[&space.may_read(&[&format!("{kv}/all")])], json!({}));
    let pairs = "BIG=big HUGE=huge SMALL=small ON=on RATE=rate AB=a.b ACD=a.c.d PEM=pem";
    let show = "printf '%s|' \"$BIG\" \"$HUGE\" \"$SMALL\" \"$ON\" \"$RATE\" \"$AB\" \"$ACD\" \"$PEM\"";
    let expected = format!("9007199254740993|18446744073709551615|-7|true|0.25|exact|deep|{pem}|");
    let eval = format!("eval \"$(ci-creds read {kv}/all {pairs})\"; {show}");
    let child =
        format!("ci-creds read {kv}/all {pairs} --no-mask -- sh -c '{}'", show.replace('\'', "'\\''"));
    for text in [eval, child] {
        let run = job(&space, script("dash", &text), &token).run().expect(0);
        assert_eq!(run.stdout, expected, "{text}");
    }
    let args = ["read", &format!("{kv}/all"), "PEM=pem", "BIG=big"].map(str::to_owned);
    let run = job(&space, Cmd::new(&args).args(["--format", "json"]), &token).run().expect(0);
    let seen: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(seen["credentials"][0]["variables"]["PEM"], json!(pem));
    job(&space, Cmd::new(&args).args(["--format", "dotenv"]), &token).run().expect(6);
    let whole = job(&space, Cmd::new(["read", &args[1], "A=a"]), &token).run().expect(0);
    assert!(whole.stdout.contains("export A="), "{whole}");
    let wrong = job(&space, Cmd::new(["read", &args[1], "A=a.x"]), &token).run().expect(4);
    assert!(wrong.stderr.contains("no a.x") && wrong.stderr.contains("its fields: a, a.b, big"), "{wrong}");
}

/// Others could put another file in its place, as with --output.
#[test]
fn a_folder_of_others_for_files_is_named() {
    let (space, folder) = (Space::new(), tempfile::tempdir().unwrap());
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/kube"), json!({"config": secret()}));
    let token = space.token(&[&space.may_read(&[&format!("{kv}/kube")])], json!({}));
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let read = Cmd::new(["read", &format!("{kv}/kube"), "KUBECONFIG=@config"]);
    for command in [&["-q", "--format", "json"][..], &["-q", "--", "/bin/true"]] {
        let cmd = job(&space, read.clone().args(command), &token).env("TMPDIR", folder.path());
        for (mode, warned) in [(0o700, false), (0o755, false), (0o1777, false), (0o775, true), (0o777, true)]
        {
            set(folder.path(), mode);
            let run = cmd.clone().run().expect(0);
            assert_eq!(run.stderr.contains("others can replace files in"), warned, "{mode:o}: {run}");
        }
        // A value that goes into no file needs no folder.
        let text = Cmd::new(["read", &format!("{kv}/kube"), "A=config"]).inherit(&cmd).run().expect(0);
        assert!(!text.stderr.contains("others can replace"), "{text}");
        // GitLab Runner's own folder is writable by all in a container, where nobody else is.
        let own = folder.path().join("project.tmp");
        std::fs::create_dir_all(&own).unwrap();
        set(&own, 0o777);
        let run = cmd.clone().job(folder.path()).run().expect(0);
        assert!(!run.stderr.contains("others can replace"), "{run}");
    }
}

#[test]
fn a_value_in_a_file_goes_with_the_command_or_with_revoke() {
    let space = Space::new();
    let (kv, content, folder) =
        (space.kv1("kv"), format!("{}\nline two\n", secret()), tempfile::tempdir().unwrap());
    space.write(&format!("{kv}/kube"), json!({"config": content}));
    let token = space.token(&[&space.may_read(&[&format!("{kv}/kube")])], json!({}));
    let (tmp, state) = (folder.path().join("tmp"), folder.path().join("state"));
    std::fs::create_dir(&tmp).unwrap();
    let files = || std::fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let read = ["read", &format!("{kv}/kube"), "KUBECONFIG=@config"].map(str::to_owned);
    let show = ["--", "sh", "-c", "stat -c %a \"$KUBECONFIG\"; cat \"$KUBECONFIG\""];
    let command = job(&space, Cmd::new(&read).args(["--no-mask"]).args(show), &token).env("TMPDIR", &tmp);
    let run = command.clone().env("PATH", "/usr/bin:/bin").may_show_secrets().run().expect(0);
    assert_eq!(run.stdout, format!("600\n{content}"), "{run}");
    assert!(files().is_empty(), "{:?}", files());
    // Printed: the file stays until revoke.
    let state_file = ["--state-file", state.to_str().unwrap()];
    let printed = job(&space, Cmd::new(&read).args(["--format", "json"]), &token).env("TMPDIR", &tmp);
    let run = printed.clone().args(state_file).run().expect(0);
    let seen: Value = serde_json::from_str(&run.stdout).unwrap();
    let path = std::path::PathBuf::from(seen["credentials"][0]["variables"]["KUBECONFIG"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!run.stderr.contains("nobody removes"), "{run}");
    job(&space, Cmd::new(["revoke"]).args(state_file), &token).run().expect(0);
    assert!(!path.exists());
    // Without a state file nobody will, which is said; a run that fails leaves none.
    let run = printed.run().expect(0);
    assert!(run.stderr.contains("nobody removes the file again") && files().len() == 1, "{run}");
    printed.clone().args(["--output", "/nowhere/file"]).run().expect(6);
    printed.args(["GONE=gone"]).run().expect(4);
    assert_eq!(files().len(), 1);
}

#[test]
fn a_write_with_data_from_arguments_files_and_standard_input() {
    let space = Space::new();
    let transit = space.mount("transit", json!({"type": "transit"}));
    space.write(&format!("{transit}/keys/ci"), json!({}));
    let rules = format!("path \"{transit}/encrypt/ci\" {{ capabilities = [\"update\"] }}");
    let token = space.token(&[&space.policy(&rules)], json!({}));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plaintext");
    std::fs::write(&file, "c2VjcmV0\n").unwrap();
    for data in [
        vec!["plaintext=c2VjcmV0".to_owned()],
        vec![format!("plaintext=@{}", file.display())],
        vec!["plaintext=-".to_owned()],
    ] {
        let cmd = Cmd::new(["read", &format!("{transit}/encrypt/ci"), "OUT=ciphertext", "--format", "json"]);
        let cmd = data.iter().fold(cmd, |cmd, one| cmd.args(["--data", one]));
        let run = job(&space, cmd, &token).stdin("c2VjcmV0\n").run().expect(0);
        assert!(run.stdout.contains("vault:v1:"), "{data:?} {run}");
    }
    let path = format!("{transit}/encrypt/ci");
    let missing = ["read", &path, "OUT=ciphertext", "--data", "plaintext=@/nowhere"];
    let run = job(&space, Cmd::new(missing), &token).run().expect(3);
    assert!(run.stderr.contains("--data plaintext: /nowhere can't be read"), "{run}");
    let taken = ["read", &path, "OUT=ciphertext", "--data", "plaintext=-", "--", "true"];
    job(&space, Cmd::new(taken), &token).run().expect(2);
}

#[test]
fn a_database_user_for_psql_who_is_gone_afterwards() {
    let Some(postgres) = Postgres::start() else { return };
    let Some(psql) = require("psql") else { return };
    let space = Space::new();
    let mount = postgres.mount(&space, 1, 0.0);
    let policy = space.may_read(&[&format!("{mount}/creds/ci0")]);
    let login = space.approle("web", json!({"token_policies": policy, "token_ttl": "10m"}));
    let read = ["read", &format!("{mount}/creds/ci0"), "PGUSER=username", "PGPASSWORD=password"];
    let query = "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolvaliduntil IS NOT NULL";
    let command = Cmd::new(read).args(["--"]).args([psql.as_os_str()]);
    let port = postgres.port.to_string();
    let command = command.args(["-h", "127.0.0.1", "-p", &port, "-d", "postgres", "-AtXc", query]);
    let run = command.vault(space.server).approle(&login).env("PATH", "/usr/bin:/bin").run().expect(0);
    assert_eq!(run.stdout, "1\n", "{run}");
    eventually("the user is gone", || postgres.users().is_empty());
    assert!(space.login_tokens().is_empty());
}

#[test]
fn a_broker_s_user_by_the_same_leases() {
    let space = Space::new();
    let engine = Engine::new(&space, "mq", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("ci");
    let policy = space.may_read(&[&format!("{}/creds/ci", engine.mount)]);
    let login = space.approle("ci", json!({"token_policies": policy, "token_ttl": "20m"}));
    let path = format!("{}/creds/ci", engine.mount);
    let cmd = Cmd::new(["read", &path, "MQ_USER=username", "MQ_PASSWORD=password", "--", "env"]);
    let run = cmd.vault(space.server).approle(&login).env("PATH", "/usr/bin:/bin").run().expect(0);
    assert!(run.stdout.contains("MQ_USER=") && run.stdout.contains("MQ_PASSWORD="), "{run}");
    eventually("the user is gone", || engine.objects().is_empty() && engine.leases().is_empty());
}

/// A policy that has the capability refuses for another reason: that is what the hint says.
#[test]
fn a_policy_that_wants_more_is_not_asked_for_what_it_has() {
    let space = Space::new();
    let kv = space.kv1("kv");
    let path = format!("{kv}/app");
    space.write(&path, json!({"a": "b"}));
    let run = |rules: &str| {
        let policy = space.policy(&format!("path \"{path}\" {{ {rules} }}"));
        let token = space.token(&[&policy], json!({}));
        let cmd = Cmd::new(["read", &path, "A=a"]).vault(space.server).env("VAULT_TOKEN", token);
        cmd.run().expect(4)
    };
    let read = "capabilities = [\"read\"]";
    for more in ["min_wrapping_ttl = \"1s\" max_wrapping_ttl = \"90s\"", "required_parameters = [\"ticket\"]"]
    {
        let run = run(&format!("{read} {more}"));
        let hint = format!("the policy allows read at {path}, so something else in it refuses");
        assert!(run.stderr.contains(&hint) && !run.stderr.contains("must have"), "{more}: {run}");
        assert!(run.stderr.contains("(sent: nothing)"), "{run}");
    }
    let without = run("capabilities = [\"list\"]");
    assert!(without.stderr.contains("the policy must have: path"), "{without}");
}

/// Where there is no such namespace, that is said before anything about roles and policies.
#[test]
fn a_namespace_that_is_not_there_is_the_first_hint() {
    let space = Space::new();
    let kv = space.kv1("kv");
    let token = space.token(&[&space.may_read(&[&format!("{kv}/app")])], json!({}));
    let cmd = Cmd::new(["read", &format!("{kv}/app"), "A=a"]).vault(space.server).env("VAULT_TOKEN", token);
    let run = cmd.env("VAULT_NAMESPACE", "nope").run().expect(4);
    let first = run.stderr.lines().find(|line| line.starts_with("hint:")).unwrap_or_default();
    assert!(first.contains("VAULT_NAMESPACE"), "{run}");
}
