//! `ci-creds status`: what the state file lists, how long each is good for, and whether Vault knows it. It changes
//! nothing: not the file, and no token or lease. What the file is trusted with is what `revoke` trusts it with
//! (`ledger::state`): another job's line is counted, and not used.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Revoke;
use crate::duration::life;
use crate::emit::sink;
use crate::error::{Error, chain};
use crate::http;
use crate::ledger::state::{Content, Listed, Record, State};
use crate::shutdown::Shutdown;
use crate::text::one_line;
use crate::vault::{self, Vault};

/// The time-out: this command must not wait for retries.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of a listed thing.
struct Seen {
    kind: &'static str,
    id: String,
    ends: Option<Timestamp>,
    /// Whether it is still valid; `None` where that is not known.
    lives: Option<bool>,
    /// How that is known, or why it is not.
    how: String,
}

/// A line, and what is known of each thing in it.
struct Line {
    address: String,
    written: String,
    all: Vec<Seen>,
}

/// Prints the report.
pub(crate) async fn run(config: Revoke, json: bool, shutdown: &Shutdown) -> Result<(), Error> {
    let content = config.place.look(shutdown).await?;
    let mut lines = Vec::new();
    // A line may only tell which variables the job got, for `scan`.
    for record in content.records.iter().filter(|record| !record.is_only_names()) {
        lines.push(line(&config, record, shutdown).await);
        shutdown.check()?;
    }
    let report = if json {
        format!("{}\n", as_json(&config, &content, &lines))
    } else {
        table(&config, &content, &lines)
    };
    sink::text_unless_stopped(report, shutdown).await
}

async fn line(config: &Revoke, record: &Record, shutdown: &Shutdown) -> Line {
    let now = vault::now();
    let mut all = Vec::new();
    let (vault, given) = match record.ended(now) {
        Some(_) => (Err("it ended long ago, and is not asked about".to_owned()), None),
        None => match record.reach(&config.now, hasten, shutdown.clone()).await {
            Err(why) => (Err(why), None),
            Ok((vault, way)) => (Ok(vault), way.given),
        },
    };
    for listed in record.listed(given.as_ref()) {
        all.push(seen(vault.as_ref().map_err(String::as_str), listed, now).await);
    }
    Line { address: record.address().to_owned(), written: one_line(record.written_at()), all }
}

fn hasten(http: &mut http::Settings) {
    http.max_retries = Some(0);
    http.timeout = http.timeout.min(PATIENCE);
}

/// One thing, and what is known of it.
async fn seen(vault: Result<&Vault, &str>, listed: Listed, now: Timestamp) -> Seen {
    let Listed { kind, id, ends, is } = listed;
    let told = |lives, how: &str, ends| Seen { kind, id: one_line(&id), ends, lives, how: one_line(how) };
    let after = |ttl: Duration| now.checked_add(ttl).ok();
    let (vault, is) = match (is, vault) {
        (State::File(true), _) => return told(Some(true), "as it was written", ends),
        (State::File(false), _) => return told(Some(false), "gone, or another file", ends),
        (State::Elsewhere, _) => return told(None, "Vault does not know keys of a cloud", ends),
        (State::Counted, _) => return told(None, "not asked: a look would use up one of its requests", ends),
        (State::NoToken, _) => return told(None, "not asked: its token is not here (VAULT_TOKEN)", ends),
        (_, Err(why)) => return told(None, &format!("not asked: {why}"), ends),
        (is, Ok(vault)) => (vault, is),
    };
    let outcome = match &is {
        State::Lease { id, by } => {
            vault.lease_ttl(by, id).await.map(|seconds| after(Duration::from_secs(seconds)))
        }
        State::Token(token) => vault.lookup_self(token).await.map(|info| info.ttl.and_then(after)),
        _ => return told(None, "not asked", ends),
    };
    match outcome {
        Ok(ends) => told(Some(true), "Vault knows it", ends),
        // Vault names the policy only when it refuses a valid token. The error for one that has ended is another.
        Err(error) if matches!(is, State::Token(_)) && error.is_by_policy() => {
            told(Some(true), "Vault knows it, and its policy does not let it look itself up", ends)
        }
        Err(error) if error.is_by_policy() => {
            let policy = vault::policy("sys/leases/lookup", "update");
            told(None, &format!("not told: its token's policy lacks {policy}"), ends)
        }
        Err(error) if error.refusal().is_some() => told(Some(false), "Vault does not know it", ends),
        Err(error) => told(None, &format!("not told: {}", chain(&error)), ends),
    }
}

/// What is left of a life, for people.
fn left(one: &Seen, now: Timestamp) -> String {
    match one.ends {
        _ if one.lives == Some(false) => "ended".to_owned(),
        None => "no expiry known".to_owned(),
        Some(ends) => match Duration::try_from(ends.duration_since(now)) {
            Ok(rest) if rest.as_secs() > 0 => format!("{} more", life(Duration::from_secs(rest.as_secs()))),
            _ => "ended".to_owned(),
        },
    }
}

fn table(config: &Revoke, content: &Content, lines: &[Line]) -> String {
    let now = vault::now();
    let mut text = format!("{}\n", crate::input::path(&config.place.path));
    for line in lines {
        text.push_str(&format!("\n{} (written {})\n", line.address, line.written));
        let rows: Vec<_> = line.all.iter().map(|one| (one, left(one, now))).collect();
        let width = |of: fn(&(&Seen, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let (ids, lives) = (width(|row| row.0.id.chars().count()), width(|row| row.1.len()));
        for (one, left) in &rows {
            let mark = match one.lives {
                Some(true) => "✓",
                Some(false) => "✗",
                None => "-",
            };
            text.push_str(&format!(
                "{mark} {:<5}  {:<ids$}  {left:<lives$}  {}\n",
                one.kind, one.id, one.how
            ));
        }
    }
    if content.missing {
        text.push_str(
            "\nThis file is not there: no run has noted anything in it, or all of it was taken back.\n",
        );
    } else if lines.is_empty() {
        text.push_str("\nIt lists nothing of this job's.\n");
    }
    for (count, what) in [
        (content.others, "of other jobs: not used"),
        (content.old, "of other jobs, more than a day old: `ci-creds revoke` drops them"),
        (content.damaged, "that are not ci-creds': `ci-creds revoke` puts them aside"),
    ] {
        if count > 0 {
            text.push_str(&format!("\nLines {what} ({count}).\n"));
        }
    }
    crate::console::painted(&text, crate::console::colour().stdout)
}

fn as_json(config: &Revoke, content: &Content, lines: &[Line]) -> Value {
    let now = vault::now();
    let one = |one: &Seen| {
        let rest = one.ends.map(|ends| ends.duration_since(now).as_secs().max(0));
        json!({
            "kind": one.kind, "id": one.id, "ends_at": one.ends.map(|ends| ends.to_string()),
            "ttl_seconds": rest, "lives": one.lives, "seen": one.how,
        })
    };
    let runs: Vec<_> = lines
        .iter()
        .map(|line| {
            let all: Vec<_> = line.all.iter().map(one).collect();
            json!({"address": line.address, "written": line.written, "lists": all})
        })
        .collect();
    json!({
        "version": 1, "state_file": crate::input::path(&config.place.path), "exists": !content.missing, "runs": runs,
        "others": content.others, "old": content.old, "damaged": content.damaged,
    })
}
