//! The state file itself: checked, locked, read, and replaced as a whole. It must not use a file that others can write.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::line::{Line, lines};
use super::{Content, Error, StateFile, Sync};
use crate::private_file::{self, PATIENCE, Unusable};
use crate::shutdown::Shutdown;

/// The longest file that is read: no machine has more to revoke.
const LONGEST: u64 = 16 << 20;
/// How much of the damaged lines is kept in a file of their own.
const LONGEST_DAMAGED: u64 = 1 << 20;
/// Every permission of the group and of everybody else.
const OTHERS: u32 = 0o077;

impl StateFile {
    /// What the file says; nothing if it is missing.
    pub async fn read(&self, shutdown: &Shutdown) -> Result<Content, Error> {
        self.content(shutdown, true).await
    }

    /// The same without any change, not even of a file that lists nothing.
    pub async fn look(&self, shutdown: &Shutdown) -> Result<Content, Error> {
        self.content(shutdown, false).await
    }

    async fn content(&self, shutdown: &Shutdown, discard_if_empty: bool) -> Result<Content, Error> {
        let Some(mut file) = self.lock(false, shutdown).await? else {
            return Ok(Content { missing: true, ..Content::default() });
        };
        let text = self.text(&mut file)?;
        if discard_if_empty {
            self.discard_if_empty(Some(&file));
        }
        Ok(Content::of(&text, self.seal.as_ref(), crate::vault::now()))
    }

    /// Puts `line` at the end, instead of the one with this id.
    pub(super) async fn replace(
        &self,
        id: &str,
        line: Option<&[u8]>,
        sync: Sync,
        shutdown: &Shutdown,
    ) -> Result<(), Error> {
        let Some(mut file) = self.lock(line.is_some(), shutdown).await? else { return Ok(()) };
        let text = self.text(&mut file)?;
        let is_this = |line: &[u8]| match Line::read(line, self.seal.as_ref()) {
            Line::Usable(record) => record.id == id,
            _ => false,
        };
        let others = lines(&text).map(|(_, line)| line).filter(|line| !is_this(line));
        self.rewrite(&text, others.chain(line), sync)
    }

    /// Removes what no job can use: copies of the file that a killed process left beside it, and the lines that are
    /// damaged or old ones of other jobs. Damaged ones are kept aside where that is possible. Returns where.
    pub async fn sweep(&self, content: &Content, shutdown: &Shutdown) -> Result<Option<PathBuf>, Error> {
        private_file::sweep(self.folder());
        if content.old.is_empty() && content.damaged.is_empty() {
            return Ok(None);
        }
        let Some(mut file) = self.lock(false, shutdown).await? else { return Ok(None) };
        let text = self.text(&mut file)?;
        let kept = if content.damaged.is_empty() { None } else { self.keep_aside(content) };
        let gone = content.old.iter().chain(content.damaged.iter().map(|(_, line)| line));
        let gone: std::collections::HashSet<&[u8]> = gone.map(|line| line.as_slice()).collect();
        let rest = lines(&text).map(|(_, line)| line).filter(|line| !gone.contains(line));
        self.rewrite(&text, rest, Sync::No)?;
        Ok(kept)
    }

    /// Appends what is no line to a file beside this one.
    fn keep_aside(&self, content: &Content) -> Option<PathBuf> {
        let mut path = self.path.clone().into_os_string();
        path.push(".damaged");
        let beside = Self { path: path.into(), ..self.clone() };
        let append = || -> Result<(), Error> {
            let file =
                private_file::shared(&beside.path, true, OTHERS).map_err(|why| beside.unusable(why))?;
            let Some(mut file) = file else { return Ok(()) };
            let there = file.metadata().map_err(|cause| beside.io("read", cause))?;
            let size: usize = content.damaged.iter().map(|(_, line)| line.len() + 1).sum();
            if there.len().saturating_add(size as u64) > LONGEST_DAMAGED {
                return Err(beside.not_safe("it has grown too long: remove it"));
            }
            let mut text = Zeroizing::new(Vec::with_capacity(size));
            for (_, line) in &content.damaged {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
            let end = io::Seek::seek(&mut file, io::SeekFrom::End(0));
            end.and_then(|_| file.write_all(&text)).map_err(|cause| beside.io("written", cause))
        };
        match append() {
            Ok(()) => Some(beside.path),
            Err(error) => {
                tracing::warn!("what is no line of ci-creds' is dropped: {error}");
                None
            }
        }
    }

    /// Makes `lines` the content, instead of `text`.
    fn rewrite<'a>(
        &self,
        text: &[u8],
        lines: impl Iterator<Item = &'a [u8]>,
        sync: Sync,
    ) -> Result<(), Error> {
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + 4096));
        for line in lines {
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
        let fresh = private_file::fresh(self.folder());
        let write = |mut fresh: tempfile::NamedTempFile| {
            fresh.write_all(&new)?;
            if sync == Sync::Yes {
                fresh.as_file().sync_data()?;
            }
            fresh.persist(&self.path).map(drop).map_err(|error| error.error)
        };
        fresh.and_then(write).map_err(|cause| self.io("written", cause))
    }

    fn text(&self, file: &mut File) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut text = Zeroizing::new(Vec::new());
        file.take(LONGEST + 1).read_to_end(&mut text).map_err(|cause| self.io("read", cause))?;
        if text.len() as u64 > LONGEST { Err(self.not_safe("it is longer than 16 MiB")) } else { Ok(text) }
    }

    /// The file, checked and locked; `None` if it is missing and not to be made. The lock of another process is
    /// waited for no longer than [`PATIENCE`], and not beyond a stop.
    pub(super) async fn lock(&self, make: bool, shutdown: &Shutdown) -> Result<Option<File>, Error> {
        let locked = shutdown.within(PATIENCE, private_file::locked(&self.path, make, OTHERS));
        let locked = shutdown.guard(Duration::ZERO, locked).await?;
        let locked = locked.ok_or_else(|| Error::Locked { path: self.path.clone() })?;
        locked.map_err(|why| self.unusable(why))
    }

    fn unusable(&self, why: Unusable) -> Error {
        match why {
            Unusable::Unsafe(reason) => self.not_safe(reason),
            Unusable::Exposed => Error::Open { path: self.path.clone() },
            Unusable::Io(done, cause) => self.io(done, cause),
        }
    }

    pub(super) fn check_folder(&self) -> Result<(), Error> {
        let folder = self.folder();
        if self.auto && !folder.exists() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|cause| self.io("made", cause))?;
        }
        let real = std::fs::canonicalize(folder).map_err(|cause| self.io("made", cause))?;
        let project = self.project.as_ref().and_then(|project| std::fs::canonicalize(project).ok());
        // A checkout at / contains every folder. It is then no reason to refuse one, because only paths that a job
        // names become artifacts.
        let project = project.filter(|project| project.parent().is_some());
        if project.is_some_and(|project| real.starts_with(project)) {
            return Err(self.not_safe("it is inside the project directory, and could become an artifact"));
        }
        let there = std::fs::metadata(&real).map_err(|cause| self.io("made", cause))?;
        // In a container the job's own folder may belong to another uid, but nobody else is there.
        if !self.auto && self.seal.is_none() && private_file::is_foreign(&there) {
            return Err(self.not_safe("its folder is somebody else's"));
        }
        if !self.auto && !private_file::is_foreign(&there) && private_file::is_exposed(&there) {
            return Err(self.not_safe("others may write its folder"));
        }
        Ok(())
    }

    /// Looking at a file that is not there made it.
    pub(super) fn discard_if_empty(&self, file: Option<&File>) {
        if file.and_then(|file| file.metadata().ok()).is_some_and(|there| there.len() == 0) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("/"))
    }

    fn not_safe(&self, reason: &'static str) -> Error {
        Error::Unsafe { path: self.path.clone(), reason }
    }

    pub(super) fn io(&self, done: &'static str, cause: io::Error) -> Error {
        Error::Io { path: self.path.clone(), done, cause }
    }
}
