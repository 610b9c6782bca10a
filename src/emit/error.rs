//! Why credentials can't be written in a format. It must not hold a value.

use crate::error::{Code, Explain};
use crate::exec::limits::TooLarge;

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
    /// One value has a NUL character, which no environment and no file of variables can hold.
    #[error("{variable} can't be written as {format}: its value has a NUL character")]
    Nul {
        /// The variable's name.
        variable: String,
        /// The format's name.
        format: &'static str,
    },
    /// A format of one provider's tools, and another provider.
    #[error("{format} is a format for {own}, and has no place for {other}")]
    Provider {
        /// The format's name.
        format: &'static str,
        /// The provider that it is for.
        own: &'static str,
        /// The provider that was asked for.
        other: String,
    },
    /// A variable that the format has no key for.
    #[error("{variable} has no place in {format}")]
    NoPlace {
        /// The variable's name.
        variable: String,
        /// The format's name.
        format: &'static str,
    },
    /// A profile name that would be read as another one, or as something else.
    #[error("the profile's name can't be written as {format}")]
    ProfileName {
        /// The format's name.
        format: &'static str,
    },
    /// GitLab would refuse the variable's name.
    #[error("{variable} can't be written as dotenv: GitLab takes names of at most 255 letters, digits and _")]
    DotenvName {
        /// The variable's name.
        variable: String,
    },
    /// One name twice: GitLab would silently keep the last one.
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
    /// The variables are too large: a shell that has them could start no command.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Output
    }

    fn hints(&self) -> Vec<String> {
        let per_job = "a later job can call ci-creds itself: credentials then never become an artifact";
        let hints: &[&str] = match self {
            Self::TooLarge(large) => return vec![large.hint()],
            Self::Provider { .. } => {
                &["--format sh, fish, dotenv and json take any provider; or give each its own call"]
            }
            Self::NoPlace { .. } => &["use --format sh or json, which have a place for any variable"],
            Self::ProfileName { .. } => {
                &["give --profile a name of letters, digits and _ + / = . , : @ ~ -, other than DEFAULT"]
            }
            Self::Value { format: "dotenv", .. } => {
                &["a dotenv report knows no quoting, and GitLab expands what it reads", per_job]
            }
            Self::Nul { .. } => &[
                "`read` can put such a value into a file (NAME=@FIELD), and --format json has a form for it",
            ],
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
