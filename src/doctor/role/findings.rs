//! What a working role should do better. It must not fail a role that lets the job in.

use serde_json::Value;

use super::{Step, ttl};
use crate::ci;
use crate::claims::role::Role;

/// Claims that bind a role to certain projects.
const OWNERS: &[&str] =
    &["project_id", "project_path", "namespace_id", "namespace_path", "sub", "user_id", "user_login"];
/// A token without an end of its own lives as long as the mount allows: 32 days, unless that is tuned.
const NO_TTL: &str =
    "token_ttl is not set: a token of this role lives for the mount's default, often 32 days";

/// What a working JWT role should do better.
pub(super) fn jwt(role: &Role, path: &str) -> Vec<Step> {
    let bound = role.map("bound_claims");
    let mut steps = Vec::new();
    let mut find = |id, seen: &str, hint: &str| steps.push(Step::warn(id, seen, hint));
    let tied = OWNERS.iter().any(|name| bound.contains_key(*name)) || !role.text("bound_subject").is_empty();
    if !tied {
        find(
            "project",
            &format!(
                "no bound claim names a project: any project of this {} may log in with this role",
                ci::usual().name
            ),
            "bind project_id, or namespace_id for a whole group",
        );
    }
    if bound.contains_key("ref") && !bound.contains_key("ref_protected") {
        find(
            "ref",
            "ref is bound without ref_protected: whoever may push a branch or a tag of that name may log in",
            "add ref_protected: \"true\" to bound_claims, and ref_type where only branches are meant",
        );
    }
    if role.globs() {
        let wide = bound.iter().filter(|(_, value)| wide(value)).map(|(name, _)| name.as_str());
        let wide: Vec<_> = wide.collect();
        if !wide.is_empty() {
            let seen =
                format!("the globs of {} fit more than one may think: * also fits a /", wide.join(", "));
            find("glob", &seen, "list the values, or let the glob begin with a whole group or prefix");
        }
    }
    if !role.config.is_empty()
        && role.config.get("bound_issuer").and_then(Value::as_str).is_none_or(str::is_empty)
    {
        find(
            "issuer",
            "bound_issuer is not set: any issuer with these keys is trusted",
            &format!("set bound_issuer to {}'s address", ci::usual().name),
        );
    }
    steps.extend(loose(role).into_iter().map(|(seen, hint)| Step::warn("loose", seen, hint)));
    steps.extend(token(role, path));
    steps
}

/// How long past its end, in seconds, an ID token may be good by a role that sets no leeway (hashicorp/cap
/// `jwt/jwt.go`).
const LEEWAYS: [(&str, i64); 3] =
    [("expiration_leeway", 150), ("not_before_leeway", 150), ("clock_skew_leeway", 60)];

/// Where a JWT role lets its tokens, or those of the jobs, be good for more than is needed: what was seen, and the
/// remedy.
pub(in crate::doctor) fn loose(role: &Role) -> Vec<(String, String)> {
    let mut all = Vec::new();
    if role.number("token_period") > 0 {
        let seen =
            format!("token_period is {}: its token can be renewed for ever", ttl(role, "token_period"));
        all.push((seen, "set token_period=0, and token_max_ttl to what a job takes".to_owned()));
    }
    for (name, usual) in LEEWAYS {
        if role.number(name) > usual {
            let seen = format!(
                "{name} is {}: an ID token is good for that long outside of its times",
                ttl(role, name)
            );
            all.push((seen, format!("set {name}=0, which is the usual one")));
        }
    }
    let audiences = role.list("bound_audiences");
    if audiences.len() > 1 {
        let seen = format!(
            "{} audiences are bound: an ID token for any of {} is good here",
            audiences.len(),
            audiences.join(", ")
        );
        all.push((
            seen,
            "leave the one that the jobs' id_tokens: have, which is this Vault's alone".to_owned(),
        ));
    }
    all
}

/// `*`, `*x`, and a glob that is not cut off at a slash or a dash.
fn wide(value: &Value) -> bool {
    let one = |value: &Value| {
        value.as_str().is_some_and(|glob| {
            glob.starts_with('*')
                || glob.find('*').is_some_and(|star| !glob[..star].ends_with(['/', '-', '.', ':']))
        })
    };
    value.as_array().map_or_else(|| one(value), |list| list.iter().any(one))
}

/// What a working AppRole should do better.
pub(super) fn approle(role: &Role, path: &str) -> Vec<Step> {
    let bound = role.role.get("bind_secret_id").and_then(Value::as_bool).unwrap_or(true);
    let mut steps = Vec::new();
    let mut find = |id, seen: &str, hint: &str| steps.push(Step::warn(id, seen, hint));
    if !bound {
        find(
            "secret-id",
            "bind_secret_id is false: who knows the role_id, and is at the right address, may log in",
            "set bind_secret_id=true",
        );
    }
    if bound && role.number("secret_id_num_uses") == 0 {
        find(
            "uses",
            "a secret_id may be used any number of times",
            "set secret_id_num_uses=1, and issue one for each job",
        );
    }
    if bound && role.number("secret_id_ttl") == 0 {
        find(
            "secret-ttl",
            "a secret_id never ends",
            "set secret_id_ttl=5m, or what a job takes until it logs in",
        );
    }
    if role.list("secret_id_bound_cidrs").is_empty() && role.list("token_bound_cidrs").is_empty() {
        find(
            "cidr",
            "any address may log in with this role",
            "set secret_id_bound_cidrs and token_bound_cidrs to the runners' network",
        );
    }
    steps.extend(token(role, path));
    steps
}

/// What a working role of any kind should do better.
pub(super) fn token(role: &Role, path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let number = |name| role.number(name);
    if number("token_ttl") == 0 && number("token_max_ttl") == 0 && number("token_explicit_max_ttl") == 0 {
        let hint = format!("set token_ttl=15m, or what the job takes, on {path}");
        steps.push(Step::warn("token-ttl", NO_TTL, hint));
    }
    if number("token_num_uses") == 1 || number("token_num_uses") == 2 {
        let seen = "token_num_uses is too small: a run reads, and revokes its token";
        steps.push(Step::warn("token-uses", seen, "set token_num_uses=0 (or 3 and more)"));
    }
    if role.list("token_policies").iter().any(|policy| policy == "root") {
        let hint = "give it a policy that allows what its jobs read, and nothing else";
        steps.push(Step::warn("policies", "the role gives root tokens", hint));
    }
    steps
}
