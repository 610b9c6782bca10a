//! What works and should be better: each finding is a remark, names what is wrong, and goes when its hint is followed.

use regex::Regex;
use serde_json::{Map, Value, json};

use super::desk::{json_report, operator};
use super::world::{ROLE, Report, World};
use crate::logins::aws;
use crate::support::Space;

fn remarks(report: &Report) -> Vec<&str> {
    let all = report.steps().iter().filter(|step| step["status"] == "warn");
    all.map(|step| step["id"].as_str().unwrap()).collect()
}

/// `set NAME=VALUE` out of a hint, or what somebody who knows their runners and projects makes of it.
fn followed(hint: &str, by_hand: Value) -> Value {
    let set = Regex::new(r"\bset ([a-z_]+)=([^\s,]+)").unwrap();
    let pairs: Map<_, _> =
        set.captures_iter(hint).map(|found| (found[1].to_owned(), json!(found[2]))).collect();
    if pairs.is_empty() { by_hand } else { Value::Object(pairs) }
}

/// What is written to a role that has no finding, the finding, what its hint must contain, and what it means where it
/// is not literal.
type Case = (Value, &'static str, &'static str, Value);

#[track_caller]
fn each(space: &Space<'_>, mount: &str, cases: Vec<Case>, write: impl Fn(&Value)) {
    let desk = operator(space, mount, &[]);
    for (change, id, says, by_hand) in cases {
        let clean = json_report(&desk);
        assert_eq!(remarks(&clean), [""; 0], "before {change}: {:#}", clean.body);
        write(&change);
        let report = json_report(&desk);
        assert_eq!(remarks(&report), [id], "{change}: {:#}", report.body);
        assert_eq!(report.code, 0, "{change}");
        assert_eq!(json_report(&desk.clone().args(["--strict"])).code, 4, "{change}");
        let hint = report.step(id)["hint"].as_str().unwrap();
        assert!(hint.contains(says), "{hint}");
        write(&followed(hint, by_hand));
    }
    let clean = json_report(&desk);
    assert_eq!(remarks(&clean), [""; 0], "{:#}", clean.body);
}

#[test]
fn findings_about_jwt_roles() {
    let space = Space::new();
    let world = World::new(&space);
    let good = json!({"bound_claims": {"project_id": "22", "ref": "main", "ref_protected": "true"},
        "bound_claims_type": "string", "token_ttl": "15m", "token_policies": [world.policy]});
    let write = |change: &Value| {
        let mut role = good.clone();
        role.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        world.role(role);
    };
    write(&json!({}));
    let wide = space.policy("path \"exoscale/*\" { capabilities = [\"read\"] }");
    let cases = vec![
        (
            json!({"bound_claims": {"ref": "main", "ref_protected": "true"}}),
            "project",
            "bind project_id",
            json!({}),
        ),
        (json!({"bound_claims": {"project_id": "22", "ref": "main"}}), "ref", "add ref_protected", json!({})),
        (
            json!({"bound_claims_type": "glob", "bound_claims": {"project_path": "group*", "ref_protected": "true"}}),
            "glob",
            "let the glob begin with a whole group",
            json!({"bound_claims_type": "glob", "bound_claims": {"project_path": "group/*", "ref_protected": "true"}}),
        ),
        (
            json!({"bound_claims_type": "glob", "bound_claims": {"project_path": "*"}}),
            "glob",
            "list the values",
            json!({}),
        ),
        (json!({"token_ttl": 0, "token_max_ttl": 0}), "token-ttl", "set token_ttl=15m", json!({})),
        (json!({"token_num_uses": 1}), "token-uses", "set token_num_uses=0", json!({})),
        (json!({"token_policies": ["root"]}), "policies", "give it a policy", json!({})),
        (json!({"token_policies": [wide]}), "policies", "name what the jobs read", json!({})),
        (json!({"token_policies": ["gone-long-ago"]}), "policies", "take gone-long-ago out", json!({})),
    ];
    each(&space, &world.jwt.mount, cases, write);
    // The mount's own.
    let config = format!("auth/{}/config", world.jwt.mount);
    space.write(
        &config,
        json!({"jwt_validation_pubkeys": crate::support::jwt::trust()["jwt_validation_pubkeys"]}),
    );
    let desk = operator(&space, &world.jwt.mount, &[]);
    assert_eq!(remarks(&json_report(&desk)), ["issuer"]);
}

#[test]
fn findings_about_approles() {
    let space = Space::new();
    let runners = json!(["127.0.0.0/8"]);
    let good = json!({"secret_id_num_uses": 1, "secret_id_ttl": "5m", "token_ttl": "15m", "bind_secret_id": true,
        "secret_id_bound_cidrs": runners, "token_bound_cidrs": runners});
    let login = space.approle(ROLE, good.clone());
    let write = |change: &Value| {
        let mut role = good.clone();
        role.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        space.write(&format!("auth/{}/role/{ROLE}", login.mount), role);
    };
    let cases = vec![
        (json!({"secret_id_num_uses": 0}), "uses", "set secret_id_num_uses=1", json!({})),
        (json!({"secret_id_ttl": 0}), "secret-ttl", "set secret_id_ttl=5m", json!({})),
        (
            json!({"secret_id_bound_cidrs": [], "token_bound_cidrs": []}),
            "cidr",
            "secret_id_bound_cidrs and token_bound_cidrs to the runners' network",
            json!({}),
        ),
        (json!({"bind_secret_id": false}), "secret-id", "set bind_secret_id=true", json!({})),
        (json!({"token_ttl": 0}), "token-ttl", "set token_ttl=15m", json!({})),
        (json!({"token_num_uses": 2}), "token-uses", "set token_num_uses=0", json!({})),
    ];
    each(&space, &login.mount, cases, write);
    let report = json_report(&operator(&space, &login.mount, &[]));
    let seen = report.step("role")["seen"].as_str().unwrap();
    for part in ["secret_id: 1 uses, TTL 5m", "token: TTL 15m", "CIDRs: secret_id 127.0.0.0/8"] {
        assert!(seen.contains(part), "{seen}");
    }
    // What may not be read is said.
    write(&json!({"token_policies": ["somebodys"]}));
    let desk = operator(&space, &login.mount, &[]);
    assert_eq!(remarks(&json_report(&desk)), ["policies"]);
    let reading = space.may_read(&[&format!("auth/{}/role/{ROLE}", login.mount)]);
    let report = json_report(&desk.env("VAULT_TOKEN", space.token(&[&reading], json!({}))));
    let policies = report.step("policies");
    assert_eq!((report.code, &policies["status"]), (0, &json!("skip")), "{:#}", report.body);
    assert!(policies["seen"].as_str().unwrap().starts_with("somebodys is not looked at"), "{policies}");
}

/// Addresses that anyone on the way can read, or play Vault at.
#[test]
fn findings_about_the_way() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.env("VAULT_ADDR", "http://vault.example.invalid");
    world.env("CI_CREDS_ALLOW_HTTP", "true");
    let report = world.report();
    let address = report.step("address");
    assert!(
        address["status"] == "warn" && address["hint"].as_str().unwrap().starts_with("use https"),
        "{address}"
    );
    world.env("VAULT_ADDR", "https://vault.example.invalid");
    world.env("VAULT_SKIP_VERIFY", "true");
    let report = world.report();
    let address = report.step("address");
    assert!(address["status"] == "warn", "{address}");
    assert!(address["hint"].as_str().unwrap().contains("unset VAULT_SKIP_VERIFY"), "{address}");
}

/// What an engine says to an operator, and to a token that may not look.
#[test]
fn an_engines_role_is_told_at_the_desk() {
    let Some(cloud) = aws::Cloud::start() else { return };
    let space = cloud.space();
    let mount = space.mount("aws", json!({"type": "aws-engine"}));
    let arn = "arn:aws:iam::123456789012:role/deploy";
    let role = json!({"credential_type": "assumed_role", "role_arns": [arn], "default_sts_ttl": "30m", "max_sts_ttl": "1h"});
    space.write(&format!("{mount}/roles/deploy"), role);
    let rules = include_str!("../../examples/operator.hcl").replace("\"aws/", &format!("\"{mount}/"));
    let desk = crate::support::Cmd::new(["doctor", "--format", "json", "aws"]).vault(space.server);
    let desk = desk.env("CI_CREDS_AWS_MOUNT", &mount);
    let with = |policy: &str, role: &str| {
        let token = space.token(&["default", policy], json!({}));
        Report::of(&desk.clone().args([role]).env("VAULT_TOKEN", token).run())
    };
    let operators = space.policy(&rules);
    let report = with(&operators, "deploy");
    assert_eq!(report.code, 0, "{:#}", report.body);
    assert!(report.step("policy")["seen"].as_str().unwrap().ends_with("an operator's"), "{:#}", report.body);
    assert!(
        report.step("engine")["seen"].as_str().unwrap().contains("of type aws-engine"),
        "{:#}",
        report.body
    );
    let seen = report.step("role")["seen"].as_str().unwrap();
    for part in ["credential_type=assumed_role", arn, "default_sts_ttl=1800", "max_sts_ttl=3600"] {
        assert!(seen.contains(part), "{seen}");
    }
    let report = with(&operators, "nobody");
    let first = report.first(false).unwrap();
    assert!(report.code == 4 && first["id"] == "role", "{:#}", report.body);
    assert!(first["seen"].as_str().unwrap().starts_with("there is no role nobody in"), "{first}");
    // Who may see nothing is told that, and nothing is made up.
    let report = with("default", "deploy");
    assert_eq!(report.first(false).unwrap()["id"], "policy", "{:#}", report.body);
    let engine = report.step("engine");
    assert!(
        engine["status"] == "skip" && engine["seen"].as_str().unwrap().contains("may see nothing"),
        "{engine}"
    );
    assert!(report.steps().iter().all(|step| step["id"] != "role"), "{:#}", report.body);
    let reading = space.may_read(&[&format!("{mount}/sts/deploy")]);
    let role = with(&reading, "deploy").step("role").clone();
    assert!(role["status"] == "skip" && role["seen"].as_str().unwrap().contains("may not read"), "{role}");
}
