//! What is too wide in the policies that a role gives, as far as an operator may read them. It must not judge a policy
//! that it can't read.

use crate::doctor::{Step, policy_line};
use crate::secret::Secret;
use crate::vault::Vault;

pub(super) async fn look(vault: &Vault, operator: &Secret, names: &[String]) -> Vec<Step> {
    let mut steps = Vec::new();
    for name in names.iter().filter(|name| !["default", "root"].contains(&name.as_str())) {
        let path = format!("sys/policies/acl/{name}");
        let found = match vault.look(operator, &path).await {
            Ok(found) => found,
            Err(error) if error.refusal().is_some_and(|(status, _)| status == 404) => {
                let seen = format!("the role gives the policy {name}, which does not exist");
                steps.push(Step::warn(
                    "policies",
                    seen,
                    format!("write {path}, or take {name} out of the role"),
                ));
                continue;
            }
            Err(error) => {
                let step = Step::skip("policies", format!("{name} is not looked at: {error}"));
                steps.push(step.unchecked("a policy of the role (see above)"));
                continue;
            }
        };
        let rules = found.get("policy").and_then(serde_json::Value::as_str).unwrap_or_default();
        let wide = wide(rules);
        if !wide.is_empty() {
            let seen = format!("{name} opens whole engines: {}", wide.join(", "));
            let hint = policy_line("name what the jobs read, as in", "exoscale/apikey/ROLE", "read");
            steps.push(Step::warn("policies", seen, hint));
        }
    }
    steps
}

/// The paths of a policy that leave nothing out: `*`, and `MOUNT/*`.
fn wide(rules: &str) -> Vec<&str> {
    let lines = rules.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let paths =
        lines.filter_map(|line| line.strip_prefix("path")?.trim_start().strip_prefix('"')?.split('"').next());
    paths.filter(|path| path.ends_with('*') && path.matches('/').count() < 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_engines_are_found() {
        let rules = "# path \"*\" {}\npath \"exoscale/*\" { capabilities = [\"read\"] }\n  path  \"aws/sts/*\" {}\npath \"*\" {}";
        assert_eq!(wide(rules), ["exoscale/*", "*"]);
    }
}
