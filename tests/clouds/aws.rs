//! Vault's real AWS engine (v1.14.10, on OpenBao) in front of moto, and boto3 with what ci-creds exported.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Cmd, Fake, Options, Reply, Server, Space, eventually, plugins, python, script, secret};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// moto, which ends with its standard input: with this process.
struct Moto {
    url: String,
    access_key: String,
    secret_key: String,
    _running: (Child, ChildStdin),
}

impl Moto {
    fn start(bin: &Path, mode: &str) -> Self {
        let mut command = Command::new(bin.join("python"));
        command.arg(file("clouds/aws_cloud.py")).arg(mode).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("moto starts");
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let stdin = child.stdin.take().unwrap();
        let (url, access_key, secret_key) = (text("url"), text("access_key"), text("secret_key"));
        Self { url, access_key, secret_key, _running: (child, stdin) }
    }
}

/// A server with the engine, and AWS behind it: with checks of signatures, and without.
struct World {
    server: Server,
    bin: PathBuf,
    strict: Moto,
    open: Moto,
}

fn world() -> Option<&'static World> {
    static WORLD: OnceLock<Option<World>> = OnceLock::new();
    let make = || {
        let plugin_dir = Some(plugins::aws_plugins()?);
        let bin = python("test-sdks", &file("sdks/requirements.txt"))?;
        let (strict, open) = (Moto::start(&bin, "strict"), Moto::start(&bin, "open"));
        let server = Server::start(&Options { plugin_dir, root_token: secret(), ..Options::default() });
        Some(World { server, bin, strict, open })
    };
    WORLD.get_or_init(make).as_ref()
}

/// A mounted engine in front of one of the two.
struct Aws<'a> {
    space: &'a Space<'static>,
    world: &'static World,
    moto: &'static Moto,
    mount: String,
}

impl<'a> Aws<'a> {
    fn new(space: &'a Space<'static>, world: &'static World, moto: &'static Moto) -> Self {
        let mount = space.mount("aws", json!({"type": "aws-engine"}));
        let config = json!({"access_key": moto.access_key, "secret_key": moto.secret_key, "region": "us-east-1",
            "iam_endpoint": moto.url, "sts_endpoint": moto.url, "max_retries": 0});
        space.write(&format!("{mount}/config/root"), config);
        space.write(&format!("{mount}/config/lease"), json!({"lease": "20m", "lease_max": "1h"}));
        Self { space, world, moto, mount }
    }

    fn role(&self, name: &str, params: Value) {
        self.space.write(&format!("{}/roles/{name}", self.mount), params);
    }

    /// A token whose policy has these rules: capability and path inside the mount.
    fn token(&self, rules: &[(&str, &str)]) -> String {
        let rule = |(capability, path): &(&str, &str)| {
            format!("path \"{}/{path}\" {{ capabilities = [\"{capability}\"] }}\n", self.mount)
        };
        let policy = self.space.policy(&rules.iter().map(rule).collect::<String>());
        self.space.token(&[&policy], json!({"ttl": "1h"}))
    }

    fn job(&self, cmd: Cmd, token: &str) -> Cmd {
        cmd.vault(self.space.server)
            .env("VAULT_TOKEN", token)
            .env("CI_CREDS_AWS_MOUNT", &self.mount)
            .env("AWS_ENDPOINT_URL_STS", &self.moto.url)
    }

    /// Evaluates `ci-creds ARGS` and asks boto3 who it is then; the arn, and what ci-creds said.
    fn whoami(&self, args: &str, token: &str) -> (Value, String) {
        let python = self.world.bin.join("python");
        let client = file("clouds/aws_client.py");
        let stale = "export AWS_SESSION_TOKEN=STALE AWS_SECURITY_TOKEN=STALE AWS_PROFILE=stale";
        let ask = format!("{} {} whoami {}", python.display(), client.display(), self.moto.url);
        let text = format!("{stale}\neval $(ci-creds {args})\n{ask}");
        let run = self.job(script("dash", &text), token).run().expect(0);
        (serde_json::from_str(&run.stdout).unwrap(), run.stderr)
    }

    /// Every IAM user's keys at AWS.
    fn keys(&self) -> Value {
        let python = Cmd::program(self.world.bin.join("python")).args([file("clouds/aws_client.py")]);
        let pair =
            [("AWS_ACCESS_KEY_ID", &self.moto.access_key), ("AWS_SECRET_ACCESS_KEY", &self.moto.secret_key)];
        let run = python.args(["keys", &self.moto.url]).envs(pair).run().expect(0);
        serde_json::from_str(&run.stdout).unwrap()
    }
}

const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const DEPLOY: &str = "arn:aws:iam::123456789012:role/deploy";
const AUDIT: &str = "arn:aws:iam::123456789012:role/audit";

#[test]
fn an_assumed_role_with_every_option() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.strict);
    aws.role("web", json!({"credential_type": "assumed_role", "role_arns": [DEPLOY, AUDIT]}));
    let token = aws.token(&[("read", "sts/web")]);
    let options =
        format!("aws web --role-arn {AUDIT} --role-session-name job-42 --ttl 20m --region eu-central-1");
    let (who, said) = aws.whoami(&options, &token);
    assert_eq!(who["arn"], "arn:aws:sts::123456789012:assumed-role/audit/job-42");
    assert_eq!(who["region"], "eu-central-1");
    assert!(said.contains("assumed-role/audit/job-42 (role web), valid "), "{said}");
    assert!(said.contains("valid 20m, until ") || said.contains("valid 19m5"), "{said}");
    let (who, _) = aws.whoami(&format!("aws web --role-arn {DEPLOY}"), &token);
    assert!(who["arn"].as_str().unwrap().contains(":assumed-role/deploy/"), "{who}");
}

#[test]
fn an_iam_user_whose_keys_are_gone_after_revocation() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.strict);
    aws.role("user", json!({"credential_type": "iam_user", "policy_document": ANYTHING}));
    let token = aws.token(&[("read", "creds/user")]);
    // The long-lived pair has no session token, and a stale one would spoil it: the strict cloud would tell.
    let (who, said) = aws.whoami("aws user --wait", &token);
    let name = who["arn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(said.contains("valid 20m, until "), "{said}");
    assert!(said.contains(&format!("by GET {}/creds/user", aws.mount)), "{said}");
    assert_eq!(aws.keys()[&name].as_array().map(Vec::len), Some(1), "{name}");
    let leases = space.leases(&format!("{}/creds/user", aws.mount));
    assert_eq!(leases.len(), 1);
    space.write("sys/leases/revoke", json!({"lease_id": leases[0], "sync": true}));
    eventually("the user and its keys are gone at AWS", || aws.keys()[&name].is_null());
}

#[test]
fn federation_and_static_keys() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.open);
    aws.role("fed", json!({"credential_type": "federation_token", "policy_document": ANYTHING}));
    let (who, said) = aws.whoami("aws fed --ttl 30m", &aws.token(&[("read", "sts/fed")]));
    // The engine counts down from AWS's own answer.
    let life = said.contains("valid 30m, until ") || said.contains("valid 29m5");
    assert!(who["arn"].is_string() && life, "{who} {said}");
    let text =
        "eval $(ci-creds aws fed -q); test -n \"$AWS_SESSION_TOKEN\" && echo $AWS_CREDENTIAL_EXPIRATION";
    let run = aws.job(script("dash", text), &aws.token(&[("read", "sts/fed")])).run().expect(0);
    assert!(run.stdout.trim().parse::<jiff::Timestamp>().is_ok(), "{run}");
    // Vault 1.14 rotates the keys of a user who is there, and answers without a lease.
    space.write(
        &format!("{}/static-roles/ci", aws.mount),
        json!({"username": "static", "rotation_period": "24h"}),
    );
    let token = aws.token(&[("read", "static-creds/ci")]);
    let (who, said) = aws.whoami("aws ci --path static-creds/{role}", &token);
    assert_eq!(who["arn"], "arn:aws:iam::123456789012:user/static", "{said}");
    assert!(said.contains(", no expiry"), "{said}");
}

#[test]
fn the_policy_decides_between_get_and_post_sts_and_creds() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.strict);
    aws.role("web", json!({"credential_type": "assumed_role", "role_arns": [DEPLOY]}));
    for (capability, path, used) in [
        ("read", "sts/web", None),
        ("update", "sts/web", Some("POST")),
        ("read", "creds/web", Some("GET")),
        ("update", "creds/web", Some("POST")),
    ] {
        let token = aws.token(&[(capability, path)]);
        let run = aws.job(Cmd::new(["aws", "web", "--ttl", "15m"]), &token).run().expect(0);
        let told = used.map(|verb| format!("by {verb} {}/{path}, as the policy allows", aws.mount));
        assert_eq!(run.stderr.contains(", as the policy allows"), used.is_some(), "{run}");
        assert!(told.is_none_or(|told| run.stderr.contains(&told)), "{run}");
        let life = run.stderr.contains("valid 15m, ") || run.stderr.contains("valid 14m5");
        assert!(life, "the parameters go along with {capability}: {run}");
    }
    let denied = aws.job(Cmd::new(["aws", "web"]), &aws.token(&[("list", "roles")])).run().expect(4);
    let policy = format!("path \"{}/sts/web\" {{ capabilities = [\"read\"] }}", aws.mount);
    assert!(denied.stderr.contains(&policy), "{denied}");
}

/// A token may be good for a number of requests, which nothing but a further request tells: a refusal costs two, the
/// second one to look at the policy, whatever that says.
#[test]
fn after_a_refusal_one_request_looks_at_the_policy() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.strict);
    let limited = "required_parameters = [\"ticket\"]";
    for (rules, says) in [
        (rule(&aws, "roles", "list", ""), "the policy must have: "),
        (rule(&aws, "sts/web", "read", limited), "something else in it refuses"),
        (rule(&aws, "creds/web", "read", limited), "something else in it refuses"),
    ] {
        let uses = if rules.contains("creds/") { 3 } else { 2 };
        let policy = space.policy(&rules);
        let token = space.token(&[&policy], json!({"ttl": "1h", "num_uses": 9}));
        let run = aws.job(Cmd::new(["aws", "web"]), &token).run().expect(4);
        assert!(run.stderr.contains(says), "{run}");
        let left = space.server.ok("POST", "auth/token/lookup", json!({"token": token}));
        assert_eq!(left["data"]["num_uses"], 9 - uses, "{rules}: {run}");
    }
}

fn rule(aws: &Aws<'_>, path: &str, capability: &str, more: &str) -> String {
    format!("path \"{}/{path}\" {{\n capabilities = [\"{capability}\"]\n {more}\n}}\n", aws.mount)
}

#[test]
fn what_the_engine_refuses_has_a_hint() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.strict);
    aws.role("web", json!({"credential_type": "assumed_role", "role_arns": [DEPLOY, AUDIT]}));
    let token = aws.token(&[("read", "sts/*")]);
    let other = "arn:aws:iam::123456789012:role/other";
    for (args, said, hint) in [
        (vec!["missing"], "not found", "is there a role missing in this engine?"),
        (vec!["web"], "unable to determine one", "choose one with --role-arn"),
        (vec!["web", "--role-arn", other], "not in allowed role arns", "one of the role_arns"),
        (vec!["web", "--role-arn", DEPLOY, "--ttl", "5m"], "900", "raise --ttl"),
    ] {
        let run = aws.job(Cmd::new(["aws"]).args(&args), &token).run().expect(4);
        assert!(run.stderr.contains(said) && run.stderr.contains(hint), "{args:?}: {run}");
    }
}

/// What AWS says to too many requests.
const THROTTLED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
    <Message>Rate exceeded</Message></Error><RequestId>1</RequestId></ErrorResponse>";

#[test]
fn throttling_is_worth_a_retry() {
    let Some(world) = world() else { return };
    let space = Space::on(&world.server);
    let aws = Aws::new(&space, world, &world.strict);
    let fake = Fake::new(|_| Reply::Full(400, "Content-Type: text/xml\r\n".to_owned(), THROTTLED.into()));
    let config = json!({"access_key": "AKIA", "secret_key": secret(), "region": "us-east-1", "iam_endpoint": fake.addr,
        "sts_endpoint": fake.addr, "max_retries": 0});
    space.write(&format!("{}/config/root", aws.mount), config);
    aws.role("web", json!({"credential_type": "assumed_role", "role_arns": [DEPLOY]}));
    let job = aws.job(Cmd::new(["aws", "web", "--max-retries", "1"]), &aws.token(&[("read", "sts/web")]));
    let run = job.run().expect(5);
    assert_eq!(fake.seen().len(), 2, "Vault did not carry it out: asked again: {run}");
    assert!(run.stderr.contains("AWS limits how often"), "{run}");
}
