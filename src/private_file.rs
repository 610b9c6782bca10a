//! Makes and opens files that hold secrets. It must not know what is in them, or when they are deleted.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fchmod};
use tempfile::{NamedTempFile, PersistError};

/// The prefix of a file that replaces another one when it is complete.
const FRESH: &str = ".ci-creds-";
/// The prefix of a file that keeps its name.
const KEPT: &str = "ci-creds-";
/// How long a lock should be waited for: others hold it for the time of a write.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before a lock is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// A new file in `folder`, under a random name: readable by this user, and by nobody else.
pub(crate) fn fresh(folder: &Path) -> io::Result<NamedTempFile> {
    // Opened with O_EXCL.
    let file = tempfile::Builder::new().prefix(FRESH).tempfile_in(folder)?;
    // Whatever the umask.
    fchmod(file.as_file(), Mode::RUSR | Mode::WUSR)?;
    Ok(file)
}

/// What to do about [`NotInPlace::Deleted`].
pub(crate) const DELETED: &str = "a `ci-creds revoke` of this job takes back what is being written as well: run it when \
                                  every other command with the same state file has ended";

/// Why a file of [`fresh`] could not take its place.
pub(crate) enum NotInPlace {
    /// It was deleted, as by a `revoke` of the same job, which takes back what is being written too.
    Deleted,
    /// The operating system refused it.
    Io(io::Error),
}

impl From<PersistError> for NotInPlace {
    fn from(error: PersistError) -> Self {
        match error.error.kind() {
            io::ErrorKind::NotFound if folder(error.file.path()).is_dir() => Self::Deleted,
            _ => Self::Io(error.error),
        }
    }
}

/// How old a file of [`fresh`] is that no process can be at work on any more.
const STALE: Duration = Duration::from_secs(600);

/// Removes what a process that was killed has left of [`fresh`] in `folder`: it may be a copy of a whole file of secrets.
pub(crate) fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let made = name.to_str().and_then(|name| name.strip_prefix(FRESH));
        // tempfile adds six letters or digits.
        if !made.is_some_and(|end| end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            continue;
        }
        let Ok(there) = entry.path().symlink_metadata() else { continue };
        let is_stale = there.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > STALE));
        if is_stale && there.is_file() && is_own(&there) && there.mode() & 0o777 == 0o600 {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The same as [`fresh`], for a file that keeps its name.
pub(crate) fn kept(folder: &Path) -> io::Result<(File, PathBuf)> {
    let path = folder.join(format!("{KEPT}{}", crate::process::random()?));
    // The umask can only take away.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, path))
}

/// Whether the file at `path` has a name that this module makes.
pub(crate) fn is_own_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| [FRESH, KEPT].iter().any(|start| name.starts_with(start)))
}

/// Opens what others may have put there. A link is not followed, and a FIFO or a terminal is not waited for: what it
/// is, the caller looks at.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path)
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The whole path, for a process in another folder; as it is where the current one is gone.
pub(crate) fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether another user than root can rename and remove what is in this folder.
pub(crate) fn is_exposed(folder: &Metadata) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    // It keeps others from renaming what is ours.
    const STICKY: u32 = 0o1000;
    is_foreign(folder) || (folder.mode() & OTHERS_WRITE != 0 && folder.mode() & STICKY == 0)
}

/// Whether it is another user's: neither root's nor ours.
pub(crate) fn is_foreign(there: &Metadata) -> bool {
    ![0, own_uid()].contains(&there.uid())
}

/// Why a file that several processes change is not used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// Somebody else may have written it, or may read it by another name: what is wrong with it.
    Unsafe(&'static str),
    /// Its mode lets others use it.
    Exposed,
    /// The operating system refused to have it `opened`, `read` or `locked`.
    Io(&'static str, io::Error),
}

/// Opens a file that several processes change. It must be a regular file of this user's with one name, and its mode must
/// have no bit of `others`. `None` if it is missing and not to be made.
pub(crate) fn shared(path: &Path, make: bool, others: u32) -> Result<Option<File>, Unusable> {
    // A lock on a network's file system needs the right to write.
    let file = match open(path, OpenOptions::new().read(true).write(true).create(make)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(Unusable::Unsafe("it is a symbolic link"));
        }
        Err(error) => {
            return Err(match error.kind() {
                io::ErrorKind::IsADirectory => Unusable::Unsafe("it is not a regular file"),
                io::ErrorKind::PermissionDenied => Unusable::Unsafe("you may not open it"),
                _ => Unusable::Io("opened", error),
            });
        }
    };
    match file.metadata().map_err(|cause| Unusable::Io("read", cause))? {
        there if !there.is_file() => Err(Unusable::Unsafe("it is not a regular file")),
        there if !is_own(&there) => Err(Unusable::Unsafe("it is somebody else's")),
        there if there.mode() & others != 0 => Err(Unusable::Exposed),
        there if there.nlink() > 1 => Err(Unusable::Unsafe("it has a second name (hard link)")),
        _ => Ok(Some(file)),
    }
}

/// The same, locked until it is closed. It waits as long as another process has the lock.
pub(crate) async fn locked(path: &Path, make: bool, others: u32) -> Result<Option<File>, Unusable> {
    loop {
        let Some(file) = shared(path, make, others)? else { return Ok(None) };
        let is_there = || file.metadata().map(|there| is_at(path, &there));
        match file.try_lock().map(|()| is_there()) {
            Ok(Ok(true)) => return Ok(Some(file)),
            // Another process has put another file in its place, or has removed it.
            Ok(Ok(false)) => tokio::task::yield_now().await,
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            Ok(Err(cause)) | Err(TryLockError::Error(cause)) => return Err(Unusable::Io("locked", cause)),
        }
    }
}

/// Whether this file is what `path` names now.
pub(crate) fn is_at(path: &Path, file: &Metadata) -> bool {
    let same = |there: Metadata| (there.dev(), there.ino()) == (file.dev(), file.ino());
    path.symlink_metadata().is_ok_and(same)
}

/// Whether it is this user's.
pub(crate) fn is_own(there: &Metadata) -> bool {
    there.uid() == own_uid()
}

/// This user.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
