//! Build, test and deploy on Exoscale in split custody, and the rotation on its schedule.

use serde_json::{Value, json};

use super::{ADDR, apply, apply_for, empty, gitlab_keys, is_denied, nothing_is_left, passes, readme, sha256};
use crate::gitlab::pipeline::Project;
use crate::rotate::gitlab::Gitlab;
use crate::support::plugins::exoscale_plugin;
use crate::support::{Space, jwt, secret};

const ENGINE: &[&str] = &["exoscale/apikey"];

#[test]
fn exoscale_approle() {
    let recorders = ["packer", "exo", "./smoke-test", "./wait-until-healthy"];
    let Some(mut project) = Project::example("exoscale-approle", &recorders) else { return };
    let Some(plugins) = exoscale_plugin() else { return };
    let sum = sha256(&plugins.join("vault-plugin-secrets-exoscale"));
    let (server, gitlab, issuer) = (empty(Some(plugins)), Gitlab::new(), gitlab_keys());
    let space = Space::on(&server);
    let (key, secret) = (format!("EXO{}", crate::support::unique()), secret());
    let root = [("SHA256", &*sum), ("EXOSCALE_ROOT_KEY", &*key), ("EXOSCALE_ROOT_SECRET", &*secret)];
    apply(&server, "exoscale-approle/engine.sh", &root);
    apply_for(&issuer, &server, "exoscale-approle/vault.sh", &[]);
    // As the README says: role_id to the runner, issuing token to the project.
    let role_id = server.ok("GET", "auth/approle/role/gitlab-ci-runner/role-id", Value::Null);
    let made = space.write("auth/token/create/gitlab-ci-runner-issue", json!({}));
    let issuing_token = made["auth"]["client_token"].as_str().unwrap();
    gitlab.variable("projects/22", "VAULT_TOKEN", issuing_token, &json!({}));
    project.set([
        (ADDR, server.addr.as_str()),
        ("VAULT_ROLE_ID", role_id["data"]["role_id"].as_str().unwrap()),
        ("VAULT_TOKEN", issuing_token),
        ("CI_COMMIT_REF_PROTECTED", "true"),
    ]);
    for (job, programs) in [
        ("build", &["packer build hello.json"][..]),
        ("test", &["exo compute instance create", "smoke-test hello-", "exo compute instance delete"]),
        ("deploy", &["exo compute instance-pool update", "exo compute instance-pool scale"]),
    ] {
        project.run(&[job]).expect(0);
        let calls = project.calls();
        for program in programs {
            let call = calls.iter().find(|call| call.line.starts_with(program));
            let call = call.unwrap_or_else(|| panic!("{calls:?}"));
            assert!(call.env("EXOSCALE_API_KEY").is_some_and(|key| key.starts_with("EXO")), "{call:?}");
            assert!(call.env("EXOSCALE_API_SECRET").is_some(), "{call:?}");
        }
        nothing_is_left(&server, 1, ENGINE);
    }
    // README's job, on what this example has set up.
    let Some(mut page) = readme("build", &["packer"]) else { return };
    page.set([
        (ADDR, server.addr.as_str()),
        ("VAULT_ROLE_ID", role_id["data"]["role_id"].as_str().unwrap()),
        ("VAULT_TOKEN", issuing_token),
    ]);
    let call = passes(&page, "build", "packer build hello.json");
    assert!(call.env("EXOSCALE_API_SECRET").is_some(), "{call:?}");
    nothing_is_left(&server, 1, ENGINE);

    // The schedule.
    let id_token = jwt::mint(json!({"iss": issuer}));
    let variables =
        [("CI_PIPELINE_SOURCE", "schedule"), ("CI_API_V4_URL", &gitlab.url), ("VAULT_ID_TOKEN", &id_token)];
    project.set(variables).set([("CI_CREDS_GITLAB_TOKEN", gitlab.token.as_str()), ("CI_PROJECT_ID", "22")]);
    let run = project.run(&["rotate-vault-token"]).expect(0);
    let new = gitlab.value();
    assert!(new != issuing_token, "{run}");
    nothing_is_left(&server, 2, ENGINE);
    let ttl = server.ok("POST", "auth/token/lookup", json!({"token": issuing_token}))["data"]["ttl"].as_i64();
    assert!(ttl.is_some_and(|ttl| ttl <= 7200), "{ttl:?}");
    project.set([("CI_PIPELINE_SOURCE", "push"), ("VAULT_TOKEN", &new)]);
    passes(&project, "build", "packer build");
    nothing_is_left(&server, 2, ENGINE);

    // A token that may not issue secret_ids.
    project.set([("VAULT_TOKEN", space.token(&["default"], json!({"ttl": "1h"})))]);
    is_denied(&project, "build", "Vault refused to issue a secret_id");
    nothing_is_left(&server, 3, ENGINE);
}
