//! Writes values into files of their own, as `read NAME=@FIELD` asks; the variable gets the path. It must not make a
//! file that others can read.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::sink::{Error, warn_of_folder};
use crate::ci::Job;
use crate::credentials::{Credentials, Variable};
use crate::ledger::{Ledger, Written};
use crate::private_file;
use crate::secret::Secret;

/// Files that were made, and are still empty.
#[derive(Debug, Default)]
pub(crate) struct Made(Vec<(File, PathBuf, Secret)>);

/// Warns of a folder in which others can put other files in the place of ours. Under a docker executor the job's own
/// folder is writable by all, but nobody else is in the container.
pub(crate) fn check(folder: &Path, job: &Job) {
    let is_jobs_own = job.temporary_dir().is_some_and(|own| own == folder);
    if !is_jobs_own && folder.metadata().is_ok_and(|there| private_file::is_exposed(&there)) {
        warn_of_folder(folder, "files with credentials: set TMPDIR, or name a --state-file in it");
    }
}

/// Makes an empty file in `folder` for each such value, readable by its owner alone, notes in the ledger what will be
/// in it, and sets the variable. Nothing is written yet: the state file comes first.
pub(crate) fn make(all: &mut [Credentials], folder: &Path, ledger: &mut Ledger) -> Result<Made, Error> {
    let mut made = Made::default();
    for one in all {
        for file in &one.files {
            let (opened, path) = private_file::kept(folder).map_err(|error| fault(folder, error))?;
            let Some(name) = path.to_str() else { return Err(fault(folder, "it is not valid UTF-8")) };
            let written = Written::new(&opened, &path, None, file.content.reveal().as_bytes());
            ledger.file(written.map_err(|error| fault(&path, error))?);
            one.variables.push(Variable {
                name: file.name.clone(),
                value: Secret::from(name),
                sensitive: false,
            });
            made.0.push((opened, path, file.content.clone()));
        }
    }
    Ok(made)
}

impl Made {
    /// Writes what they are for.
    pub(crate) fn write(self) -> Result<(), Error> {
        for (mut file, path, content) in self.0 {
            file.write_all(content.reveal().as_bytes()).map_err(|error| fault(&path, error))?;
        }
        Ok(())
    }
}

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_string() }
}
