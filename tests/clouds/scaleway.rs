//! Scaleway: keys that are read, keys that are made, and what becomes of them.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::iam::{Fault, Iam, uuid};
use crate::support::{Cmd, Space, eventually, python, script, secret};

/// A job whose parent key stands in KV version 2, and Scaleway's API.
pub(super) struct Mint<'a> {
    pub space: &'a Space<'static>,
    pub iam: Iam,
    pub kv: String,
    pub token: String,
}

impl<'a> Mint<'a> {
    pub fn new(space: &'a Space<'static>) -> Self {
        let (iam, kv) = (Iam::new(), space.kv2("scaleway"));
        let data = json!({"access_key": iam.parent.0, "secret_key": iam.parent.1, "organization_id": uuid(),
            "region": "fr-par"});
        space.write(&format!("{kv}/data/creds/dev"), json!({"data": data}));
        let token = space.token(&[&space.may_read(&[&format!("{kv}/data/creds/dev")])], json!({}));
        Self { space, iam, kv, token }
    }

    pub fn env(&self, cmd: Cmd) -> Cmd {
        cmd.vault(self.space.server)
            .env("VAULT_TOKEN", &self.token)
            .env("CI_CREDS_SCALEWAY_MOUNT", &self.kv)
            .env("CI_CREDS_SCALEWAY_PATH", "data/creds/{role}")
            .env("CI_CREDS_SCALEWAY_APPLICATION_ID", &self.iam.application_id)
            .env("SCW_API_URL", &self.iam.url)
            .env("CI_PROJECT_PATH", "group/project")
            .env("CI_JOB_ID", "4242")
    }

    pub fn run(&self, args: &[&str]) -> Cmd {
        self.env(Cmd::new(["scaleway", "dev", "--mint"]).args(args))
    }

    pub fn log(&self) -> Vec<String> {
        self.iam.state().log.clone()
    }
}

#[test]
fn the_job_gets_a_key_of_its_own_and_never_the_parent() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let (text, project) = (
        "eval $(ci-creds scaleway dev --mint --ttl 10m -vv); echo \"$SCW_ACCESS_KEY $SCW_SECRET_KEY $SCW_DEFAULT_REGION $SCW_DEFAULT_PROJECT_ID\"",
        uuid(),
    );
    mint.iam.state().lag = 2;
    let run = mint.env(script("dash", text)).env("CI_CREDS_SCALEWAY_PROJECT_ID", &project).run().expect(0);
    let (name, key) = mint.iam.keys().pop_first().unwrap();
    assert_eq!(run.stdout, format!("{name} {} fr-par {project}\n", key.secret_key));
    assert_eq!(key.project_id.as_ref(), Some(&project));
    assert!(key.description.starts_with("ci-creds: job 4242 of group/project ("), "{key:?}");
    let life = key.expires_at.unwrap().duration_since(jiff::Timestamp::now()).as_secs();
    assert!((580..=600).contains(&life), "{life}");
    assert!(run.stderr.contains(&format!("scaleway {name} (role dev), valid ")), "{run}");
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(&mint.iam.parent.1) && !text.contains(&mint.iam.parent.0), "{run}");
    }
    assert!(!run.stderr.contains(&key.secret_key), "{run}");
    // The key is waited for until Scaleway knows it.
    let get = |status| format!("GET {status} {name}");
    assert_eq!(mint.log(), ["POST 200".to_owned(), get(401), get(401), get(403)]);
}

#[test]
fn whatever_fails_no_key_is_left_and_no_other_is_touched() {
    for (faults, code) in [
        (vec![Fault::Lost, Fault::Lost], 5),
        (vec![Fault::Gateway, Fault::Gateway], 5),
        (vec![Fault::Broken, Fault::Broken], 5),
        (vec![Fault::Endless], 5),
        (vec![Fault::TooMany; 2], 5),
        (vec![Fault::TooMany, Fault::Lost], 0),
        (vec![Fault::Gateway], 0),
    ] {
        let space = Space::new();
        let mint = Mint::new(&space);
        let other = mint.iam.other("ci-creds: job 4242 of group/project (0123456789abcdef)");
        mint.iam.state().faults.clone_from(&faults);
        let run = mint.run(&["--max-retries", "1", "--format", "json"]).run().expect(code);
        let keys = mint.iam.keys();
        assert!(keys.contains_key(&other), "{faults:?}: {run}");
        let left = if code == 0 { 2 } else { 1 };
        assert_eq!(keys.len(), left, "{faults:?}: {keys:?} {run}");
        if code == 0 {
            let given: Value = serde_json::from_str(&run.stdout).unwrap();
            let name = given["credentials"][0]["variables"]["SCW_ACCESS_KEY"].as_str().unwrap();
            assert!(keys.contains_key(name), "{run}");
        }
    }
}

#[test]
fn what_can_not_be_deleted_is_named() {
    let space = Space::new();
    let mint = Mint::new(&space);
    mint.iam.state().faults.push(Fault::Lost);
    mint.iam.state().down = true;
    let run = mint.run(&["--max-retries", "1"]).run().expect(5);
    let description = mint.iam.keys().pop_first().unwrap().1.description;
    assert!(run.stderr.contains(&description) && run.stderr.contains("ends within 15m by itself"), "{run}");
}

#[test]
fn what_scaleway_refuses_is_said_with_its_remedy() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let other = uuid();
    let run = mint.run(&["--application-id", &other]).run().expect(4);
    assert!(run.stderr.contains("Scaleway refused to create an API key"), "{run}");
    assert!(run.stderr.contains("an application of the parent's organization"), "{run}");
    mint.run(&["--application-id", "web"]).run().expect(2);
    mint.run(&[]).env("CI_CREDS_SCALEWAY_APPLICATION_ID", "web").run().expect(3);
    let run = mint.run(&[]).no_env("CI_CREDS_SCALEWAY_APPLICATION_ID").run().expect(3);
    assert!(run.stderr.contains("--application-id"), "{run}");
    mint.env(Cmd::new(["scaleway", "dev", "--application-id", &other])).run().expect(2);
    mint.env(Cmd::new(["scaleway", "dev", "--ttl", "5m"])).run().expect(3);
    let run = mint.run(&[]).env("SCW_API_URL", "http://api.example.com").run().expect(3);
    assert!(run.stderr.contains("SCW_API_URL is plain http"), "{run}");
    // A parent that is gone; the answer says the token back, and nothing of it is shown.
    let gone = uuid();
    let data = json!({"data": {"access_key": mint.iam.parent.0, "secret_key": gone}});
    space.write(&format!("{}/data/creds/dev", mint.kv), data);
    let run = mint.run(&["-vv"]).run().expect(4);
    assert!(run.stderr.contains("must be that of the parent") && !run.stderr.contains(&gone), "{run}");
    assert!(run.stderr.contains("denied for [secret]"), "{run}");
    assert!(mint.iam.keys().is_empty());
}

#[test]
fn a_run_that_fails_later_or_is_stopped_deletes_its_key() {
    let space = Space::new();
    let mint = Mint::new(&space);
    let run = mint.run(&["--and", "exoscale=none"]).run().expect(4);
    assert!(mint.log().iter().any(|line| line.starts_with("DELETE 204")), "{run}");
    mint.run(&["--s3", "--region", "Fr_Par"]).run().expect(3);
    mint.run(&["--output", "/proc/self/fd/1"]).run().expect(6);
    mint.run(&["--min-ttl", "1h"]).run().expect(6);
    assert!(mint.iam.keys().is_empty());
    mint.iam.state().faults.push(Fault::Slow);
    let running = mint.run(&[]).spawn();
    eventually("the key is made", || !mint.iam.keys().is_empty());
    running.signal(Signal::TERM);
    let run = running.wait();
    assert_eq!(run.code, 143, "{run}");
    assert!(mint.iam.keys().is_empty(), "{run}");
}

#[test]
fn every_shape_of_what_is_read() {
    let space = Space::new();
    let (kv1, kv2, key) = (space.kv1("one"), space.kv2("two"), secret());
    let plain =
        json!({"access_key": "SCW1", "secret_key": key, "default_project_id": "p", "region": "nl-ams"});
    let named = json!({"id": "SCW1", "deep": {"secret": key}, "project_id": "p", "default_region": "nl-ams"});
    space.write(&format!("{kv1}/creds/dev"), plain.clone());
    space.write(&format!("{kv2}/data/project/dev"), json!({"data": plain}));
    space.write(&format!("{kv1}/named/dev"), named);
    let token = space.token(&[&space.may_read(&[&format!("{kv1}/*"), &format!("{kv2}/*")])], json!({}));
    for args in [
        vec!["--mount", &kv1],
        vec!["--mount", &kv2, "--path", "data/project/{role}"],
        vec![
            "--mount",
            &kv1,
            "--path",
            "named/{role}",
            "--field",
            "access_key=id",
            "--field",
            "secret_key=deep.secret",
        ],
    ] {
        let text = format!(
            "eval $(ci-creds scaleway dev --s3 {}); env | grep -E '^(SCW|SCALEWAY|AWS)' | sort",
            args.join(" ")
        );
        let stale = [
            "SCW_TOKEN",
            "SCALEWAY_TOKEN",
            "SCALEWAY_ACCESS_KEY",
            "SCW_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_SECURITY_TOKEN",
            "AWS_CREDENTIAL_EXPIRATION",
        ];
        let job = script("dash", &text).vault(space.server).env("VAULT_TOKEN", &token);
        let run = job.envs(stale.map(|name| (name, "stale"))).run().expect(0);
        let expected = [
            "AWS_ACCESS_KEY_ID=SCW1",
            "AWS_DEFAULT_REGION=nl-ams",
            "AWS_ENDPOINT_URL_S3=https://s3.nl-ams.scw.cloud",
            "AWS_REGION=nl-ams",
            &format!("AWS_SECRET_ACCESS_KEY={key}"),
            "SCW_ACCESS_KEY=SCW1",
            "SCW_DEFAULT_PROJECT_ID=p",
            "SCW_DEFAULT_REGION=nl-ams",
            &format!("SCW_SECRET_KEY={key}"),
        ];
        assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected, "{args:?}");
    }
    let both = Cmd::new(["scaleway", "dev", "--s3", "--and", "aws=dev"]).vault(space.server);
    let run = both.env("VAULT_TOKEN", &token).env("CI_CREDS_SCALEWAY_MOUNT", &kv1).run().expect(2);
    assert!(run.stderr.contains("AWS_ACCESS_KEY_ID would be set twice, by scaleway and aws"), "{run}");
}

#[test]
fn scaleways_sdk_calls_the_api_with_the_job_s_key() {
    let requirements = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks/requirements.txt");
    let Some(bin) = python("test-sdks", &requirements) else { return };
    let space = Space::new();
    let mint = Mint::new(&space);
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.yaml");
    let client = "from scaleway import Client, ScalewayException\nfrom scaleway.iam.v1alpha1 import IamV1Alpha1API\n\
        client = Client.from_config_file_and_env()\nclient.validate()\ntry:\n  \
        IamV1Alpha1API(client).get_api_key(access_key=client.access_key)\nexcept ScalewayException as error:\n  \
        print(client.access_key, error.status_code)";
    let python = bin.join("python");
    let ask = format!("{} -c '{client}'", python.display());
    for text in [
        format!("eval $(ci-creds scaleway dev --mint --zone fr-par-1 --project-id {})\n{ask}", uuid()),
        format!(
            "ci-creds scaleway dev --mint --zone fr-par-1 --project-id {} --format scw-config --output {path}\n\
             SCW_CONFIG_PATH={path} {ask}",
            uuid(),
            path = config.display()
        ),
    ] {
        let run = mint.env(script("dash", &text)).env("HOME", home.path()).run().expect(0);
        // 403: the fake knows the key, which may not manage keys.
        let (name, status) = run.stdout.trim_end().split_once(' ').unwrap();
        assert!(mint.iam.keys().contains_key(name) && status == "403", "{run}");
    }
}
