//! Real faults of each kind, in each format, to stdout and to a file: the built program against a real server.

use std::fs;

use ci_creds::testing::emit::{FORMATS, Format};
use serde_json::json;

use crate::support::{Cmd, Fake, Reply, Space, bao, require, script, secret};

/// A provider, the KV entry that stands in for its engine's answer, and what its failure unsets.
struct Cloud {
    name: &'static str,
    path: &'static str,
    good: fn() -> serde_json::Value,
    /// The same without something that is needed.
    lacking: fn() -> serde_json::Value,
    /// The same with a value that only JSON can hold.
    odd: fn() -> serde_json::Value,
    unsets: &'static str,
}

const AWS: Cloud = Cloud {
    name: "aws",
    path: "sts/deploy",
    good: || json!({"access_key": "AKIA1", "secret_key": secret(), "session_token": secret(), "ttl": "20m"}),
    lacking: || json!({"secret_key": secret()}),
    odd: || json!({"access_key": "AKIA1", "secret_key": format!("{}\0", secret())}),
    unsets: "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION \
             AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE",
};

const SCALEWAY: Cloud = Cloud {
    name: "scaleway",
    path: "creds/deploy",
    good: || json!({"access_key": "SCW1", "secret_key": secret(), "expires_at": "20m"}),
    lacking: || json!({"access_key": "SCW1", "secret_key": null}),
    odd: || json!({"access_key": "SCW1", "secret_key": format!("{}\0", secret())}),
    unsets: "",
};

fn cloud(format: &Format) -> &'static Cloud {
    match format.provider {
        Some("scaleway") => &SCALEWAY,
        _ => &AWS,
    }
}

/// A fault: its name, the status, and what makes it.
type Fault = (&'static str, i32, Box<dyn Fn(Cmd, &Cloud) -> Cmd>);

fn faults(space: &Space<'static>) -> Vec<Fault> {
    let login = space.approle("ci", json!({}));
    let lone = login.clone();
    let stranger = space.token(&["default"], json!({}));
    let mounts: Vec<String> = ["lacking", "odd"].iter().map(|name| space.kv1(name)).collect();
    for cloud in [&AWS, &SCALEWAY] {
        space.write(&format!("{}/{}", mounts[0], cloud.path), (cloud.lacking)());
        space.write(&format!("{}/{}", mounts[1], cloud.path), (cloud.odd)());
    }
    let reader = space
        .token(&[&space.may_read(&[&format!("{}/*", mounts[0]), &format!("{}/*", mounts[1])])], json!({}));
    let (lacking, odd) = ((mounts[0].clone(), reader.clone()), (mounts[1].clone(), reader));
    let html = Fake::new(|_| Reply::text(200, "<html>sign in</html>")).addr;
    let broken = Fake::new(|_| Reply::Json(500, json!({"errors": ["1 error occurred:\n\t* no"]}))).addr;
    let at =
        |url: String| move |cmd: Cmd, _: &Cloud| cmd.env("VAULT_ADDR", &url).env("VAULT_MAX_RETRIES", "0");
    let from = |(mount, token): (String, String)| {
        move |cmd: Cmd, cloud: &Cloud| {
            cmd.env(format!("CI_CREDS_{}_MOUNT", cloud.name.to_uppercase()), &mount)
                .env("VAULT_TOKEN", &token)
        }
    };
    vec![
        ("an unknown option", 2, Box::new(|cmd, _| cmd.args(["--nope"]))),
        ("a surplus argument", 2, Box::new(|cmd, _| cmd.args(["a", "b"]))),
        ("no address", 3, Box::new(|cmd, _| cmd.no_env("VAULT_ADDR"))),
        ("no login", 3, Box::new(|cmd, _| cmd.no_env("VAULT_TOKEN"))),
        ("no role", 3, Box::new(|cmd, _| cmd.no_env("CI_CREDS_ROLE"))),
        ("two logins", 3, Box::new(|cmd, _| cmd.env("VAULT_ROLE_ID", "r").env("VAULT_ID_TOKEN", "j"))),
        ("a boolean that is none", 3, Box::new(|cmd, _| cmd.env("CI_CREDS_ALLOW_HTTP", "yes"))),
        (
            "a CA file that is missing",
            3,
            Box::new(|cmd, _| cmd.env("VAULT_ADDR", "https://127.0.0.1:1").env("VAULT_CACERT", "/no")),
        ),
        (
            "a wrong secret_id",
            4,
            Box::new(move |cmd, _| cmd.approle(&lone).env("VAULT_SECRET_ID", secret()).no_env("VAULT_TOKEN")),
        ),
        ("a policy that says no", 4, Box::new(move |cmd, _| cmd.env("VAULT_TOKEN", &stranger))),
        ("a missing field", 4, Box::new(from(lacking))),
        ("nobody there", 5, Box::new(at("http://127.0.0.1:1".to_owned()))),
        ("a sign-in page", 5, Box::new(at(html))),
        ("a broken engine", 5, Box::new(at(broken))),
        ("too short a life", 6, Box::new(|cmd, _| cmd.args(["--min-ttl", "2h"]))),
        ("a value for JSON only", 6, Box::new(from(odd))),
    ]
}

#[test]
fn every_fault_in_every_format() {
    let space = Space::new();
    let mount = space.kv1("good");
    for cloud in [&AWS, &SCALEWAY] {
        space.write(&format!("{mount}/{}", cloud.path), (cloud.good)());
    }
    let token = space.token(&[&space.may_read(&[&format!("{mount}/*")])], json!({}));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    for (what, code, spoil) in faults(&space) {
        for format in FORMATS {
            if what == "a value for JSON only" && format.name == "json" {
                continue;
            }
            let cloud = cloud(format);
            let ready = |cmd: Cmd| {
                let mount_variable = format!("CI_CREDS_{}_MOUNT", cloud.name.to_uppercase());
                let cmd = cmd.vault(bao()).env("VAULT_TOKEN", &token).env(mount_variable, &mount);
                cmd.env("CI_CREDS_ROLE", "deploy").env("CI_CREDS_FORMAT", format.name)
            };
            let at = format!("{what} as {}", format.name);

            let run = spoil(ready(Cmd::new([cloud.name])), cloud).run();
            assert_eq!(run.code, code, "{at}: {run}");
            let unsets = if code == 2 { "" } else { cloud.unsets };
            assert_eq!(run.stdout, statement(format, unsets, code), "{at}: {run}");

            fs::write(&file, "old").unwrap();
            let to_file = Cmd::new([cloud.name]).env("CI_CREDS_OUTPUT", &file).env("CI_CREDS_FORCE", "true");
            let run = spoil(ready(to_file), cloud).run();
            assert_eq!(run.code, code, "{at}, to a file: {run}");
            // What can't be parsed may have been meant for stdout.
            let expected = if code == 2 { statement(format, "", 2) } else { String::new() };
            assert_eq!(run.stdout, expected, "{at}, to a file: {run}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "old", "{at}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{at}: something is left behind");

            // The arguments that spoil it stand behind `--nope a b` and the like: "$@" of the script.
            let (shell, text) = match format.name {
                "sh" => ("dash", format!("eval $(ci-creds {} \"$@\")\necho went on", cloud.name)),
                "fish" => ("fish", format!("eval (ci-creds {} $argv); or exit\necho went on", cloud.name)),
                _ => ("dash", format!("ci-creds {} \"$@\" >{}\necho went on", cloud.name, file.display())),
            };
            if require(shell).is_some() {
                let script = script(shell, &text);
                let script = script.args([if shell == "dash" { "dash" } else { "--" }]);
                let run = spoil(ready(script).env("AWS_ACCESS_KEY_ID", "old"), cloud).run();
                assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{at}, in a script: {run}");
            }
        }
    }
}

fn statement(format: &Format, unsets: &str, code: i32) -> String {
    let names: Vec<String> = unsets.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    format.failure.map_or_else(String::new, |failure| failure(&names, u8::try_from(code).unwrap()))
}

#[test]
fn a_format_of_another_provider_is_refused_before_the_login() {
    for (args, reason) in [
        (
            "exoscale ci --format aws-credentials",
            "aws-credentials is a format for aws, and has no place for exoscale",
        ),
        ("aws ci --format scw-config", "scw-config is a format for scaleway, and has no place for aws"),
        (
            "aws ci --and login --format aws-credential-process",
            "aws-credential-process is a format for aws, and has no place for login",
        ),
        (
            "read a/b A=b --format scw-config",
            "scw-config is a format for scaleway, and has no place for read",
        ),
    ] {
        // Nobody listens there: a login would fail with 5.
        let cmd =
            Cmd::new(args.split(' ')).env("VAULT_ADDR", "http://127.0.0.1:1").env("VAULT_TOKEN", secret());
        let run = cmd.run().expect(6);
        assert!(run.stderr.contains(reason), "{run}");
        assert_eq!(run.stdout, "");
    }
}

/// `(exit N)` for what can't be parsed, in the format that was probably meant.
#[test]
fn what_is_no_command_fails_an_eval() {
    for (args, stdout) in [
        ("exoscal", " false && true; (exit 2) && false\n"),
        ("exoscale --formt fish", " false && true; (exit 2) && false\n"),
        ("exoscale a b --format json", ""),
        ("exoscale a b --format=dotenv", ""),
        ("exoscale --nope --format what", " false && true; (exit 2) && false\n"),
    ] {
        assert_eq!(Cmd::new(args.split(' ')).run().expect(2).stdout, stdout, "{args}");
    }
    let run = Cmd::new(["exoscal", "--format", "fish"]).run().expect(2);
    assert!(run.stdout.contains("return 2; end"), "{run}");
    assert_eq!(Cmd::new([""; 0]).run().expect(2).stdout, " false && true; (exit 2) && false\n");
}
