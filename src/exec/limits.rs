//! What the system accepts as the environment of a command (`execve(2)`, "Limits on size of arguments and
//! environment"). It must not cut anything off: what is too large is an error.

use std::ffi::{OsStr, OsString};

use rustix::process::{Resource, getrlimit};

/// The smallest limit for all strings together (Linux: `ARG_MAX`).
const ALL_LEAST: u64 = 128 * 1024;
/// The largest one: three quarters of the usual stack (Linux: `bprm_stack_limits`).
const ALL_MOST: u64 = 6 * 1024 * 1024;

/// An environment that is too large for any command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// One string of it.
    #[error("{variable} is too long for the environment of a command: {size} bytes, the limit is {limit}")]
    One {
        /// The variable.
        variable: String,
        /// `NAME=value` with the byte that ends it, in bytes.
        size: usize,
        /// How many it may have.
        limit: usize,
    },
    /// All of them together.
    #[error(
        "the variables are too long for the environment of a command: {size} bytes, the limit is {limit}; \
         the longest is {variable}"
    )]
    All {
        /// The longest variable.
        variable: String,
        /// All of them, in bytes.
        size: usize,
        /// How many they may have.
        limit: usize,
    },
}

impl TooLarge {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let (Self::One { variable, .. } | Self::All { variable, .. }) = self;
        format!(
            "put the value into a file, whose path {variable} then has: {variable}=@FIELD with `read`, \
             {variable}=vault-file:PATH#FIELD with `env`"
        )
    }
}

/// Whether a command can have these variables.
///
/// # Errors
/// One of them, or all together, have more bytes than the system takes.
pub(crate) fn check<'a>(variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)>) -> Result<(), TooLarge> {
    within(variables, one(), all())
}

/// The longest of these variables: the one to shorten where the system accepts less than [`check`] expects.
pub(super) fn refused<'a>(
    environment: impl Iterator<Item = (&'a OsString, &'a OsString)>,
) -> Option<TooLarge> {
    within(environment.map(|(name, value)| (name.as_os_str(), value.as_os_str())), usize::MAX, 0).err()
}

fn within<'a>(
    variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    one: usize,
    all: usize,
) -> Result<(), TooLarge> {
    let (mut sum, mut longest) = (0, (0, OsStr::new("")));
    for (name, value) in variables {
        let size = name.len() + value.len() + 2;
        sum += size + size_of::<usize>();
        longest = longest.max((size, name));
    }
    let (size, variable) = (longest.0, longest.1.to_string_lossy().into_owned());
    if size > one {
        return Err(TooLarge::One { variable, size, limit: one });
    }
    if sum > all {
        return Err(TooLarge::All { variable, size: sum, limit: all });
    }
    Ok(())
}

/// For one string: 32 pages (Linux: `MAX_ARG_STRLEN`).
fn one() -> usize {
    if cfg!(target_os = "linux") { rustix::param::page_size() * 32 } else { usize::MAX }
}

/// For all of them: a quarter of what the stack may grow to.
fn all() -> usize {
    let stack = getrlimit(Resource::Stack).current.unwrap_or(u64::MAX);
    usize::try_from((stack / 4).clamp(ALL_LEAST, ALL_MOST)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_all_have_limits() {
        let seen = |values: &[&'static str]| {
            let named = ["A", "B"].into_iter().zip(values.iter().copied());
            within(named.map(|(name, value)| (OsStr::new(name), OsStr::new(value))), 10, 34)
        };
        assert_eq!(seen(&["1234567"]), Ok(()));
        let one = TooLarge::One { variable: "B".to_owned(), size: 11, limit: 10 };
        assert_eq!(seen(&["1", "12345678"]), Err(one));
        let all = TooLarge::All { variable: "A".to_owned(), size: 35, limit: 34 };
        assert_eq!(seen(&["1234567", "123456"]), Err(all));
        assert_eq!(seen(&["123456", "123456"]), Ok(()));
    }
}
