//! Why an answer can't be used.

use jiff::Timestamp;

use crate::error::{Code, Explain};

/// Why an answer can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer has no data.
    #[error("the answer of {path} has no data")]
    NoData {
        /// What was read.
        path: String,
    },
    /// A field is missing, null, or not a single value.
    #[error("the answer of {path} has {what}")]
    Field {
        /// What was read.
        path: String,
        /// Which field, and what is wrong with it.
        what: String,
        /// The fields that are there: names only.
        there: Vec<String>,
        /// The option that would mend it.
        option: &'static str,
    },
    /// The answer of KV version 2, or a secret of version 1 that looks like one.
    #[error("the answer of {path} may be KV version 2's, or a secret of version 1 that looks like it")]
    Untold {
        /// What was read.
        path: String,
        /// The option that says it.
        option: String,
    },
    /// A field holds a negative life.
    #[error("the answer of {path} has a field {field} that is less than 0")]
    Negative {
        /// What was read.
        path: String,
        /// Which field.
        field: String,
    },
    /// Another engine, or KV version 1: neither keeps versions.
    #[error("the answer of {path} is not version {version} of a secret: only KV version 2 keeps versions")]
    NotVersioned {
        /// What was read.
        path: String,
        /// The version that was asked for.
        version: u64,
    },
    /// The credentials have ended.
    #[error("the credentials at {path} ended at {end}")]
    Ended {
        /// What was read.
        path: String,
        /// By the answer.
        end: Timestamp,
    },
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Refused
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Field { there, .. } if !there.is_empty() => {
                vec![format!("its fields: {}", there.join(", "))]
            }
            _ => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoData { path } => vec![format!("is {path} the path that gives out credentials?")],
            Self::Untold { option, .. } => vec![format!("say which it is: {option}")],
            Self::Negative { .. } => {
                vec!["write a duration there, such as 15m, or take the field away".to_owned()]
            }
            Self::NotVersioned { .. } => {
                vec!["leave the version away, or name a path of KV version 2".to_owned()]
            }
            Self::Ended { .. } => {
                vec!["whoever puts them there must replace them before they end".to_owned()]
            }
            Self::Field { option, .. } => vec![format!("name the field with {option}, or read another path")],
        }
    }
}
