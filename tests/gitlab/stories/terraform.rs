//! Terraform, AWS and a database by ID token.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{
    ADDR, apply, apply_for, empty, gitlab_keys, is_denied, nothing_is_left, passes, readme, register_aws,
};
use crate::gitlab::pipeline::Project;
use crate::logins::moto::Moto;
use crate::support::plugins::aws_plugins;
use crate::support::{Postgres, jwt, openbao, secret};

/// What `terraform plan` does with its token, by the Vault provider: a child token, and with that the AWS credentials.
const PLAN: &str = r#"
[ "$1" = plan ] || exit 0
VAULT_TOKEN=$(vault token create -ttl=20m -field=token) || exit 1
export VAULT_TOKEN
exec vault read -field=arn web-aws/sts/web-pipeline
"#;

const ENGINES: &[&str] = &["web-aws/sts", "web-db/creds"];

#[test]
fn aws_jwt_terraform() {
    let recorders = ["terraform", "./migrate"];
    let Some(mut project) = Project::example("aws-jwt-terraform", &recorders) else { return };
    let (Some(plugins), Some(moto), Some(database)) = (aws_plugins(), Moto::start(), Postgres::start())
    else {
        return;
    };
    let password = secret();
    database.run(&format!("CREATE ROLE vault SUPERUSER LOGIN PASSWORD '{password}'"));
    database.run("CREATE ROLE web_owner");
    database.run("CREATE DATABASE web OWNER web_owner");
    let (server, issuer) = (empty(Some(plugins.clone())), gitlab_keys());
    register_aws(&server, &plugins);
    let engines = [
        ("AWS_ACCESS_KEY_ID", "vault"),
        ("AWS_SECRET_ACCESS_KEY", &secret()),
        ("STS_ENDPOINT", &moto.addr),
        ("DB_ADMIN_PASSWORD", &password),
        ("DB_ADDRESS", &format!("127.0.0.1:{}", database.port)),
    ];
    apply(&server, "aws-jwt-terraform/engine.sh", &engines);
    apply_for(&issuer, &server, "aws-jwt-terraform/vault.sh", &[]);
    project.set([(ADDR, server.addr.clone()), ("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer})))]);
    symlink(openbao::binary(), project.tools().join("vault")).unwrap();
    let terraform = project.tools().join("terraform");
    fs::write(&terraform, fs::read_to_string(&terraform).unwrap() + PLAN).unwrap();
    for (job, program, given, not) in [
        ("plan", "terraform plan", &["VAULT_TOKEN"][..], &["AWS_SECRET_ACCESS_KEY"][..]),
        (
            "apply",
            "terraform apply plan.tfplan",
            &["VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
            &[],
        ),
        ("migrate", "migrate", &["DB_USER", "DB_PASSWORD"], &["VAULT_TOKEN", "VAULT_ID_TOKEN"]),
    ] {
        let call = passes(&project, job, program);
        assert!(given.iter().all(|name| call.env(name).is_some()), "{job}: {given:?}");
        assert!(not.iter().all(|name| call.env(name).is_none()), "{job}: {not:?}");
        nothing_is_left(&server, 0, ENGINES);
        let (user, password) = (call.env("DB_USER").unwrap_or(""), call.env("DB_PASSWORD").unwrap_or(""));
        assert!(!database.works(user, password), "the database user is gone");
    }
    // README's job, on what this example has set up.
    let Some(mut page) = readme("deploy", &["terraform"]) else { return };
    page.set([(ADDR, server.addr.clone()), ("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer})))]);
    let call = passes(&page, "deploy", "terraform apply");
    assert!(call.env("AWS_SESSION_TOKEN").is_some() && call.env("VAULT_ID_TOKEN").is_none(), "{call:?}");
    nothing_is_left(&server, 0, ENGINES);
    project.set([("VAULT_ID_TOKEN", jwt::mint(json!({"iss": issuer, "ref": "dev"})))]);
    is_denied(
        &project,
        "plan",
        "run this job where the role allows it: its ref is not among the role's bound_claims",
    );
    nothing_is_left(&server, 0, ENGINES);
}
