//! What is too wide in the policies that a role gives, as far as an operator may read them. It must not judge a policy
//! that it can't read.

use crate::doctor::{Step, policy_line};
use crate::secret::Secret;
use crate::vault::Vault;
use crate::vault::rules::{self, Rule};

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
        let Some(rules) = rules::parse(rules) else {
            let step = Step::skip("policies", format!("{name} is not looked at: it is not written in HCL"));
            steps.push(step.unchecked("a policy of the role (see above)"));
            continue;
        };
        let wide = wide(&rules);
        if !wide.is_empty() {
            let seen = format!("{name} opens whole engines: {}", wide.join(", "));
            let hint = policy_line("name what the jobs read, as in", "exoscale/apikey/ROLE", "read");
            steps.push(Step::warn("policies", seen, hint));
        }
    }
    steps
}

/// The paths of a policy that leave nothing out: `*`, and `MOUNT/*`, where they allow anything.
fn wide(rules: &[Rule]) -> Vec<&str> {
    let denies =
        |rule: &Rule| rule.capabilities.is_empty() || rule.capabilities.iter().any(|one| one == "deny");
    let paths = rules.iter().filter(|rule| !denies(rule)).map(|rule| rule.path.as_str());
    paths.filter(|path| path.ends_with('*') && path.matches('/').count() < 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_engines_are_found() {
        let rules = "# path \"*\" {}\n/* path \"x/*\" { policy = \"read\" } */\n\
            path \"exoscale/*\" { capabilities = [\"read\"] } path \"aws/*\" { policy = \"write\" }\n\
            path  \"aws/sts/*\" { policy = \"read\" }\npath \"kv/*\" { capabilities = [\"deny\"] }\n\
            path\n\"*\"\n{ capabilities = [\"read\"] }";
        assert_eq!(wide(&rules::parse(rules).unwrap()), ["exoscale/*", "aws/*", "*"]);
    }
}
