//! What to write to a role so that a token gets in. It must not write it: an operator does.

use serde_json::{Map, Value, json};

use super::demands::{Row, Verdict};
use super::lookup::text;
use super::role::Role;
use super::{Claims, is_private};

/// What would let the token in: fields to write to the role and to the mount's configuration.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Fields of the role.
    pub role: Map<String, Value>,
    /// Fields of the configuration.
    pub config: Map<String, Value>,
    /// Who else would get in: `jobs with ref=dev`. Empty where the change only repairs what is written wrongly.
    pub opens: Vec<String>,
}

/// What to write so that every unmet demand is met, where the role or the mount decides that.
pub fn change(role: &Role, claims: &Claims, rows: &[Row]) -> Change {
    let mut change = Change::default();
    for row in rows.iter().filter(|row| row.verdict == Verdict::Unmet) {
        let value = claims.get(&row.claim);
        change.opens.extend(opens(role, row, value));
        match (row.field, value) {
            ("bound_issuer", Some(Value::String(iss))) => {
                change.config.insert("bound_issuer".to_owned(), json!(iss));
            }
            ("bound_subject", Some(Value::String(sub))) => {
                change.role.insert("bound_subject".to_owned(), json!(sub));
            }
            ("bound_subject", None) => drop(change.role.insert("bound_subject".to_owned(), json!(""))),
            ("bound_audiences", aud) => {
                let one = match aud {
                    Some(Value::Array(list)) => list.first(),
                    other => other,
                };
                // A token without an aud gets in only where none is bound.
                let all = one.map(|one| [role.list("bound_audiences"), vec![text(one)]].concat());
                change.role.insert("bound_audiences".to_owned(), json!(all.unwrap_or_default()));
            }
            ("user_claim", _) => {
                let known = ["project_path", "project_id", "sub"];
                let name = known.into_iter().find(|name| claims.exact(name).is_some_and(Value::is_string));
                if let Some(name) = name {
                    change.role.insert("user_claim".to_owned(), json!(name));
                    change.role.insert("user_claim_json_pointer".to_owned(), json!(false));
                }
            }
            ("groups_claim", _) => drop(change.role.insert("groups_claim".to_owned(), json!(""))),
            ("claim_mappings", _) => without(&mut change, role, "claim_mappings", &row.claim),
            ("bound_claims", None) => without(&mut change, role, "bound_claims", &row.claim),
            ("bound_claims", Some(value)) => bind(&mut change, role, &row.claim, value),
            ("role_type", _) => drop(change.role.insert("role_type".to_owned(), json!("jwt"))),
            _ => {}
        }
    }
    // A command would show personal data.
    let private =
        |bound: &Value| bound.as_object().is_some_and(|map| map.keys().any(|name| is_private(name)));
    if change.role.get("bound_claims").is_some_and(private) {
        change.role.remove("bound_claims");
    }
    bind_something(&mut change, role, claims);
    if !change.role.is_empty() {
        // A write without them puts the defaults back.
        let kind = if role.globs() { "glob" } else { "string" };
        change.role.insert("role_type".to_owned(), json!("jwt"));
        change.role.insert("bound_claims_type".to_owned(), json!(kind));
    }
    change
}

/// The other jobs that get in when a demand is changed so that this token meets it; `None` where there are none.
fn opens(role: &Role, row: &Row, value: Option<&Value>) -> Option<String> {
    let claim = &row.claim;
    let own = match value {
        Some(_) if is_private(claim) => format!("jobs with the token's {claim}"),
        Some(_) => format!("jobs with {claim}={}", row.token),
        None => format!("jobs whatever their {claim}"),
    };
    match row.field {
        "bound_claims" => {
            let bound = role.map("bound_claims").remove(claim);
            // The role has it in another type, such as a number for a text: that value let no token in.
            let same = |bound: &Value| value.is_some_and(|value| text(bound) == text(value));
            let repaired = match &bound {
                Some(Value::Array(list)) => list.iter().any(same),
                Some(bound) => same(bound),
                None => false,
            };
            if crate::ci::is_protection_claim(claim) && !repaired {
                Some(format!("{own}: whoever may push a branch, or change the job, is let in"))
            } else {
                Some(own).filter(|_| !repaired)
            }
        }
        // A role that binds no audience refuses every token with an aud.
        "bound_audiences" => Some(own).filter(|_| !role.list("bound_audiences").is_empty()),
        "bound_subject" => Some(own),
        "bound_issuer" => {
            Some(format!("{own}, at every role of this mount, in place of those of {}", row.demand))
        }
        "role_type" => Some("jobs, by a role that is made for people".to_owned()),
        _ => None,
    }
}

/// Vault takes no role that is bound to nothing.
fn bind_something(change: &mut Change, role: &Role, claims: &Claims) {
    let now = |name: &str| change.role.get(name).or_else(|| role.role.get(name));
    let bound = |name: &str| match now(name) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        _ => false,
    };
    let any =
        ["bound_audiences", "bound_subject", "bound_claims", "token_bound_cidrs"].into_iter().any(bound);
    if any || change.role.is_empty() {
        return;
    }
    let known = ["project_id", "project_path", "sub"];
    let own = known.into_iter().find_map(|name| Some((name, claims.exact(name)?.as_str()?)));
    if let Some((name, value)) = own {
        change.role.insert("bound_claims".to_owned(), json!({name: value}));
    }
}

fn part<'a>(change: &'a mut Change, role: &Role, field: &str) -> Option<&'a mut Map<String, Value>> {
    let whole = change.role.entry(field.to_owned()).or_insert_with(|| Value::Object(role.map(field)));
    whole.as_object_mut()
}

fn without(change: &mut Change, role: &Role, field: &str, claim: &str) {
    if let Some(map) = part(change, role, field) {
        map.remove(claim);
    }
}

/// Adds the token's value to those of the role, in place of one that only looks the same.
fn bind(change: &mut Change, role: &Role, claim: &str, value: &Value) {
    let one = match value {
        Value::Array(list) => list.iter().find(|item| item.is_string()),
        Value::String(_) | Value::Bool(_) => Some(value),
        Value::Number(_) => Some(value).filter(|_| !role.globs()),
        _ => None,
    };
    // Globs match strings alone: no other type can be bound beside them.
    let one = one.filter(|one| one.is_string() || !role.globs());
    let Some(map) = part(change, role, "bound_claims") else { return };
    let Some(one) = one else {
        map.remove(claim);
        return;
    };
    let one = match one.as_f64() {
        Some(number) => json!(number as i64),
        None => one.clone(),
    };
    let mut values = match map.get(claim) {
        Some(Value::Array(list)) => list.clone(),
        Some(bound) if !bound.is_object() => vec![bound.clone()],
        _ => Vec::new(),
    };
    values.retain(|bound| text(bound) != text(&one));
    values.push(one);
    let values = if values.len() == 1 { values.swap_remove(0) } else { Value::Array(values) };
    map.insert(claim.to_owned(), values);
}
