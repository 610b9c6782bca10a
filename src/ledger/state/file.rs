//! The state file itself: checked, locked, read, and replaced as a whole. It must not use a file that others can write.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::line::{Line, is_old, lines};
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
        let text = if discard_if_empty { self.text(&mut file)? } else { self.start(&mut file)? };
        if text.len() as u64 > LONGEST {
            return Err(self.not_safe("it is longer than 16 MiB"));
        }
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
        let mut text = self.text(&mut file)?;
        if (text.len() + line.map_or(0, <[u8]>::len)) as u64 >= LONGEST {
            self.begin_anew(&mut text)?;
        }
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
        if content.old == 0 && content.damaged == 0 {
            return Ok(None);
        }
        let Some(mut file) = self.lock(false, shutdown).await? else { return Ok(None) };
        let (text, now) = (self.text(&mut file)?, crate::vault::now());
        let is_damaged = |line: &[u8]| matches!(Line::read(line, self.seal.as_ref()), Line::Damaged);
        let damaged = || lines(&text).map(|(_, line)| line).filter(|line| is_damaged(line));
        let kept = if content.damaged == 0 { None } else { self.keep_aside(damaged()) };
        let is_of_use = |line: &[u8]| match Line::read(line, self.seal.as_ref()) {
            Line::Usable(_) => true,
            Line::Foreign(written) => !is_old(written, now),
            Line::Damaged => false,
        };
        let rest = lines(&text).map(|(_, line)| line).filter(|line| is_of_use(line));
        self.rewrite(&text, rest, Sync::No)?;
        Ok(kept)
    }

    /// Where damaged lines are kept.
    fn beside(&self) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(".damaged");
        Self { path: path.into(), ..self.clone() }
    }

    /// Appends what is no line to a file beside this one, as far as there is room for it.
    fn keep_aside<'a>(&self, damaged: impl Iterator<Item = &'a [u8]>) -> Option<PathBuf> {
        let beside = self.beside();
        let append = || -> Result<(), Error> {
            let file =
                private_file::shared(&beside.path, true, OTHERS).map_err(|why| beside.unusable(why))?;
            let Some(mut file) = file else { return Ok(()) };
            let there = file.metadata().map_err(|cause| beside.io("read", cause))?;
            let mut text = Zeroizing::new(Vec::new());
            for line in damaged {
                if there.len() + (text.len() + line.len()) as u64 >= LONGEST_DAMAGED {
                    tracing::warn!(
                        "{} is full: the rest of what is no line is dropped",
                        crate::input::path(&beside.path)
                    );
                    break;
                }
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

    /// Begins a new file with the lines of `text` that this process may use. The old one, which somebody has made too
    /// long, goes where damaged lines are kept.
    fn begin_anew(&self, text: &mut Zeroizing<Vec<u8>>) -> Result<(), Error> {
        let is_usable = |line: &[u8]| matches!(Line::read(line, self.seal.as_ref()), Line::Usable(_));
        let own = lines(text).map(|(_, line)| line).filter(|line| is_usable(line));
        let own = own.flat_map(|line| [line, b"\n".as_slice()]).collect::<Vec<_>>().concat();
        let own = Zeroizing::new(own);
        let (path, aside) = (crate::input::path(&self.path), self.beside().path);
        match std::fs::rename(&self.path, &aside) {
            Ok(()) => tracing::warn!(
                "the state file {path} is too long (16 MiB): it is {} now, and a new one has the lines of it that were \
                 read and may be used; what others stood for ends with its TTL",
                crate::input::path(&aside)
            ),
            Err(cause) => tracing::warn!(
                "the state file {path} is too long (16 MiB), and can't be kept as {} ({cause}): a new one has the lines of \
                 it that were read and may be used",
                crate::input::path(&aside)
            ),
        }
        self.rewrite(text, lines(&own).map(|(_, line)| line), Sync::Yes)?;
        *text = own;
        Ok(())
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

    /// The content. A file that is too long is replaced first.
    fn text(&self, file: &mut File) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut text = self.start(file)?;
        if text.len() as u64 > LONGEST {
            self.begin_anew(&mut text)?;
        }
        Ok(text)
    }

    /// No more of the content than one byte beyond the longest that is used.
    fn start(&self, file: &mut File) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut text = Zeroizing::new(Vec::new());
        file.take(LONGEST + 1).read_to_end(&mut text).map_err(|cause| self.io("read", cause))?;
        Ok(text)
    }

    /// The file, checked and locked; `None` if it is missing and not to be made. The lock of another process is
    /// waited for no longer than [`PATIENCE`], and not beyond a stop.
    pub(super) async fn lock(&self, make: bool, shutdown: &Shutdown) -> Result<Option<File>, Error> {
        // In a job nothing in the file is trusted, and nothing in it can be read without this job's key, whatever its
        // mode is. The next change gives it the right one.
        let others = if self.seal.is_some() { 0 } else { OTHERS };
        let locked = shutdown.within(PATIENCE, private_file::locked(&self.path, make, others));
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
