//! A set-up that works, to be broken in one place; and cures that do what the report says.

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::support::run::Run;
use crate::support::{Cmd, Engine, Space, jwt};

/// The role, in the login and in the engine.
pub const ROLE: &str = "web-pipeline";

/// The set-up: a JWT login, its policy, an engine with real leases.
pub struct World<'a> {
    pub space: &'a Space<'a>,
    pub engine: Engine<'a>,
    pub jwt: jwt::Jwt<'a>,
    pub policy: String,
    pub cmd: Cmd,
}

impl<'a> World<'a> {
    pub fn new(space: &'a Space<'a>) -> Self {
        let engine = Engine::new(space, "exoscale", json!({"ttl": "15m", "max_ttl": "30m"}));
        engine.role(ROLE);
        let policy = space.may_read(&[&format!("{}/creds/{ROLE}", engine.mount)]);
        let jwt = space.jwt();
        jwt.role(ROLE, json!({"bound_claims": {"project_id": "22", "ref": "main"}, "token_policies": policy, "token_ttl": "15m"}));
        let cmd = Cmd::new(["doctor", "exoscale"])
            .vault(space.server)
            .env("CI", "true")
            .env("CI_CREDS_EXOSCALE_MOUNT", &engine.mount)
            .env("CI_CREDS_EXOSCALE_PATH", "creds/{role}")
            .env("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password")
            .jwt(&jwt, ROLE, &jwt::mint(json!({})));
        Self { space, engine, jwt, policy, cmd }
    }

    pub fn env(&mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) {
        self.cmd = self.cmd.clone().env(name, value);
    }

    pub fn unset(&mut self, name: &str) {
        self.cmd = self.cmd.clone().no_env(name);
    }

    pub fn flag(&mut self, flag: &str) {
        self.cmd = self.cmd.clone().args([flag]);
    }

    pub fn role_path(&self) -> String {
        format!("auth/{}/role/{ROLE}", self.jwt.mount)
    }

    pub fn role(&self, params: Value) {
        self.jwt.role(ROLE, params);
    }

    pub fn token(&mut self, claims: Value) {
        self.env("VAULT_ID_TOKEN", jwt::mint(claims));
    }

    /// AppRole instead of JWT.
    pub fn approle(&mut self) -> crate::support::space::AppRole {
        let login = self.space.approle(ROLE, json!({"token_policies": self.policy, "token_ttl": "20m"}));
        self.unset("VAULT_ID_TOKEN");
        self.cmd = self.cmd.clone().approle(&login);
        login
    }

    pub fn report(&self) -> Report {
        Report::of(&self.cmd.clone().args(["--format", "json"]).run())
    }
}

/// A JSON report.
#[derive(Debug)]
pub struct Report {
    pub code: i32,
    pub body: Value,
}

impl Report {
    #[track_caller]
    pub fn of(run: &Run) -> Self {
        if let Some(leak) = crate::support::canary::find(&run.stdout) {
            panic!("a secret in the report: {leak}\n{}", run.stdout);
        }
        let body: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
        assert_eq!(body["version"], 1);
        assert_eq!(body["code"], run.code, "{run}");
        Self { code: run.code, body }
    }

    /// The first step with ✗; with --strict a ! counts.
    pub fn first(&self, strict: bool) -> Option<&Value> {
        let bad = |step: &&Value| step["status"] == "fail" || (strict && step["status"] == "warn");
        self.body["steps"].as_array().unwrap().iter().find(bad)
    }
}

/// What the report's hints say, carried out.
pub fn policy(world: &mut World<'_>, hints: &str) {
    let line = Regex::new(r#"path "[^"]+" \{ capabilities = \[[^\]]+\] \}"#).unwrap();
    let lines: Vec<_> = line.find_iter(hints).map(|found| found.as_str()).collect();
    assert!(!lines.is_empty(), "no policy line in {hints}");
    let path = format!("sys/policies/acl/{}", world.policy);
    let before = world.space.server.ok("GET", &path, Value::Null)["data"]["policy"].clone();
    let body = json!({"policy": format!("{}\n{}", before.as_str().unwrap(), lines.join("\n"))});
    world.space.server.ok("PUT", &format!("sys/policies/acl/{}", world.policy), body);
}

/// `must contain …`, `must be …`: written to the role or the mount.
pub fn role(world: &mut World<'_>, hints: &str) {
    let found = |text: &str| Some(Regex::new(text).unwrap().captures(hints)?.get(1)?.as_str().to_owned());
    let mut fields = Map::new();
    if let Some(pair) = found(r"bound_claims must contain (\S+=\S+), or") {
        let (name, value) = pair.split_once('=').unwrap();
        let mut bound =
            world.space.server.ok("GET", &world.role_path(), Value::Null)["data"]["bound_claims"].clone();
        bound[name] = json!(value);
        fields.insert("bound_claims".to_owned(), bound);
    }
    if let Some(aud) = found(r"bound_audiences must contain(?: the token's aud:)? (\S+)") {
        fields.insert("bound_audiences".to_owned(), json!([aud]));
    }
    if let Some(sub) = found(r"bound_subject must be empty, or the token's sub: (\S+)") {
        fields.insert("bound_subject".to_owned(), json!(sub));
    }
    if let Some(issuer) = found(r"bound_issuer must be the token's iss: (\S+)") {
        let path = format!("auth/{}/config", world.jwt.mount);
        let mut config = world.space.server.ok("GET", &path, Value::Null)["data"].clone();
        config["bound_issuer"] = json!(issuer);
        world.space.write(&path, config);
        return;
    }
    assert!(!fields.is_empty(), "no remedy in {hints}");
    fields.insert("role_type".to_owned(), json!("jwt"));
    world.space.write(&world.role_path(), Value::Object(fields));
}
