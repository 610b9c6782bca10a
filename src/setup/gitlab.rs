//! `--format gitlab`: the job's own lines, for .gitlab-ci.yml. It must not hold a secret.

use serde_json::Value;

use super::{Format, Plan};

/// `--format gitlab`.
pub(super) static GITLAB: Format =
    Format { name: "gitlab", about: "The job's part of .gitlab-ci.yml", write };

fn write(plan: &Plan, _: &str) -> String {
    // A JSON string is a YAML string as well.
    let quoted = |text: &str| Value::from(text).to_string();
    // Replaces the claim by the job's own variable: by the slug in a name, by the quoted value in a word of a shell.
    let own = |text: &str, name: bool| match plan.claim {
        Some(claim) if name => claim.filled(text, &format!("${}", claim.slug)),
        Some(claim) => claim.filled(text, &format!("'\"${}\"'", claim.variable)),
        None => text.to_owned(),
    };
    let mut text = "job:\n".to_owned();
    if let Some(environment) = &plan.job.environment {
        text.push_str(&format!("  environment: {}\n", quoted(environment)));
    }
    if let Some(audience) = &plan.job.audience {
        text.push_str(&format!("  id_tokens:\n    VAULT_ID_TOKEN:\n      aud: {}\n", quoted(audience)));
    }
    text.push_str("  variables:\n");
    for (name, value) in &plan.job.variables {
        // GitLab fills $NAME in.
        text.push_str(&format!("    {name}: {}\n", quoted(&own(&value.replace('$', "$$"), true))));
    }
    // What `eval` hands to the script is revoked in after_script; what a command gets is revoked when it ends.
    let evals = !plan.job.runs_command;
    if evals {
        text.push_str("    CI_CREDS_STATE_FILE: auto\n");
    }
    let script =
        if evals { format!("eval \"$({})\"", plan.call) } else { format!("{} -- COMMAND", plan.call) };
    let script = own(&script, false);
    text.push_str(&format!("  script:\n    - {}\n", quoted(&script)));
    if evals {
        text.push_str("  after_script:\n    - ci-creds revoke\n");
    }
    text
}
