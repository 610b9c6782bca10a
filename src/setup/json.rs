//! `--format json`: the plan for scripts, with a version. A field must not be removed or change its meaning.

use serde_json::{Map, Value, json};

use super::{Format, Object, Plan, Policy, Proof, Sketch};

/// `--format json`.
pub(super) static JSON: Format = Format { name: "json", about: "The whole plan, for scripts", write };

fn write(plan: &Plan, _: &str) -> String {
    let written = |object: &Object| json!({"path": object.path, "fields": object.fields});
    let (login, mount) = &plan.auth;
    let proof = plan
        .proof
        .iter()
        .map(|Proof { role, entry, is_meant }| {
            json!({"role": role, "job": entry.job, "enters": entry.enters, "meant": is_meant, "kept_out_by": entry.kept_out_by})
        });
    let text = serde_json::to_string_pretty(&json!({
        "version": 1,
        "run": plan.call,
        "namespace": plan.namespace,
        "auth": {"type": login.name, "path": mount},
        "config": plan.config.as_ref().map(|config| written(&config.object)),
        "policies": plan.policies.iter().map(policy).collect::<Vec<_>>(),
        "roles": plan.roles.iter().map(written).collect::<Vec<_>>(),
        "sketches": plan.sketches.iter().map(sketched).collect::<Vec<_>>(),
        "job": plan.job.variables.iter().cloned().map(|(name, value)| (name, value.into())).collect::<Map<String, Value>>(),
        "audience": plan.job.audience,
        "proof": proof.collect::<Vec<_>>(),
    }));
    text.unwrap_or_default() + "\n"
}

/// What stands in <…> in it is to be filled in.
fn sketched(sketch: &Sketch) -> Value {
    json!({"mount": sketch.mount, "type": sketch.engine, "path": sketch.path, "fields": sketch.fields, "notes": sketch.notes})
}

fn policy(policy: &Policy) -> Value {
    let lines = policy.lines.iter().map(|line| {
        let parameters: Map<String, Value> =
            line.parameters.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
        let mut object = json!({"path": line.path, "capabilities": [line.capability]});
        if !parameters.is_empty() {
            object["allowed_parameters"] = parameters.into();
        }
        object
    });
    json!({"name": policy.name, "lines": lines.collect::<Vec<_>>(), "text": policy.text()})
}
