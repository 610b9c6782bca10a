//! What a report's hints say, carried out word by word.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use super::world::World;

type Action = fn(&mut World<'_>, &Captures<'_>);
type Rule = (Regex, Action);

/// Each form of a remedy, and how somebody who reads it carries it out.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rules: [(&str, Action); 9] = [
        (
            r#"policy(?: of \w+)? (?:must|should) have: (path "[^"]+" \{ capabilities = \["\w+"\] \})$"#,
            |w, found| {
                policy(w, &found[1], true);
            },
        ),
        (r#"no more than: (path "[^"]+" \{ capabilities = \["\w+"\] \})$"#, |w, found| {
            policy(w, &found[1], false)
        }),
        (r"bound_claims must contain (\S+)=(\S+), which", |w, found| {
            let mut bound = bound_claims(w);
            bound.insert(found[1].to_owned(), json!(found[2]));
            write_role(w, &[("bound_claims", json!(bound))]);
        }),
        (r"bound_claims ask for \S+, .*: whoever takes (\S+) out of them", |w, found| {
            let mut bound = bound_claims(w);
            bound.remove(&found[1]);
            write_role(w, &[("bound_claims", json!(bound))]);
        }),
        (r"bound_audiences must contain(?: the token's aud:)? (\S+)$", |w, found| {
            write_role(w, &[("bound_audiences", json!([found[1]]))]);
        }),
        (r"bound_subject must be the token's sub: (\S+)$", |w, found| {
            write_role(w, &[("bound_subject", json!(found[1]))]);
        }),
        (r"bound_issuer must be the token's iss: (\S+)$", |w, found| {
            write_config(w, "bound_issuer", &found[1])
        }),
        (r"set its oidc_discovery_url to (\S+)$", |w, found| {
            write_config(w, "oidc_discovery_url", &found[1])
        }),
        (r"\bset ([a-z_]+=\S+(?: [a-z_]+=\S+)*)", |w, found| {
            let pairs = found[1].split(' ').filter_map(|pair| pair.trim_end_matches(',').split_once('='));
            let pairs: Vec<_> = pairs.map(|(name, value)| (name, json!(value))).collect();
            write_role(w, &pairs);
        }),
    ];
    rules.into_iter().map(|(text, rule)| (Regex::new(text).unwrap(), rule)).collect()
});

/// Carries out the first hint that says what to do in Vault.
#[track_caller]
pub fn apply(world: &mut World<'_>, hints: &str) {
    let first = hints
        .lines()
        .find_map(|hint| RULES.iter().find_map(|(text, rule)| Some((rule, text.captures(hint)?))));
    let (rule, found) = first.unwrap_or_else(|| panic!("nothing to carry out in {hints}"));
    rule(world, &found);
}

fn policy(world: &World<'_>, line: &str, keep: bool) {
    let path = format!("sys/policies/acl/{}", world.policy);
    let before = world.space.ok("GET", &path, Value::Null)["data"]["policy"].clone();
    let before = before.as_str().filter(|_| keep).unwrap_or_default();
    world.space.ok("PUT", &path, json!({"policy": format!("{before}\n{line}")}));
}

fn bound_claims(world: &World<'_>) -> Map<String, Value> {
    let role = world.space.ok("GET", &world.role_path(), Value::Null);
    role["data"]["bound_claims"].as_object().cloned().unwrap_or_default()
}

/// A write without these two puts their defaults back.
fn write_role(world: &World<'_>, changes: &[(&str, Value)]) {
    let role = world.space.ok("GET", &world.role_path(), Value::Null)["data"].clone();
    let mut fields = json!({"role_type": "jwt", "bound_claims_type": role["bound_claims_type"]});
    for (name, value) in changes {
        fields[*name] = value.clone();
    }
    world.space.write(&world.role_path(), fields);
}

/// The whole of it: what a write leaves out is gone. A mount has one source of keys.
fn write_config(world: &World<'_>, name: &str, value: &str) {
    let path = format!("auth/{}/config", world.jwt.mount);
    let mut config = world.space.ok("GET", &path, Value::Null)["data"].clone();
    if name == "oidc_discovery_url" {
        config["jwt_validation_pubkeys"] = json!([]);
    }
    config[name] = json!(value);
    world.space.write(&path, config);
}
