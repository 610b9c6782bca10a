//! The logins by what a machine is: a pod's service account, or an IAM role of AWS. They must not let in other
//! machines.

use serde_json::{Map, json};

use super::{MountConfig, Order, Plan, Who, add_role};

const ABOUT: &str = "Who may log in, and for how long.";

/// Adds the role for service accounts.
pub(super) fn kubernetes(order: &Order, plan: &mut Plan) {
    let Who::ServiceAccounts(accounts) = &order.who else { return };
    let parts = |index: usize| -> Vec<&str> {
        let mut all: Vec<&str> = accounts
            .iter()
            .filter_map(|one| one.split_once('/'))
            .map(|(namespace, name)| [namespace, name][index])
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let mut fields = Map::new();
    fields.insert("bound_service_account_namespaces".to_owned(), json!(parts(0)));
    fields.insert("bound_service_account_names".to_owned(), json!(parts(1)));
    // The uid tells the account from a later one of the same name.
    fields.insert("alias_name_source".to_owned(), json!("serviceaccount_uid"));
    plan.job.variables.push(("VAULT_AUTH_METHOD".to_owned(), "kubernetes".to_owned()));
    plan.by_hand.push(vec![
        format!(
            "auth/{} must know the cluster: kubernetes_host and kubernetes_ca_cert in its config.",
            order.mount
        ),
        format!("The job has the variables VAULT_AUTH_METHOD=kubernetes and VAULT_AUTH_ROLE={}", order.role),
    ]);
    add_role(order, plan, ABOUT, fields);
}

/// Adds the role for IAM roles, and the name that a signature must be for.
pub(super) fn aws(order: &Order, plan: &mut Plan) {
    let Who::Principals { arns, server_id } = &order.who else { return };
    if let Some(server_id) = server_id {
        let mut config = Map::new();
        config.insert("iam_server_id_header_value".to_owned(), json!(server_id));
        let about = "A signature for another server is not good here.";
        let path = format!("auth/{}/config/client", order.mount);
        plan.config = Some(MountConfig::new(about, path, "iam_server_id_header_value", config));
    }
    let mut fields = Map::new();
    fields.insert("auth_type".to_owned(), json!("iam"));
    fields.insert("bound_iam_principal_arn".to_owned(), json!(arns));
    // Vault needs no AWS credentials of its own then.
    fields.insert("resolve_aws_unique_ids".to_owned(), json!(false));
    plan.job.variables.push(("VAULT_AUTH_METHOD".to_owned(), "aws".to_owned()));
    plan.job.variables.extend(server_id.iter().map(|id| ("CI_CREDS_AWS_SERVER_ID".to_owned(), id.clone())));
    plan.by_hand.push(vec![format!(
        "The job has the variables VAULT_AUTH_METHOD=aws and VAULT_AUTH_ROLE={}{}",
        order.role,
        server_id.as_ref().map(|id| format!(", and CI_CREDS_AWS_SERVER_ID={id}")).unwrap_or_default()
    )]);
    add_role(order, plan, ABOUT, fields);
}
