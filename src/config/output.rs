//! Where the credentials of a run go, and in what format. It must not open the file.

use std::path::PathBuf;

use super::Error;
use super::lookup::Lookup;
use crate::cli::Parsed;
use crate::emit::{self, Format, Output};
use crate::options;

/// --output; `-` is standard output, as elsewhere.
pub(super) fn file(lookup: &Lookup<'_>) -> Result<Option<PathBuf>, Error> {
    let found = lookup.parsed(&options::OUTPUT_FILE, "the path of a file: is its variable set?", |text| {
        Some(PathBuf::from(text)).filter(|_| !text.trim().is_empty())
    })?;
    Ok(found.filter(|file| file.as_os_str() != "-"))
}

/// --merge. Its variable may be that of a whole project, and counts where there is a file to merge into.
fn merge(lookup: &Lookup<'_>, format: &Format, has_file: bool) -> Result<bool, Error> {
    let is_flag = |option| lookup.flags_count && lookup.flags.one(option).is_some();
    let merge = lookup.switch(&options::MERGE)?;
    if merge && is_flag(&options::MERGE) {
        if format.merge.is_none() {
            return Err(Error::Merge("takes --format aws-credentials or scw-config"));
        }
        if !has_file {
            return Err(Error::Merge("takes --output FILE: the file that the profile is put into"));
        }
        if is_flag(&options::FORCE) && lookup.switch(&options::FORCE)? {
            return Err(Error::Merge("leaves the rest of the file as it is, and --force replaces all of it"));
        }
    }
    Ok(merge && format.merge.is_some() && has_file)
}

pub(super) fn output(parsed: &Parsed, lookup: &Lookup<'_>) -> Result<Output, Error> {
    let named = lookup.text(&options::FORMAT)?;
    let chosen = named.is_some();
    let format = match named {
        None => emit::FORMATS[0],
        Some(found) => emit::find(found.value.trim())
            .ok_or(Error::Format { source_name: found.source, by_flag: found.by_flag })?,
    };
    let file = file(lookup)?;
    let merge = parsed.command.is_empty() && merge(lookup, format, file.is_some())?;
    Ok(Output {
        format,
        chosen,
        options: emit::Options {
            profile: lookup.text(&options::PROFILE)?.map(|found| found.value),
            dotenv_limit: lookup.number(&options::DOTENV_LIMIT)?.unwrap_or(20),
        },
        file,
        force: lookup.switch(&options::FORCE)?,
        merge,
        show: lookup.switch(&options::SHOW)?,
    })
}
