//! `--refresh`: a program with a real AWS SDK goes on after its first credentials have ended.

use std::path::Path;

use serde_json::json;

use crate::support::{Cmd, Space, python, secret};

/// Says which key it uses, a few times a second, and what else can reach the endpoint.
const PROGRAM: &str = r#"
import os, sys, time, urllib.error, urllib.request
import boto3
assert "AWS_ACCESS_KEY_ID" not in os.environ and "VAULT_TOKEN" not in os.environ
credentials = boto3.Session().get_credentials()
assert credentials.method == "container-role", credentials.method
keys, last, first = 0, None, time.monotonic()
# Two sets, and longer than the first one lives.
while (keys < 2 or time.monotonic() < first + 7) and time.monotonic() < first + 60:
    frozen = credentials.get_frozen_credentials()
    if frozen.access_key != last:
        last, keys = frozen.access_key, keys + 1
        print(last, frozen.secret_key, len(frozen.token), flush=True)
        print("has", last, file=sys.stderr, flush=True)
    time.sleep(0.2)
for headers in ({}, {"Authorization": "wrong"}):
    try:
        urllib.request.urlopen(urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers=headers))
    except urllib.error.HTTPError as error:
        print(error.code)
"#;

#[test]
fn boto3_goes_on_after_its_first_credentials_have_ended() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks/requirements.txt");
    let Some(bin) = python("test-sdks", &packages) else { return };
    let python = bin.join("python");
    let space = Space::new();
    let kv = space.kv1("aws");
    let issue = |name: &str| {
        let set = json!({"access_key": name, "secret_key": secret(), "session_token": secret(), "ttl": "5s"});
        space.write(&format!("{kv}/sts/web"), set);
    };
    issue("ASIAFIRST");
    let policy = space.may_read(&[&format!("{kv}/sts/web")]);
    let jwt = space.jwt();
    jwt.role(
        "web",
        json!({"bound_claims": {"project_id": "22"}, "token_policies": policy, "token_ttl": "60s"}),
    );
    let token = space.token(&[&policy], json!({"ttl": "60s"}));
    let common = || {
        let cmd = Cmd::new(["aws", "web", "--refresh", "--"]).args([&python]).args(["-c", PROGRAM]);
        cmd.vault(space.server).env("CI_CREDS_AWS_MOUNT", &kv).env("AWS_ACCESS_KEY_ID", "STALE")
    };
    let id_token = crate::support::jwt::mint(json!({}));
    // With a login that works again and again each set has a login of its own; a given token is used as it is.
    for cmd in [common().jwt(&jwt, "web", &id_token), common().env("VAULT_TOKEN", &token)] {
        issue("ASIAFIRST");
        let running = cmd.spawn();
        running.wait_for_stderr("has ASIAFIRST");
        issue("ASIASECOND");
        let run = running.wait().expect(0);
        let keys: Vec<_> = run.stdout.lines().collect();
        let size = secret().len();
        let expected = [
            format!("ASIAFIRST [MASKED] {size}"),
            format!("ASIASECOND [MASKED] {size}"),
            "403".to_owned(),
            "403".to_owned(),
        ];
        assert_eq!(keys, expected, "{run}");
        assert!(run.stderr.contains("ci-creds: fresh aws"), "{run}");
        assert!(space.login_tokens().is_empty());
    }
    assert!(space.is_alive(&token));
}
