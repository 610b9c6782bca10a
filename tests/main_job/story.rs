//! The split-custody story, set up once per test: an engine with real leases that answers like Exoscale's, an
//! AppRole with one-use secret_ids, the issuing token, a JWT role and a token.

use serde_json::json;

use crate::support::jwt::{self, Jwt};
use crate::support::space::AppRole;
use crate::support::{Cmd, Engine, Space, eventually, script};

/// The name of the AppRole, of the JWT role and of the engine's role, as teams have it.
pub const ROLE: &str = "gitlab-ci-runner";

pub struct Story<'a> {
    pub space: &'a Space<'static>,
    pub engine: Engine<'a>,
    pub approle: AppRole,
    pub issuing_token: String,
    pub jwt: Jwt<'a>,
    pub token: String,
}

impl<'a> Story<'a> {
    pub fn new(space: &'a Space<'static>) -> Self {
        let engine = Engine::new(space, "exoscale", json!({"ttl": "15m", "max_ttl": "30m"}));
        engine.role(ROLE);
        let policy = space.may_read(&[&format!("{}/creds/{ROLE}", engine.mount)]);
        let params = json!({"token_policies": policy, "token_ttl": "15m", "token_max_ttl": "30m",
            "secret_id_num_uses": 1, "secret_id_ttl": "5m"});
        let approle = AppRole { secret_id: None, ..space.approle(ROLE, params) };
        let issuing_token = space.issuing_token(&approle);
        let jwt = space.jwt();
        jwt.role(
            ROLE,
            json!({"bound_claims": {"project_id": "22", "ref": "main"}, "token_policies": policy,
            "token_ttl": "15m"}),
        );
        let token = space.token(&[&policy], json!({"ttl": "15m"}));
        Self { space, engine, approle, issuing_token, jwt, token }
    }

    /// What every login of the story needs.
    fn common(&self, cmd: Cmd) -> Cmd {
        cmd.vault(self.space.server)
            .env("CI", "true")
            .env("NO_COLOR", "1")
            .env("CI_CREDS_EXOSCALE_MOUNT", &self.engine.mount)
            .env("CI_CREDS_EXOSCALE_PATH", "creds/{role}")
            .env("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password")
            .env("CI_CREDS_EXOSCALE_ROLE", ROLE)
    }

    /// `cmd` as a job with each login.
    pub fn logins(&self, cmd: &Cmd) -> [(&'static str, Cmd); 3] {
        let common = || self.common(cmd.clone());
        [
            ("split custody", common().split_custody(&self.approle, &self.issuing_token)),
            ("JWT", common().jwt(&self.jwt, ROLE, &jwt::mint(json!({})))),
            ("token", common().env("VAULT_TOKEN", &self.token)),
        ]
    }

    /// ci-creds with these arguments, in split custody.
    pub fn run<const N: usize>(&self, args: [&str; N]) -> Cmd {
        self.common(Cmd::new(args)).split_custody(&self.approle, &self.issuing_token)
    }

    /// A script in split custody.
    pub fn script(&self, shell: &str, text: &str) -> Cmd {
        self.common(script(shell, text)).split_custody(&self.approle, &self.issuing_token)
    }
}

/// No lease, no key, no token of a login.
#[track_caller]
pub fn nothing_is_left(story: &Story<'_>) {
    eventually("no key, lease or token is left", || {
        story.engine.objects().is_empty()
            && story.engine.leases().is_empty()
            && story.space.login_tokens().is_empty()
    });
}
