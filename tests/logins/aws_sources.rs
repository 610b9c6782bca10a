//! Where a runner's AWS credentials are: the container and metadata endpoints, and what is wrong with them.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::aws::{Cloud, Setup, keys};
use super::moto::Keys;
use super::{assert_issued, file};
use crate::support::{Cmd, Fake, Reply, require, say, secret};

/// The endpoint of ECS, Fargate and EKS Pod Identity, with credentials behind a token.
pub(super) fn container(keys: &Keys) -> Fake {
    let keys = keys.clone();
    Fake::new(move |seen| match seen.header("authorization") {
        Some("wrong") => Reply::Json(401, json!({"message": "no"})),
        _ => Reply::Json(200, document(&keys)),
    })
}

fn document(keys: &Keys) -> Value {
    json!({"Code": "Success", "RoleArn": "arn:aws:iam::123456789012:role/runner", "AccessKeyId": keys.access_key,
        "SecretAccessKey": keys.secret_key, "Token": keys.token, "Expiration": keys.expiration})
}

/// EC2's metadata service, version 2.
fn imds(keys: &Keys) -> Fake {
    let (keys, token) = (keys.clone(), secret());
    Fake::new(move |seen| {
        let list = "GET /latest/meta-data/iam/security-credentials/";
        match seen.line.as_str() {
            "PUT /latest/api/token" => Reply::text(200, token.clone()),
            _ if seen.header("x-aws-ec2-metadata-token") != Some(token.as_str()) => Reply::text(401, ""),
            line if line == list => Reply::text(200, "runner"),
            line if *line == format!("{list}runner") => Reply::Json(200, document(&keys)),
            _ => Reply::text(404, ""),
        }
    })
}

#[test]
fn container_and_metadata_credentials_log_in() {
    let Some(cloud) = Cloud::start() else { return };
    let space = cloud.space();
    let setup = Setup::new(&cloud, &space);
    let runner = cloud.moto.assume("runner");
    let endpoint = container(&runner);
    let (_dir, token) = file(&format!("{}\n", secret()));
    // A proxy that is not there: nothing nearby goes through it.
    let cmd = setup.cmd().env("HTTP_PROXY", "http://127.0.0.1:1").env("HTTPS_PROXY", "http://127.0.0.1:1");
    let cmd = cmd.env("http_proxy", "http://127.0.0.1:1");
    let full = cmd.clone().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/creds", endpoint.addr));
    assert_issued(full.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token).run_both());
    let expected = std::fs::read_to_string(token).unwrap();
    assert_eq!(endpoint.seen()[0].header("authorization"), Some(expected.trim()));
    let metadata = imds(&runner);
    assert_issued(cmd.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.addr).run_both());
    assert_eq!(metadata.seen().len(), 6, "three requests in each of two runs");
}

/// Nothing here gets as far as Vault.
fn cmd() -> Cmd {
    let cmd =
        Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", "http://127.0.0.1:1").env("VAULT_AUTH_METHOD", "aws");
    cmd.env("AWS_EC2_METADATA_DISABLED", "true")
}

#[test]
fn what_is_missing_is_named() {
    insta::assert_snapshot!(cmd().run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there are no AWS credentials to log in with
    hint: set --aws-source or CI_CREDS_AWS_SOURCE to env, profile, container, imds or web-identity, and see what is missing there
    ");
    insta::assert_snapshot!(cmd().args(["--aws-source", "env"]).run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there are no AWS credentials in the source env
    hint: it needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    ");
    insta::assert_snapshot!(cmd().args(["--aws-source", "container"]).run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there are no AWS credentials in the source container
    hint: it needs AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI
    ");
    insta::assert_snapshot!(cmd().args(["--aws-source", "imds"]).run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there are no AWS credentials in the source imds
    hint: it needs the EC2 metadata service, which AWS_EC2_METADATA_DISABLED turns off
    ");
    insta::assert_snapshot!(cmd().args(["--aws-source", "sso"]).run_both().expect(2), @r"
    exit code: 2
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 2) && false
    ----- stderr -----
    error: --aws-source names a source that does not exist
    hint: the sources are env, web-identity, profile, container, imds
    ");
    // The first source that is there must work: the others are not asked.
    let half = cmd().env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_PROFILE", "p");
    insta::assert_snapshot!(half.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there are no AWS credentials in the source env
    hint: it needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    ");
}

#[test]
fn endpoints_that_fail_are_explained() {
    // A listener that never answers is what a hop limit of 1 looks like from a container.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let imds = cmd().no_env("AWS_EC2_METADATA_DISABLED");
    let hop = imds.clone().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &silent).args(["--aws-source", "imds"]);
    insta::assert_snapshot!(hop.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the EC2 metadata service gave no AWS credentials: 127.0.0.1:PORT did not answer within 1s
    hint: on EC2, in a container: the instance's http-put-response-hop-limit must be 2 (`aws ec2 modify-instance-metadata-options`)
    ");
    let unasked = imds.clone().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    insta::assert_snapshot!(unasked.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    warning: can't connect to 127.0.0.1:PORT; trying again
    error: the EC2 metadata service gave no AWS credentials: can't connect to 127.0.0.1:PORT
    hint: nothing else was found: no AWS_ACCESS_KEY_ID, profile, container endpoint or web identity
    hint: on EC2, in a container: the instance's http-put-response-hop-limit must be 2 (`aws ec2 modify-instance-metadata-options`)
    ");
    let off = Fake::new(|_| Reply::text(403, ""));
    insta::assert_snapshot!(imds.clone().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &off.addr).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: the EC2 metadata service gave no AWS credentials: IMDS access denied
    hint: does the instance have an IAM role, and are its metadata options enabled?
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let no_role = Fake::new(|seen| Reply::text(if seen.method() == "PUT" { 200 } else { 404 }, "t"));
    insta::assert_snapshot!(imds.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &no_role.addr).run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the EC2 metadata service gave no AWS credentials: instance metadata not found
    hint: does the instance have an IAM role, and are its metadata options enabled?
    ");
    let held =
        Keys { access_key: secret(), secret_key: secret(), token: secret(), expiration: String::new() };
    let endpoint = container(&held);
    let full = cmd().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/creds", endpoint.addr));
    let refused = full.clone().env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
    insta::assert_snapshot!(refused.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: the container endpoint gave no AWS credentials: ECS task not authorized to fetch credentials: {"message":"no"}
    hint: does the task have a task role? AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI names the endpoint
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let plain = full.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/creds");
    insta::assert_snapshot!(plain.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the container endpoint gave no AWS credentials: plain http to 192.0.2.1 is neither this machine nor AWS's endpoint
    hint: does the task have a task role? AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI names the endpoint
    ");
    let old = Keys { expiration: "2020-01-01T00:00:00Z".to_owned(), ..held };
    let old = container(&old);
    let old = cmd().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/creds", old.addr));
    insta::assert_snapshot!(old.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the AWS credentials can't be used: credential expires before the requested signing operation deadline
    hint: are they complete, and not expired? --aws-source chooses other ones
    ");
    let held = Keys {
        access_key: secret(),
        secret_key: secret(),
        token: "a\nb".to_owned(),
        expiration: String::new(),
    };
    let bad = keys(cmd(), &held);
    insta::assert_snapshot!(bad.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: AWS_SESSION_TOKEN has characters that can't be sent
    hint: give it as it was issued, on one line
    ");
}

/// GitLab's Fargate driver: the job has no variable of the task, the container's first process has.
#[test]
fn a_job_that_arrives_by_ssh_finds_the_task_role() {
    let tools = (require("unshare"), require("ip"), require("python3"));
    let (Some(unshare), Some(_), Some(python)) = tools else { return };
    let isolated = ["--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc"];
    let path = std::ffi::OsString::from("/usr/sbin:/usr/bin:/sbin:/bin");
    let inside = Cmd::program(unshare).args(isolated).env("PATH", path);
    if inside.clone().args(["true"]).run().code != 0 {
        say("SKIPPED: a_job_that_arrives_by_ssh_finds_the_task_role: this machine allows no namespaces");
        return;
    }
    let task = inside.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1").args([python]);
    let run = task.args(["-c", include_str!("fargate.py"), &crate::support::cmd::PROGRAM]).run();
    insta::assert_snapshot!(run.expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AWS IAM login at auth/aws
      caused by: stop here
      the AWS credentials came from AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}
