//! Behind the login: policies, engines, lives, output.

use serde_json::{Value, json};

use super::Cure::{Done, Hint, Set};
use super::{Case, all, case, wrong};
use crate::doctor::world::{ROLE, World};

fn mount(world: &World<'_>) -> String {
    world.engine.mount.clone()
}
fn rules(world: &World<'_>, rules: &str) {
    let path = format!("sys/policies/acl/{}", world.policy);
    world.space.ok("PUT", &path, json!({"policy": rules}));
}

const POLICY: &[Case] = &[
    case(
        "policy",
        |w| rules(w, "path \"x\" { capabilities = [\"read\"] }"),
        ("policy", "the token may not read"),
        Hint,
    ),
    case(
        "policy of another role",
        |w| rules(w, &format!("path \"{}/creds/another\" {{ capabilities = [\"read\"] }}", mount(w))),
        ("policy", "the token may not read"),
        Hint,
    ),
    case(
        "policy for the other verb",
        |w| rules(w, &format!("path \"{}/creds/{ROLE}\" {{ capabilities = [\"update\"] }}", mount(w))),
        ("policy", "the token may not read"),
        // Two rules for one path: the last counts.
        Hint,
    ),
    case(
        "strict: policy for all roles",
        |w| rules(w, &format!("path \"{}/creds/*\" {{ capabilities = [\"read\"] }}", mount(w))),
        ("policy", "the policy is wider than the path"),
        Hint,
    ),
    case(
        "strict: policy for everything",
        |w| {
            let all = "[\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"]";
            rules(w, &format!("path \"{}/creds/{ROLE}\" {{ capabilities = {all} }}", mount(w)));
        },
        ("policy", "sudo"),
        Hint,
    ),
    case(
        "strict: no default policy",
        |w| {
            w.role(json!({"token_no_default_policy": true, "token_policies": [w.policy, w.space.policy(
            "path \"sys/capabilities-self\" { capabilities = [\"update\"] }\npath \"auth/token/lookup-self\" { capabilities = [\"read\"] }\n\
             path \"sys/internal/ui/mounts/*\" { capabilities = [\"read\"] }")]}))
        },
        ("policy", "can't be revoked"),
        Hint,
    ),
];

const ENGINE: &[Case] = &[
    wrong("another mount", ("CI_CREDS_EXOSCALE_MOUNT", "nowhere"), ("policy", "nowhere/creds"), mount),
    wrong("another role", ("CI_CREDS_EXOSCALE_ROLE", "nobody"), ("policy", "creds/nobody"), |_| {
        ROLE.to_owned()
    }),
    case(
        "not mounted",
        |w| _ = w.space.ok("DELETE", &format!("sys/mounts/{}", mount(w)), Value::Null),
        ("engine", "no engine is mounted"),
        Done("mount the engine at", |w| {
            w.space.write(&format!("sys/mounts/{}", mount(w)), json!({"type": "rabbitmq"}));
        }),
    ),
    case(
        "engine's role",
        |w| {
            let path = format!("{}/roles/{ROLE}", mount(w));
            w.space.ok("DELETE", &path, Value::Null);
            w.flag("--issue");
        },
        ("issue", "the read of"),
        Done("is there a role", |w| w.engine.role(ROLE)),
    ),
    case(
        "failing cloud",
        |w| {
            w.engine.fail(true);
            w.flag("--issue");
        },
        ("issue", "could not carry out"),
        Done("retry the job", |w| w.engine.fail(false)),
    ),
    case(
        "fields of another engine",
        |w| {
            w.unset("CI_CREDS_EXOSCALE_FIELDS");
            w.flag("--issue");
        },
        ("issue", "api_key"),
        Done("--field", |w| w.env("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password")),
    ),
    case(
        "strict: static key",
        |w| {
            let kv = w.space.kv1("kv");
            w.space.write(&format!("{kv}/creds/{ROLE}"), json!({"username": "u", "password": "p"}));
            let rule =
                |mount: &str| format!("path \"{mount}/creds/{ROLE}\" {{ capabilities = [\"read\"] }}\n");
            rules(w, &(rule(&kv) + &rule(&mount(w))));
            w.env("CI_CREDS_EXOSCALE_MOUNT", kv);
        },
        ("engine", "type kv"),
        Set("CI_CREDS_EXOSCALE_MOUNT", mount),
    ),
];

const LIFE: &[Case] = &[
    case(
        "strict: TTL below the lease",
        |w| {
            w.flag("--issue");
            w.role(json!({"token_ttl": "3m", "token_max_ttl": "3m", "token_policies": w.policy}));
        },
        ("issue", "issued"),
        Hint,
    ),
    case("strict: uses", |w| w.role(json!({"token_num_uses": 2})), ("token", "good for"), Hint),
    case(
        "strict: root",
        |w| {
            w.env("VAULT_AUTH_METHOD", "token");
            w.env("VAULT_TOKEN", &w.space.server.root_token);
        },
        ("token", "policies root"),
        Done("give the job one with a policy of its own", |w| {
            w.env("VAULT_TOKEN", w.space.token(&[&w.policy, "default"], json!({})));
        }),
    ),
    case(
        "min-ttl",
        |w| {
            w.env("CI_CREDS_EXOSCALE_MIN_TTL", "20m");
            w.role(json!({"token_type": "batch", "token_ttl": "15m"}));
        },
        ("lifetime", "the token ends"),
        Hint,
    ),
];

const OUTPUT: &[Case] = &[
    case(
        "output folder",
        |w| w.env("CI_CREDS_OUTPUT", "/nowhere/creds"),
        ("output", "/nowhere/creds"),
        Done("a new or regular file", |w| w.unset("CI_CREDS_OUTPUT")),
    ),
    case(
        "format",
        |w| w.env("CI_CREDS_FORMAT", "yaml"),
        ("configuration", "CI_CREDS_FORMAT names a format that does not exist"),
        Done("the formats are sh,", |w| w.env("CI_CREDS_FORMAT", "sh")),
    ),
    case(
        "trace",
        |w| w.env("CI_DEBUG_TRACE", "true"),
        ("output", "CI_DEBUG_TRACE"),
        Done("--show", |w| w.env("CI_CREDS_SHOW", "true")),
    ),
];

#[test]
fn faults_of_policies() {
    all(POLICY);
}

#[test]
fn faults_of_engines() {
    all(ENGINE);
}

#[test]
fn faults_of_lives() {
    all(LIFE);
}

#[test]
fn faults_of_the_output() {
    all(OUTPUT);
}
