//! The JWT login.

use serde_json::json;

use super::Cure::{Done, Hint, Set};
use super::{Case, all, case, wrong};
use crate::doctor::faults;
use crate::doctor::world::{ROLE, World};
use crate::support::jwt;

fn fresh(_: &World<'_>) -> String {
    jwt::mint(json!({}))
}
fn role_name(_: &World<'_>) -> String {
    ROLE.to_owned()
}
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

const CONFIGURATION: &[Case] = &[
    case(
        "no role",
        |w| w.unset("VAULT_AUTH_ROLE"),
        ("configuration", "the exoscale role is not set"),
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    case(
        "no login",
        |w| w.unset("VAULT_ID_TOKEN"),
        ("configuration", "nothing to log in with"),
        Set("VAULT_ID_TOKEN", fresh),
    ),
    case(
        "two logins",
        |w| w.env("VAULT_ROLE_ID", "r"),
        ("configuration", "are both set"),
        Set("VAULT_AUTH_METHOD", |_| "jwt".to_owned()),
    ),
    case(
        "unknown login",
        |w| w.env("VAULT_AUTH_METHOD", "oidc"),
        ("configuration", "VAULT_AUTH_METHOD names a login that does not exist"),
        Done("the logins are approle, jwt,", |w| w.env("VAULT_AUTH_METHOD", "jwt")),
    ),
    case(
        "token in another variable",
        |w| w.env("CI_CREDS_ID_TOKEN_ENV", "MY_TOKEN"),
        ("configuration", "names MY_TOKEN, which is not set"),
        Done("id_tokens: {MY_TOKEN:", |w| w.env("MY_TOKEN", jwt::mint(json!({})))),
    ),
];

const TOKEN: &[Case] = &[
    case(
        "no JWT",
        |w| w.env("VAULT_ID_TOKEN", "abc"),
        ("id-token", "it is not a JWT"),
        Done("id_tokens:", |w| w.token(json!({}))),
    ),
    case(
        "expired",
        |w| w.token(json!({"exp": now() - 900, "nbf": now() - 1800, "iat": now() - 1800})),
        ("id-token", "it expired 15m"),
        Done("retry it", |w| w.token(json!({}))),
    ),
    case(
        "just expired",
        |w| w.token(json!({"exp": now() - 65})),
        ("id-token", "it expired 1m"),
        Done("retry it", |w| w.token(json!({}))),
    ),
    case(
        "future nbf",
        |w| w.token(json!({"nbf": now() + 900})),
        ("id-token", "not valid for another"),
        Done("clock", |w| w.token(json!({}))),
    ),
    case(
        "future iat",
        |w| w.token(json!({"iat": now() + 900})),
        ("id-token", "not valid for another"),
        Done("clock", |w| w.token(json!({}))),
    ),
];

const ROLE_CASES: &[Case] = &[
    wrong("wrong mount", ("VAULT_AUTH_PATH", "nowhere"), ("login", "permission denied"), |w| {
        w.jwt.mount.clone()
    }),
    case(
        "wrong role",
        |w| {
            w.env("VAULT_AUTH_ROLE", "nobody");
            w.env("CI_CREDS_ROLE", ROLE);
        },
        ("login", "could not be found"),
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    case(
        "no default role",
        |w| {
            w.unset("VAULT_AUTH_ROLE");
            w.env("CI_CREDS_ROLE", ROLE);
        },
        ("login", "missing role"),
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    case(
        "role of another type",
        |w| w.role(json!({"role_type": "oidc", "allowed_redirect_uris": ["http://localhost:8250"]})),
        ("login", "oidc role_type"),
        Hint,
    ),
    case(
        "audience",
        |w| w.token(json!({"aud": "https://other.example.com"})),
        ("login", "invalid audience"),
        Hint,
    ),
    case(
        "no audience bound",
        |w| w.role(json!({"bound_audiences": []})),
        ("login", "no audiences bound"),
        Hint,
    ),
    case(
        "issuer",
        |w| w.token(json!({"iss": "https://gitlab.other.example.com"})),
        ("login", "invalid issuer"),
        Hint,
    ),
    case(
        "subject",
        |w| w.role(json!({"bound_subject": "project_path:group/old:ref_type:branch:ref:main"})),
        ("login", "invalid subject"),
        Hint,
    ),
    case(
        "user claim",
        |w| w.role(json!({"user_claim": "email"})),
        ("login", "claim \"email\" not found"),
        Hint,
    ),
    case(
        "user claim no text",
        |w| w.role(json!({"user_claim": "runner_id"})),
        ("login", "could not be converted to string"),
        Hint,
    ),
    case(
        "wrong key",
        |w| {
            // The issuer of the token publishes its keys; the mount has somebody else's.
            let issuer = faults::issuer(jwt::jwks());
            w.token(json!({"iss": issuer}));
            let mount = w.jwt.mount.clone();
            let config = faults::other_key(&issuer);
            w.space.write(&format!("auth/{mount}/config"), config);
        },
        ("login", "no known key"),
        Hint,
    ),
    case(
        "addresses",
        |w| w.role(json!({"token_bound_cidrs": ["10.9.8.0/24"]})),
        ("login", "permission denied"),
        Done("address of this runner", |w| w.role(json!({"token_bound_cidrs": ["127.0.0.1/32"]}))),
    ),
];

/// Each claim that roles are usually bound to.
const BOUND: &[Case] = &[
    case("bound ref", |w| w.token(json!({"ref": "dev"})), ("login", "claim \"ref\" does not match"), Hint),
    case(
        "bound project",
        |w| bound(w, json!({"project_id": "7"})),
        ("login", "claim \"project_id\" does not"),
        Hint,
    ),
    case(
        "bound path",
        |w| bound(w, json!({"project_path": "a/b"})),
        ("login", "claim \"project_path\" does"),
        Hint,
    ),
    case(
        "bound group",
        |w| bound(w, json!({"namespace_id": "9"})),
        ("login", "claim \"namespace_id\" does"),
        Hint,
    ),
    case(
        "bound type",
        |w| bound(w, json!({"ref_type": "tag"})),
        ("login", "claim \"ref_type\" does not"),
        Hint,
    ),
    case(
        "bound source",
        |w| bound(w, json!({"pipeline_source": "web"})),
        ("login", "claim \"pipeline_source\""),
        Hint,
    ),
    case(
        "bound environment",
        |w| bound(w, json!({"environment": "dev"})),
        ("login", "claim \"environment\""),
        Hint,
    ),
    case(
        "bound number",
        |w| bound(w, json!({"project_id": 22})),
        ("login", "claim \"project_id\" does not"),
        Hint,
    ),
    case(
        "bound boolean",
        |w| bound(w, json!({"ref_protected": true})),
        ("login", "claim \"ref_protected\""),
        Hint,
    ),
    case(
        "glob as a string",
        |w| bound(w, json!({"ref": "ma*"})),
        ("login", "claim \"ref\" does not match"),
        Hint,
    ),
    case(
        "string as a glob",
        |w| w.role(json!({"bound_claims_type": "glob", "bound_claims": {"ref": "feature/*"}})),
        ("login", "claim \"ref\" does not match"),
        Hint,
    ),
    case(
        "bound list",
        |w| bound(w, json!({"ref": ["a", "b"]})),
        ("login", "claim \"ref\" does not match"),
        Hint,
    ),
    case("missing", |w| bound(w, json!({"customer": "x"})), ("login", "claim \"customer\" is missing"), Hint),
    case(
        "two at once",
        |w| bound(w, json!({"customer": "x", "sha": "y"})),
        ("login", "error validating claims"),
        Done(
            "",
            // One at a time: Vault names them in any order.
            |w| {
                for _ in 0..2 {
                    let report = w.report();
                    crate::doctor::remedy::apply(w, report.first(false).unwrap()["hint"].as_str().unwrap());
                }
            },
        ),
    ),
];

fn bound(world: &World<'_>, claims: serde_json::Value) {
    world.role(json!({"bound_claims": claims}));
}

#[test]
fn faults_of_the_configuration() {
    all(CONFIGURATION);
}

#[test]
fn faults_of_the_id_token() {
    all(TOKEN);
}

#[test]
fn faults_of_the_jwt_role() {
    all(ROLE_CASES);
}

#[test]
fn faults_of_bound_claims() {
    all(BOUND);
}
