//! `--format markdown`: the page that a security reviewer reads: who may do what, for how long, and what somebody gets
//! who steals a part. It must not hold a secret.

use serde_json::Value;

use super::sketch::{ABOUT, Sketch};
use super::{Format, Plan, Who};
use crate::ci;
use crate::claims::entry::OWN;
use crate::duration::show;
use crate::text::one_line;
use crate::vault;

/// `--format markdown`.
pub(super) static MARKDOWN: Format =
    Format { name: "markdown", about: "A page for a security review, with the proof", write };

fn write(plan: &Plan, _: &str) -> String {
    let seconds = |name: &str| {
        let found = plan.roles.iter().find_map(|role| role.fields.get(name)).and_then(Value::as_u64);
        show(std::time::Duration::from_secs(found.unwrap_or_default()))
    };
    let mut text = format!("# The Vault side of {}\n\n## Who may log in\n\n", code(&plan.call));
    who(plan, &mut text);
    text.push_str(&format!(
        "\nThe token lives {}, and {} with renewals. It has no policy but the one below: not `default` either.\n",
        seconds("token_ttl"),
        seconds("token_max_ttl")
    ));
    for policy in &plan.policies {
        text.push_str(&format!(
            "\n## The policy {}\n\n| path | capability | parameters | why |\n|---|---|---|---|\n",
            code(&policy.name)
        ));
        for line in &policy.lines {
            let parameter = |(name, values): &(String, Vec<String>)| match &values[..] {
                [] => format!("{} (any value)", code(name)),
                values => format!("{} = {}", code(name), code(&values.join(", "))),
            };
            let parameters: Vec<_> = line.parameters.iter().map(parameter).collect();
            let (path, why) = (code(&line.path), &line.about);
            text.push_str(&format!("| {path} | {} | {} | {why} |\n", line.capability, parameters.join("; ")));
        }
    }
    plan.sketches.iter().for_each(|sketch| sketched(sketch, &mut text));
    text.push_str("\n## What a thief gets\n\n| of | gets |\n|---|---|\n");
    for (part, loot) in thief(plan, &seconds("token_ttl"), &seconds("token_max_ttl")) {
        text.push_str(&format!("| {part} | {loot} |\n"));
    }
    proof(plan, &mut text);
    text
}

/// Who gets in at each role.
fn proof(plan: &Plan, text: &mut String) {
    let mut role = "";
    for proof in &plan.proof {
        let entry = &proof.entry;
        if proof.role != role {
            role = &proof.role;
            text.push_str(&format!(
                "\n## Proof of the role {}\n\nIt was held against these jobs, as Vault would do it:\n\n\
                 | job | verdict | kept out by |\n|---|---|---|\n",
                code(role)
            ));
        }
        let verdict = match (entry.enters, proof.is_meant && entry.job != OWN) {
            (true, true) => "let in, as is meant",
            (true, false) => "**let in**",
            (false, _) => "refused",
        };
        text.push_str(&format!("| {} | {verdict} | {} |\n", entry.job, entry.kept_out_by.join(", ")));
    }
}

/// The sketch of an engine and its role, which have to be made first.
fn sketched(sketch: &Sketch, text: &mut String) {
    let (mount, path) = (code(&sketch.mount), code(&sketch.path));
    text.push_str(&format!("\n## The {} engine at {mount}\n\n{ABOUT}\n\n", sketch.title));
    if !sketch.fields.is_empty() {
        text.push_str(&format!("| field of {path} | value |\n|---|---|\n"));
        for (name, value) in &sketch.fields {
            text.push_str(&format!("| {} | {} |\n", code(name), code(&value.to_string())));
        }
        text.push('\n');
    }
    for line in &sketch.notes {
        let line = one_line(&line.replace("{cli}", "vault"));
        let line = if line.starts_with('{') {
            format!("  {}\n", code(&line))
        } else {
            format!("* {}\n", line.replace('<', "\\<"))
        };
        text.push_str(&line);
    }
}

fn who(plan: &Plan, text: &mut String) {
    match &plan.who {
        Who::Jobs { meant, issuer, audience } => {
            text.push_str("Jobs whose ID token has all of these claims:\n\n| claim | value |\n|---|---|\n");
            for (name, value) in meant.claims() {
                let value = match value {
                    Value::Array(all) => {
                        all.iter().filter_map(Value::as_str).map(code).collect::<Vec<_>>().join(" or ")
                    }
                    other => code(other.as_str().unwrap_or_default()),
                };
                text.push_str(&format!("| {name} | {value} |\n"));
            }
            text.push_str(&format!("| aud | {} |\n| iss | {} |\n", code(audience), code(issuer)));
            if meant.protected && meant.reference.is_none() {
                text.push_str("\nThat is every protected branch and every protected tag.\n");
            }
        }
        Who::Runners { cidrs } => {
            let from = match &cidrs[..] {
                [] => "from any address".to_owned(),
                all => format!("from {}", all.iter().map(|one| code(one)).collect::<Vec<_>>().join(", ")),
            };
            text.push_str(&format!("Whoever has the role_id, which the runner has, and the issuing token, which is a {} variable, {from}.\n", ci::usual().name));
        }
        Who::ServiceAccounts(accounts) => {
            let all: Vec<_> = accounts.iter().map(|one| code(one)).collect();
            text.push_str(&format!("Pods with the service account {}.\n", all.join(" or ")));
        }
        Who::Principals { arns, .. } => {
            let all: Vec<_> = arns.iter().map(|one| code(one)).collect();
            text.push_str(&format!("Machines with the IAM role {}.\n", all.join(" or ")));
        }
    }
}

/// Each part that can be stolen, and what it is worth.
fn thief(plan: &Plan, ttl: &str, longest: &str) -> Vec<(&'static str, String)> {
    let mut lines = plan.policies.iter().flat_map(|policy| &policy.lines);
    let renews = lines.any(|line| line.path == vault::RENEW_SELF);
    let longest = if renews { longest } else { ttl };
    let token = ("the login's token", format!("what the policy says, until the job ends, or for {longest}"));
    let read = (
        "what the job reads",
        "what it opens, until it is revoked or its own TTL ends; a secret of KV until somebody changes it"
            .to_owned(),
    );
    let own = match &plan.who {
        Who::Jobs { .. } => vec![(
            "the ID token",
            format!(
                "what the policy says, until the ID token expires, at the latest with the job's time-out; a token that it \
                 got by then lives up to {longest}"
            ),
        )],
        Who::Runners { .. } => vec![
            ("the role_id alone", "nothing".to_owned()),
            ("the issuing token alone", "nothing: it issues secret_ids, which need the role_id".to_owned()),
            ("both", "what the policy says, until one of them is replaced".to_owned()),
        ],
        Who::ServiceAccounts(_) => {
            vec![("the pod's token", "what the policy says, until that token ends".to_owned())]
        }
        Who::Principals { .. } => {
            vec![("the runner's AWS credentials", "what the policy says, until they end".to_owned())]
        }
    };
    own.into_iter().chain([token, read]).collect()
}

/// A text as code in a table, whatever is in it.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
