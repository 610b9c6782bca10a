//! Compares every role of a JWT mount with jobs that it is not for: who gets in, with which policies, for how long. It
//! must not change a role.

use serde_json::{Map, Value, json};

use super::report::Report;
use super::role::findings::loose;
use super::{Step, policy_line, run, ttl};
use crate::claims::entry::{Entry, entries};
use crate::claims::role::Role;
use crate::config::RoleCheck;
use crate::error::{Code, Error};
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::vault::{self, Vault};

/// Looks at every role of the JWT method at `mount`, which is without `auth/`.
pub(crate) async fn walk(
    report: &mut Report,
    role_check: RoleCheck,
    mount: &str,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let Some((vault, operator)) = run::reach_as_operator(report, &role_check, shutdown).await? else {
        return Ok(());
    };
    let folder = format!("auth/{mount}/role");
    let names = match vault.list(&operator, &folder).await {
        Ok(names) => names,
        // An empty folder is a 404, and so is a mount that is not there, which says more.
        Err(error)
            if error.refusal().is_some_and(|(status, _)| status == 404) && !error.says("no handler") =>
        {
            return Ok(report.add(Step::skip("roles", format!("there is no role at {folder}")))?);
        }
        Err(error) => return Ok(report.add(refused(&error, &folder, "list"))?),
    };
    let config = match look(&vault, &operator, &format!("auth/{mount}/config")).await {
        Ok(found) => found,
        Err(error) => {
            let path = format!("auth/{mount}/config");
            let step = Step::skip("config", format!("not looked at: {error}"));
            let hint = policy_line("the policy must have", &path, "read");
            report.add(step.hint(hint).unchecked(format!("{path}, for bound_issuer")))?;
            Map::new()
        }
    };
    for name in names {
        let path = format!("{folder}/{name}");
        let step = match look(&vault, &operator, &path).await {
            Ok(found) => one(report, &name, Role { role: found, config: config.clone() }),
            Err(error) => refused(&error, &path, "read"),
        };
        report.add(step.from(path))?;
    }
    Ok(())
}

/// One role: a row of the table.
fn one(report: &mut Report, name: &str, role: Role) -> Step {
    if !role.role.contains_key("user_claim") {
        return Step::skip("role", format!("{name} is no JWT role")).unchecked(format!("the role {name}"));
    }
    if role.text("role_type") == "oidc" {
        report.roles.push(json!({
            "role": name, "role_type": "oidc", "policies": role.list("token_policies"),
            "token_ttl_seconds": role.number("token_ttl"), "jobs": [], "findings": [],
        }));
        let seen = format!(
            "{name} is of role_type oidc: it takes no ID token of a job, and people log in by a browser"
        );
        return Step::skip("role", seen)
            .unchecked(format!("who may log in by a browser with the role {name}"));
    }
    let all = entries(&role, vault::now());
    let loose = loose(&role);
    let jobs =
        all.iter().map(|one| json!({"job": one.job, "enters": one.enters, "kept_out_by": one.kept_out_by}));
    report.roles.push(json!({
        "role": name,
        "role_type": "jwt",
        "policies": role.list("token_policies"),
        "token_ttl_seconds": role.number("token_ttl"),
        "jobs": jobs.collect::<Vec<_>>(),
        "findings": loose.iter().map(|(seen, _)| seen).collect::<Vec<_>>(),
    }));
    let policies = match &role.list("token_policies")[..] {
        [] => "none".to_owned(),
        all => all.join(", "),
    };
    let means = format!("policies {policies}; token TTL {}", ttl(&role, "token_ttl"));
    let strangers: Vec<&Entry> = all.iter().skip(1).filter(|one| one.enters).collect();
    let list: Vec<_> = strangers.iter().map(|one| one.job).collect();
    let seen = match &list[..] {
        [] => format!("{name} keeps out all of them"),
        list => format!("{name} lets in {}", list.join(", ")),
    };
    let mut step = Step::ok("role", seen).line(means);
    if !strangers.is_empty() || !loose.is_empty() {
        step.status = super::Status::Warn;
    }
    let mut remedies: Vec<_> = strangers.iter().map(|one| one.remedy.to_owned()).collect();
    remedies.dedup();
    for (seen, remedy) in loose {
        step = step.line(seen);
        remedies.push(remedy);
    }
    remedies.into_iter().fold(step, Step::hint)
}

async fn look(vault: &Vault, operator: &Secret, path: &str) -> Result<Map<String, Value>, vault::Error> {
    match vault.look(operator, path).await? {
        Value::Object(found) => Ok(found),
        _ => Ok(Map::new()),
    }
}

fn refused(error: &vault::Error, path: &str, capability: &str) -> Step {
    match error.refusal() {
        Some((404, _)) => Step::fail("roles", Code::Refused, format!("there is nothing at {path}"))
            .hint("name the mount, as in `ci-creds doctor --audit auth/jwt`"),
        Some((403, _)) => {
            Step::fail("roles", Code::Refused, format!("this VAULT_TOKEN may not {capability} {path}"))
                .hint(policy_line("the policy must have", path, capability))
        }
        _ => Step::failed("roles", error),
    }
}
