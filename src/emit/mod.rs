//! From credentials to bytes: one file per format, and [`FORMATS`], which lists them. `sink` alone writes them.

use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::error::{Code, Explain};

mod json;
mod sh;
pub mod sink;

/// Turns credentials into what is written.
pub type Encode = fn(&[Credentials], &Options) -> Result<Zeroizing<Vec<u8>>, Error>;

/// A way to write credentials down.
#[derive(Debug)]
pub struct Format {
    /// As in `--format`.
    pub name: &'static str,
    /// For --help.
    pub about: &'static str,
    /// Everything that is written, or nothing.
    pub encode: Encode,
    /// For shells: the one line that unsets these variables and ends with this status. Other formats print
    /// nothing when a command fails.
    pub failure: Option<fn(unsets: &[String], code: u8) -> String>,
}

/// Every format; the first is the default.
pub static FORMATS: &[&Format] = &[&sh::SH, &json::JSON];

/// The format of this name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}

/// What the encoders can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The section or profile that profile files are written under.
    pub profile: Option<String>,
    /// How many variables a dotenv report may hold.
    pub dotenv_limit: usize,
}

/// Why credentials can't be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One value has something that the format has no way to write.
    #[error("{variable} can't be written as {format}: its value has {what}")]
    Value {
        /// The variable's name.
        variable: String,
        /// The format's name.
        format: &'static str,
        /// Which part can't be written, in words: never the value.
        what: String,
    },
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Output
    }

    fn hints(&self) -> Vec<String> {
        vec!["use --format json, or run the command under `ci-creds … -- COMMAND`".to_owned()]
    }
}
