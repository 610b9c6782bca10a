//! What comes in from outside. [`seems()`] tells when a value that is meant to be a path, a name or an address is
//! something else. [`Input`] is the one reader of files and of standard input.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::shutdown::{Shutdown, Stopped};

mod known;
mod seems;
mod words;

pub use seems::Seems;
pub(crate) use seems::{is_uuid, path, seems, shown, unexpanded};

/// What some editors write at the start of a file.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';
/// The most that is read: tokens, keys, certificates and values for a request are shorter.
const LONGEST_INPUT: u64 = 4 * 1024 * 1024;

/// The source of a text that is not in a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// `-` is standard input, as elsewhere.
    pub fn of(text: &str) -> Self {
        if text == "-" { Self::Stdin } else { Self::File(text.into()) }
    }

    /// The value of an option that takes a text itself, the path of its file, or `-`.
    ///
    /// # Errors
    /// As [`Input::read`].
    pub(crate) async fn or_itself(
        text: &str,
        is_itself: impl FnOnce(&str) -> bool,
        shutdown: &Shutdown,
    ) -> Result<io::Result<Zeroizing<String>>, Stopped> {
        if is_itself(text) {
            return Ok(Ok(Zeroizing::new(text.to_owned())));
        }
        Self::of(text).read(shutdown).await
    }

    /// Reads the whole text. A FIFO or a terminal may never end: a signal ends the wait.
    ///
    /// # Errors
    /// The outer error is the stop; the inner one the system's, or that of a text that is not UTF-8 or too long.
    pub async fn read(&self, shutdown: &Shutdown) -> Result<io::Result<Zeroizing<String>>, Stopped> {
        let input = self.clone();
        shutdown
            .blocking(move || match input {
                Self::File(path) => whole(File::open(path)?),
                Self::Stdin => whole(io::stdin()),
            })
            .await
    }
}

/// For a message.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(&path(file)),
            Self::Stdin => f.write_str("-"),
        }
    }
}

/// The bytes of a file that the user or a library names. A FIFO, a terminal and the like may never end: a signal ends
/// the wait. A regular file ends by itself, and is read at once.
///
/// # Errors
/// The outer error is the stop; the inner one the system's, or that of a file that is too long.
pub(crate) async fn file(
    path: &Path,
    shutdown: &Shutdown,
) -> Result<io::Result<Zeroizing<Vec<u8>>>, Stopped> {
    match regular_file(path) {
        Ok(None) => waited_for(path, shutdown).await,
        Ok(Some(bytes)) => Ok(Ok(bytes)),
        Err(error) => Ok(Err(error)),
    }
}

/// The same, in a thread whatever the file is: while a token is alive, a regular file must not hold up its revocation
/// either, which the file system of a server that is gone would do.
///
/// # Errors
/// As for [`file()`].
pub(crate) async fn waited_for(
    path: &Path,
    shutdown: &Shutdown,
) -> Result<io::Result<Zeroizing<Vec<u8>>>, Stopped> {
    let path = path.to_owned();
    shutdown.blocking(move || bytes(File::open(path)?, 0)).await
}

/// The bytes of a regular file; `None` for anything else, which is not opened: whoever waits to write into a FIFO would
/// take that for the reader that it waits for.
///
/// # Errors
/// The system's, or that of a file that is too long.
pub(crate) fn regular_file(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let there = std::fs::metadata(path)?;
    if !there.is_file() {
        return Ok(None);
    }
    // Something else may have been put there since: it is not waited for.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    bytes(file, there.len()).map(Some)
}

/// `expected` is how much there most likely is.
fn bytes(from: impl io::Read, expected: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let expected = usize::try_from(expected.min(LONGEST_INPUT)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    from.take(LONGEST_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_INPUT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 4 MiB"));
    }
    Ok(bytes)
}

fn whole(from: impl io::Read) -> io::Result<Zeroizing<String>> {
    let bytes = bytes(from, 0)?;
    let fault = |_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    std::str::from_utf8(&bytes).map_err(fault).map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(whole(&b"text"[..]).unwrap().as_str(), "text");
        assert!(whole(io::repeat(b'x')).unwrap_err().to_string().contains("4 MiB"));
        assert!(whole(&b"\xff"[..]).is_err());
    }
}
