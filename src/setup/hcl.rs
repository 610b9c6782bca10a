//! `--format hcl`: the policies alone, as files of policies have them. It must not hold commands.

use super::{Format, Options, Plan};

/// `--format hcl`.
pub(super) static HCL: Format = Format { name: "hcl", about: "The policies alone", write };

fn write(plan: &Plan, _: &Options) -> String {
    let policies = plan.policies.iter().map(|policy| {
        format!("# {}: {}\n{}", policy.name, crate::text::one_line(&policy.about), policy.text())
    });
    policies.collect::<Vec<_>>().join("\n")
}
