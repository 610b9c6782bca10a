//! A file of credentials: new, private from its first byte, and put in its place at once. It must not leave a
//! half-written file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tempfile::NamedTempFile;

use super::Error;
use crate::ci::Job;
use crate::input;
use crate::ledger::Written;
use crate::private_file::{self, NotInPlace, folder, is_exposed, is_own};

/// What may be at the file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// A regular file of our own goes.
    Replaced,
    /// It stays: a file of profiles may hold others that ci-creds does not know.
    Kept,
}

/// Finds out, before anything is issued, whether [`Fresh`] would work.
///
/// A symlink, a device, or somebody else's file is not replaced. A folder in which others can replace files is
/// used, as it is the user's choice, but named in a warning: they could give the job other credentials, though they
/// can't read ours. The job's own folder is such a one under a docker executor, where nobody else is.
pub(super) fn check(path: &Path, existing: Existing, job: &Job) -> Result<(), Error> {
    check_target(path, existing)?;
    let folder = folder(path);
    if is_exposed(&folder.metadata().map_err(|error| fault(path, error))?) && !is_in_project(folder, job) {
        warn_of_folder(folder, &input::path(path));
    }
    Ok(())
}

/// Warns of a folder in which others can give the job other credentials.
pub(in crate::emit) fn warn_of_folder(folder: &Path, what: &str) {
    tracing::warn!(
        "others can replace files in {}: a folder of the job's own is safer for {what}",
        input::path(folder)
    );
}

/// A new file that is still empty, beside the one whose place it will take.
#[derive(Debug)]
pub(crate) struct Fresh {
    file: NamedTempFile,
    path: PathBuf,
    existing: Existing,
}

impl Fresh {
    /// Makes it: readable by this user, and by nobody else.
    pub(super) fn make(path: &Path, existing: Existing) -> Result<Self, Error> {
        check_target(path, existing)?;
        let file = private_file::fresh(folder(path)).map_err(|error| fault(path, error))?;
        Ok(Self { file, path: path.to_owned(), existing })
    }

    /// What it will be when [`Fresh::write`] has written `bytes`, for the ledger.
    pub(super) fn written(&self, bytes: &[u8]) -> Result<Written, Error> {
        let written = Written::new(self.file.as_file(), self.file.path(), Some(&self.path), bytes);
        written.map_err(|error| fault(&self.path, error))
    }

    /// Writes all of `bytes`, and takes the place of an old file; on failure nothing has changed.
    pub(super) fn write(self, bytes: &[u8]) -> Result<(), Error> {
        let Self { mut file, path, existing } = self;
        let failed = |error: io::Error| fault(&path, error);
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        check_target(&path, existing)?;
        // A rename replaces a symlink, and follows none.
        let file = match existing {
            Existing::Replaced => file.persist(&path),
            Existing::Kept => file.persist_noclobber(&path),
        };
        let file = file.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path: path.clone() },
            _ => match NotInPlace::from(error) {
                NotInPlace::Deleted => Error::Deleted { path: path.clone() },
                NotInPlace::Io(cause) => fault(&path, cause),
            },
        })?;
        if !private_file::is_at(&path, &file.metadata().map_err(failed)?) {
            return Err(fault(&path, "somebody put another file in its place"));
        }
        Ok(())
    }
}

fn check_target(path: &Path, existing: Existing) -> Result<(), Error> {
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(fault(path, "it is the name of a folder"));
    }
    let folder = folder(path);
    if folder.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(fault(path, format!("the folder {} does not exist", input::path(folder))));
    }
    if !folder.is_dir() {
        return Err(fault(path, format!("{} is not a folder", input::path(folder))));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|errno| fault(path, format!("{}: {}", input::path(folder), io::Error::from(errno))))?;
    match path.symlink_metadata() {
        Ok(there) if there.is_symlink() => Err(fault(path, "it is a symbolic link")),
        Ok(there) if !there.is_file() => Err(fault(path, "it is not a regular file")),
        Ok(there) if !is_own(&there) => Err(fault(path, "it is somebody else's")),
        Ok(_) if existing == Existing::Kept => Err(Error::Exists { path: path.to_owned() }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault(path, error)),
    }
}

/// Whether it is the job's checkout, or in it.
fn is_in_project(folder: &Path, job: &Job) -> bool {
    let project = job.project_dir.as_ref().and_then(|project| project.canonicalize().ok());
    let project = project.filter(|project| project.parent().is_some());
    project.zip(folder.canonicalize().ok()).is_some_and(|(project, folder)| folder.starts_with(project))
}

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A symlink that appears after the check is replaced, and what it leads to stays as it was.
    #[test]
    fn a_late_symlink_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, prey) = (dir.path().join("out"), dir.path().join("prey"));
        fs::write(&prey, "prey").unwrap();
        check(&path, Existing::Replaced, &Job::default()).unwrap();
        symlink(&prey, &path).unwrap();
        assert!(write(&path, b"secret", Existing::Replaced).is_err());
        assert_eq!(fs::read_to_string(&prey).unwrap(), "prey");
        // Later still, between the second check and the rename, there is only the rename.
        let fresh = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
        fresh.persist(&path).unwrap();
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(&prey).unwrap(), "prey");
    }

    fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), Error> {
        Fresh::make(path, existing)?.write(bytes)
    }

    #[test]
    fn a_late_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        check(&path, Existing::Kept, &Job::default()).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(matches!(check(&path, Existing::Kept, &Job::default()), Err(Error::Exists { .. })));
        assert!(matches!(write(&path, b"new", Existing::Kept), Err(Error::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// `revoke` takes back what is being written too, and so may run between the two steps.
    #[test]
    fn a_new_file_that_revoke_has_deleted_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        for existing in [Existing::Replaced, Existing::Kept] {
            let fresh = Fresh::make(&path, existing).unwrap();
            fs::remove_file(fresh.file.path()).unwrap();
            assert!(matches!(fresh.write(b"new"), Err(Error::Deleted { .. })));
        }
        assert!(!path.exists());
    }

    #[test]
    fn a_name_that_no_folder_takes_is_seen_before_anything_is_issued() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(300));
        assert!(matches!(check(&path, Existing::Replaced, &Job::default()), Err(Error::File { .. })));
    }

    #[test]
    fn folders_in_which_others_rename_are_known() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, exposed) in
            [(0o700, false), (0o755, false), (0o775, true), (0o757, true), (0o1777, false), (0o777, true)]
        {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_exposed(&dir.path().metadata().unwrap()), exposed, "{mode:o}");
        }
        let project_dir = Some(dir.path().to_owned());
        assert!(is_in_project(dir.path(), &Job { project_dir, ..Job::default() }));
        assert!(!is_in_project(dir.path(), &Job::default()));
    }
}
