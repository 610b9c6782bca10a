//! AppRoles, and tokens that are given.

use serde_json::json;

use super::Cure::{Done, Hint, Set, Unset};
use super::{Case, all, case};
use crate::doctor::world::{ROLE, World};

fn role_name(_: &World<'_>) -> String {
    ROLE.to_owned()
}
fn fresh_secret_id(world: &mut World<'_>) {
    let login = world.approle();
    assert!(login.secret_id.is_some());
}
fn reading_token(world: &World<'_>) -> String {
    world.space.token(&[&world.policy], json!({}))
}

const CASES: &[Case] = &[
    case(
        "secret_id",
        |w| {
            w.approle();
            w.env("VAULT_SECRET_ID", "wrong");
        },
        ("login", "invalid role or secret ID"),
        Done("the secret_id may be used up, expired or another role's", fresh_secret_id),
    ),
    case(
        "used-up secret_id",
        |w| {
            let login = w.approle();
            let used = w.space.secret_id(&login, json!({"num_uses": 1}));
            let path = format!("auth/{}/login", login.mount);
            w.space.write(&path, json!({"role_id": login.role_id, "secret_id": used}));
            w.env("VAULT_SECRET_ID", used);
        },
        ("login", "invalid role or secret ID"),
        Done("the secret_id may be used up", fresh_secret_id),
    ),
    case(
        "used-up secret_id before an issuing token",
        |w| {
            let login = w.approle();
            w.env("VAULT_SECRET_ID", "used-up");
            w.env("VAULT_TOKEN", w.space.issuing_token(&login));
            w.env("VAULT_AUTH_ROLE", &login.role);
        },
        ("login", "invalid role or secret ID"),
        Done("`unset VAULT_SECRET_ID`", |w| w.unset("VAULT_SECRET_ID")),
    ),
    case(
        "role_id",
        |w| {
            w.approle();
            w.env("VAULT_ROLE_ID", "wrong");
        },
        ("login", "invalid role or secret ID"),
        Done("VAULT_ROLE_ID is wrong", fresh_secret_id),
    ),
    case(
        "no secret_id",
        |w| {
            w.approle();
            w.unset("VAULT_SECRET_ID");
        },
        ("login", "missing secret_id"),
        Done("set VAULT_SECRET_ID", fresh_secret_id),
    ),
    case(
        "secret_id of another address",
        |w| {
            let login = w.approle();
            let bound = w.space.secret_id(&login, json!({"cidr_list": ["10.9.8.0/24"]}));
            w.env("VAULT_SECRET_ID", bound);
        },
        ("login", "CIDR restrictions"),
        Done("not among the secret_id's bound CIDRs", fresh_secret_id),
    ),
    case(
        "issuing token",
        |w| {
            let login = w.approle();
            w.unset("VAULT_SECRET_ID");
            let policy = w.policy.clone();
            let token = w.space.token(&["default", &policy], json!({}));
            w.env("VAULT_TOKEN", token);
            w.env("VAULT_AUTH_ROLE", &login.role);
        },
        ("issuer", "VAULT_TOKEN may not issue secret_ids"),
        Hint,
    ),
    case(
        "AppRole's name",
        |w| {
            let login = w.approle();
            w.unset("VAULT_SECRET_ID");
            let path = format!("auth/{}/role/+/secret-id", login.mount);
            let policy = w.space.policy(&format!("path \"{path}\" {{ capabilities = [\"update\"] }}"));
            w.env("VAULT_TOKEN", w.space.token(&[&policy], json!({})));
            w.env("VAULT_AUTH_ROLE", "nobody");
            w.env("CI_CREDS_ROLE", ROLE);
        },
        ("login", "issue a secret_id"),
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    case(
        "dead token",
        |w| {
            w.env("VAULT_AUTH_METHOD", "token");
            w.env("VAULT_TOKEN", "gone");
        },
        ("token", "permission denied"),
        Set("VAULT_TOKEN", reading_token),
    ),
    case(
        "blanks in a token",
        |w| {
            w.env("VAULT_AUTH_METHOD", "token");
            w.env("VAULT_TOKEN", "two words");
        },
        ("login", "VAULT_TOKEN"),
        Done("as it was issued, on one line", |w| w.env("VAULT_TOKEN", reading_token(w))),
    ),
    case(
        "another namespace",
        |w| {
            w.approle();
            w.env("VAULT_NAMESPACE", "nope");
        },
        ("login", "namespace not found"),
        Unset("VAULT_NAMESPACE"),
    ),
];

#[test]
fn faults_of_approles_and_tokens() {
    all(CASES);
}
