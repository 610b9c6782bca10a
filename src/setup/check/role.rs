//! Compares a role with the one that a run needs, field by field. It must not ask Vault.

use serde_json::{Map, Value};

use super::Fit::{self, Missing, Same, Wider};
use super::{Finding, text, texts};
use crate::setup::Object;

/// How a field of a role is compared.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Longer is wider, and so is 0, which stands for the server's default.
    Life,
    /// More is wider, and 0 stands for any number.
    Uses,
    /// 0 is no limit: anything else keeps out, at some time.
    Limit,
    /// 0 is what is wanted: anything else is wider.
    None,
    /// More entries are wider, fewer keep out.
    Grants,
    /// No entry at all is wider; more entries are wider.
    Bounds,
    /// Claims: one that is not bound is wider, a further one keeps out.
    Claims,
    /// Any other value is wider.
    Wide,
    /// Any other value keeps out.
    Exact,
}

static FIELDS: &[(&str, Kind)] = &[
    ("token_ttl", Kind::Life),
    ("token_max_ttl", Kind::Life),
    ("secret_id_ttl", Kind::Life),
    ("secret_id_num_uses", Kind::Uses),
    ("token_explicit_max_ttl", Kind::Limit),
    ("token_num_uses", Kind::Limit),
    ("token_period", Kind::None),
    ("expiration_leeway", Kind::None),
    ("not_before_leeway", Kind::None),
    ("clock_skew_leeway", Kind::None),
    ("token_policies", Kind::Grants),
    ("allowed_policies", Kind::Grants),
    ("allowed_policies_glob", Kind::Grants),
    ("bound_audiences", Kind::Bounds),
    ("token_bound_cidrs", Kind::Bounds),
    ("secret_id_bound_cidrs", Kind::Bounds),
    ("bound_service_account_names", Kind::Bounds),
    ("bound_service_account_namespaces", Kind::Bounds),
    ("bound_iam_principal_arn", Kind::Bounds),
    ("bound_claims", Kind::Claims),
    ("token_no_default_policy", Kind::Wide),
    ("bind_secret_id", Kind::Wide),
    ("user_claim", Kind::Wide),
    ("groups_claim", Kind::Wide),
    ("claim_mappings", Kind::Wide),
    ("alias_name_source", Kind::Wide),
    ("path_suffix", Kind::Wide),
];

/// A role as Vault reads it out; `None` where there is none.
pub(crate) fn role(wanted: &Object, found: Option<&Map<String, Value>>) -> Vec<Finding> {
    let place = &wanted.path;
    let Some(found) = found else { return vec![Finding::new(Missing, place, "there is no such role")] };
    let globs = |fields: &Map<String, Value>| text(fields.get("bound_claims_type")) == "glob";
    let mut findings = Vec::new();
    for (name, want) in &wanted.fields {
        let has = found.get(name).unwrap_or(&Value::Null);
        let kind = FIELDS.iter().find(|(field, _)| field == name).map_or(Kind::Exact, |(_, kind)| *kind);
        let verdict = match (&**name, kind) {
            ("bound_claims_type", _) if globs(found) && !globs(&wanted.fields) => Wider,
            ("token_type", _) if text(Some(has)).starts_with("default") => Same,
            (_, kind) => of_field(kind, want, has),
        };
        let seen = match verdict {
            Same => name.clone(),
            _ => format!("{name} is {}, {} is needed", shown(has), shown(want)),
        };
        findings.push(Finding::new(verdict, place, seen));
    }
    findings
}

fn of_field(kind: Kind, want: &Value, has: &Value) -> Fit {
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let (wanted, found) = (number(want), number(has));
    let other = |differs: bool, verdict| if differs { verdict } else { Same };
    match kind {
        Kind::Life | Kind::Uses if found == 0 || found > wanted => other(found != wanted, Wider),
        Kind::Life | Kind::Uses | Kind::Limit => other(found != wanted, Missing),
        Kind::None => other(found != wanted, if found > wanted { Wider } else { Missing }),
        Kind::Grants => {
            let (want, has) = (texts(want), texts(has));
            if want.iter().all(|one| has.contains(one)) {
                other(has.len() > want.len(), Wider)
            } else {
                Missing
            }
        }
        Kind::Bounds => {
            let (want, has) = (texts(want), texts(has));
            match (want.is_empty(), has.is_empty()) {
                (true, empty) => other(!empty, Missing),
                (false, true) => Wider,
                _ if has.iter().any(|one| one == "*") => other(!want.contains(&"*".to_owned()), Wider),
                _ if !want.iter().all(|one| has.contains(one)) => Missing,
                _ => other(has.len() > want.len(), Wider),
            }
        }
        Kind::Claims => claims(want, has),
        Kind::Wide => other(!same(want, has), Wider),
        Kind::Exact => other(!same(want, has), Missing),
    }
}

fn claims(want: &Value, has: &Value) -> Fit {
    let empty = Map::new();
    let (want, has) = (want.as_object().unwrap_or(&empty), has.as_object().unwrap_or(&empty));
    let more = has.keys().any(|name| !want.contains_key(name));
    let lacks = want.iter().any(|(name, wanted)| {
        let found = has.get(name).map(texts);
        found.is_some_and(|found| !texts(wanted).iter().all(|one| found.contains(one)))
    });
    let wide = want
        .iter()
        .any(|(name, wanted)| has.get(name).is_none_or(|found| texts(found).len() > texts(wanted).len()));
    match (more || lacks, wide) {
        (true, _) => Missing,
        (false, true) => Wider,
        (false, false) => Same,
    }
}

/// Empty lists, maps, texts and nothing are the same to Vault.
fn same(want: &Value, has: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => false,
    };
    want == has || is_empty(want) && is_empty(has)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
