//! The logins beside the ID token: split custody, a pod's service account, an IAM role.

use serde_json::{Value, json};

use super::suffices::each_part_is_needed;
use super::world::{KINDS, World};
use crate::logins::aws::Cloud;
use crate::logins::{cert, kubernetes};
use crate::support::{Fake, Reply, bao, secret};

#[test]
fn split_custody_suffices_and_each_part_is_needed() {
    for kind in KINDS {
        let Some(mut world) = World::on(bao(), kind, "approle") else { continue };
        let script = world.printed(&[]);
        for _ in 0..2 {
            world.shell(&script).run().expect(0);
        }
        world.by_hand(&[]);
        assert!(script.contains("\n# The policy `default` is for "), "{script}");
        // The secret_id's path at least.
        assert!(each_part_is_needed(&world, &script) >= 1, "{kind}\n{script}");
    }
}

#[test]
fn neither_half_opens_anything() {
    let mut world = World::on(bao(), "kv1", "approle").unwrap();
    world.shell(&world.printed(&[])).run().expect(0);
    world.by_hand(&[]);
    let value = |name: &str| world.login_env.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let (role_id, issuing) = (value("VAULT_ROLE_ID"), value("VAULT_TOKEN"));
    let ask = |token: &str, method: &str, path: &str, body: Value| {
        world.space.server.api_as(token, method, &format!("{}/{path}", world.space.namespace), body)
    };
    assert_eq!(ask(&issuing, "GET", &world.run[1], Value::Null).status, 403);
    assert_eq!(ask("", "POST", "auth/approle/login", json!({"role_id": role_id})).status, 400);
    // It decides neither the uses nor the life of a secret_id, nor who has it, and reads nothing of the role.
    let path = "auth/approle/role/job/secret-id";
    for more in [json!({"num_uses": 0}), json!({"ttl": "9h"}), json!({"cidr_list": "0.0.0.0/0"})] {
        assert_eq!(ask(&issuing, "POST", path, more).status, 403);
    }
    for (method, path) in
        [("GET", "auth/approle/role/job/role-id"), ("LIST", path), ("GET", "auth/approle/role/job")]
    {
        assert_eq!(ask(&issuing, method, path, Value::Null).status, 403, "{path}");
    }
    let issued = ask(&issuing, "POST", path, json!({"metadata": "{\"job_id\": \"1\"}"})).body;
    let login = json!({"role_id": role_id, "secret_id": issued["data"]["secret_id"]});
    assert_eq!(ask("", "POST", "auth/approle/login", login.clone()).status, 200);
    assert_ne!(ask("", "POST", "auth/approle/login", login).status, 200, "it is good for one login");
}

#[test]
fn a_service_account_suffices_and_each_part_is_needed() {
    let cluster = Fake::new(|seen| {
        let review = seen.json();
        let user = json!({"username": "system:serviceaccount:ci:app-deployer", "uid": "u-1", "groups": []});
        let status = json!({"authenticated": true, "user": user, "audiences": review["spec"]["audiences"]});
        Reply::Json(
            201,
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}),
        )
    });
    for kind in KINDS {
        let Some(mut world) = World::on(bao(), kind, "kubernetes") else { continue };
        let script = world.printed(&[]);
        world.shell(&script).run().expect(0);
        let config = json!({"kubernetes_host": cluster.addr, "token_reviewer_jwt": secret(),
            "kubernetes_ca_cert": cert::ca("cluster").pem(), "disable_local_ca_jwt": true, "disable_iss_validation": true});
        world.space.write("auth/kubernetes/config", config);
        world.shell(&script).run().expect(0);
        let path = world.file("token", &kubernetes::token("ci", "app-deployer"));
        world.by_hand(&[("CI_CREDS_ID_TOKEN_FILE", &path)]);
        each_part_is_needed(&world, &script);
        for (namespace, name) in [("dev", "app-deployer"), ("ci", "other")] {
            world.file("token", &kubernetes::token(namespace, name));
            assert!(world.fault().is_some(), "{namespace}/{name}");
        }
    }
}

#[test]
fn an_iam_role_suffices_and_each_part_is_needed() {
    let Some(cloud) = Cloud::start() else { return };
    let cloud: &'static Cloud = Box::leak(Box::new(cloud));
    for kind in KINDS {
        let Some(mut world) = World::on(cloud.server(), kind, "aws") else { continue };
        world.space.write("sys/auth/aws", json!({"type": "aws-auth"}));
        let config = json!({"access_key": "vault", "secret_key": "vault", "sts_endpoint": cloud.moto.addr,
            "sts_region": "us-east-1", "iam_endpoint": cloud.moto.addr, "iam_server_id_header_value": "vault.example.com"});
        world.space.write("auth/aws/config/client", config);
        let script = world.printed(&[]);
        for _ in 0..2 {
            world.shell(&script).run().expect(0);
        }
        let keys = cloud.moto.assume("runner");
        let keys = [
            ("AWS_ACCESS_KEY_ID", &*keys.access_key),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret_key),
            ("AWS_SESSION_TOKEN", &keys.token),
            ("CI_CREDS_AWS_SERVER_ID", "vault.example.com"),
        ];
        world.by_hand(&keys);
        each_part_is_needed(&world, &script);
        let other = cloud.moto.assume("laptop");
        world.login_env.retain(|(name, _)| !name.starts_with("AWS_"));
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", other.access_key),
            ("AWS_SECRET_ACCESS_KEY", other.secret_key),
            ("AWS_SESSION_TOKEN", other.token),
        ] {
            world.login_env.push((name.to_owned(), value));
        }
        assert!(world.fault().is_some());
    }
}

/// A job may have an ID token for something else, and a runner the role_id of other jobs: the printed lines still say which
/// login is meant.
#[test]
fn the_jobs_lines_name_the_login_where_another_could_be_meant() {
    for (login, beside) in [("approle", "VAULT_ID_TOKEN"), ("jwt", "VAULT_ROLE_ID")] {
        let mut world = World::on(bao(), "kv1", login).unwrap();
        world.shell(&world.printed(&[])).run().expect(0);
        if login == "approle" {
            world.by_hand(&[]);
        }
        let lines = world.printed(&["--format", "gitlab"]);
        let (_, rest) = lines.split_once("  variables:\n").unwrap();
        let variables = rest.lines().map_while(|line| line.strip_prefix("    "));
        let variables: Vec<(String, String)> = variables
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
            .collect();
        let token = world.token(json!({}));
        for there in [false, true] {
            let job = world.job(&token, &["--state-file", "auto"]).envs(variables.clone());
            let job = if there { job.env(beside, &token) } else { job };
            let run = job.may_show_secrets().run();
            assert_eq!(run.code, 0, "{login}, with {beside}: {there}\n{lines}\n{run}");
        }
    }
}

#[test]
fn what_these_logins_need_is_asked_for() {
    let setup = |words: &[&str]| {
        crate::support::Cmd::new(["setup", "exoscale", "ci"]).args(words).run().expect(2).stderr
    };
    for (words, says) in [
        (vec!["--auth", "kubernetes"], "--service-account NAMESPACE/NAME"),
        (vec!["--auth", "kubernetes", "--service-account", "deployer"], "--service-account NAMESPACE/NAME"),
        (vec!["--auth", "kubernetes", "--service-account", "a/x", "--service-account", "b/y"], "other pairs"),
        (vec!["--auth", "aws"], "--principal is no ARN"),
        (vec!["--auth", "aws", "--principal", "arn:aws:iam::1:role/*"], "--principal is no ARN"),
    ] {
        let said = setup(&words);
        assert!(said.contains(says), "{words:?}: {said}");
    }
}
