//! `--format hcl`: the policies alone, as files of policies have them. It must not hold commands.

use super::{ACCESSOR, Format, Plan};

/// `--format hcl`.
pub(super) static HCL: Format = Format { name: "hcl", about: "The policies alone", write };

fn write(plan: &Plan, _: &str) -> String {
    let policies = plan.policies.iter().map(|policy| {
        format!("# {}: {}\n{}", policy.name, crate::text::one_line(&policy.about), policy.text())
    });
    let text = policies.collect::<Vec<_>>().join("\n");
    let method = &plan.auth.1;
    if text.contains(ACCESSOR) {
        format!(
            "# {ACCESSOR} is that of the auth method: vault read -field=accessor sys/auth/{method}\n{text}"
        )
    } else {
        text
    }
}
