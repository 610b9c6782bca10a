//! The table of a role's demands: claim, token's value, role's demand, verdict; and the change that would let the token
//! in. It must not make that change.

use serde_json::{Value, json};

use super::{Status, Step};
use crate::ci;
use crate::claims::change::Change;
use crate::claims::demands::{NONE_BOUND, Row, Verdict};
use crate::claims::is_private;
use crate::error::Code;
use crate::text::one_line;

/// Widths of the first two columns, mark included.
const COLUMNS: [usize; 2] = [22, 26];

/// The step of the whole table.
pub(super) fn step(rows: &[Row]) -> Step {
    let unmet: Vec<_> = rows.iter().filter(|row| row.verdict == Verdict::Unmet).collect();
    let unknown = rows.iter().filter(|row| row.verdict == Verdict::Unknown).count();
    let mut step = match (&unmet[..], unknown) {
        ([], 0) => Step::ok("claims", "the role lets this token in"),
        ([], _) => {
            Step::ok("claims", "nothing stands against this token; what can't be told from here is marked ?")
        }
        ([row, ..], _) => Step::fail("claims", Code::Refused, refusal(row)),
    };
    step.seen.push(format!(
        "{}{}{}",
        column("  claim", COLUMNS[0] + 1),
        column("the token", COLUMNS[1] + 1),
        "the role"
    ));
    step.seen.extend(rows.iter().map(line));
    let marked = unmet.iter().filter_map(|row| Some(format!("{}: {}", row.claim, row.why.as_ref()?)));
    step.seen.extend(marked);
    step.hints.extend(unmet.iter().filter_map(|row| elsewhere(row)));
    step
}

fn refusal(row: &Row) -> String {
    match row.field {
        "role_type" => "the role is of role_type oidc, which takes no ID token".to_owned(),
        "times" => format!("{} does not fit: {}, and Vault says no {}", row.claim, row.token, row.demand),
        _ => {
            format!("{} does not fit: the token has {}, the role wants {}", row.claim, row.token, row.demand)
        }
    }
}

fn line(row: &Row) -> String {
    let mark = match row.verdict {
        Verdict::Met => "✓",
        Verdict::Unmet => "✗",
        Verdict::Unknown => "?",
    };
    let claim = column(&format!("{mark} {}", row.claim), COLUMNS[0]);
    format!("{claim} {} {}", column(&row.token, COLUMNS[1]), row.demand)
}

/// A cell of the table; it may not be broken at its blanks.
fn column(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing + 1)).replace(' ', "\u{a0}")
}

/// What can be done without the role.
fn elsewhere(row: &Row) -> Option<String> {
    let claim = row.claim.as_str();
    match (row.field, claim) {
        ("times", "exp") => Some("take a token that is still alive: log in early in the job".to_owned()),
        ("times", _) => Some(format!("set the clocks of {}'s and Vault's machines", ci::usual().name)),
        ("bound_audiences", _) if row.demand != NONE_BOUND => {
            Some(format!("set aud in the job's id_tokens: to {}", row.demand))
        }
        ("bound_claims", _) if is_private(claim) => Some(format!(
            "run the job with the {claim} that the role's bound_claims want, which is not shown here"
        )),
        ("bound_claims", "ref_protected") => Some("run the job on a protected ref".to_owned()),
        ("bound_claims", _) => Some(format!("run the job where {claim} is {}", row.demand)),
        ("bound_subject", _) => Some(format!("run the job where sub is {}", row.demand)),
        _ => None,
    }
}

/// The rows for scripts.
pub(super) fn rows(rows: &[Row]) -> Vec<Value> {
    let one = |row: &Row| {
        let verdict = match row.verdict {
            Verdict::Met => "ok",
            Verdict::Unmet => "fail",
            Verdict::Unknown => "unknown",
        };
        json!({"claim": one_line(&row.claim), "token": one_line(&row.token), "demand": one_line(&row.demand), "field": row.field,
            "verdict": verdict, "why": row.why})
    };
    rows.iter().map(one).collect()
}

/// First what the job can do, then the commands that let the token in, where the role or the mount can. A change that
/// lets in others too is told, and printed only when it is asked for.
pub(super) fn remedy(mut step: Step, change: &Change, mount: &str, name: &str, widen: bool) -> Step {
    if step.status != Status::Fail || (change.config.is_empty() && change.role.is_empty()) {
        return step;
    }
    if !change.opens.is_empty() {
        let opens = change.opens.join("; ");
        if !widen {
            return step
                .hint(format!("a change of the role would also let in {opens}; --widen prints the command"));
        }
        step = step.hint(format!("--widen: the change also lets in {opens}"));
    }
    if !change.config.is_empty() {
        let path = format!("auth/{mount}/config");
        let fields = Value::Object(change.config.clone());
        step = step.hint(format!(
            "if this token should get in: {}",
            tied(&format!(
                "vault read -format=json {path} | jq '.data + {}' | vault write {path} -",
                quoted(&fields)
            ))
        ));
    }
    if !change.role.is_empty() {
        let fields = quoted(&Value::Object(change.role.clone()));
        let command = format!("printf %s '{fields}' | vault write auth/{mount}/role/{name} -");
        step = step.hint(format!("if this token should get in: {}", tied(&command)));
    }
    step
}

/// JSON for a word in single quotes.
fn quoted(value: &Value) -> String {
    value.to_string().replace('\'', "'\\''")
}

/// A command may be broken only where a blank is as good as a line's end: after a comma between JSON's
/// parts, and after a pipe.
fn tied(command: &str) -> String {
    let mut tied = String::new();
    let (mut in_json, mut in_string, mut escaped, mut piped) = (false, false, false, false);
    for char in command.chars() {
        match char {
            '"' if !escaped => in_string = !in_string,
            '\'' if !in_string => in_json = !in_json,
            _ => {}
        }
        escaped = char == '\\' && !escaped;
        tied.push(if char == ' ' && !piped { '\u{a0}' } else { char });
        piped = char == '|' && !in_string;
        if char == ',' && in_json && !in_string {
            tied.push(' ');
        }
    }
    tied
}
