//! `-- COMMAND` of a run: what it is, and which options do not go with it. It must not start it.

use std::ffi::OsString;

use super::Error;
use super::lookup::Lookup;
use crate::cli::Parsed;
use crate::options;

/// `-- COMMAND`.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// Whether secrets in its output are replaced.
    pub mask: bool,
    /// Whether it asks for its AWS credentials, and gets fresh ones.
    pub refresh: bool,
    /// The variables that this run logs in with, beside those of the table of options: the command does not get them.
    pub withheld: Vec<String>,
    /// Where its credentials are looked for when it has ended.
    pub scan: Vec<OsString>,
}

/// The command, where there is one.
pub(super) fn command(parsed: &Parsed, lookup: &Lookup<'_>) -> Result<Option<Command>, Error> {
    let refresh = lookup.switch(&options::REFRESH)?;
    let scan = lookup.list(&options::SCAN)?.into_iter().map(OsString::from).collect();
    if parsed.command.is_empty() {
        let flag = [&options::REFRESH, &options::NO_MASK, &options::SCAN]
            .into_iter()
            .find(|flag| parsed.flags.one(flag).is_some());
        return flag.map_or(Ok(None), |flag| Err(Error::WithoutCommand(flag.name)));
    }
    // Only the flags are an error: the variables may be those of a whole project, where other calls print.
    if let Some(flag) = [&options::FORMAT, &options::OUTPUT_FILE, &options::MERGE, &options::SHOW]
        .into_iter()
        .find(|flag| parsed.flags.one(flag).is_some())
    {
        return Err(Error::WithCommand(flag.name));
    }
    for option in [&options::SECRET_ID_FILE, &options::WRAPPED_SECRET_ID_FILE, &options::ID_TOKEN_FILE] {
        if let Some(found) = lookup.text(option)?.filter(|found| found.value == "-") {
            return Err(Error::StdinTaken { source_name: found.source });
        }
    }
    Ok(Some(Command {
        argv: parsed.command.clone(),
        mask: !lookup.switch(&options::NO_MASK)?,
        refresh,
        withheld: lookup
            .text(&options::ID_TOKEN_ENV)?
            .map(|found| found.value.trim().to_owned())
            .into_iter()
            .collect(),
        scan,
    }))
}
