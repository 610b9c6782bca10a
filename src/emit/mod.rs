//! From credentials to bytes: one file per format, and [`FORMATS`], which lists them. `sink` alone writes them.

use std::collections::HashSet;

use zeroize::Zeroizing;

use crate::credentials::{Credentials, Variable};
use crate::error::{Code, Explain};

pub mod dotenv;
pub mod fish;
pub mod sh;

/// Turns credentials into what is written.
pub type Encode = fn(&[Credentials], &Options) -> Result<Zeroizing<Vec<u8>>, Error>;

/// A way to write credentials down.
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
pub static FORMATS: &[&Format] = &[&sh::SH, &fish::FISH, &dotenv::DOTENV];

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
    /// GitLab would refuse the variable's name.
    #[error("{variable} can't be written as dotenv: GitLab takes names of at most 255 letters, digits and _")]
    DotenvName {
        /// The variable's name.
        variable: String,
    },
    /// One name twice: GitLab would keep the last one without a word.
    #[error("{variable} can't be written as dotenv: it is set twice")]
    DotenvTwice {
        /// The variable's name.
        variable: String,
    },
    /// More variables than the GitLab instance takes.
    #[error("{count} variables can't be written as dotenv: the limit is {limit}, and {variable} exceeds it")]
    DotenvCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
        /// The first one too many.
        variable: String,
    },
    /// A report of a size that GitLab refuses.
    #[error(
        "the credentials can't be written as dotenv: {size} bytes, GitLab takes less than {limit}; \
         the longest is {variable}"
    )]
    DotenvSize {
        /// How many bytes the report would have.
        size: usize,
        /// The first size that is refused.
        limit: usize,
        /// The variable with the longest value.
        variable: String,
    },
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Output
    }

    fn hints(&self) -> Vec<String> {
        let per_job = "a later job can call ci-creds itself: credentials then never become an artifact";
        let hints: &[&str] = match self {
            Self::Value { format: "dotenv", .. } => {
                &["a dotenv report knows no quoting, and GitLab expands what it reads", per_job]
            }
            Self::Value { .. } => &["use --format json, or run the command under `ci-creds … -- COMMAND`"],
            Self::DotenvName { .. } => &["give the variable a shorter, plain name"],
            Self::DotenvTwice { .. } => &["give each value a name of its own"],
            Self::DotenvCount { .. } => &[
                "where the GitLab instance takes more (its dotenv_variables limit), say so by --dotenv-limit",
            ],
            Self::DotenvSize { .. } => &["ask for fewer providers in one report", per_job],
        };
        hints.iter().map(|&hint| hint.to_owned()).collect()
    }
}

/// All variables, in the order in which they are written.
fn variables(all: &[Credentials]) -> Vec<&Variable> {
    all.iter().flat_map(|one| &one.variables).collect()
}

/// The names to unset: each once, and none that is also set.
fn unsets(all: &[Credentials]) -> Vec<&str> {
    let mut seen: HashSet<&str> = variables(all).iter().map(|variable| variable.name.as_str()).collect();
    all.iter().flat_map(|one| &one.unsets).map(String::as_str).filter(|name| seen.insert(name)).collect()
}

/// No environment, and no shell but zsh, can hold a NUL.
fn refuse_nul(all: &[Credentials], format: &'static str) -> Result<(), Error> {
    match variables(all).iter().find(|variable| variable.value.reveal().contains('\0')) {
        None => Ok(()),
        Some(variable) => {
            Err(Error::Value { variable: variable.name.clone(), format, what: "a NUL character".to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::ProptestConfig;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// The same cases in each run; more of them under `--features soak`.
    pub(super) fn seeded() -> ProptestConfig {
        let cases = if cfg!(feature = "soak") { 10_000 } else { 1_000 };
        ProptestConfig {
            rng_seed: RngSeed::Fixed(20),
            failure_persistence: None,
            ..ProptestConfig::with_cases(cases)
        }
    }

    /// Credentials with these variables and these names to unset.
    pub(super) fn credentials(set: &[(&str, &str)], unsets: &[&str]) -> Vec<Credentials> {
        let variables = set
            .iter()
            .map(|(name, value)| Variable {
                name: (*name).to_owned(),
                value: (*value).into(),
                sensitive: true,
            })
            .collect();
        vec![Credentials {
            provider: "read".to_owned(),
            role: None,
            path: "secret/data/x".to_owned(),
            label: None,
            variables,
            unsets: unsets.iter().map(|&name| name.to_owned()).collect(),
            lease: None,
            life: None,
            outlives_token: true,
        }]
    }

    /// What `format` writes for these variables, as text.
    pub(super) fn written(
        format: &Format,
        set: &[(&str, &str)],
        unsets: &[&str],
        limit: usize,
    ) -> Result<String, Error> {
        let options = Options { profile: None, dotenv_limit: limit };
        let bytes = (format.encode)(&credentials(set, unsets), &options)?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_name_is_unset_once_and_never_when_it_is_set() {
        let mut all = credentials(&[("A", "1")], &["B", "C"]);
        all.extend(credentials(&[("C", "1")], &["A", "B", "D"]));
        assert_eq!(unsets(&all), ["B", "D"]);
    }

    #[test]
    fn names_of_formats_differ() {
        let names: HashSet<&str> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
    }
}
