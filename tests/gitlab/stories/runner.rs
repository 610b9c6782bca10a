//! AWS runners, by who they are.

use serde_json::json;

use super::{ADDR, apply, empty, is_denied, nothing_is_left, passes, register_aws};
use crate::gitlab::pipeline::Project;
use crate::logins::moto::{Keys, Moto};
use crate::support::plugins::aws_plugins;
use crate::support::{Fake, Reply, secret};

const ENGINE: &[&str] = &["aws/sts"];

/// The metadata service of EC2, version 2, and Fargate's container endpoint, in one.
fn runner_metadata(keys: &Keys) -> String {
    let document = json!({"Code": "Success", "RoleArn": "arn:aws:iam::123456789012:role/gitlab-runner",
        "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Token": keys.token,
        "Expiration": keys.expiration});
    let fake = Fake::new(move |seen| {
        let list = "/latest/meta-data/iam/security-credentials/";
        match seen.target() {
            "/latest/api/token" => Reply::text(200, "a-session"),
            target if target == list => Reply::text(200, "gitlab-runner"),
            target if target.starts_with(list) || target == "/task" => Reply::Json(200, document.clone()),
            _ => Reply::text(404, ""),
        }
    });
    fake.addr
}

#[test]
fn aws_runner_iam() {
    let Some(mut project) = Project::example("aws-runner-iam", &["sam", "aws"]) else { return };
    let (Some(plugins), Some(moto)) = (aws_plugins(), Moto::start()) else { return };
    let server = empty(Some(plugins.clone()));
    register_aws(&server, &plugins);
    let user =
        [("AWS_ACCESS_KEY_ID", "vault"), ("AWS_SECRET_ACCESS_KEY", &secret()), ("STS_ENDPOINT", &moto.addr)];
    apply(&server, "aws-runner-iam/engine.sh", &user);
    apply(&server, "aws-runner-iam/vault.sh", &[("STS_ENDPOINT", &moto.addr)]);
    let own = moto.assume("gitlab-runner");
    let metadata = runner_metadata(&own);
    let task = format!("{metadata}/task");
    project.set([(ADDR, server.addr.as_str()), ("SITE_BUCKET", "site")]);
    for (job, variable, value, program) in [
        ("deploy-from-ec2", "AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata, "sam deploy"),
        ("deploy-from-fargate", "AWS_CONTAINER_CREDENTIALS_FULL_URI", &task, "aws s3 sync public s3://site"),
    ] {
        project.set([(variable, value)]);
        let call = passes(&project, job, program);
        let key = call.env("AWS_ACCESS_KEY_ID").unwrap_or_default();
        assert!(key.starts_with("ASIA") && key != own.access_key, "{job}: {key}");
        assert!(
            call.env("AWS_SECRET_ACCESS_KEY").is_some() && call.env("AWS_SESSION_TOKEN").is_some(),
            "{job}"
        );
        nothing_is_left(&server, 0, ENGINE);
    }
    // Another role of the same account.
    let other = runner_metadata(&moto.assume("somebody-else"));
    project.set([("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{other}/task"))]);
    is_denied(&project, "deploy-from-fargate", "does not belong to the role");
    nothing_is_left(&server, 0, ENGINE);
}
