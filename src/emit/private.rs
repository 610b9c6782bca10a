//! Values that a job gets in files of their own, as `read NAME=@FIELD` asks: the variable gets the path.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::sink::Error;
use crate::credentials::{Credentials, Variable};
use crate::ledger::Ledger;
use crate::secret::Secret;

/// Chooses a file in `folder` for each such value, notes it in the ledger, and sets the variable. Nothing is written
/// yet: what the state file does not know is not to be made.
pub fn name(all: &mut [Credentials], folder: &Path, ledger: &mut Ledger) -> Result<(), Error> {
    for one in all {
        for file in &mut one.files {
            let random = crate::process::random().map_err(|error| fault(folder, error))?;
            file.path = folder.join(format!("ci-creds-{random}"));
            ledger.file(file.path.clone());
            let Some(path) = file.path.to_str() else { return Err(fault(folder, "it is not valid UTF-8")) };
            one.variables.push(Variable {
                name: file.name.clone(),
                value: Secret::from(path),
                sensitive: false,
            });
        }
    }
    Ok(())
}

/// Writes the files: new ones, readable by their owner alone.
pub fn write(all: &[Credentials]) -> Result<(), Error> {
    for file in all.iter().flat_map(|one| &one.files) {
        let mut options = std::fs::OpenOptions::new();
        // The umask can only take away.
        let opened = options.write(true).create_new(true).mode(0o600).open(&file.path);
        let written = opened.and_then(|mut open| open.write_all(file.content.reveal().as_bytes()));
        written.map_err(|error| fault(&file.path, error))?;
    }
    Ok(())
}

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_string() }
}
