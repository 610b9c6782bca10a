//! The four examples, end to end: their Vault side is applied to an empty server as it is printed, their pipelines run
//! job by job. Replaced are the engines (engine.sh needs a cloud), the clouds' programs (by recorders), GitLab's keys
//! and API, AWS and the cluster (by stubs and moto). Each takes minutes on two cores, so that plain `cargo test` leaves
//! them to `--features soak`; it checks the examples against GitLab's schema all the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use super::pipeline::{Project, source};
use super::tools::output;
use crate::logins::moto::{Keys, Moto};
use crate::rotate::gitlab::Gitlab;
use crate::support::plugins::aws_plugins;
use crate::support::stub::{self, Request, Response};
use crate::support::{Engine, Options, Server, Space, eventually, jwt, openbao, secret};

/// Runs a script of an example as an administrator.
fn apply(server: &Server, script: &str, variables: &[(&str, &str)]) {
    let tools = tempfile::tempdir().unwrap();
    symlink(openbao::binary(), tools.path().join("vault")).unwrap();
    let mut command = Command::new("sh");
    command.arg(source(&format!("examples/{script}"))).env_clear().envs(variables.iter().copied());
    command.env("PATH", format!("{}:/usr/bin:/bin", tools.path().display())).env("HOME", tools.path());
    output(command.env("VAULT_ADDR", &server.addr).env("VAULT_TOKEN", &server.root_token));
}

/// A server as a new customer has it.
fn empty() -> Server {
    Server::start(&Options { root_token: secret(), ..Options::default() })
}

/// A GitLab that publishes the harness's key.
fn gitlab_keys() -> String {
    let keys = jwt::jwks();
    let addr = stub::serve(move |_: &Request| Some(Response::json("200 OK", &keys)));
    format!("http://{addr}")
}

/// Nothing that a job was given is alive: no lease, and no token but root's and `kept`.
#[track_caller]
fn nothing_is_left(server: &Server, kept: usize, leases: impl Fn() -> usize) {
    let tokens = || {
        let all = server.ok("LIST", "auth/token/accessors", Value::Null);
        all["data"]["keys"].as_array().unwrap().len()
    };
    eventually("no lease and no token is left", || leases() == 0 && tokens() == 1 + kept);
}

const ADDR: &str = "VAULT_ADDR";

#[test]
#[cfg_attr(not(feature = "soak"), ignore = "a pipeline takes minutes on two cores: --features soak")]
fn exoscale_approle() {
    let recorders = ["packer", "exo", "./smoke-test", "./wait-until-healthy"];
    let Some(mut project) = Project::example("exoscale-approle", &recorders) else { return };
    let (server, gitlab, issuer) = (empty(), Gitlab::new(), gitlab_keys());
    let space = Space::on(&server);
    apply(&server, "exoscale-approle/vault.sh", &[("GITLAB_URL", &issuer)]);
    // The engine: one with real leases, whose path and fields differ, so that the policy needs a line more.
    let engine = Engine::new(&space, "exoscale", json!({"ttl": "15m", "max_ttl": "30m"}));
    engine.role("gitlab-ci-runner");
    let policy = format!("path \"{}/creds/gitlab-ci-runner\" {{ capabilities = [\"read\"] }}", engine.mount);
    space.write("sys/policies/acl/exoscale-create-apikey", json!({"policy": policy}));
    // As the README says: role_id to the runner, issuing token to the project.
    let role_id = server.ok("GET", "auth/approle/role/gitlab-ci-runner/role-id", Value::Null);
    let made = space.write("auth/token/create/gitlab-ci-runner-secrets", json!({}));
    let issuing_token = made["auth"]["client_token"].as_str().unwrap();
    gitlab.variable("projects/22", "VAULT_TOKEN", issuing_token, &json!({}));
    project.set([
        (ADDR, server.addr.as_str()),
        ("VAULT_ROLE_ID", role_id["data"]["role_id"].as_str().unwrap()),
        ("VAULT_TOKEN", issuing_token),
        ("CI_CREDS_EXOSCALE_MOUNT", &engine.mount),
        ("CI_CREDS_EXOSCALE_PATH", "creds/{role}"),
        ("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password"),
    ]);
    let leases = || engine.leases().len() + engine.objects().len();
    for (job, programs) in [
        ("build", &["packer build hello.json"][..]),
        ("test", &["exo compute instance create", "smoke-test hello-", "exo compute instance delete"]),
        ("deploy", &["exo compute instance-pool update", "exo compute instance-pool scale"]),
    ] {
        project.run(&[job]).expect(0);
        let calls = project.calls();
        for program in programs {
            let call = calls
                .iter()
                .find(|call| call.line.starts_with(program))
                .unwrap_or_else(|| panic!("{calls:?}"));
            assert!(call.env("EXOSCALE_API_KEY").is_some() && call.env("EXOSCALE_API_SECRET").is_some());
        }
        nothing_is_left(&server, 1, leases);
    }

    // The schedule.
    let id_token = jwt::mint(json!({"iss": issuer}));
    let variables =
        [("CI_PIPELINE_SOURCE", "schedule"), ("CI_API_V4_URL", &gitlab.url), ("VAULT_ID_TOKEN", &id_token)];
    project.set(variables).set([("CI_CREDS_GITLAB_TOKEN", gitlab.token.as_str()), ("CI_PROJECT_ID", "22")]);
    let run = project.run(&["rotate-vault-token"]).expect(0);
    let new = gitlab.value();
    assert!(new != issuing_token, "{run}");
    nothing_is_left(&server, 2, leases);
    let ttl = server.ok("POST", "auth/token/lookup", json!({"token": issuing_token}))["data"]["ttl"].as_i64();
    assert!(ttl.is_some_and(|ttl| ttl <= 7200), "{ttl:?}");
    project.set([("CI_PIPELINE_SOURCE", "push"), ("VAULT_TOKEN", &new)]);
    project.run(&["build"]).expect(0);

    // A token that may not issue secret_ids: the job fails before its script.
    project.set([("VAULT_TOKEN", space.token(&["default"], json!({"ttl": "1h"})))]);
    let run = project.run(&["build"]);
    assert!(run.code != 0 && project.calls().is_empty(), "{run}");
    assert!(run.to_string().contains("Vault refused to issue a secret_id"), "{run}");
    nothing_is_left(&server, 3, leases);
}

#[test]
#[cfg_attr(not(feature = "soak"), ignore = "a pipeline takes minutes on two cores: --features soak")]
fn aws_jwt_terraform() {
    let Some(mut project) = Project::example("aws-jwt-terraform", &["terraform", "./migrate"]) else {
        return;
    };
    let (server, issuer) = (empty(), gitlab_keys());
    let space = Space::on(&server);
    apply(&server, "aws-jwt-terraform/vault.sh", &[("GITLAB_URL", &issuer)]);
    server.ok("POST", "sys/mounts/web-aws", json!({"type": "kv", "options": {"version": "1"}}));
    let triple =
        json!({"access_key": secret(), "secret_key": secret(), "security_token": secret(), "ttl": 900});
    space.write("web-aws/sts/web-pipeline", triple.clone());
    let engine = Engine::new(&space, "web-db", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("web");
    // The harness mounts each engine under a name of its own.
    server.ok("POST", "sys/remount", json!({"from": engine.mount, "to": "web-db"}));
    let leases = || space.leases("web-db/creds").len() + engine.objects().len();
    eventually("the engine is where the policy expects it", || {
        server.api("GET", "web-db/roles/web", Value::Null).status == 200
    });
    project.set([(ADDR, server.addr.clone()), ("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer})))]);
    for (job, program) in
        [("plan", "terraform plan"), ("apply", "terraform apply plan.tfplan"), ("migrate", "migrate")]
    {
        project.run(&[job]).expect(0);
        let calls = project.calls();
        let call =
            calls.iter().find(|call| call.line.starts_with(program)).unwrap_or_else(|| panic!("{calls:?}"));
        assert_eq!(call.env("VAULT_TOKEN").is_some(), job != "migrate", "{job}");
        assert_eq!(
            call.env("AWS_SECRET_ACCESS_KEY") == triple["secret_key"].as_str(),
            job == "apply",
            "{job}"
        );
        assert_eq!(
            call.env("DB_USER").is_some() && call.env("DB_PASSWORD").is_some(),
            job == "migrate",
            "{job}"
        );
        nothing_is_left(&server, 0, leases);
    }
    project.set([("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer, "ref": "dev"})))]);
    let run = project.run(&["plan"]);
    assert!(run.code != 0 && project.calls().is_empty(), "{run}");
    assert!(run.to_string().contains("the role's bound_claims must contain ref=dev"), "{run}");
    nothing_is_left(&server, 0, leases);
}

/// The metadata service of EC2, version 2, and Fargate's container endpoint, in one.
fn runner_metadata(keys: &Keys) -> String {
    let document = json!({"Code": "Success", "RoleArn": "arn:aws:iam::123456789012:role/gitlab-runner",
        "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Token": keys.token,
        "Expiration": keys.expiration});
    let addr = stub::serve(move |request: &Request| {
        let list = "/latest/meta-data/iam/security-credentials/";
        let text = |text: &str| Some(Response::new("200 OK", "", text.as_bytes()));
        match request.target.as_str() {
            "/latest/api/token" => text("a-session"),
            target if target == list => text("gitlab-runner"),
            target if target.starts_with(list) || target == "/task" => {
                Some(Response::json("200 OK", &document))
            }
            _ => Some(Response::new("404 Not Found", "", b"")),
        }
    });
    format!("http://{addr}")
}

#[test]
#[cfg_attr(not(feature = "soak"), ignore = "a pipeline takes minutes on two cores: --features soak")]
fn aws_runner_iam() {
    let Some(mut project) = Project::example("aws-runner-iam", &["sam", "aws"]) else { return };
    let (Some(plugins), Some(moto)) = (aws_plugins(), Moto::start()) else { return };
    // On Vault the method is called aws; the plugin of the tests has another name.
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("aws");
    fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", plugins.join("aws-auth").display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let plugin_dir = Some(dir.path().to_owned());
    let server = Server::start(&Options { root_token: secret(), plugin_dir, ..Options::default() });
    let space = Space::on(&server);
    apply(&server, "aws-runner-iam/vault.sh", &[("STS_ENDPOINT", &moto.addr)]);
    server.ok("POST", "sys/mounts/aws", json!({"type": "kv", "options": {"version": "1"}}));
    let triple =
        json!({"access_key": secret(), "secret_key": secret(), "security_token": secret(), "ttl": 900});
    space.write("aws/sts/deploy", triple.clone());
    let metadata = runner_metadata(&moto.assume("gitlab-runner"));
    let task = format!("{metadata}/task");
    project.set([(ADDR, server.addr.as_str()), ("SITE_BUCKET", "site")]);
    for (job, variable, value, program) in [
        ("deploy-from-ec2", "AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata, "sam deploy"),
        ("deploy-from-fargate", "AWS_CONTAINER_CREDENTIALS_FULL_URI", &task, "aws s3 sync public s3://site"),
    ] {
        project.set([(variable, value)]);
        project.run(&[job]).expect(0);
        let calls = project.calls();
        let call =
            calls.iter().find(|call| call.line.starts_with(program)).unwrap_or_else(|| panic!("{calls:?}"));
        assert_eq!(call.env("AWS_SECRET_ACCESS_KEY"), triple["secret_key"].as_str(), "{job}");
        assert_eq!(call.env("AWS_SESSION_TOKEN"), triple["security_token"].as_str(), "{job}");
        nothing_is_left(&server, 0, || 0);
    }
    // Another role of the same account.
    let other = runner_metadata(&moto.assume("somebody-else"));
    project.set([("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{other}/task"))]);
    let run = project.run(&["deploy-from-fargate"]);
    assert!(run.code != 0 && project.calls().is_empty(), "{run}");
    assert!(run.to_string().contains("does not belong to the role"), "{run}");
    nothing_is_left(&server, 0, || 0);
}

/// A cluster's TokenReview, which vouches for every token, as what it says it is.
fn cluster() -> String {
    let addr = stub::serve(|request: &Request| {
        let review: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let name = request.headers.get("authorization").and_then(|token| {
            let token = review["spec"]["token"].as_str().or_else(|| token.strip_prefix("Bearer "))?;
            let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
            Some(claims["sub"].as_str()?.to_owned())
        });
        let user = json!({"username": name, "uid": "u-1", "groups": ["system:serviceaccounts"]});
        let status =
            json!({"authenticated": name.is_some(), "user": user, "audiences": review["spec"]["audiences"]});
        let answer =
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status});
        Some(Response::json("201 Created", &answer))
    });
    format!("http://{addr}")
}

#[test]
#[cfg_attr(not(feature = "soak"), ignore = "a pipeline takes minutes on two cores: --features soak")]
fn scaleway_kubernetes() {
    let Some(mut project) = Project::example("scaleway-kubernetes", &["scw", "./deploy"]) else { return };
    let (server, dir) = (empty(), tempfile::tempdir().unwrap());
    let mut keys = Vec::new();
    for environment in ["dev", "preprod", "prod"] {
        let key = json!({"access_key": secret(), "secret_key": secret(), "project_id": "p-1"});
        fs::write(dir.path().join(format!("{environment}.json")), key.to_string()).unwrap();
        keys.push(key);
    }
    // This engine needs no cloud: it is set up as printed as well.
    apply(&server, "scaleway-kubernetes/engine.sh", &[("SCW_KEYS", dir.path().to_str().unwrap())]);
    let ca = rcgen::generate_simple_self_signed(["cluster".to_owned()]).unwrap().cert.pem();
    let variables = [("KUBERNETES_API", cluster()), ("KUBERNETES_CA", ca)];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    apply(&server, "scaleway-kubernetes/vault.sh", &variables);
    let pod = dir.path().join("token");
    project.set([(ADDR, server.addr.as_str()), ("CI_CREDS_ID_TOKEN_FILE", pod.to_str().unwrap())]);
    let namespace = |name: &str| {
        let account = json!({"namespace": name, "serviceaccount": {"name": "app-deployer", "uid": "u-1"}});
        let subject = format!("system:serviceaccount:{name}:app-deployer");
        fs::write(&pod, jwt::mint(json!({"kubernetes.io": account, "sub": subject, "aud": ["cluster"]})))
            .unwrap();
    };
    for (environment, branch, key) in
        [("dev", "main", &keys[0]), ("preprod", "preprod", &keys[1]), ("prod", "prod", &keys[2])]
    {
        namespace(environment);
        project.set([("CI_CREDS_SCALEWAY_ROLE", environment), ("CI_COMMIT_BRANCH", branch)]);
        project.run(&[&format!("deploy-{environment}")]).expect(0);
        let calls = project.calls();
        assert_eq!(calls.len(), 2, "{calls:?}");
        for call in &calls {
            assert_eq!(call.env("SCW_SECRET_KEY"), key["secret_key"].as_str(), "{call:?}");
        }
        assert_eq!(calls[1].line, format!("deploy {environment}"));
        nothing_is_left(&server, 0, || 0);
    }
    // A pod of dev that asks for prod's.
    namespace("dev");
    let run = project.run(&["deploy-prod"]);
    assert!(run.code != 0 && project.calls().is_empty(), "{run}");
    assert!(run.to_string().contains(r#"path "scaleway/creds/prod" { capabilities = ["read"] }"#), "{run}");
    nothing_is_left(&server, 0, || 0);
}
