//! The state file: what must be taken back, one JSON line for each login, for a later process. Only when asked for;
//! readable by its owner alone; kept outside the project directory, whose files may become artifacts.
//!
//! A line is added, changed and removed under a lock on the file. A change makes a new file that takes the place of
//! the old one at once, so that a process that dies leaves one or the other.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::Ledger;
use crate::error::{Code, Explain};
use crate::vault::Server;

mod record;

pub use record::Record;

/// Where the file is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Whether it is the one that `auto` names: its folder is GitLab Runner's, and may be missing, or be root's and
    /// writable by all.
    pub auto: bool,
    /// CI_PROJECT_DIR, which it must not be in.
    pub project: Option<PathBuf>,
}

/// A fault of the file that its owner can mend.
const OPEN: &str = "others may read or write it";

/// Why the state file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else may read it, or may have written it.
    #[error("the state file {} can't be used: {reason}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It holds something else.
    #[error("the state file {} is damaged: line {line} is not one of ci-creds'", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first such line.
        line: usize,
    },
    /// The system said no.
    #[error("the state file {} can't be {done}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, …
        done: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Unsafe { .. } | Self::Damaged { .. } => Code::Environment,
            Self::Io { .. } => Code::Output,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unsafe { path, reason } if reason == OPEN => {
                return vec![format!(
                    "if it is yours, and what it lists is your jobs': `chmod 600 {}`",
                    path.display()
                )];
            }
            Self::Unsafe { .. } => {
                "name a file of your own outside the project directory, readable by you alone, in a folder that \
                 others can't write; or remove this one"
            }
            Self::Damaged { .. } => {
                "the lines that could be read are taken back; what the others stood for ends with its TTL: remove \
                 the file"
            }
            Self::Io { .. } => "name a file in a folder that you can write, with --state-file",
        };
        vec![hint.to_owned()]
    }
}

/// The lines of a file.
#[derive(Debug, Default)]
pub struct Content {
    /// Those that make sense, oldest first.
    pub records: Vec<Record>,
    /// The number of the first that does not.
    pub damaged: Option<usize>,
}

/// One line, of one run.
#[derive(Debug)]
pub struct Entry {
    place: Place,
    id: String,
    server: Server,
}

impl Entry {
    /// A line for a run that uses `server`; it is not written yet. Fails if it could not be.
    pub fn new(place: Place, server: &Server) -> Result<Self, Error> {
        place.check_folder()?;
        let id = crate::process::random().map_err(|cause| place.io("written", cause))?;
        // To find out now, before anything is issued, whether the file is fit for it.
        let file = place.lock(true)?;
        place.discard_if_empty(file.as_ref());
        Ok(Self { place, id, server: server.clone() })
    }

    /// The line of a record that was read.
    pub fn of(place: Place, record: &Record) -> Self {
        Self { place, id: record.id.clone(), server: record.server() }
    }

    /// Makes the line say what `ledger` says: added, changed, or removed when nothing is left.
    pub(super) fn replace(&self, ledger: &Ledger) -> Result<(), Error> {
        let line = match ledger.is_empty() {
            true => None,
            false => {
                let record = Record::new(&self.id, &self.server, ledger);
                let line = serde_json::to_vec(&record).map(Zeroizing::new);
                Some(line.map_err(|error| self.place.io("written", error.into()))?)
            }
        };
        self.place.replace(&self.id, line.as_deref().map(Vec::as_slice))
    }
}

impl Place {
    /// What the file says; nothing if it is missing.
    pub fn read(&self) -> Result<Content, Error> {
        let Some(mut file) = self.lock(false)? else { return Ok(Content::default()) };
        let text = self.text(&mut file)?;
        let mut content = Content::default();
        for (number, line) in lines(&text) {
            match serde_json::from_slice::<Record>(line) {
                Ok(record) if record.is_known() => content.records.push(record),
                _ => content.damaged = content.damaged.or(Some(number)),
            }
        }
        self.discard_if_empty(Some(&file));
        Ok(content)
    }

    fn replace(&self, id: &str, line: Option<&[u8]>) -> Result<(), Error> {
        let Some(mut file) = self.lock(line.is_some())? else { return Ok(()) };
        let text = self.text(&mut file)?;
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + 4096));
        let is_this =
            |line: &[u8]| serde_json::from_slice::<Record>(line).is_ok_and(|record| record.id == id);
        let others = lines(&text).filter(|(_, line)| !is_this(line)).map(|(_, line)| line);
        for line in others.chain(line) {
            new.extend_from_slice(line);
            new.push(b'\n');
        }
        if new.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io("removed", error)),
                _ => Ok(()),
            };
        }
        if *new == *text {
            return Ok(());
        }
        let fresh = tempfile::Builder::new().prefix(".ci-creds-").tempfile_in(self.folder());
        let write = |mut fresh: tempfile::NamedTempFile| {
            fresh.write_all(&new)?;
            fresh.as_file().sync_data()?;
            fresh.persist(&self.path).map(drop).map_err(|error| error.error)
        };
        fresh.and_then(write).map_err(|cause| self.io("written", cause))
    }

    fn text(&self, file: &mut File) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut text = Zeroizing::new(Vec::new());
        file.read_to_end(&mut text).map_err(|cause| self.io("read", cause))?;
        Ok(text)
    }

    /// The file, checked and locked; `None` if it is missing and not to be made.
    fn lock(&self, make: bool) -> Result<Option<File>, Error> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(make).mode(0o600);
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            options.custom_flags(flags.bits().cast_signed());
            let file = match options.open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                    return Err(self.not_safe("it is a symbolic link"));
                }
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                    return Err(self.not_safe("it is not a regular file"));
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(self.not_safe("you may not open it"));
                }
                Err(cause) => return Err(self.io("opened", cause)),
            };
            let there = file.metadata().map_err(|cause| self.io("read", cause))?;
            self.check(&there)?;
            file.lock().map_err(|cause| self.io("locked", cause))?;
            // Another process may have replaced or removed it while this one waited.
            match std::fs::symlink_metadata(&self.path) {
                Ok(now) if (now.dev(), now.ino()) == (there.dev(), there.ino()) => return Ok(Some(file)),
                _ => {}
            }
        }
    }

    fn check(&self, there: &std::fs::Metadata) -> Result<(), Error> {
        let reasons = [
            (!there.is_file(), "it is not a regular file"),
            (there.uid() != rustix::process::geteuid().as_raw(), "it is somebody else's"),
            (there.mode() & 0o077 != 0, OPEN),
            (there.nlink() > 1, "it has a second name (hard link)"),
        ];
        match reasons.iter().find(|(bad, _)| *bad) {
            Some((_, reason)) => Err(self.not_safe(reason)),
            None => Ok(()),
        }
    }

    fn check_folder(&self) -> Result<(), Error> {
        let folder = self.folder();
        if self.auto && !folder.exists() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|cause| self.io("made", cause))?;
        }
        let real = std::fs::canonicalize(folder).map_err(|cause| self.io("made", cause))?;
        let project = self.project.as_ref().and_then(|project| std::fs::canonicalize(project).ok());
        if project.is_some_and(|project| real.starts_with(project)) {
            return Err(self.not_safe("it is inside the project directory, and could become an artifact"));
        }
        let there = std::fs::metadata(&real).map_err(|cause| self.io("made", cause))?;
        // The sticky bit keeps others from replacing it.
        if !self.auto && there.mode() & 0o022 != 0 && there.mode() & 0o1000 == 0 {
            return Err(self.not_safe("others may write its folder"));
        }
        Ok(())
    }

    /// Looking at a file that is not there made it.
    fn discard_if_empty(&self, file: Option<&File>) {
        if file.and_then(|file| file.metadata().ok()).is_some_and(|there| there.len() == 0) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("/"))
    }

    fn not_safe(&self, reason: &str) -> Error {
        Error::Unsafe { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn io(&self, done: &'static str, cause: io::Error) -> Error {
        Error::Io { path: self.path.clone(), done, cause }
    }
}

/// The lines that are not blank, numbered from 1.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(index, line)| (index + 1, line))
}
