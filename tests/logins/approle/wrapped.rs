//! AppRole with a secret_id that comes wrapped: its token is looked at before it is opened.

use serde_json::{Value, json};

use super::Setup;
use crate::logins::{assert_issued, file};
use crate::support::space::AppRole;
use crate::support::{Cmd, Space, openbao};

/// A wrapping token with a new secret_id of the role inside.
pub fn wrapped(space: &Space<'_>, login: &AppRole) -> String {
    let path = format!("auth/{}/role/{}/secret-id", login.mount, login.role);
    let issued = wrapping(space, &space.issuing_token(login), &path);
    issued["wrap_info"]["token"].as_str().unwrap().to_owned()
}

/// One call that asks for its answer to be wrapped.
fn wrapping(space: &Space<'_>, token: &str, path: &str) -> Value {
    let bao = Cmd::program(openbao::binary()).args(["write", "-format=json", "-wrap-ttl=60s", path, "a=b"]);
    let bao = bao.vault(space.server).env("VAULT_TOKEN", token).env("HOME", "/nonexistent");
    serde_json::from_str(&bao.may_show_secrets().run().expect(0).stdout).unwrap()
}

#[test]
fn a_wrapped_secret_id_is_checked_and_opened() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let bare = setup.bare();
    let token = wrapped(&space, &setup.login);
    let cmd = bare.clone().env("VAULT_WRAPPED_SECRET_ID", &token).env("VAULT_AUTH_ROLE", "gitlab");
    assert_issued(cmd.run());
    // The name of the AppRole need not be known.
    let (_dir, path) = file(&wrapped(&space, &setup.login));
    assert_issued(bare.env("CI_CREDS_WRAPPED_SECRET_ID_FILE", path).run());
    insta::assert_snapshot!(cmd.run().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: the wrapped secret_id (VAULT_WRAPPED_SECRET_ID) may have been intercepted: Vault says of its token: wrapping token is not valid or does not exist
    hint: a wrapping token is good for one use and a short time: did a retried job use it, or is it too old? Give the job a new one
    hint: if not, somebody else has the secret_id: destroy it (auth/X-approle/role/gitlab/secret-id-accessor/destroy), look in Vault's audit log for who called sys/wrapping/unwrap, and find out who could read the variable
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

#[test]
fn a_foreign_wrapping_token_is_not_opened() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let foreign = wrapping(&space, &space.server.root_token, "sys/wrapping/wrap");
    let foreign = foreign["wrap_info"]["token"].as_str().unwrap();
    let cmd = setup.bare().env("VAULT_WRAPPED_SECRET_ID", foreign);
    insta::assert_snapshot!(cmd.clone().env("VAULT_AUTH_ROLE", "gitlab").run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: the wrapped secret_id (VAULT_WRAPPED_SECRET_ID) may have been intercepted: its token was made at sys/wrapping/wrap, not at auth/X-approle/role/gitlab/secret-id
    hint: give the job the wrapping token of a POST to auth/X-approle/role/gitlab/secret-id, with X-Vault-Wrap-TTL
    hint: if that is what it should have been, somebody exchanged it, and has the secret_id: destroy that, and find out who could write the variable
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let other = space.approle("other", json!({}));
    let other = setup.bare().env("VAULT_WRAPPED_SECRET_ID", wrapped(&space, &other));
    insta::assert_snapshot!(other.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: the wrapped secret_id (VAULT_WRAPPED_SECRET_ID) may have been intercepted: its token was made at auth/X-approle/role/other/secret-id, not at auth/X-approle/role/ROLE/secret-id
    hint: give the job the wrapping token of a POST to auth/X-approle/role/ROLE/secret-id, with X-Vault-Wrap-TTL
    hint: if that is what it should have been, somebody exchanged it, and has the secret_id: destroy that, and find out who could write the variable
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    // It is still closed.
    let lookup = space.server.api("POST", "sys/wrapping/lookup", json!({"token": foreign}));
    assert_eq!(lookup.status, 200);
}
