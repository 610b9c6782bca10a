//! The shell that evaluates what this process prints: found once, and watched to its end by another process.
//!
//! In `eval "$(ci-creds …)"` the parent may be the shell, a fork of it for the substitution, or a program between
//! them (`timeout`, `env`). The shell is the one that reads what is printed: an ancestor that has the other end of
//! standard output open. ksh93 takes a file instead of a pipe, open for both. Where nobody reads, it is the parent.
//! From there the way goes up through all forks: the script's shell is meant, not a subshell of it, which may end at
//! once. It must not guess: where /proc does not tell, there is an error.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, getppid};
use serde::{Deserialize, Serialize};

/// A process that can't be taken for another one with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shell {
    pid: i32,
    /// When it was started, in the kernel's ticks.
    started: u64,
}

impl Shell {
    /// The shell that evaluates; `prints` says whether what it evaluates goes to standard output. An error where it
    /// can't be told, or not be watched.
    pub(crate) fn find(prints: bool) -> io::Result<Self> {
        let parent = getppid().map(Pid::as_raw_pid);
        let parent = parent.ok_or_else(|| io::Error::other("its parent is in another container"))?;
        // A terminal and /dev/null are open everywhere, and nobody evaluates what goes there.
        let stdout = fs::metadata("/proc/self/fd/1").ok().filter(|_| prints);
        let stdout = stdout.filter(|stdout| stdout.is_file() || stdout.file_type().is_fifo());
        let reader = stdout.and_then(|stdout| line(parent).find(|pid| reads(*pid, &stdout)));
        let mut pid = reader.unwrap_or(parent);
        let program = program(pid)?;
        while let Some(above) =
            above(pid).filter(|above| self::program(*above).is_ok_and(|its| its == program))
        {
            pid = above;
        }
        let shell = Self { pid, started: stat(pid)?.started };
        shell.open()?;
        Ok(shell)
    }

    /// Starts to watch it; `None` if it has ended.
    pub(crate) fn watch(&self) -> io::Result<Option<Watch>> {
        let opened = match self.open() {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => return Ok(None),
            opened => opened?,
        };
        // While the descriptor is open, no other process gets the number. One may have got it before.
        if stat(self.pid).ok().map(|stat| stat.started) != Some(self.started) {
            return Ok(None);
        }
        Ok(Some(Watch(opened)))
    }

    #[cfg(target_os = "linux")]
    fn open(&self) -> io::Result<OwnedFd> {
        let pid = Pid::from_raw(self.pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?)
    }

    #[cfg(not(target_os = "linux"))]
    fn open(&self) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The shell, being watched.
pub(crate) struct Watch(OwnedFd);

impl Watch {
    /// Waits until it has ended: pidfd_open(2) has it that the descriptor is then readable.
    pub(crate) fn wait(&self) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) {
                Err(Errno::INTR) => {}
                outcome => return Ok(outcome.map(drop)?),
            }
        }
    }
}

/// What the kernel says of a process.
struct Stat {
    parent: i32,
    started: u64,
}

/// proc_pid_stat(5): the name is in parentheses, and may hold anything; behind it come the fields from the third on.
fn stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse().ok());
    let stat = || Some(Stat { parent: i32::try_from(field(4)?).ok()?, started: field(22)? });
    stat().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The parent of a process, unless it is in another container.
fn above(pid: i32) -> Option<i32> {
    stat(pid).ok().map(|stat| stat.parent).filter(|parent| *parent > 0)
}

/// A process and its ancestors.
fn line(pid: i32) -> impl Iterator<Item = i32> {
    std::iter::successors(Some(pid), |pid| above(*pid))
}

/// The program that runs in a process, as long as it runs: exec(3) places its parts at random, and fork(2) copies them.
fn program(pid: i32) -> io::Result<Vec<u8>> {
    let vector = fs::read(format!("/proc/{pid}/auxv"))?;
    if vector.is_empty() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(vector)
}

/// Whether a process can read what is written to `stdout`. A process whose descriptors may not be looked at is taken
/// for one that can't.
fn reads(pid: i32, stdout: &Metadata) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().map(|file| file.path()).any(|file| {
        let same =
            fs::metadata(&file).is_ok_and(|other| (other.dev(), other.ino()) == (stdout.dev(), stdout.ino()));
        same && is_readable(pid, &file)
    })
}

/// proc_pid_fdinfo(5): the flags of open(2) in octal, whose last two bits tell reading from writing.
fn is_readable(pid: i32, file: &Path) -> bool {
    let number = file.file_name().map(Path::new).unwrap_or(file);
    let info = fs::read_to_string(Path::new(&format!("/proc/{pid}/fdinfo")).join(number)).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 3 != 1)
}
