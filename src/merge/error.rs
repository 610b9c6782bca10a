//! Why a profile can't be put into a file, or taken out. It must not hold a line of the file, which may be a secret.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::duration::show;
use crate::error::{Code, Explain};
use crate::input;
use crate::private_file::{DELETED, PATIENCE};
use crate::shutdown::Stopped;

/// Why a profile can't be put into a file, or taken out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else may have written the file, or reads it by another name.
    #[error("{} can't be merged into: {reason}", input::path(path))]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It holds something that may mean anything.
    #[error("{} is not understood, and stays as it is: line {line} {what}", input::path(path))]
    Content {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The profile is there, and was not written by ci-creds, or was changed since.
    #[error("the profile {profile} in {} is not one that ci-creds wrote, and stays", input::path(path))]
    Taken {
        /// The file.
        path: PathBuf,
        /// The profile's name.
        profile: String,
    },
    /// The profile is there more than once.
    #[error("the profile {profile} is in {} more than once", input::path(path))]
    Twice {
        /// The file.
        path: PathBuf,
        /// The profile's name.
        profile: String,
    },
    /// The profile is another job's, and good for some time.
    #[error("the profile {profile} in {} is that of {job}, and good until {until}", input::path(path))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The profile's name.
        profile: String,
        /// Whose it is.
        job: String,
        /// When its credentials end.
        until: Timestamp,
    },
    /// Another process has it, and does not let go.
    #[error("{} is locked by another process, for more than {}", input::path(path), show(PATIENCE))]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It was changed between the look and the write, in a way that changes how the profile must be written.
    #[error("{} was changed by another process", input::path(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The new file is gone, as after a `revoke` of the same job.
    #[error("the new file for {} was deleted before it was complete", input::path(path))]
    Deleted {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused it.
    #[error("{} can't be {done}", input::path(path))]
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
            Self::Stopped(stopped) => stopped.code(),
            _ => Code::Output,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unsafe { .. } => {
                "--merge takes a regular file of your own that nobody else can write; --output names another file"
            }
            Self::Content { .. } => {
                "mend that line; or leave --merge out and give --output a file for this profile alone"
            }
            Self::Taken { .. } => {
                "--profile names another one; or leave --merge out and give --output a file for it alone"
            }
            Self::Twice { .. } => "leave one of them in the file; or --profile names another one",
            Self::InUse { .. } => {
                "jobs that share a file need a --profile each, as with the job's ID in its name"
            }
            Self::Locked { .. } | Self::Changed { .. } => "run it again; or --output names another file",
            Self::Deleted { .. } => DELETED,
            Self::Io { .. } => "--output names another file, in a folder that you can write",
            Self::Stopped(_) => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
