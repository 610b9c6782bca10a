//! Why a search ends without "clean". It must not hold a value that was found.

use crate::error::{Code, Explain};
use crate::exec::mask::TooLarge;

use super::Lines;

/// The error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The values to look for are not known.
    #[error("there is nothing to look for: {why}")]
    NothingKnown {
        /// Why not.
        why: String,
    },
    /// No value is long enough.
    #[error("there is nothing to look for: no value that this job was given has 8 characters or more")]
    TooShort,
    /// Values were found.
    #[error("credentials found in what the job leaves behind")]
    Found {
        /// Where.
        finds: Lines,
        /// What could not be looked into besides.
        faults: Lines,
    },
    /// Something could not be searched.
    #[error("not everything could be searched for the credentials of this job")]
    Incomplete {
        /// What, and why.
        faults: Lines,
    },
    /// The search could not begin.
    #[error("the search could not begin")]
    NoThread {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The values need more memory than the search has.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::NothingKnown { .. } | Self::TooShort | Self::Incomplete { .. } => Code::Environment,
            Self::Found { .. } => Code::Found,
            Self::NoThread { .. } => Code::Environment,
            Self::TooLarge(error) => error.code(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Found { finds, faults } => {
                let faults = faults.told().into_iter().map(|line| format!("not searched: {line}"));
                finds.told().into_iter().chain(faults).collect()
            }
            Self::Incomplete { faults } => faults.told(),
            _ => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NothingKnown { .. } => {
                "run `ci-creds scan` in the shell that has the credentials, before `ci-creds revoke`, with the same \
                 --state-file"
            }
            Self::TooShort => "nothing can be told from a value as short as that",
            Self::Found { .. } => {
                "keep them out of these files, or the files out of artifacts and caches; revoke what was found: \
                 `--revoke` does, with `-- COMMAND` it is done"
            }
            Self::Incomplete { .. } => {
                "name paths that are there and can be read; leave out what is damaged on purpose"
            }
            Self::NoThread { .. } => "the job has too many processes and threads, or too little memory",
            Self::TooLarge(error) => return error.hints(),
        };
        vec![hint.to_owned()]
    }
}
