//! Judges an AppRole by what Vault told an operator. It must not ask Vault.

use super::{Step, findings, ttl};
use crate::claims::role::Role;

/// What the role says, and what should be better.
pub(super) fn steps(role: &Role, path: &str) -> Vec<Step> {
    let seconds = |name| ttl(role, name);
    let uses = match role.number("secret_id_num_uses") {
        0 => "any number of".to_owned(),
        uses => uses.to_string(),
    };
    let list = |name: &str| match &role.list(name)[..] {
        [] => "none".to_owned(),
        all => all.join(", "),
    };
    let step = Step::ok("role", format!("secret_id: {uses} uses, TTL {}", seconds("secret_id_ttl")))
        .line(format!("token: TTL {}, at most {}", seconds("token_ttl"), seconds("token_max_ttl")))
        .line(format!("policies: {}", list("token_policies")))
        .line(format!(
            "CIDRs: secret_id {}, token {}",
            list("secret_id_bound_cidrs"),
            list("token_bound_cidrs")
        ))
        .from(path);
    std::iter::once(step).chain(findings::approle(role, path)).collect()
}
