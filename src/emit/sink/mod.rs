//! Writes credentials, and the statement that replaces them when a command fails. No other module may write
//! credentials.

use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::stdio::stdout;
use zeroize::Zeroizing;

use super::{Content, Format, Output};
use crate::ci::Job;
use crate::ledger::Ledger;
use crate::shutdown::Shutdown;
use crate::{merge, vault};

mod error;
mod file;

pub use error::Error;
pub(super) use file::warn_of_folder;
use file::{Existing, Fresh};

/// Finds out, before anything is issued, whether the credentials may go where they should.
pub(crate) fn check(output: &Output, job: &Job) -> Result<(), Error> {
    if let Some(path) = &output.file {
        file::check(path, existing(output), job)?;
        let Some(merge) = output.merge() else { return Ok(()) };
        let name = output.options.profile().to_owned();
        let owner = merge::Owner { job: job.id.clone(), until: None };
        let profile = merge::Profile { form: merge.form, name, values: Zeroizing::default(), owner };
        return Ok(merge::check(path, &profile, vault::now())?);
    }
    if is_closed() {
        return Err(Error::Closed);
    }
    if !output.show && is_terminal() {
        return Err(Error::Terminal);
    }
    check_shell(output, job)
}

/// Whether the shell that reads the credentials would show them.
pub(crate) fn check_shell(output: &Output, job: &Job) -> Result<(), Error> {
    if let Some(variable) = job.debug_trace.filter(|_| !output.show && output.format.failure.is_some()) {
        return Err(Error::DebugTrace(variable));
    }
    if !output.chosen && super::is_fish() { Err(Error::Fish) } else { Ok(()) }
}

/// Where credentials are about to go: nothing of them is there yet.
#[derive(Debug)]
pub(crate) enum Target {
    /// Standard output.
    Stdout(Zeroizing<Vec<u8>>),
    /// A file of its own.
    File(Fresh, Zeroizing<Vec<u8>>),
    /// A file that has other profiles too.
    Merged(Box<merge::Target>),
}

impl Target {
    /// Makes the file ready, where it is one, and notes in `ledger` what it will hold.
    pub(crate) fn make(output: &Output, content: Content, ledger: &mut Ledger) -> Result<Self, Error> {
        match (content, &output.file) {
            (Content::Whole(bytes), None) => Ok(Self::Stdout(bytes)),
            (Content::Whole(bytes), Some(path)) => {
                let fresh = Fresh::make(path, existing(output))?;
                ledger.file(fresh.written(&bytes)?);
                Ok(Self::File(fresh, bytes))
            }
            (Content::Profile(profile), path) => {
                let path = path.as_deref().unwrap_or_else(|| Path::new(""));
                let (target, part) = merge::Target::make(path, profile, vault::now())?;
                ledger.part(part);
                Ok(Self::Merged(target.into()))
            }
        }
    }

    /// Writes all of it, or fails; nothing is written twice.
    pub(crate) async fn write(self, shutdown: &Shutdown) -> Result<(), Error> {
        match self {
            Self::Stdout(bytes) => write_stdout(&bytes),
            Self::File(fresh, bytes) => fresh.write(&bytes),
            Self::Merged(target) => Ok(target.write(vault::now(), shutdown).await?),
        }
    }
}

/// One write: a reader gets everything or, if it fails, knows by our status that it did not.
fn write_stdout(bytes: &[u8]) -> Result<(), Error> {
    if is_closed() {
        return Err(Error::Closed);
    }
    let written = loop {
        match rustix::io::write(stdout(), bytes) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other,
        }
    };
    match written {
        Ok(count) if count == bytes.len() => Ok(()),
        Ok(count) => {
            CUT.store(true, Ordering::Relaxed);
            Err(Error::Stdout(format!("{count} of {} bytes went through", bytes.len())))
        }
        Err(errno) => Err(Error::Stdout(io::Error::from(errno).to_string())),
    }
}

/// std opens /dev/null for reading and writing when the process starts with a closed descriptor 1.
fn is_closed() -> bool {
    let Ok(stat) = fstat(stdout()) else { return true };
    let null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && rustix::fs::stat("/dev/null").is_ok_and(|null| null.st_rdev == stat.st_rdev);
    null && fcntl_getfl(stdout()).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

/// Whether stdout is a terminal.
pub(crate) fn is_terminal() -> bool {
    rustix::termios::isatty(stdout().as_fd())
}

fn existing(output: &Output) -> Existing {
    let keeps = output.format.merge.is_some() && !output.force && !output.merge;
    if keeps { Existing::Kept } else { Existing::Replaced }
}

/// Whether stdout has taken the beginning of something: a shell will read the failure statement as its end.
static CUT: AtomicBool = AtomicBool::new(false);

/// Parts a failure statement from a text that was cut off anywhere, in every shell: as the last argument of an export
/// or unset, and as a command of its own, the word does nothing. A syntax error would stop the script as well, but
/// bash then prints the line, secrets included.
pub const AFTER_A_CUT: &str = " true; ";

/// What a printing command leaves on stdout when it fails, so that `eval` fails with it.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    format: Option<&'static Format>,
    unsets: Vec<String>,
}

impl Failure {
    /// Prints it when this process panics.
    pub fn print_on_panic(&self) {
        let failure = self.clone();
        crate::process::on_panic(move |code| failure.print(code));
    }

    /// For a command that prints in this format; `None` where stdout is not what an `eval` reads.
    pub fn new(format: Option<&'static Format>, unsets: Vec<String>) -> Self {
        Self { format, unsets }
    }

    /// Writes the statement, unless stdout is a terminal.
    pub fn print(&self, code: u8) {
        let Some(statement) = self.format.and_then(|format| format.failure) else { return };
        if !is_terminal() {
            let cut = if CUT.load(Ordering::Relaxed) { AFTER_A_CUT } else { "" };
            // If this fails too, only the exit status is left.
            let _ = write_stdout(format!("{cut}{}", statement(&self.unsets, code)).as_bytes());
        }
    }
}

/// The same as [`text`], where the reader may let the pipe run full: a signal ends the wait.
pub(crate) async fn text_unless_stopped(
    content: String,
    shutdown: &Shutdown,
) -> Result<(), crate::error::Error> {
    let written = shutdown.blocking(move || Ok(text(&content))).await?;
    Ok(written.map_err(|error| Error::Stdout(error.to_string()))??)
}

/// Writes text that is no secret: help, completions, a report. A reader may close the pipe early.
pub(crate) fn text(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::Stdout(error.to_string())),
    }
}
