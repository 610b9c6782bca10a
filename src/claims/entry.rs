//! Who gets in at a role: the job that it is for, and jobs that resemble it. It evaluates the role as Vault does and
//! must not ask Vault.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Claims;
use super::demands::{Extent, Verdict, evaluate};
use super::role::Role;
use crate::ci::{self, Stranger};

/// The job that a role is for, among [`Entry::job`].
pub(crate) const OWN: &str = "the job that it is for";

/// Whether one job gets in.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Which job.
    pub job: &'static str,
    /// Whether it is let in.
    pub enters: bool,
    /// The claims that keep it out.
    pub kept_out_by: Vec<String>,
    /// The remedy that keeps it out.
    pub remedy: &'static str,
}

/// The job that the role is for, first; then the strangers.
pub fn jobs(role: &Role, now: Timestamp) -> Vec<Stranger> {
    let job = meant(role, now);
    let mut strangers = ci::strangers(&job);
    if role.globs() {
        strangers.extend(ci::beside(&job, &role.map("bound_claims")));
    }
    let own = Stranger { name: OWN, claims: job, remedy: "" };
    std::iter::once(own).chain(strangers).collect()
}

/// Whether each of these jobs gets in.
pub(crate) fn entries(role: &Role, now: Timestamp) -> Vec<Entry> {
    jobs(role, now).into_iter().map(|job| entry(role, job, now)).collect()
}

fn entry(role: &Role, job: Stranger, now: Timestamp) -> Entry {
    let Stranger { name: job, claims, remedy } = job;
    let rows = evaluate(role, &Claims(claims), Extent::Whole, now);
    // Where a runner stands is not in a token.
    let unmet = rows.iter().filter(|row| row.verdict == Verdict::Unmet);
    let mut kept_out_by: Vec<String> = unmet.map(|row| row.claim.clone()).collect();
    kept_out_by.dedup();
    Entry { job, enters: kept_out_by.is_empty(), kept_out_by, remedy }
}

/// Claims of a job that this role is for, as far as the role says it.
fn meant(role: &Role, now: Timestamp) -> Map<String, Value> {
    let globs = role.globs();
    let one = |wanted: &Value| match wanted {
        Value::Array(list) => list.first().cloned().unwrap_or(Value::Null),
        other => other.clone(),
    };
    // A * may stand for any text. This one is no number, and no other claim is bound to it.
    let filled = |value: Value| match value {
        Value::String(text) if globs => Value::String(text.replace('*', "x")),
        other => other,
    };
    let mut own: Map<String, Value> =
        role.map("bound_claims").iter().map(|(name, wanted)| (name.clone(), filled(one(wanted)))).collect();
    let mut put = |name: &str, text: &str| {
        if !text.is_empty() {
            own.insert(name.to_owned(), json!(text));
        }
    };
    put("iss", role.config_text("bound_issuer"));
    put("sub", role.text("bound_subject"));
    if let Some(audience) = role.list("bound_audiences").first() {
        put("aud", audience);
    }
    let second = now.as_second();
    own.insert("iat".to_owned(), json!(second));
    own.insert("nbf".to_owned(), json!(second - 5));
    own.insert("exp".to_owned(), json!(second + 3600));
    ci::a_job(&own)
}
