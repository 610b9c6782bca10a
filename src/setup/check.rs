//! Compares what Vault has with a plan: missing, wider than needed, or as it should be. It must not ask Vault.

use serde_json::{Map, Value};

use super::{Config, Line, Object, Policy};
use crate::vault::rules::{Rule, covers, parse};

/// The result of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The run needs it, and it is not there; or it would keep the run out.
    Missing,
    /// It allows more than the run needs.
    Wider,
    /// It is what the run needs.
    Same,
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// The result.
    pub verdict: Fit,
    /// Where it is: a path, or a policy.
    pub place: String,
    /// What was seen.
    pub seen: String,
}

impl Finding {
    /// A finding.
    pub(crate) fn new(verdict: Fit, place: &str, seen: impl Into<String>) -> Self {
        Self { verdict, place: place.to_owned(), seen: seen.into() }
    }
}

use Fit::{Missing, Same, Wider};

/// A mount's configuration; `None` where there is none.
pub(crate) fn config(wanted: &Config, found: Option<&Map<String, Value>>) -> Finding {
    let place = &wanted.object.path;
    let Some(found) = found else { return Finding::new(Missing, place, "the mount is not configured") };
    let field = wanted.decides;
    let (want, has) = (text(wanted.object.fields.get(field)), text(found.get(field)));
    match &*has {
        "" => Finding::new(Wider, place, format!("{field} is empty, {want} is needed")),
        has if has == want => match foreign_keys(&want, found) {
            None => Finding::new(Same, place, field),
            Some(keys) => {
                let seen =
                    format!("the keys are those of {keys}, not of {want}: whoever has them signs tokens");
                Finding::new(Wider, place, seen)
            }
        },
        has => Finding::new(Missing, place, format!("{field} is {has}, {want} is needed")),
    }
}

/// Where the mount's keys come from, if that is not the issuer.
fn foreign_keys(issuer: &str, found: &Map<String, Value>) -> Option<String> {
    let own = |url: &str| url == issuer || url.strip_prefix(issuer).is_some_and(|rest| rest.starts_with('/'));
    let urls = ["oidc_discovery_url", "jwks_url"].map(|name| text(found.get(name)));
    let foreign = urls.into_iter().find(|url| !url.is_empty() && !own(url));
    let pasted = found.get("jwt_validation_pubkeys").filter(|keys| !texts(keys).is_empty());
    foreign.or_else(|| pasted.map(|_| "jwt_validation_pubkeys".to_owned()))
}

/// A policy's text; `None` where there is none.
pub(crate) fn policy(wanted: &Policy, found: Option<&str>) -> Vec<Finding> {
    let place = format!("policy {}", wanted.name);
    let Some(found) = found else {
        return vec![Finding::new(Missing, &place, "there is no such policy")];
    };
    let Some(rules) = parse(found) else {
        return vec![Finding::new(Missing, &place, "it can't be read as the HCL of a policy")];
    };
    let mut findings: Vec<Finding> =
        wanted.lines.iter().flat_map(|line| of_line(&place, line, &rules)).collect();
    let known = |rule: &&Rule| !wanted.lines.iter().any(|line| line.path == rule.path);
    for rule in rules.iter().filter(known) {
        if rule.capabilities.iter().any(|one| one != "deny") {
            let seen =
                format!("{} on {}: the run does not ask for it", rule.capabilities.join(", "), rule.path);
            findings.push(Finding::new(Wider, &place, seen));
        }
    }
    findings
}

fn of_line(place: &str, line: &Line, rules: &[Rule]) -> Vec<Finding> {
    let exact = rules.iter().find(|rule| rule.path == line.path);
    let grants = |rule: &Rule| rule.capabilities.iter().any(|one| one == line.capability);
    let missing = || vec![Finding::new(Missing, place, line.text())];
    let Some(rule) = exact else {
        // A wider path does it too; it is named as such.
        return if rules.iter().any(|rule| covers(&rule.path, &line.path) && grants(rule)) {
            Vec::new()
        } else {
            missing()
        };
    };
    let mut findings = Vec::new();
    let mut add =
        |verdict, seen: String| findings.push(Finding::new(verdict, place, format!("{}: {seen}", line.path)));
    if !grants(rule) || rule.capabilities.iter().any(|one| one == "deny") {
        return missing();
    }
    let more: Vec<_> = rule.capabilities.iter().filter(|one| *one != line.capability).cloned().collect();
    if !more.is_empty() {
        add(Wider, format!("{} too, {} is needed", more.join(", "), line.capability));
    }
    if !rule.others.is_empty() {
        add(Missing, format!("{} may keep the run out", rule.others.join(", ")));
    }
    let is_sent = |name: &&String| line.parameters.iter().any(|(known, _)| known == *name);
    for name in rule.required.iter().filter(|name| !is_sent(name)) {
        add(Missing, format!("required_parameters has {name}, which the run does not send"));
    }
    for (name, values) in &line.parameters {
        match rule.parameters.iter().find(|(known, _)| known == name || known == "*") {
            None if rule.parameters.is_empty() => add(Wider, format!("any parameter may be sent, {name} is")),
            None => add(Missing, format!("the parameter {name} is not among the allowed_parameters")),
            Some((_, has)) => {
                let lacks = values.is_empty() && !has.is_empty()
                    || !has.is_empty() && values.iter().any(|one| !has.contains(one));
                if lacks {
                    add(Missing, format!("the parameter {name} may not have the value that is sent"));
                } else if !values.is_empty()
                    && (has.is_empty() || has.iter().any(|one| !values.contains(one)))
                {
                    add(
                        Wider,
                        format!("the parameter {name} may have other values than {}", values.join(", ")),
                    );
                }
            }
        }
    }
    let unknown =
        rule.parameters.iter().filter(|(name, _)| !line.parameters.iter().any(|(known, _)| known == name));
    for (name, _) in unknown {
        // Where the run sends none, a list of them keeps nothing out.
        add(Wider, format!("the parameter {name} may be sent, and is not"));
    }
    if findings.is_empty() {
        findings.push(Finding::new(Same, place, line.path.clone()));
    }
    findings
}

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

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().map(|one| text(Some(one))).collect(),
        Value::Null => Vec::new(),
        one => Some(text(Some(one))).filter(|text| !text.is_empty()).into_iter().collect(),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
