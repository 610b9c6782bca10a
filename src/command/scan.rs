//! `ci-creds scan PATH…`: looks for the job's values in what the job leaves behind. The state file names the variables,
//! and the shell that runs this has their values. It must not show a value.

use std::ffi::OsString;
use std::path::Path;

use crate::config::Scan;
use crate::env::Env;
use crate::error::{self, Code};
use crate::ledger::state::Record;
use crate::scan::{self, Error, Report, Value, is_too_short};
use crate::secret::Secret;
use crate::shutdown::{Shutdown, Stopped};

/// Searches; 0 if nothing was found.
pub(crate) async fn run(config: Scan, env: &Env, shutdown: &Shutdown) -> Result<u8, error::Error> {
    let content = config.place.read(shutdown).await?;
    let shown = crate::input::path(&config.place.path);
    let values = values(&content.records, env);
    if values.is_empty() {
        let why = if content.records.iter().any(|record| !record.names().is_empty()) {
            format!("none of the variables that {shown} names is set here")
        } else {
            format!("{shown} lists no credentials of this job")
        };
        return Err(Error::NothingKnown { why }.into());
    }
    let outcome = look(values, config.paths, shutdown).await;
    if outcome.as_ref().is_err_and(|error| error.code() == Code::Found)
        && let Some(revoke) = config.revoke
    {
        // The find decides the exit code, whatever happens here.
        if let Err(error) = super::revoke::run(revoke, shutdown).await {
            tracing::warn!("{error}");
        }
    }
    outcome.map(|()| 0)
}

/// Looks for `values` in `paths`, and says what was looked for where nothing was found.
pub(super) async fn look(
    values: Vec<Value>,
    paths: Vec<OsString>,
    shutdown: &Shutdown,
) -> Result<(), error::Error> {
    let names: Vec<String> = values.iter().map(|value| value.variables.clone()).collect();
    let files = judge(search(values, paths, shutdown).await??)?;
    tracing::info!("scan: none of {} in {files} files", names.join(", "));
    Ok(())
}

/// Searches on a thread of its own, which is abandoned at a signal.
async fn search(
    values: Vec<Value>,
    paths: Vec<OsString>,
    shutdown: &Shutdown,
) -> Result<Result<Report, Error>, Stopped> {
    for value in values.iter().filter(|value| is_too_short(&value.secret)) {
        tracing::warn!("{} is not looked for: it has fewer than 8 characters", value.variables);
    }
    let found = shutdown.blocking(move || Ok(scan::search(&values, &paths))).await?;
    Ok(found.unwrap_or_else(|cause| Err(Error::NoThread { cause })))
}

/// How many files were searched, if all of them were and nothing was found.
fn judge(report: Report) -> Result<u64, Error> {
    for line in report.passed.told() {
        tracing::warn!("not looked into: {line}");
    }
    match (report.finds.count, report.faults.count) {
        (0, 0) => Ok(report.files),
        (0, _) => Err(Error::Incomplete { faults: report.faults }),
        _ => Err(Error::Found { finds: report.finds, faults: report.faults }),
    }
}

/// What the job was given, as far as this shell has it.
fn values(records: &[Record], env: &Env) -> Vec<Value> {
    let mut values = Vec::new();
    let mut names: Vec<&str> = records.iter().flat_map(Record::names).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let Ok(Some(text)) = env.get(name) else {
            tracing::warn!("{name} is not looked for: it is not set here");
            continue;
        };
        let in_file = records.iter().find_map(|record| record.content_of(Path::new(text)));
        add(&mut values, name, in_file.unwrap_or_else(|| Secret::from(text)));
    }
    values
}

/// The values, each with all its variables.
pub(super) fn add(values: &mut Vec<Value>, name: &str, secret: Secret) {
    match values.iter_mut().find(|value| value.secret.reveal() == secret.reveal()) {
        Some(known) if known.variables.split(", ").any(|other| other == name) => {}
        Some(known) => known.variables = format!("{}, {name}", known.variables),
        None => values.push(Value { variables: name.to_owned(), secret }),
    }
}
