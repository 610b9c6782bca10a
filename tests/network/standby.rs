//! What follows a write, through a standby that answers reads by itself: take-back, renewal, --refresh and doctor.

use std::time::Duration;

use serde_json::json;

use super::cluster::caught_up;
use crate::support::{Cluster, Cmd, Engine, Space, eventually, jwt, secret};

/// Fetches the credentials as an AWS SDK does: now, and again when the first ones have ended.
const PROGRAM: &str = r#"
import json, os, time, urllib.request
seen = []
for pause in (0, 6):
    time.sleep(pause)
    request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    request.add_header("Authorization", os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
    seen.append(json.load(urllib.request.urlopen(request))["AccessKeyId"])
print(*seen)
"#;

#[test]
fn leases_are_taken_back_through_a_standby() {
    let cluster = Cluster::shared();
    let space = Space::on(&cluster.server);
    let engine = Engine::new(&space, "db", json!({"ttl": "1m", "max_ttl": "1h"}));
    engine.role("ci");
    let path = format!("{}/creds/ci", engine.mount);
    let policy = space.may_read(&[&path]);
    // The lease lives longer than the token, so that the token is renewed after the read.
    let role = json!({"token_policies": [policy], "token_ttl": "30s", "token_max_ttl": "1h", "secret_id_num_uses": 1});
    let approle = space.approle("web", role);
    let issuing = space.issuing_token(&approle);
    caught_up(&cluster);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let read = |more: &[&str]| {
        Cmd::new(["read", &path, "DB_USER=username", "DB_PASSWORD=password"])
            .args(more)
            .split_custody(&approle, &issuing)
            .env("VAULT_AUTH_ROLE", &approle.role)
            .env("VAULT_ADDR", cluster.standby())
    };
    for _ in 0..5 {
        read(&["--", "true"]).run().expect(0);
        let run = read(&["--state-file", state.to_str().unwrap()]).may_show_secrets().run().expect(0);
        assert_eq!(engine.leases().len(), 1, "{run}");
        Cmd::new(["revoke", "--state-file"])
            .args([&state])
            .env("VAULT_ADDR", cluster.standby())
            .run()
            .expect(0);
        eventually("nothing is left", || engine.leases().is_empty() && engine.objects().is_empty());
    }
    assert!(space.login_tokens().is_empty());
    // doctor's own steps write, read and take back as well.
    let doctor = Cmd::new(["doctor", "read", &path, "DB_USER=username", "--issue"])
        .split_custody(&approle, &issuing)
        .env("VAULT_AUTH_ROLE", &approle.role)
        .env("VAULT_ADDR", cluster.standby());
    doctor.run().expect(0);
    eventually("doctor leaves nothing", || engine.leases().is_empty());
}

#[test]
fn refresh_goes_on_through_a_standby() {
    let cluster = Cluster::shared();
    let space = Space::on(&cluster.server);
    let kv = space.kv1("aws");
    let set =
        json!({"access_key": "ASIAKEY", "secret_key": secret(), "session_token": secret(), "ttl": "5s"});
    space.write(&format!("{kv}/sts/web"), set);
    let jwt = space.jwt();
    jwt.role(
        "web",
        json!({"token_policies": space.may_read(&[&format!("{kv}/sts/web")]), "token_ttl": "60s"}),
    );
    caught_up(&cluster);
    let run = Cmd::new(["aws", "web", "--refresh", "--", "python3", "-c", PROGRAM])
        .jwt(&jwt, "web", &jwt::mint(json!({})))
        .env("CI_CREDS_AWS_MOUNT", &kv)
        .env("VAULT_ADDR", cluster.standby())
        .run()
        .expect(0);
    assert_eq!(run.stdout.trim(), "ASIAKEY ASIAKEY", "{run}");
    assert!(run.elapsed > Duration::from_secs(5));
    eventually("each set's token is gone", || space.login_tokens().is_empty());
}
