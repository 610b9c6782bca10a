//! Why credentials can't be written to their place. It must not hold a value.

use std::path::PathBuf;

use crate::error::{Code, Explain};
use crate::merge;

/// Why credentials can't go where they should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Standard output is a terminal.
    #[error("secrets are not printed to a terminal")]
    Terminal,
    /// The shell would trace the secrets into the job's log.
    #[error("{0} is on: the shell would write the secrets into the job's log")]
    DebugTrace(&'static str),
    /// The shell that reads them would show them.
    #[error("fish does not read the format sh, and would show the secrets in its error")]
    Fish,
    /// Standard output is closed. The standard library then opens /dev/null in its place.
    #[error("standard output is closed, or is /dev/null")]
    Closed,
    /// Standard output took only a part.
    #[error("standard output did not take the credentials: {0}")]
    Stdout(String),
    /// The file can't be made.
    #[error("{} can't be written: {reason}", crate::input::path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The new file is gone, as after a `revoke` of the same job.
    #[error("the new file for {} was deleted before it was complete", crate::input::path(path))]
    Deleted {
        /// The file.
        path: PathBuf,
    },
    /// The profile can't be put into the file.
    #[error(transparent)]
    Merge(#[from] merge::Error),
    /// A file that people write themselves too is there.
    #[error("{} exists, and is neither edited nor replaced", crate::input::path(path))]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Merge(error) => error.code(),
            _ => Code::Output,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Merge(error) => return error.hints(),
            Self::Terminal => {
                "run the command under `ci-creds … -- COMMAND`; eval \"$(ci-creds …)\" sets them in this shell, and \
                 --show shows them"
            }
            Self::DebugTrace(_) => {
                "run the command under `ci-creds … -- COMMAND`, or say with --show that the script did `set +x` before"
            }
            Self::Fish => {
                "write eval (ci-creds … --format fish); or exit. Where another program reads it, say --format sh"
            }
            Self::Closed | Self::Stdout(_) => "what was issued is revoked; give it a place to go",
            Self::File { .. } => {
                "--output takes a new or regular file of your own, in a folder that you can write; the files of \
                 NAME=@FIELD go into TMPDIR"
            }
            Self::Deleted { .. } => crate::private_file::DELETED,
            Self::Exists { .. } => {
                "--merge adds the profile to it; --force replaces it as a whole; --output names another file"
            }
        };
        vec![hint.to_owned()]
    }
}
