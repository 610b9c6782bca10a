//! Story 1's scheduled job, set up once per test: the AppRole, its issuing token in a GitLab variable, the token role
//! that makes the next one, and the JWT role of the job that rotates.

use serde_json::{Value, json};

use super::gitlab::Gitlab;
use crate::support::jwt::{self, Jwt};
use crate::support::space::AppRole;
use crate::support::{Cmd, Run, Space};

pub const ROLE: &str = "gitlab-ci-runner";

pub struct Story<'a> {
    pub space: &'a Space<'a>,
    pub gitlab: Gitlab,
    pub approle: AppRole,
    /// The token role.
    pub token_role: String,
    kv: String,
    jwt: Jwt<'a>,
}

impl<'a> Story<'a> {
    pub fn new(space: &'a Space<'a>) -> Self {
        Self::with(space, Gitlab::new())
    }

    pub fn with(space: &'a Space<'a>, gitlab: Gitlab) -> Self {
        let kv = space.kv1("exoscale");
        let pair = json!({"api_key": crate::support::secret(), "api_secret": crate::support::secret()});
        space.write(&format!("{kv}/apikey/{ROLE}"), pair);
        let reads = space.may_read(&[&format!("{kv}/apikey/{ROLE}")]);
        let params = json!({"token_policies": reads, "token_ttl": "15m", "secret_id_num_uses": 1});
        let approle = AppRole { secret_id: None, ..space.approle(ROLE, params) };
        let token_role = space.name("issuing");
        let may = format!(
            "path \"auth/token/create/{token_role}\" {{ capabilities = [\"update\"] }}\n\
            path \"auth/token/roles/{token_role}\" {{ capabilities = [\"read\"] }}"
        );
        let jwt = space.jwt();
        jwt.role("rotate", json!({"token_policies": space.policy(&may), "token_ttl": "5m"}));
        let story = Self { space, gitlab, approle, token_role, kv, jwt };
        story.token_role(json!({}));
        story
    }

    /// The rotating job's policy has these rules too.
    pub fn may_also(&self, rules: &str) {
        let may = format!(
            "path \"auth/token/create/{0}\" {{ capabilities = [\"update\"] }}\n\
            path \"auth/token/roles/{0}\" {{ capabilities = [\"read\"] }}\n{rules}",
            self.token_role
        );
        self.jwt.role("rotate", json!({"token_policies": self.space.policy(&may), "token_ttl": "5m"}));
    }

    /// What the issuing token may do.
    pub fn issuing_policy(&self) -> String {
        let path = self.secret_id_path();
        self.space.policy(&format!("path \"{path}\" {{ capabilities = [\"update\"] }}"))
    }

    /// Writes the token role; `changes` replace what the README says.
    pub fn token_role(&self, changes: Value) {
        let mut role = json!({"orphan": true, "renewable": true, "allowed_policies": [self.issuing_policy(), "default"]});
        for (name, value) in changes.as_object().unwrap() {
            role[name] = value.clone();
        }
        self.space.write(&format!("auth/token/roles/{}", self.token_role), role);
    }

    /// An issuing token made through the token role, as an administrator makes the first one.
    pub fn issuing_token(&self) -> String {
        let answer = self.space.write(&format!("auth/token/create/{}", self.token_role), json!({}));
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// The usual start: project 22 has VAULT_TOKEN, masked and protected.
    pub fn start(&self) -> String {
        let token = self.issuing_token();
        self.gitlab.variable("projects/22", "VAULT_TOKEN", &token, &json!({}));
        token
    }

    /// The rotating job: it has an ID token, on a runner that has VAULT_ROLE_ID, beside the variable itself.
    pub fn rotate<const N: usize>(&self, args: [&str; N]) -> Cmd {
        Cmd::new(["rotate"].into_iter().chain(args))
            .vault(self.space.server)
            .env("CI", "true")
            .env("NO_COLOR", "1")
            .env("CI_PROJECT_ID", "22")
            .env("CI_API_V4_URL", &self.gitlab.url)
            .env("CI_CREDS_GITLAB_TOKEN", &self.gitlab.token)
            .env("CI_CREDS_TOKEN_ROLE", &self.token_role)
            .env("CI_CREDS_APPROLE", ROLE)
            .env("CI_CREDS_APPROLE_PATH", &self.approle.mount)
            .env("VAULT_ROLE_ID", &self.approle.role_id)
            .env("VAULT_AUTH_METHOD", "jwt")
            .jwt(&self.jwt, "rotate", &jwt::mint(json!({})))
    }

    /// A job of story 1 with this issuing token.
    pub fn job(&self, issuing_token: &str) -> Run {
        Cmd::new(["exoscale"])
            .vault(self.space.server)
            .env("CI", "true")
            .env("NO_COLOR", "1")
            .env("CI_CREDS_EXOSCALE_MOUNT", &self.kv)
            .split_custody(&self.approle, issuing_token)
            .run()
    }

    /// Whether a token issues secret_ids.
    pub fn issues(&self, token: &str) -> bool {
        self.space.server.api_as(token, "POST", &self.secret_id_path(), json!({})).status == 200
    }

    /// The tokens of the token role that are alive: (accessor, creation time, TTL).
    pub fn alive(&self) -> Vec<(String, i64, i64)> {
        let all = self.space.server.ok("LIST", "auth/token/accessors", Value::Null);
        let accessors = all["data"]["keys"].as_array().unwrap().iter().filter_map(Value::as_str);
        let path = format!("auth/token/create/{}", self.token_role);
        let mine = accessors.filter_map(|accessor| {
            let lookup = json!({"accessor": accessor});
            let token = self.space.server.api("POST", "auth/token/lookup-accessor", lookup).body;
            let number = |name: &str| token["data"][name].as_i64().unwrap_or_default();
            (token["data"]["path"] == json!(path))
                .then(|| (accessor.to_owned(), number("creation_time"), number("ttl")))
        });
        mine.collect()
    }

    /// A token's accessor and TTL.
    pub fn lookup(&self, token: &str) -> (String, i64) {
        let body = self.space.server.ok("POST", "auth/token/lookup", json!({"token": token}));
        (body["data"]["accessor"].as_str().unwrap().to_owned(), body["data"]["ttl"].as_i64().unwrap())
    }

    fn secret_id_path(&self) -> String {
        format!("auth/{}/role/{ROLE}/secret-id", self.approle.mount)
    }
}
