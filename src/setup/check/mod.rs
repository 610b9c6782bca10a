//! Compares what Vault has with a plan: missing, wider than needed, or as it should be. It must not ask Vault.

use serde_json::{Map, Value};

use super::MountConfig;
use Fit::{Missing, Same, Wider};
pub(crate) use policy::policy;
pub(crate) use role::role;

mod policy;
mod role;

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

/// A mount's configuration; `None` where there is none.
pub(crate) fn config(wanted: &MountConfig, found: Option<&Map<String, Value>>) -> Finding {
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
