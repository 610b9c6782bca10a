//! The login by ID token: the mount says whose signature counts, and the role says which jobs get in. It must not let
//! in jobs that the order does not name.

use serde_json::{Value, json};

use super::{MountConfig, Order, Plan, Proof, Who, add_role};
use crate::ci;
use crate::claims::entry::{OWN, entries};
use crate::claims::role::Role;

/// The claims that name a job: they become metadata of its token. Nobody's name or address is among them.
const NAMES_THE_JOB: [&str; 4] = ["project_path", "ref", "job_id", "pipeline_id"];

/// Adds the mount's configuration and the role.
pub(super) fn add(order: &Order, plan: &mut Plan) {
    let Who::Jobs { meant, issuer, audience } = &order.who else { return };
    let mut config = serde_json::Map::new();
    config.insert("oidc_discovery_url".to_owned(), json!(issuer));
    config.insert("bound_issuer".to_owned(), json!(issuer));
    let path = format!("auth/{}/config", order.mount);
    plan.config = Some(MountConfig::new("Who signs the ID tokens.", path, "bound_issuer", config));
    let mut fields = serde_json::Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("role_type", json!("jwt"));
    put("bound_audiences", json!([audience]));
    put("bound_claims_type", json!(if meant.has_globs() { "glob" } else { "string" }));
    put("bound_claims", Value::Object(meant.claims()));
    put("bound_subject", json!(""));
    // Never a person's claim: Vault would make one entity of all that this person does.
    // Where a claim decides the path, it names the entity too: no project can take over another one's by its path.
    put("user_claim", json!(order.claim.map_or("project_path", |claim| claim.name)));
    put("user_claim_json_pointer", json!(false));
    put("groups_claim", json!(""));
    // The audit log then says which job a token belongs to.
    let own = order.claim.map(|claim| claim.name);
    let mapped = NAMES_THE_JOB.iter().copied().chain(own).map(|claim| (claim.to_owned(), json!(claim)));
    put("claim_mappings", Value::Object(mapped.collect()));
    for leeway in ["expiration_leeway", "not_before_leeway", "clock_skew_leeway"] {
        put(leeway, json!(0));
    }
    add_role(order, plan, "Which jobs may log in, and for how long.", fields);
    let role = plan.roles.last().map(|role| role.fields.clone()).unwrap_or_default();
    let config = plan.config.iter().flat_map(|config| config.object.fields.clone()).collect();
    let proof = entries(&Role { role, config }, crate::vault::now()).into_iter().map(|entry| {
        // The other projects of a group are meant, and those of its subgroups where a * says so.
        let of_group = entry.job == ci::OF_THE_GROUP && !meant.groups.is_empty()
            || entry.job == ci::BESIDE && meant.groups.iter().any(|group| group.contains('*'));
        Proof { role: order.role.clone(), is_meant: entry.job == OWN || of_group, entry }
    });
    plan.proof = proof.collect();
    // The runner may have the role_id of other jobs.
    plan.job.variables.push(("VAULT_AUTH_METHOD".to_owned(), "jwt".to_owned()));
    plan.job.audience = Some(audience.clone());
    plan.job.environment.clone_from(&meant.environment);
    if let Some(claim) = order.claim {
        plan.by_hand.push(vec![format!(
            "{} in the run's words stands for the job's own ${}.",
            claim.mark(),
            claim.variable
        )]);
    }
    plan.by_hand.push(vec![
        "The job in .gitlab-ci.yml:".to_owned(),
        format!("  id_tokens: {{ VAULT_ID_TOKEN: {{ aud: {} }} }}", Value::from(audience.as_str())),
        format!(
            "  variables: {{ VAULT_AUTH_METHOD: jwt, VAULT_AUTH_ROLE: {} }}",
            Value::from(order.role.as_str())
        ),
    ]);
}
