//! Judges what roles that let machines in are bound to: Kubernetes, AWS IAM, TLS certificates. It must not claim to
//! know whether one pod, principal or certificate fits, because an operator has none of them at hand.

use serde_json::Value;

use super::{Step, findings, ttl};
use crate::claims::role::Role;
use crate::error::Code;

/// A kind of role.
pub(super) struct Kind {
    /// `Kubernetes`.
    title: &'static str,
    /// A field that only such a role has.
    shows: &'static str,
    /// What it is bound to, as Vault names it.
    bounds: &'static [&'static str],
    /// What can't be told from here.
    unchecked: &'static str,
    /// What is wrong with it, or should be better.
    find: fn(&Role) -> Vec<Step>,
}

/// Vault's `builtin/credential/{aws,cert}` `path_role.go`, `path_certs.go`; vault-plugin-auth-kubernetes
/// `path_role.go`.
const KINDS: &[Kind] = &[
    Kind {
        title: "Kubernetes",
        shows: "bound_service_account_names",
        bounds: &[
            "bound_service_account_namespaces",
            "bound_service_account_namespace_selector",
            "bound_service_account_names",
            "audience",
        ],
        unchecked: "whether a pod's service account fits, and whether Vault may review its token: `ci-creds doctor` in \
                    the job tells",
        find: kubernetes,
    },
    Kind {
        title: "AWS",
        shows: "auth_type",
        bounds: &["auth_type", "bound_iam_principal_arn", "bound_account_id", "bound_region", "bound_vpc_id"],
        unchecked: "whether a runner's principal fits, and whether Vault reaches STS: `ci-creds doctor` in the job tells",
        find: aws,
    },
    Kind {
        title: "TLS certificate",
        shows: "allowed_common_names",
        bounds: &[
            "allowed_names",
            "allowed_common_names",
            "allowed_dns_sans",
            "allowed_email_sans",
            "allowed_uri_sans",
            "allowed_organizational_units",
            "required_extensions",
            "ocsp_enabled",
        ],
        unchecked: "whether a runner's certificate fits, or is revoked: `ci-creds doctor` in the job tells",
        find: cert,
    },
];

/// The kind of this role, if it is a role for machines.
pub(super) fn kind_of(role: &Role) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| role.role.contains_key(kind.shows))
}

/// What the role says, and what should be better.
pub(super) fn steps(kind: &Kind, role: &Role, path: &str) -> Vec<Step> {
    let bounds =
        kind.bounds.iter().filter_map(|name| Some(format!("{name}={}", value(role.role.get(*name)?)?)));
    let bounds: Vec<_> = bounds.collect();
    let bound = if bounds.is_empty() { "nothing".to_owned() } else { bounds.join(" ") };
    let seen = format!(
        "a {} role; token TTL {}, policies {}",
        kind.title,
        ttl(role, "token_ttl"),
        role.list("token_policies").join(", ")
    );
    let step = Step::ok("role", seen).line(format!("bound to: {bound}")).from(path);
    let skip = Step::skip("fit", format!("not looked at: {}", kind.unchecked)).unchecked(kind.unchecked);
    let found = (kind.find)(role).into_iter().chain(findings::token(role, path));
    std::iter::once(step).chain(found).chain([skip]).collect()
}

/// A field that binds something, fit to print.
fn value(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "true".to_owned(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        _ => String::new(),
    };
    (!text.is_empty()).then(|| text.chars().take(200).collect())
}

fn kubernetes(role: &Role) -> Vec<Step> {
    let mut steps = Vec::new();
    let any = |field| role.list(field).iter().any(|one| one == "*");
    if any("bound_service_account_namespaces") {
        let seen =
            "any namespace of the cluster may log in: whoever may make one, or a service account in one";
        steps.push(Step::warn("namespace", seen, "name the runners' namespaces"));
    }
    if any("bound_service_account_names") {
        let seen = "any service account of the namespace may log in, `default` of every pod included";
        steps.push(Step::warn("account", seen, "name the jobs' service account"));
    }
    if role.text("audience").is_empty() {
        let seen = "audience is not set: a token that a pod made for another service is taken too";
        steps.push(Step::warn("audience", seen, "set audience, and project the pods' tokens for it"));
    }
    steps
}

fn aws(role: &Role) -> Vec<Step> {
    let mut steps = Vec::new();
    if role.text("auth_type") != "iam" {
        let seen =
            format!("auth_type is {}: ci-creds logs in with a signed IAM request", role.text("auth_type"));
        steps.push(Step::fail("type", Code::Refused, seen).hint("make another role, with auth_type=iam"));
        return steps;
    }
    let bound = role.list("bound_iam_principal_arn");
    if bound.iter().any(|arn| arn.contains('*')) {
        let seen =
            "bound_iam_principal_arn has a *: every principal that fits it, also one made later, may log in";
        steps.push(Step::warn("principal", seen, "name the runners' IAM roles"));
    }
    if !bound.is_empty() && role.role.get("resolve_aws_unique_ids").and_then(Value::as_bool) == Some(false) {
        let seen = "resolve_aws_unique_ids is false: a principal that is deleted and made again, by anybody, may log in";
        let hint = "make the role again with resolve_aws_unique_ids=true; Vault then needs iam:GetRole and iam:GetUser";
        steps.push(Step::warn("unique-id", seen, hint));
    }
    steps
}

fn cert(role: &Role) -> Vec<Step> {
    let narrows = |name: &&&str| **name != "ocsp_enabled" && role.role.get(**name).and_then(value).is_some();
    let bounds =
        KINDS.iter().filter(|kind| kind.shows == "allowed_common_names").flat_map(|kind| kind.bounds);
    if bounds.filter(|name| narrows(name)).count() > 0 {
        return Vec::new();
    }
    let seen = "no name is bound: every certificate of this CA may log in";
    let hint = "set allowed_common_names or allowed_dns_sans, unless the CA is there for these runners alone";
    vec![Step::warn("names", seen, hint)]
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn found(role: Value) -> Vec<&'static str> {
        let role = Role { role: role.as_object().cloned().unwrap(), config: Map::new() };
        let kind = kind_of(&role).unwrap();
        (kind.find)(&role).iter().map(|step| step.id).collect()
    }

    #[test]
    fn what_is_wide_is_found() {
        let names = json!({"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"]});
        assert_eq!(found(names), ["namespace", "account", "audience"]);
        let bound = json!({"bound_service_account_names": ["ci"], "bound_service_account_namespaces": ["ci"], "audience": "v"});
        assert!(found(bound).is_empty());
        assert_eq!(found(json!({"auth_type": "ec2"})), ["type"]);
        let wide = json!({"auth_type": "iam", "bound_iam_principal_arn": ["arn:aws:iam::1:role/*"], "resolve_aws_unique_ids": false});
        assert_eq!(found(wide), ["principal", "unique-id"]);
        assert_eq!(found(json!({"allowed_common_names": [], "ocsp_enabled": true})), ["names"]);
        assert!(found(json!({"allowed_common_names": ["ci"]})).is_empty());
    }
}
