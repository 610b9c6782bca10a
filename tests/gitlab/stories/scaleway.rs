//! Scaleway from runners in Kubernetes: dev, preprod and prod.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{ADDR, apply, empty, is_denied, nothing_is_left, passes, sha256};
use crate::gitlab::pipeline::Project;
use crate::support::cmd::PROGRAM;
use crate::support::{Fake, Reply, jwt, secret};

/// A cluster's TokenReview, which vouches for every token, as what it says it is.
fn cluster() -> String {
    let fake = Fake::new(|seen| {
        let review = seen.json();
        let name = seen.header("authorization").and_then(|token| {
            let token = review["spec"]["token"].as_str().or_else(|| token.strip_prefix("Bearer "))?;
            let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
            Some(claims["sub"].as_str()?.to_owned())
        });
        let user = json!({"username": name, "uid": "u-1", "groups": ["system:serviceaccounts"]});
        let status =
            json!({"authenticated": name.is_some(), "user": user, "audiences": review["spec"]["audiences"]});
        let answer =
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status});
        Reply::Json(201, answer)
    });
    fake.addr
}

/// A GitLab with ci-creds in the package registry of project 11.
fn package_registry() -> String {
    let fake = Fake::new(|seen| {
        let known =
            seen.target().starts_with("/api/v4/projects/11/packages/generic/ci-creds/0.1.0/ci-creds-linux-");
        if known {
            Reply::text(200, fs::read(&*PROGRAM).unwrap())
        } else {
            Reply::Json(404, json!({"message": "404 Not found"}))
        }
    });
    format!("{}/api/v4", fake.addr)
}

#[test]
fn scaleway_kubernetes() {
    let Some(mut project) = Project::example("scaleway-kubernetes", &["scw", "./deploy"]) else { return };
    let (server, dir) = (empty(None), tempfile::tempdir().unwrap());
    let mut keys = Vec::new();
    for environment in ["dev", "preprod", "prod"] {
        let key = json!({"access_key": secret(), "secret_key": secret(), "project_id": "p-1"});
        fs::write(dir.path().join(format!("{environment}.json")), key.to_string()).unwrap();
        keys.push(key);
    }
    apply(&server, "scaleway-kubernetes/engine.sh", &[("SCW_KEYS", dir.path().to_str().unwrap())]);
    let ca = rcgen::generate_simple_self_signed(["cluster".to_owned()]).unwrap().cert.pem();
    let variables = [("KUBERNETES_API", cluster()), ("KUBERNETES_CA", ca)];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    apply(&server, "scaleway-kubernetes/vault.sh", &variables);
    let pod = dir.path().join("token");
    // ci-creds comes from the package registry alone.
    fs::remove_file(project.tools().join("ci-creds")).unwrap();
    let sum = sha256(Path::new(&*PROGRAM));
    project.set([
        (ADDR, server.addr.as_str()),
        ("CI_CREDS_ID_TOKEN_FILE", pod.to_str().unwrap()),
        ("CI_API_V4_URL", &package_registry()),
        ("CI_CREDS_SHA256", &sum),
    ]);
    let roles = json!({"dev": "dev", "preprod": "preprod", "prod": "prod"});
    project.set_scoped("CI_CREDS_SCALEWAY_ROLE", &roles);
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
        project.set([("CI_COMMIT_BRANCH", branch)]);
        passes(&project, &format!("deploy-{environment}"), "scw k8s cluster list");
        let calls = project.calls();
        assert_eq!(calls.len(), 2, "{calls:?}");
        for call in &calls {
            assert_eq!(call.env("SCW_SECRET_KEY"), key["secret_key"].as_str(), "{call:?}");
        }
        assert_eq!(calls[1].line, format!("deploy {environment}"));
        nothing_is_left(&server, 0, &[]);
    }
    // A pod of dev that asks for prod's.
    namespace("dev");
    is_denied(
        &project,
        "deploy-prod",
        "Vault refused the Kubernetes login at auth/kubernetes, role app-deployer-prod",
    );
    nothing_is_left(&server, 0, &[]);
}
