//! JWT: GitLab's ID tokens.

mod clocks;
mod refusals;

use serde_json::{Value, json};

use super::{Target, assert_issued, file};
use crate::support::{Cmd, Fake, Reply, Space, jwt};

/// A jwt mount with a role that allows pushes to main, and the command that logs in there.
struct Setup<'a> {
    target: Target<'a>,
    jwt: jwt::Jwt<'a>,
}

impl<'a> Setup<'a> {
    fn new(space: &'a Space<'a>) -> Self {
        let (target, jwt) = (Target::new(space), space.jwt());
        let setup = Self { target, jwt };
        setup.role("deploy", json!({"bound_claims": {"ref": "main"}}));
        setup
    }

    fn role(&self, name: &str, mut params: Value) {
        params["token_policies"] = json!(self.target.policy);
        self.jwt.role(name, params);
    }

    fn cmd(&self, changes: Value) -> Cmd {
        self.target.cmd().jwt(&self.jwt, "deploy", &jwt::mint(changes))
    }
}

#[test]
fn the_id_token_comes_from_any_variable_a_file_or_standard_input() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let cmd = setup.cmd(json!({}));
    assert_issued(cmd.run_both());
    let bare = cmd.no_env("VAULT_ID_TOKEN");
    let token = jwt::mint(json!({}));
    let (_dir, path) = file(&format!("{token}\n"));
    assert_issued(bare.clone().env("CI_CREDS_ID_TOKEN_ENV", "MY_TOKEN").env("MY_TOKEN", &token).run_both());
    assert_issued(bare.clone().args(["--id-token-file".as_ref(), path.as_os_str()]).run_both());
    assert_issued(bare.clone().args(["--id-token-file", "-"]).stdin(token.clone()).run_both());
    let old = bare.clone().env("CI_JOB_JWT", &token);
    insta::assert_snapshot!(assert_issued(old.run_both()).stderr.lines().next().unwrap(), @"warning: CI_JOB_JWT is gone from GitLab 17 on: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`");
    insta::assert_snapshot!(bare.args(["--id-token-env", "NOT_THERE"]).run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: --id-token-env names NOT_THERE, which is not set
    hint: give the job `id_tokens: {NOT_THERE: {aud: …}}`
    ");
}

#[test]
fn the_mount_may_know_the_role_and_fetch_the_keys() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let keys = Fake::new(|_| Reply::Json(200, jwt::jwks()));
    let config = json!({"jwks_url": format!("{}/oauth/discovery/keys", keys.addr), "bound_issuer": jwt::ISSUER,
        "default_role": "deploy"});
    let mount = space.auth("jwt");
    space.write(&format!("auth/{mount}/config"), config);
    let params = json!({"role_type": "jwt", "user_claim": "project_path", "bound_audiences": [jwt::AUDIENCE],
        "token_policies": setup.target.policy});
    space.write(&format!("auth/{mount}/role/deploy"), params);
    let cmd =
        setup.cmd(json!({})).env("VAULT_AUTH_PATH", format!("/auth/{mount}/")).no_env("VAULT_AUTH_ROLE");
    assert_issued(cmd.run_both());
    assert!(!keys.seen().is_empty());
}
