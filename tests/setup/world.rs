//! An OpenBao namespace with an engine in it, and no setup yet: what `setup` prints goes in, and then the run.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clouds::iam::Iam;
use crate::support::jwt::{self, AUDIENCE};
use crate::support::openbao::binary;
use crate::support::{Cmd, Fake, Postgres, Run, Server, Space, bao, eventually};

/// A run, its engine, and who signs the ID tokens.
pub struct World {
    pub space: Space<'static>,
    pub issuer: Fake,
    /// The run's words.
    pub run: Vec<String>,
    /// Options that only setup takes.
    pub options: Vec<String>,
    /// How the job logs in.
    pub login: &'static str,
    /// The variables of that login, once it is set up.
    pub login_env: Vec<(String, String)>,
    /// The accessors of tokens that belong to the login, and stay.
    keep: Vec<String>,
    /// The run's variables, which setup gets too.
    pub env: Vec<(String, String)>,
    pub iam: Option<Iam>,
    _database: Option<Postgres>,
    dir: TempDir,
}

/// Every kind of run.
pub const KINDS: [&str; 10] =
    ["exoscale", "aws", "scaleway", "mint", "kv1", "kv2", "database", "pki", "env", "login"];

impl World {
    /// The world of this kind; `None` where this machine lacks the database, which is said.
    pub fn new(kind: &str) -> Option<Self> {
        Self::on(bao(), kind, "jwt")
    }

    /// The same on a server of the test's own, with another login.
    pub fn on(server: &'static Server, kind: &str, login: &'static str) -> Option<Self> {
        let space = Space::in_namespace(server);
        let issuer = jwt::issuer();
        let (run, options, env) = (Vec::new(), Vec::new(), Vec::new());
        let dir = tempfile::tempdir().unwrap();
        let (login_env, keep) = (Vec::new(), Vec::new());
        let world = Self {
            space,
            issuer,
            run,
            options,
            login,
            login_env,
            keep,
            env,
            iam: None,
            _database: None,
            dir,
        };
        world.with(kind)
    }

    fn with(mut self, kind: &str) -> Option<Self> {
        let space = &self.space;
        let owned = |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.to_owned()).collect() };
        match kind {
            "exoscale" => {
                let mount =
                    leased(space, "exoscale", "apikey/ci", json!({"api_key": "EXO1", "api_secret": "s"}));
                self.run = owned(&["exoscale", "ci", "--mount", &mount]);
                self.options = owned(&["--token-ttl", "60s"]);
            }
            "aws" => {
                let pair = json!({"access_key": "AKIA1", "secret_key": "s", "session_token": "t"});
                let mount = leased(space, "aws", "sts/web", pair);
                self.run = owned(&[
                    "aws",
                    "web",
                    "--mount",
                    &mount,
                    "--role-arn",
                    "arn:aws:iam::1:role/web",
                    "--ttl",
                    "15m",
                ]);
            }
            "scaleway" => {
                let mount =
                    leased(space, "scaleway", "creds/dev", json!({"access_key": "SCW1", "secret_key": "s"}));
                self.run = owned(&["scaleway", "dev", "--mount", &mount]);
                self.options = owned(&["--token-ttl", "60s"]);
            }
            "mint" => {
                let iam = Iam::new();
                let (mount, id) = (space.mount("scaleway", kv(1)), iam.application_id.clone());
                let parent = json!({"access_key": iam.parent.0, "secret_key": iam.parent.1});
                space.write(&format!("{mount}/creds/dev"), parent);
                self.run = owned(&["scaleway", "dev", "--mount", &mount, "--mint", "--application-id", &id]);
                self.run.extend(owned(&["--kv-version", "1", "--ttl", "10m"]));
                self.options = owned(&["--token-ttl", "60s"]);
                self.env.push(("SCW_API_URL".to_owned(), iam.url.clone()));
                self.iam = Some(iam);
            }
            "kv1" => {
                let mount = space.mount("kv", kv(1));
                space.write(&format!("{mount}/app"), json!({"token": "s"}));
                self.run = owned(&["read", &format!("{mount}/app"), "TOKEN=token", "--kv-version", "1"]);
            }
            "kv2" => {
                let mount = kv2(space);
                self.run = owned(&["read", &format!("{mount}/app"), "TOKEN=token", "--kv-version", "2"]);
            }
            "database" => {
                let database = Postgres::start()?;
                let mount = database.mount(space, 1, 0.0);
                space.write(&format!("{mount}/roles/ci0"), json!({"default_ttl": "10m"}));
                self.run = owned(&["read", &format!("{mount}/creds/ci0"), "U=username", "P=password"]);
                self.options = owned(&["--token-ttl", "60s"]);
                self._database = Some(database);
            }
            "pki" => {
                let mount = space.mount("pki", json!({"type": "pki"}));
                space.write(
                    &format!("{mount}/root/generate/internal"),
                    json!({"common_name": "ca", "ttl": "10h"}),
                );
                let role = json!({"allow_any_name": true, "ttl": "10m", "generate_lease": true, "key_type": "ec", "key_bits": 256});
                space.write(&format!("{mount}/roles/web"), role);
                self.run = owned(&["read", &format!("{mount}/issue/web"), "C=certificate", "K=private_key"]);
                self.run.extend(owned(&["--data", "common_name=web.example.com"]));
                self.options = owned(&["--token-ttl", "60s"]);
            }
            "env" => {
                let (one, two) = (kv2(space), leased(space, "db", "creds/web", json!({"password": "s"})));
                space.write(&format!("{one}/data/kube"), json!({"data": {"config": "s"}}));
                for (name, value) in [
                    ("APP", format!("vault:{one}/data/app#token")),
                    ("KUBE", format!("vault-file:{one}/data/kube#config")),
                    ("PASSWORD", format!("vault:{two}/creds/web#password")),
                ] {
                    self.env.push((name.to_owned(), value));
                }
                self.run = owned(&["env"]);
                self.options = owned(&["--token-ttl", "60s"]);
            }
            "login" => self.run = owned(&["login"]),
            other => panic!("{other}"),
        }
        Some(self)
    }

    /// What setup prints for the jobs of the harness: project 22, main, production.
    pub fn printed(&self, more: &[&str]) -> String {
        let run = self.printed_cmd(more).run().expect(0);
        assert!(!run.stdout.contains(crate::support::CANARY), "{run}");
        run.stdout
    }

    /// The same, to be run.
    pub fn printed_cmd(&self, more: &[&str]) -> Cmd {
        let jobs =
            ["--project", "22", "--ref", "main", "--environment", "production", "--audience", AUDIENCE];
        let who: &[&str] = match self.login {
            "jwt" => &jobs,
            "approle" => &["--auth", "approle", "--bound-cidr", "127.0.0.0/8"],
            "kubernetes" => &["--auth", "kubernetes", "--service-account", "ci/app-deployer"],
            _ => &[
                "--auth",
                "aws",
                "--principal",
                "arn:aws:iam::123456789012:role/runner",
                "--aws-server-id",
                "vault.example.com",
            ],
        };
        self.setup(who).args(more)
    }

    /// `setup` for this run.
    pub fn setup(&self, who: &[&str]) -> Cmd {
        Cmd::new(["setup"])
            .args(&self.run)
            .args(&self.options)
            .args(who)
            .args(["--auth-role", "job", "--cli", cli()])
            .env("CI_CREDS_GITLAB_URL", &self.issuer.addr)
            .envs(self.env.iter().cloned())
            .env("VAULT_ADDR", &self.space.server.addr)
    }

    /// What only the machine of the desk has: the cloud's address in a test.
    pub fn desk_env(&self) -> impl Iterator<Item = (String, String)> {
        self.env.iter().filter(|(name, _)| name == "SCW_API_URL").cloned()
    }

    /// A POSIX shell that runs this text as an administrator of the namespace.
    pub fn shell(&self, text: &str) -> Cmd {
        let folder = binary().parent().unwrap().to_owned();
        let token = &self.space.server.root_token;
        Cmd::program("/bin/sh")
            .stdin(text)
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .env("HOME", self.dir.path())
            .envs([("BAO_ADDR", &self.space.server.addr), ("VAULT_ADDR", &self.space.server.addr)])
            .envs([("BAO_TOKEN", token), ("VAULT_TOKEN", token)])
            .env("VAULT_NAMESPACE", &self.space.namespace)
    }

    /// The job's ID token, with these claims changed.
    pub fn token(&self, mut changes: Value) -> String {
        if changes.get("iss").is_none() {
            changes["iss"] = json!(self.issuer.addr);
        }
        jwt::mint(changes)
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The run in its job, with this ID token, behind which these words stand.
    pub fn job(&self, id_token: &str, more: &[&str]) -> Cmd {
        Cmd::new(&self.run)
            .args(more)
            .job(self.dir.path())
            .envs(self.env.iter().cloned())
            .env("VAULT_ADDR", &self.space.server.addr)
            .env("VAULT_NAMESPACE", &self.space.namespace)
            .env("VAULT_AUTH_ROLE", "job")
            .envs((self.login == "jwt").then_some(("VAULT_ID_TOKEN", id_token)))
            .envs(self.login_env.iter().cloned())
    }

    /// Does by hand what the script leaves to people, for a login that is no ID token.
    pub fn by_hand(&mut self, more: &[(&str, &str)]) {
        let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        if self.login == "approle" {
            let id = self.space.ok("GET", "auth/approle/role/job/role-id", Value::Null);
            self.login_env.push(env("VAULT_ROLE_ID", id["data"]["role_id"].as_str().unwrap()));
            let token = self.space.ok("POST", "auth/token/create/job-issue", json!({"ttl": "1h"}));
            self.login_env.push(env("VAULT_TOKEN", token["auth"]["client_token"].as_str().unwrap()));
            self.keep.push(token["auth"]["accessor"].as_str().unwrap().to_owned());
        } else {
            self.login_env.push(env("VAULT_AUTH_METHOD", self.login));
        }
        self.login_env.extend(more.iter().map(|(name, value)| env(name, value)));
    }

    /// A file of the job's.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The run and its revocation: what is wrong with them, or nothing.
    pub fn fault(&self) -> Option<String> {
        let state = self.state();
        let state = ["--state-file", state.to_str().unwrap()];
        // KV stands in for an engine that takes parameters.
        let told = |line: &str| {
            line.starts_with("warning") && !line.contains("ignored these unrecognized parameters")
        };
        let bad = |run: &Run| run.code != 0 || run.stderr.lines().any(told);
        let run = self.job(&self.token(json!({})), &state).may_show_secrets().run();
        let mut fault = bad(&run).then(|| run.to_string());
        let mut revoke = Cmd::new(["revoke"]).args(state).env("VAULT_ADDR", &self.space.server.addr);
        revoke = revoke.envs(self.env.iter().cloned()).env("VAULT_NAMESPACE", &self.space.namespace);
        let run = revoke.job(self.dir.path()).run();
        fault = fault.or_else(|| bad(&run).then(|| run.to_string()));
        let keys = self.iam.as_ref().map_or(0, |iam| iam.keys().len());
        let tokens = self.tokens().len();
        fault = fault
            .or_else(|| (keys + tokens > 0).then(|| format!("{keys} keys and {tokens} tokens are left")));
        self.clean();
        fault
    }

    /// The accessors of the tokens in the namespace.
    pub fn tokens(&self) -> Vec<String> {
        let path = format!("{}/auth/token/accessors", self.space.namespace);
        let all = self.space.server.api("LIST", &path, Value::Null).body;
        let keys = all["data"]["keys"].as_array().cloned().unwrap_or_default();
        let all = keys.iter().filter_map(|key| Some(key.as_str()?.to_owned()));
        all.filter(|accessor| !self.keep.contains(accessor)).collect()
    }

    fn clean(&self) {
        for accessor in self.tokens() {
            self.space.ok("POST", "auth/token/revoke-accessor", json!({"accessor": accessor}));
        }
        let _ = std::fs::remove_file(self.state());
        if let Some(iam) = &self.iam {
            iam.state().keys.clear();
        }
        eventually("no token is left", || self.tokens().is_empty());
    }
}

/// The program that the commands call.
pub fn cli() -> &'static str {
    if binary().file_name().unwrap() == "bao" { "bao" } else { "vault" }
}

fn kv(version: u8) -> Value {
    json!({"type": "kv", "options": {"version": version.to_string()}})
}

/// KV that answers like an engine: with a lease of ten minutes.
fn leased(space: &Space<'_>, name: &str, path: &str, mut pair: Value) -> String {
    let options = json!({"version": "1", "leased_passthrough": "true"});
    let mount = space.mount(name, json!({"type": "kv", "options": options}));
    pair["ttl"] = json!("10m");
    space.write(&format!("{mount}/{path}"), pair);
    mount
}

fn kv2(space: &Space<'_>) -> String {
    let mount = space.mount("secret", kv(2));
    let path = format!("{}/{mount}/data/app", space.namespace);
    eventually("the KV v2 mount is writable", || {
        space.server.api("POST", &path, json!({"data": {"token": "s"}})).status < 300
    });
    mount
}
