//! A set-up that works, to be broken in one place.

use serde_json::{Value, json};

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
        let namespace = Some(&space.namespace).filter(|name| !name.is_empty());
        let cmd = Cmd::new(["doctor", "exoscale"])
            .vault(space.server)
            .envs(namespace.map(|name| ("VAULT_NAMESPACE", name)))
            .env("CI", "true")
            .env("NO_COLOR", "1")
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

    /// The address of the real server.
    pub fn addr(&self) -> String {
        self.space.server.addr.clone()
    }

    /// Host and port of the real server, where it speaks plain http.
    pub fn upstream(&self) -> String {
        self.addr().trim_start_matches("http://").to_owned()
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

    /// As people see it; every line fits GitLab's log.
    #[track_caller]
    pub fn plain(&self) -> Run {
        let run = self.cmd.run();
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "{run}");
        run
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
        let body: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
        let report = Self { code: run.code, body };
        report.assert_schema();
        report
    }

    /// The schema of docs/doctor.md.
    #[track_caller]
    fn assert_schema(&self) {
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let told = format!("{:#}", self.body);
        let whole = names(&self.body);
        assert!(
            whole == ["version", "code", "steps"] || whole == ["version", "code", "steps", "claims"],
            "{told}"
        );
        assert_eq!(
            (&self.body["version"], &self.body["code"]),
            (&Value::from(1), &Value::from(self.code)),
            "{told}"
        );
        for step in self.steps() {
            assert_eq!(names(step), ["id", "status", "seen", "source", "hint"], "{told}");
            assert!(["ok", "warn", "fail", "skip"].contains(&step["status"].as_str().unwrap()), "{told}");
            assert!(step["id"].is_string() && step["seen"].is_string(), "{told}");
            assert!(
                ["source", "hint"].iter().all(|name| step[*name].is_string() || step[*name].is_null()),
                "{told}"
            );
        }
        for row in self.body["claims"].as_array().into_iter().flatten() {
            assert_eq!(names(row), ["claim", "token", "demand", "field", "verdict", "why"], "{told}");
        }
    }

    pub fn steps(&self) -> &[Value] {
        self.body["steps"].as_array().unwrap()
    }

    /// The first step of this id.
    #[track_caller]
    pub fn step(&self, id: &str) -> &Value {
        let found = self.steps().iter().find(|step| step["id"] == id);
        found.unwrap_or_else(|| panic!("no step {id}: {:#}", self.body))
    }

    /// The first step with ✗; with --strict a ! counts.
    pub fn first(&self, strict: bool) -> Option<&Value> {
        let bad = |step: &&Value| step["status"] == "fail" || (strict && step["status"] == "warn");
        self.steps().iter().find(bad)
    }
}
