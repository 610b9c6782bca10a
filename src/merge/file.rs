//! The file: looked at, locked, and replaced as a whole. It must not use one that others can write.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::Error;
use crate::private_file::{self, NotInPlace, PATIENCE, Unusable, folder};
use crate::shutdown::Shutdown;

/// How often a write begins anew because another tool has changed the file meanwhile.
pub(super) const TRIES: u32 = 100;
/// The longest file that is read: no one has so many profiles.
const LONGEST: u64 = 1 << 20;
/// Write permission of the group and of everybody else.
const OTHERS_WRITE: u32 = 0o022;

/// What is in the file, if it is there.
pub(super) fn text(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let file = private_file::shared(path, false, OTHERS_WRITE).map_err(|why| unusable(path, why))?;
    file.map(|file| read(path, &file)).transpose()
}

/// Changes what is in the file; nothing is done where it is missing, or where `change` gives nothing. An empty text
/// removes the file, if that is wanted.
pub(super) async fn change(
    path: &Path,
    removes: bool,
    shutdown: &Shutdown,
    change: impl Fn(&str) -> Option<Zeroizing<String>>,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        let Some(held) = Held::take(path, shutdown).await? else { return Ok(()) };
        let Some(new) = change(&held.text) else { return Ok(()) };
        if new.is_empty() && removes && held.is_unchanged(path) {
            return std::fs::remove_file(path).map_err(|cause| io(path, "removed", cause));
        }
        let fresh = private_file::fresh(folder(path)).map_err(|cause| io(path, "written", cause))?;
        if replace(path, Some(&held), fresh, &new)?.is_none() {
            return Ok(());
        }
    }
    Err(Error::Changed { path: path.to_owned() })
}

/// A file that is locked, and what is in it.
pub(super) struct Held {
    file: File,
    /// What is in it.
    pub text: Zeroizing<String>,
    /// Which file it is.
    seen: Metadata,
}

impl Held {
    /// `None` if it is missing. The lock of another process is waited for no longer than [`PATIENCE`], and not beyond
    /// a stop.
    pub(super) async fn take(path: &Path, shutdown: &Shutdown) -> Result<Option<Self>, Error> {
        let locked = shutdown.within(PATIENCE, private_file::locked(path, false, OTHERS_WRITE));
        let locked = shutdown.guard(Duration::ZERO, locked).await?;
        let locked = locked.ok_or_else(|| Error::Locked { path: path.to_owned() })?;
        let Some(file) = locked.map_err(|why| unusable(path, why))? else { return Ok(None) };
        let seen = file.metadata().map_err(|cause| io(path, "read", cause))?;
        let text = read(path, &file)?;
        Ok(Some(Self { file, text, seen }))
    }

    /// Whether it is what `path` names, and nobody has written to it. Other tools know no lock, and a file system's
    /// clock may not tell two writes apart: the bytes are compared.
    fn is_unchanged(&self, path: &Path) -> bool {
        private_file::is_at(path, &self.seen) && read(path, &self.file).is_ok_and(|now| now == self.text)
    }
}

/// Gives `fresh` this content, and the place of the file; `Some` if that has changed, and must be read again.
pub(super) fn replace(
    path: &Path,
    held: Option<&Held>,
    mut fresh: NamedTempFile,
    text: &str,
) -> Result<Option<NamedTempFile>, Error> {
    let file = fresh.as_file_mut();
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
    written.and_then(|()| file.sync_all()).map_err(|cause| io(path, "written", cause))?;
    let Some(held) = held else {
        return match fresh.persist_noclobber(path) {
            Ok(_) => Ok(None),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(error.file)),
            Err(error) => Err(not_in_place(path, error.into())),
        };
    };
    if !held.is_unchanged(path) {
        return Ok(Some(fresh));
    }
    fresh.persist(path).map(|_| None).map_err(|error| not_in_place(path, error.into()))
}

fn not_in_place(path: &Path, why: NotInPlace) -> Error {
    match why {
        NotInPlace::Deleted => Error::Deleted { path: path.to_owned() },
        NotInPlace::Io(cause) => io(path, "written", cause),
    }
}

fn unusable(path: &Path, why: Unusable) -> Error {
    match why {
        Unusable::Unsafe(reason) => Error::Unsafe { path: path.to_owned(), reason },
        Unusable::Exposed => Error::Unsafe { path: path.to_owned(), reason: "others can write it" },
        Unusable::Io(done, cause) => io(path, done, cause),
    }
}

fn read(path: &Path, mut file: &File) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.rewind()
        .and_then(|()| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(|cause| io(path, "read", cause))?;
    let refused = |reason| Error::Unsafe { path: path.to_owned(), reason };
    if bytes.len() as u64 > LONGEST {
        return Err(refused("it is longer than 1 MiB"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| refused("it is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

pub(super) fn io(path: &Path, done: &'static str, cause: io::Error) -> Error {
    Error::Io { path: path.to_owned(), done, cause }
}
