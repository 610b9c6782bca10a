//! AppRole in split custody: the runner has the role_id, a CI variable has the token that issues one-use secret_ids.
//! Neither may open anything by itself.

use serde_json::{Value, json};

use super::policy::{Line, Policy};
use super::{Object, Order, Plan, Who, token_fields};
use crate::{ci, vault};

/// How long a secret_id may wait for its login, in seconds: the run logs in at once.
const SECRET_ID_TTL: u64 = 300;
/// How long the issuing token lives, as `vault` has it: rotate it in time.
const ISSUING_TTL: &str = "768h";

/// Adds the AppRole, and who issues its secret_ids.
pub(super) fn add(order: &Order, plan: &mut Plan) {
    let cidrs = match &order.who {
        Who::Runners { cidrs } => cidrs.clone(),
        _ => Vec::new(),
    };
    let (mount, role) = (&order.mount, &order.role);
    let issuing = format!("{role}-issue");
    plan.policies.push(Policy {
        name: issuing.clone(),
        about: "What the issuing token may do: it has no rights in any engine".to_owned(),
        lines: vec![Line {
            // The number of uses and the TTL are left out, because the role decides them.
            parameters: vec![("metadata".to_owned(), Vec::new())],
            ..Line::new("A secret_id for one login.", &vault::secret_id_path(mount, role), "update")
        }],
    });
    let mut fields = serde_json::Map::new();
    fields.insert("bind_secret_id".to_owned(), json!(true));
    fields.insert("secret_id_num_uses".to_owned(), json!(1));
    fields.insert("secret_id_ttl".to_owned(), json!(SECRET_ID_TTL));
    fields.insert("secret_id_bound_cidrs".to_owned(), json!(cidrs));
    fields.extend(token_fields(order));
    fields.insert("token_bound_cidrs".to_owned(), json!(cidrs));
    plan.roles.push(Object {
        about: "How a job logs in: with a secret_id that is good for one login, at once.".to_owned(),
        path: format!("auth/{mount}/role/{role}"),
        fields,
    });
    let Value::Object(fields) = json!({
        "allowed_policies": [issuing, "default"],
        "allowed_policies_glob": [],
        "disallowed_policies": [],
        "disallowed_policies_glob": [],
        "orphan": true,
        "renewable": true,
        "token_type": "service",
        "token_period": 0,
        "token_explicit_max_ttl": 0,
        "token_num_uses": 0,
        "token_bound_cidrs": [],
        "path_suffix": "",
    }) else {
        return;
    };
    plan.roles.push(Object {
        about:
            "How the issuing token is made, also by `ci-creds rotate`: it outlives the login that made it.\n\
             The policy `default` is for `rotate` and `doctor`: lookup-self, renew-self, revoke-self, capabilities-self."
                .to_owned(),
        path: format!("auth/token/roles/{issuing}"),
        fields,
    });
    plan.job.variables.push(("VAULT_AUTH_METHOD".to_owned(), "approle".to_owned()));
    plan.by_hand.push(vec![
        format!("The runner gets the role_id, {}:", ci::usual().give_on_runner.replace("NAME", "VAULT_ROLE_ID")),
        format!("  {{cli}} read -field=role_id auth/{mount}/role/{role}/role-id"),
        format!(
            "{} gets the issuing token, as the variable VAULT_TOKEN: masked, protected, and scoped to its environment:",
            ci::usual().name
        ),
        format!("  {{cli}} token create -role={issuing} -ttl={ISSUING_TTL} -field=token"),
        format!("The job has the variables VAULT_AUTH_METHOD=approle and VAULT_AUTH_ROLE={role}"),
    ]);
}
