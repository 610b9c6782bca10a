//! What a JWT role demands of a token's claims, evaluated as Vault's plugin does it. It must not ask Vault.
//!
//! The rules are those of vault-plugin-auth-jwt `path_login.go` and `claims.go`, of the JWT library under it
//! (hashicorp/cap `jwt/jwt.go`), and of openbao `builtin/credential/jwt`. Vault stops at the first fault and takes
//! bound claims in random order; here every demand gets its verdict.

use jiff::Timestamp;
use serde_json::Value;

use super::Claims;
use super::lookup::{normal, text};
use super::role::Role;
use super::times::Span;

/// What the role wants of an audience where it names none.
pub(crate) const NONE_BOUND: &str = "(none bound)";

/// How much of the token's claims is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All: a token.
    Whole,
    /// All but perhaps the times: claims that a person wrote down.
    Timeless,
    /// Those that a failed job may print: the rest is unknown.
    Shown,
}

/// Whether a demand is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The token meets it.
    Met,
    /// Vault refuses the token for it.
    Unmet,
    /// It can't be told from here.
    Unknown,
}

/// One demand: a row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The claim, or `role_type`, `token_bound_cidrs`.
    pub claim: String,
    /// What the token has, fit to print.
    pub token: String,
    /// What the role wants.
    pub demand: String,
    /// Whether it is met.
    pub verdict: Verdict,
    /// Why, where it is not plain.
    pub why: Option<String>,
    /// Where the demand stands: `bound_claims`, `bound_audiences`, …
    pub field: &'static str,
}

/// Every demand of `role` on a token with `claims` at `now`, in Vault's order.
pub fn evaluate(role: &Role, claims: &Claims, extent: Extent, now: Timestamp) -> Vec<Row> {
    let look = Look { role, claims, extent };
    let mut rows = Vec::new();
    rows.extend(look.role_type());
    rows.extend(look.cidrs());
    rows.extend(look.registered("iss", "bound_issuer", role.config_text("bound_issuer")));
    rows.extend(look.registered("sub", "bound_subject", role.text("bound_subject")));
    rows.push(look.audience());
    rows.extend(look.times(now));
    rows.push(look.user_claim());
    rows.extend(look.mappings());
    rows.extend(look.groups());
    rows.extend(look.bound_claims());
    rows
}

struct Look<'a> {
    role: &'a Role,
    claims: &'a Claims,
    extent: Extent,
}

impl Look<'_> {
    fn row(&self, claim: &str, field: &'static str, demand: String, verdict: Verdict) -> Row {
        let token = self.claims.shown(claim).unwrap_or_else(|| self.absence(claim).to_owned());
        let demand = if super::is_private(claim) { "(not shown)".to_owned() } else { demand };
        Row { claim: claim.to_owned(), token, demand, verdict, why: None, field }
    }

    fn absence(&self, claim: &str) -> &'static str {
        match self.claims.get(claim) {
            Some(_) => "(not shown)",
            None if self.hides(claim) => "?",
            None => "(missing)",
        }
    }

    /// Whether a missing claim may just not have been shown, or written down.
    fn hides(&self, claim: &str) -> bool {
        match self.extent {
            Extent::Whole => false,
            Extent::Timeless => !self.is_complete(),
            Extent::Shown => !self.is_complete() || !super::is_shown(claim),
        }
    }

    /// Every ID token has these: where one is missing, others may be as well.
    fn is_complete(&self) -> bool {
        ["iss", "sub", "aud"].iter().all(|name| self.claims.exact(name).is_some())
    }

    fn missing(&self, claim: &str) -> Verdict {
        if self.hides(claim) { Verdict::Unknown } else { Verdict::Unmet }
    }

    fn role_type(&self) -> Option<Row> {
        let kind = self.role.text("role_type");
        (kind == "oidc").then(|| Row {
            claim: "role_type".to_owned(),
            token: "-".to_owned(),
            demand: kind.to_owned(),
            verdict: Verdict::Unmet,
            why: Some("only a role of role_type jwt takes ID tokens".to_owned()),
            field: "role_type",
        })
    }

    fn cidrs(&self) -> Option<Row> {
        let cidrs = self.role.list("token_bound_cidrs");
        (!cidrs.is_empty()).then(|| Row {
            claim: "token_bound_cidrs".to_owned(),
            token: "the runner's address".to_owned(),
            demand: cidrs.join(", "),
            verdict: Verdict::Unknown,
            why: Some("Vault answers 403 to any other address, and says no more".to_owned()),
            field: "token_bound_cidrs",
        })
    }

    /// `iss` and `sub`: equal, if anything is bound at all.
    fn registered(&self, claim: &'static str, field: &'static str, bound: &str) -> Option<Row> {
        let value = self.claims.get(claim);
        let odd = value.is_some_and(|value| !value.is_string());
        if bound.is_empty() && !odd {
            return None;
        }
        let verdict = match value {
            Some(Value::String(value)) if value == bound => Verdict::Met,
            Some(_) => Verdict::Unmet,
            None => self.missing(claim),
        };
        let mut row = self.row(claim, field, bound.to_owned(), verdict);
        row.why = odd.then(|| format!("{claim} must be a string"));
        Some(row)
    }

    fn audience(&self) -> Row {
        let bound = self.role.list("bound_audiences");
        let value = self.claims.get("aud");
        let has: Option<Vec<&str>> = match value {
            None => Some(Vec::new()),
            Some(Value::String(one)) => Some(vec![one]),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        let (verdict, why) = match &has {
            None => (Verdict::Unmet, Some("aud must be a string or a list of strings")),
            Some(has) if bound.is_empty() && has.is_empty() => {
                if self.hides("aud") {
                    (Verdict::Unknown, None)
                } else {
                    (Verdict::Met, None)
                }
            }
            Some(_) if bound.is_empty() => {
                (Verdict::Unmet, Some("a token with an aud needs a role with bound_audiences"))
            }
            Some(has) if has.iter().any(|one| bound.iter().any(|bound| bound == one)) => (Verdict::Met, None),
            Some(has) if has.is_empty() => (self.missing("aud"), None),
            Some(_) => (Verdict::Unmet, None),
        };
        let demand = if bound.is_empty() { NONE_BOUND.to_owned() } else { one_of(&bound) };
        Row { why: why.map(str::to_owned), ..self.row("aud", "bound_audiences", demand, verdict) }
    }

    /// exp, nbf and iat, each made up from the others where it is missing.
    fn times(&self, now: Timestamp) -> Vec<Row> {
        let names = ["exp", "nbf", "iat"];
        let odd = names.iter().filter(|name| self.claims.get(name).is_some_and(|value| !value.is_number()));
        let odd: Vec<Row> =
            odd.map(|name| self.row(name, "times", "a number".to_owned(), Verdict::Unmet)).collect();
        if !odd.is_empty() {
            return odd;
        }
        let Some(span) = Span::of(self.claims, |name| self.role.number(name)) else {
            let verdict = if self.extent == Extent::Whole { Verdict::Unmet } else { Verdict::Unknown };
            return vec![self.row("exp", "times", "exp, nbf or iat".to_owned(), verdict)];
        };
        let now = now.as_second();
        let moment = |second: i64| {
            Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
        };
        let (early, late) = (moment(now.saturating_add(span.skew)), moment(now.saturating_sub(span.skew)));
        let checks = [
            ("nbf", span.is_ahead(span.start, now), format!("before {early}"), span.start),
            ("exp", span.is_over(now), format!("after {late}"), span.end),
            ("iat", span.is_ahead(span.issued, now), format!("before {early}"), span.issued),
        ];
        let verdict = |failed| if failed { Verdict::Unmet } else { Verdict::Met };
        let rows = checks.into_iter().filter(|(name, failed, ..)| *failed || *name == "exp");
        rows.map(|(name, failed, demand, time)| Row {
            token: moment(time),
            ..self.row(name, "times", demand, verdict(failed))
        })
        .collect()
    }

    fn user_claim(&self) -> Row {
        let name = self.role.text("user_claim");
        let pointer = self.role.role.get("user_claim_json_pointer").and_then(Value::as_bool).unwrap_or(false);
        let value = if pointer { self.claims.get(name) } else { self.claims.exact(name) };
        let (verdict, why) = match value {
            Some(Value::String(text)) if !text.is_empty() => (Verdict::Met, None),
            Some(Value::String(_)) => (Verdict::Unmet, Some("the user_claim must not be empty")),
            Some(_) => (Verdict::Unmet, Some("the user_claim must be a string")),
            None if name.starts_with('/') && !pointer && self.claims.get(name).is_some() => {
                (Verdict::Unmet, Some("a user_claim that is a path needs user_claim_json_pointer=true"))
            }
            None => (self.missing(name), None),
        };
        let row = self.row(name, "user_claim", "user_claim: be there".to_owned(), verdict);
        Row { why: why.map(str::to_owned), demand: "user_claim: be there".to_owned(), ..row }
    }

    fn mappings(&self) -> Vec<Row> {
        let names: Vec<String> = self.role.map("claim_mappings").into_iter().map(|(name, _)| name).collect();
        let row = |name: &String| {
            let value = self.claims.get(name);
            let verdict = match value {
                // OpenBao makes a list of aud before it looks.
                Some(Value::String(_)) if name == "aud" => Verdict::Unknown,
                Some(Value::String(_)) | None => Verdict::Met,
                Some(_) => Verdict::Unmet,
            };
            let demand = "claim_mappings: a string".to_owned();
            Row { demand: demand.clone(), ..self.row(name, "claim_mappings", demand, verdict) }
        };
        names.iter().map(row).collect()
    }

    fn groups(&self) -> Option<Row> {
        let name = self.role.text("groups_claim");
        if name.is_empty() {
            return None;
        }
        let verdict = match self.claims.get(name) {
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => Verdict::Met,
            Some(Value::String(_)) => Verdict::Met,
            Some(_) => Verdict::Unmet,
            None => self.missing(name),
        };
        Some(self.row(name, "groups_claim", "groups_claim: strings".to_owned(), verdict))
    }

    fn bound_claims(&self) -> Vec<Row> {
        let globs = self.role.globs();
        let bound = self.role.map("bound_claims");
        bound.iter().map(|(name, wanted)| self.bound_claim(name, wanted, globs)).collect()
    }

    fn bound_claim(&self, name: &str, wanted: &Value, globs: bool) -> Row {
        let row = |verdict| self.row(name, "bound_claims", demand(wanted, globs), verdict);
        let Some(value) = self.claims.get(name) else { return row(self.missing(name)) };
        let (Some(has), Some(wants)) = (normal(&value.clone(), true), normal(wanted, false)) else {
            let why = "Vault compares strings, booleans, numbers and lists only".to_owned();
            return Row { why: Some(why), ..row(Verdict::Unmet) };
        };
        if wants.iter().any(|want| has.iter().any(|has| want.equals(has, globs))) {
            return row(Verdict::Met);
        }
        let alike = wants.iter().any(|want| has.iter().any(|has| text(&want.value) == text(&has.value)));
        let starred = !globs && wants.iter().any(|want| text(&want.value).contains('*'));
        let why = match (alike, starred) {
            (true, _) => Some("alike, but of another type: \"22\" is not 22, \"true\" is not true"),
            (_, true) => Some("bound_claims_type is string: * stands for itself"),
            _ => None,
        };
        Row { why: why.map(str::to_owned), ..row(Verdict::Unmet) }
    }
}

fn demand(wanted: &Value, globs: bool) -> String {
    let kind = if globs { "like " } else { "" };
    match wanted {
        Value::Array(list) => format!("{kind}{}", one_of(&list.iter().map(text).collect::<Vec<_>>())),
        other => format!("{kind}{}", text(other)),
    }
}

fn one_of(all: &[String]) -> String {
    match all {
        [one] => one.clone(),
        [] => "(an empty list: nothing)".to_owned(),
        _ => format!("one of {}", all.join(", ")),
    }
}
