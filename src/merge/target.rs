//! A profile on its way into a file. It must not be written before the ledger knows of it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::file::{Held, TRIES, io, replace, text};
use super::part::Part;
use super::{Error, Profile, Put, Why};
use crate::private_file::{self, PAUSE, folder};
use crate::shutdown::Shutdown;

/// How often an empty file is waited for: `revoke` may have taken the last profile out.
const LONGEST_EMPTY: u32 = 10;

/// A file that a profile is about to be put into: nothing of it is there yet.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    profile: Profile,
    /// The new file, beside the old one.
    fresh: NamedTempFile,
    /// The profile's lines, as the ledger knows them.
    part: Zeroizing<String>,
    /// Whether there was text in the file. If it is empty now, another tool may be about to write it anew.
    had_text: bool,
}

/// Finds out, before anything is issued, whether the profile could be put there.
pub(crate) fn check(path: &Path, profile: &Profile, now: Timestamp) -> Result<(), Error> {
    look(path, profile, now).map(drop)
}

fn look(path: &Path, profile: &Profile, now: Timestamp) -> Result<(Put, Option<Zeroizing<String>>), Error> {
    let text = text(path)?;
    Ok((put(path, profile, text.as_deref().map_or("", String::as_str), now)?, text))
}

impl Target {
    /// Makes the new file ready. What will be in it, and where, is the ledger's before it is written.
    pub(crate) fn make(path: &Path, profile: Profile, now: Timestamp) -> Result<(Self, Part), Error> {
        private_file::sweep(folder(path));
        let (Put { part, .. }, text) = look(path, &profile, now)?;
        let fresh = private_file::fresh(folder(path)).map_err(|cause| io(path, "written", cause))?;
        let listed = Part::new(path, &profile, &part, text.is_none(), &fresh);
        let listed = listed.map_err(|cause| io(path, "written", cause))?;
        let had_text = text.is_some_and(|text| !text.is_empty());
        Ok((Self { path: path.to_owned(), profile, fresh, part, had_text }, listed))
    }

    /// Puts the profile there: into what is in the file now, which another process may have changed.
    pub(crate) async fn write(self, now: Timestamp, shutdown: &Shutdown) -> Result<(), Error> {
        let Self { path, profile, mut fresh, part, had_text } = self;
        let mut empty = 0;
        for _ in 0..TRIES {
            let held = Held::take(&path, shutdown).await?;
            let text = held.as_ref().map_or("", |held| held.text.as_str());
            if text.is_empty() && held.is_some() && had_text && empty < LONGEST_EMPTY {
                empty += 1;
                drop(held);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let new = put(&path, &profile, text, now)?;
            if *new.part != *part {
                return Err(Error::Changed { path });
            }
            match replace(&path, held.as_ref(), fresh, &new.text)? {
                None => return Ok(()),
                Some(again) => fresh = again,
            }
        }
        Err(Error::Changed { path })
    }
}

fn put(path: &Path, profile: &Profile, text: &str, now: Timestamp) -> Result<Put, Error> {
    let (path, name) = (path.to_owned(), profile.name.clone());
    profile.put_into(text, now).map_err(|why| match why {
        Why::Fault(fault) => Error::Content { path, line: fault.line + 1, what: fault.what },
        Why::Taken => Error::Taken { path, profile: name },
        Why::Twice => Error::Twice { path, profile: name },
        Why::InUse { job, until } => {
            let job =
                job.map_or_else(|| "a run outside of any job".to_owned(), |job| format!("the job {job}"));
            Error::InUse { path, profile: name, job, until }
        }
    })
}
