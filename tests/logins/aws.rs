//! AWS IAM: the signature against a second implementation, and the login at the real method with moto as AWS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::moto::{Keys, Moto};
use super::{Target, assert_issued, file};
use crate::support::plugins::aws_plugins;
use crate::support::{Cmd, Fake, Options, Reply, Server, Space, secret};

/// A server with the AWS method, and the cloud that it asks.
pub struct Cloud {
    pub moto: Moto,
    server: Server,
}

impl Cloud {
    /// None where Go or Python is missing.
    pub fn start() -> Option<Self> {
        let (plugins, moto) = (aws_plugins()?, Moto::start()?);
        let options = Options { plugin_dir: Some(plugins), root_token: secret(), ..Options::default() };
        Some(Self { moto, server: Server::start(&options) })
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn space(&self) -> Space<'_> {
        Space::on(&self.server)
    }
}

/// The method, with a role for moto's IAM role `runner`.
pub struct Setup<'a> {
    pub target: Target<'a>,
    pub mount: String,
}

impl<'a> Setup<'a> {
    pub fn new(cloud: &Cloud, space: &'a Space<'a>) -> Self {
        let target = Target::new(space);
        let mount = space.name("aws");
        space.write(&format!("sys/auth/{mount}"), json!({"type": "aws-auth"}));
        let config = json!({"access_key": "vault", "secret_key": "vault", "sts_endpoint": cloud.moto.addr,
            "sts_region": "us-east-1", "iam_endpoint": cloud.moto.addr,
            "iam_server_id_header_value": "vault.example.com"});
        space.write(&format!("auth/{mount}/config/client"), config);
        let role = json!({"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::123456789012:role/runner",
            "resolve_aws_unique_ids": false, "token_policies": target.policy});
        space.write(&format!("auth/{mount}/role/runner"), role);
        Self { target, mount }
    }

    /// The command, without any AWS credentials.
    pub fn cmd(&self) -> Cmd {
        self.login(self.target.cmd())
    }

    fn login(&self, cmd: Cmd) -> Cmd {
        let cmd = cmd.env("VAULT_AUTH_METHOD", "aws").env("VAULT_AUTH_PATH", &self.mount);
        cmd.env("VAULT_AUTH_ROLE", "runner").env("CI_CREDS_AWS_SERVER_ID", "vault.example.com")
    }
}

/// Credentials in the environment.
pub fn keys(cmd: Cmd, keys: &Keys) -> Cmd {
    let cmd = cmd.env("AWS_ACCESS_KEY_ID", &keys.access_key).env("AWS_SECRET_ACCESS_KEY", &keys.secret_key);
    cmd.env("AWS_SESSION_TOKEN", &keys.token)
}

#[test]
fn botocore_signs_the_same() {
    let Some(moto) = Moto::start() else { return };
    let vault = Fake::new(|_| Reply::Json(400, json!({"errors": ["stop here"]})));
    let held =
        Keys { access_key: secret(), secret_key: secret(), token: secret(), expiration: String::new() };
    for (region, server_id) in
        [(None, None), (Some("eu-west-1"), Some("vault.example.com")), (Some("cn-north-1"), None)]
    {
        let cmd = keys(Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr), &held);
        let cmd =
            cmd.env("VAULT_AUTH_METHOD", "aws").env("CI_CREDS_AWS_SERVER_ID", server_id.unwrap_or_default());
        cmd.env("CI_CREDS_AWS_STS_REGION", region.unwrap_or_default()).run().expect(4);
        let login = vault.seen().last().unwrap().json();
        let text = |name: &str| {
            let bytes = STANDARD.decode(login[name].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let sent: Value = serde_json::from_str(&text("iam_request_headers")).unwrap();
        let mut headers = serde_json::Map::new();
        let mut ours = String::new();
        for (name, values) in sent.as_object().unwrap() {
            match name.as_str() {
                "authorization" => ours = values[0].as_str().unwrap().to_owned(),
                // botocore makes it of the address.
                "host" => assert!(text("iam_request_url").contains(values[0].as_str().unwrap())),
                _ => drop(headers.insert(name.clone(), values[0].clone())),
            }
        }
        assert_eq!(headers.contains_key("x-vault-aws-iam-server-id"), server_id.is_some());
        let region = region.unwrap_or("us-east-1");
        let (url, body) = (text("iam_request_url"), text("iam_request_body"));
        assert_eq!(ours, moto.sign(&url, &body, &Value::Object(headers), region, &held), "{region}");
    }
}

/// AWS says the signed text back when a signature is wrong, and Vault hands that on.
#[test]
fn a_session_token_that_is_said_back_is_masked() {
    let vault = Fake::new(|seen| {
        let login = seen.json();
        let headers = STANDARD.decode(login["iam_request_headers"].as_str().unwrap()).unwrap();
        let headers: Value = serde_json::from_slice(&headers).unwrap();
        let token = headers["x-amz-security-token"][0].as_str().unwrap();
        let said =
            format!("error making upstream request: SignatureDoesNotMatch: x-amz-security-token:{token}");
        Reply::Json(400, json!({"errors": [said]}))
    });
    let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).env("VAULT_AUTH_METHOD", "aws");
    let held = Keys {
        access_key: "AKIA".to_owned(),
        secret_key: secret(),
        token: secret(),
        expiration: String::new(),
    };
    insta::assert_snapshot!(keys(cmd, &held).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AWS IAM login at auth/aws
      caused by: error making upstream request: SignatureDoesNotMatch: x-amz-security-token:[secret]
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: was the credential changed, or is the region another than Vault's sts_region? --aws-sts-region
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

#[test]
fn the_real_method_accepts_it() {
    let Some(cloud) = Cloud::start() else { return };
    let space = cloud.space();
    let setup = Setup::new(&cloud, &space);
    let runner = cloud.moto.assume("runner");
    let cmd = keys(setup.cmd(), &runner);
    assert_issued(cmd.run_both());
    let refusals = [
        ("another principal", keys(setup.cmd(), &cloud.moto.assume("laptop"))),
        ("no such role", cmd.clone().env("VAULT_AUTH_ROLE", "nope")),
        ("no server id", cmd.clone().no_env("CI_CREDS_AWS_SERVER_ID")),
        ("another server id", cmd.clone().env("CI_CREDS_AWS_SERVER_ID", "other.example.com")),
        ("nothing mounted", cmd.clone().env("VAULT_AUTH_PATH", "nowhere")),
    ];
    let all: Vec<String> = refusals
        .iter()
        .map(|(what, cmd)| {
            let run = cmd.run_both().expect(4);
            assert!(!run.stderr.contains(&runner.token) && !run.stderr.contains(&runner.secret_key), "{run}");
            format!("== {what}\n{}", crate::support::stable(&run.stderr))
        })
        .collect();
    insta::assert_snapshot!(all.concat(), @r#"
    == another principal
    error: Vault refused the AWS IAM login at auth/X-aws, role runner
      caused by: IAM Principal "arn:aws:sts::123456789012:assumed-role/laptop/job" does not belong to the role "runner"
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: if an earlier `ci-creds aws` set AWS_ACCESS_KEY_ID, log in with the runner's own: --aws-source imds or CI_CREDS_AWS_SOURCE=imds
    hint: the role's bound_iam_principal_arn must name this principal (for an assumed role, the IAM role's ARN)
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    == no such role
    error: Vault refused the AWS IAM login at auth/X-aws, role nope
      caused by: entry for role nope not found
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: there is no role nope at auth/X-aws: set VAULT_AUTH_ROLE or --auth-role
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    == no server id
    error: Vault refused the AWS IAM login at auth/X-aws, role runner
      caused by: error validating X-Vault-AWS-IAM-Server-ID header: missing header "X-Vault-AWS-IAM-Server-ID"
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: --aws-server-id or CI_CREDS_AWS_SERVER_ID must be iam_server_id_header_value of auth/X-aws
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    == another server id
    error: Vault refused the AWS IAM login at auth/X-aws, role runner
      caused by: error validating X-Vault-AWS-IAM-Server-ID header: expected "vault.example.com" but got "other.example.com"
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: --aws-server-id or CI_CREDS_AWS_SERVER_ID must be iam_server_id_header_value of auth/X-aws
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    == nothing mounted
    error: Vault refused the AWS IAM login at auth/nowhere, role runner
      caused by: permission denied
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: is the AWS IAM method mounted at auth/nowhere? --auth-path or VAULT_AUTH_PATH names another mount, VAULT_NAMESPACE another namespace; else the address of this runner may not be among those that the role allows
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}

/// Story 3: the job's own AWS_* are the narrow ones; the runner's log in.
#[test]
fn after_ci_creds_aws_the_runners_credentials_still_log_in() {
    let Some(cloud) = Cloud::start() else { return };
    let space = cloud.space();
    let setup = Setup::new(&cloud, &space);
    let engine = space.kv1("aws");
    let narrow = cloud.moto.assume("deploy");
    let path = format!("{engine}/sts/deploy");
    let held = json!({"access_key": narrow.access_key, "secret_key": narrow.secret_key,
        "security_token": narrow.token, "ttl": "15m"});
    space.write(&path, held);
    let role = format!("auth/{}/role/runner", setup.mount);
    space.write(&role, json!({"token_policies": [setup.target.policy, space.may_read(&[&path])]}));
    let container = super::aws_sources::container(&cloud.moto.assume("runner"));
    let script = |second: &str| {
        let text = format!("eval $(ci-creds aws deploy); test -n \"$AWS_SESSION_TOKEN\"; eval $({second})");
        let cmd =
            crate::support::script("bash", &text).vault(space.server).env("CI_CREDS_AWS_MOUNT", &engine);
        let cmd = setup.login(cmd).env("CI_CREDS_EXOSCALE_MOUNT", &setup.target.mount);
        cmd.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/creds", container.addr))
    };
    insta::assert_snapshot!(crate::support::stable(&script("ci-creds exoscale ci -q").run().expect(4).stderr), @r#"
    ci-creds: aws (role deploy), valid 15m, until TIME
    error: Vault refused the AWS IAM login at auth/X-aws, role runner
      caused by: IAM Principal "arn:aws:sts::123456789012:assumed-role/deploy/job" does not belong to the role "runner"
      the AWS credentials came from AWS_ACCESS_KEY_ID
    hint: if an earlier `ci-creds aws` set AWS_ACCESS_KEY_ID, log in with the runner's own: --aws-source container or CI_CREDS_AWS_SOURCE=container
    hint: the role's bound_iam_principal_arn must name this principal (for an assumed role, the IAM role's ARN)
    hint: `ci-creds doctor exoscale ci -q` looks at each step of this run
    "#);
    script("ci-creds exoscale ci --aws-source container").run().expect(0);
}

#[test]
fn a_profile_is_read_from_the_shared_files() {
    let Some(cloud) = Cloud::start() else { return };
    let space = cloud.space();
    let setup = Setup::new(&cloud, &space);
    let held = cloud.moto.assume("runner");
    let section = |name: &str| {
        format!(
            "[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
            held.access_key, held.secret_key, held.token
        )
    };
    let (_dir, path) = file(&section("runner"));
    let cmd = setup.cmd().env("AWS_SHARED_CREDENTIALS_FILE", path);
    assert_issued(cmd.clone().env("AWS_PROFILE", "runner").run_both());
    insta::assert_snapshot!(cmd.env("AWS_PROFILE", "nope").run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there are no AWS credentials in the source profile
    hint: it needs a profile with aws_access_key_id and aws_secret_access_key (no SSO, no role to assume, no credential_process)
    ");
    // In HOME, without a name; and a web identity that moto exchanges.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), section("default")).unwrap();
    assert_issued(setup.cmd().env("HOME", home.path()).run_both());
    let (_token, token) = file(&crate::support::jwt::mint(json!({})));
    let web =
        setup.cmd().env("AWS_WEB_IDENTITY_TOKEN_FILE", token).env("AWS_ENDPOINT_URL_STS", &cloud.moto.addr);
    let web = web.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/runner");
    assert_issued(web.run_both());
}
