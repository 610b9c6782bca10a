//! The state file: what must be taken back, one JSON line for each login, for a later process. Only when asked for;
//! readable by its owner alone; kept outside the project directory, whose files may become artifacts.
//!
//! A line is added, changed and removed under a lock on the file. A change makes a new file that takes the place of
//! the old one at once, so that a process that dies leaves one or the other.
//!
//! # What is trusted
//!
//! The file is not: other jobs of the runner can write to its folder. In a job, where it has a secret of its own,
//! each line is [sealed](Seal) for it. A line that does not open, and a plain one, is another's: it is not used, and
//! `revoke` drops it a day after it was written. Elsewhere lines are plain, and the file is readable by its owner
//! alone. In both cases:
//!
//! * A secret that is not in the line (VAULT_TOKEN, a client certificate, the parent of what was made at a cloud)
//!   goes only to the address that is configured now, by the TLS and proxy settings that are configured now.
//! * A token that is in the line goes to the line's address, if that is https or this machine, or if plain http is
//!   allowed now, by the line's own CA and proxy. That Vault's certificate is not checked counts where the line was
//!   sealed, or where it is configured now.
//! * A file is deleted only if it still is what ci-creds wrote (`ledger::files`).

use std::cell::Cell;
use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::Ledger;
use crate::duration::show;
use crate::error::{Code, Explain};
use crate::private_file::PATIENCE;
use crate::shutdown::{Shutdown, Stopped};
use crate::vault::Server;

mod file;
mod line;
mod record;
mod seal;

pub use line::Content;
pub use record::Configured;
pub(crate) use record::{Listed, Record, State};
pub(crate) use record::{Reach, revealed};
pub use seal::Seal;

/// Where the file is.
#[derive(Debug, Clone)]
pub struct StateFile {
    /// The file.
    pub path: PathBuf,
    /// Whether it is the one that `auto` names: its folder is the CI runner's, and may be missing, or be
    /// root's and writable by all.
    pub auto: bool,
    /// The checkout, which it must not be in.
    pub project: Option<PathBuf>,
    /// What lines are sealed with, in a job.
    pub seal: Option<Seal>,
}

/// Why the state file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else may read it, or may have written it.
    #[error("the state file {} can't be used: {reason}", crate::input::path(path))]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Its mode lets others read or write it.
    #[error("the state file {} can't be used: others may read or write it", crate::input::path(path))]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("the state file {} is damaged: line {line} is not one of ci-creds'", crate::input::path(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first such line.
        line: usize,
        /// Where such lines are now, unless they could not be kept.
        kept: Option<PathBuf>,
    },
    /// Another process has it, and does not let go.
    #[error(
        "the state file {} is locked by another process, for more than {}",
        crate::input::path(path),
        show(PATIENCE)
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused it.
    #[error("the state file {} can't be {done}", crate::input::path(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, …
        done: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The process was asked to stop while it waited for the file.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Unsafe { .. } | Self::Open { .. } | Self::Damaged { .. } => Code::Environment,
            Self::Io { .. } | Self::Locked { .. } => Code::Output,
            Self::Stopped(stopped) => stopped.code(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Open { path } => {
                format!("if it is yours, and what it lists is your jobs': `chmod 600 {}`", crate::input::path(path))
            }
            Self::Unsafe { .. } => {
                "with --state-file or CI_CREDS_STATE_FILE, name a file of your own outside the project directory, \
                 readable by you alone, in a folder that others can't write; or remove this one"
                    .to_owned()
            }
            Self::Damaged { kept: Some(kept), .. } => format!(
                "the lines that could be read are taken back; what the others stood for ends with its TTL: see {}",
                crate::input::path(kept)
            ),
            Self::Damaged { kept: None, .. } => {
                "the lines that could be read are taken back; what the others stood for ends with its TTL".to_owned()
            }
            Self::Locked { path } => {
                format!("end the process that holds it (`fuser -v {}`), or name another file", crate::input::path(path))
            }
            Self::Io { .. } => "name a file in a folder that you can write, with --state-file".to_owned(),
            Self::Stopped(_) => return Vec::new(),
        };
        vec![hint]
    }
}

/// One line, of one run.
#[derive(Debug)]
pub struct Entry {
    place: StateFile,
    id: String,
    server: Server,
    /// Whether the file has the line.
    is_written: Cell<bool>,
}

/// Whether a line must outlive the machine as well as the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// It waits until the disk has it.
    Yes,
    /// Written to the kernel alone: enough where only the process is killed.
    No,
}

impl Entry {
    /// A line for a run that uses `server`. It is not written yet, but it is an error if it could not be.
    pub async fn new(place: StateFile, server: &Server, shutdown: &Shutdown) -> Result<Self, Error> {
        place.check_folder()?;
        let id = crate::process::random().map_err(|cause| place.io("written", cause))?;
        // The file is locked once now, so that a file that can't be used is found before anything is issued.
        let file = place.lock(true, shutdown).await?;
        place.discard_if_empty(file.as_ref());
        Ok(Self { place, id, server: server.clone(), is_written: Cell::new(false) })
    }

    /// The line of a record that was read; `server` is how it is reached.
    pub fn of(place: StateFile, record: &Record) -> Self {
        let (id, server) = (record.id.clone(), record.as_written());
        Self { place, id, server, is_written: Cell::new(true) }
    }

    /// Makes the line say what `ledger` says: added, changed, or removed when nothing is left.
    pub(super) async fn replace(
        &self,
        ledger: &Ledger,
        sync: Sync,
        shutdown: &Shutdown,
    ) -> Result<(), Error> {
        if ledger.says_nothing() && !self.is_written.get() {
            return Ok(());
        }
        let line = if ledger.says_nothing() { None } else { Some(self.line(ledger)?) };
        self.place.replace(&self.id, line.as_deref().map(Vec::as_slice), sync, shutdown).await?;
        self.is_written.set(line.is_some());
        Ok(())
    }

    fn line(&self, ledger: &Ledger) -> Result<Zeroizing<Vec<u8>>, Error> {
        let record = Record::new(&self.id, &self.server, ledger);
        let line = line::of(&record, self.place.seal.as_ref());
        line.map_err(|cause| self.place.io("written", cause))
    }
}
