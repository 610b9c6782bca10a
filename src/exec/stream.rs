//! The command's stdout and stderr on their way through the mask: one thread for each, because a reader that is slow
//! or stuck must hold up nothing but its own stream.
//!
//! A stream is masked unless nobody can read it later: a terminal is left to the command as it is (programs draw on
//! it, and ask whether it is one), /dev/null needs no mask. Where both streams are one file, they share one pipe,
//! and their order is kept.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Stat, fstat};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use zeroize::Zeroize as _;

use super::mask::{Filter, Patterns};

/// After the command's end: how long what it left behind may keep a stream open.
const DRAIN: Duration = Duration::from_secs(1);
/// What is read at once, and what a pipe holds where the kernel allows it.
const CHUNK: usize = 256 * 1024;

/// The secrets to mask; more can come while the command runs.
#[derive(Clone)]
pub(crate) struct Mask(Arc<Mutex<Arc<Patterns>>>);

impl Mask {
    /// Masks these.
    pub(crate) fn new(patterns: Patterns) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(patterns))))
    }

    /// Masks these from now on.
    pub(crate) fn replace(&self, patterns: Patterns) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(patterns);
    }

    fn current(&self) -> Arc<Patterns> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A stream: where it is read, and where it is written.
pub(super) struct Plan {
    mask: Option<Mask>,
    pipes: Vec<(OwnedFd, OwnedFd)>,
}

/// The command's ends: stdout's and stderr's; `None` where it gets ours.
type Ends = [Option<OwnedFd>; 2];

pub(super) fn plan(mask: Option<&Mask>) -> io::Result<(Plan, Ends)> {
    let mut plan = Plan { mask: mask.cloned(), pipes: Vec::new() };
    let mut ends = [None, None];
    let (out, err) = (rustix::stdio::stdout(), rustix::stdio::stderr());
    if mask.is_none() {
        return Ok((plan, ends));
    }
    let mut add = |ours: BorrowedFd<'_>| -> io::Result<OwnedFd> {
        let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC)?;
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&write_end, CHUNK);
        plan.pipes.push((read_end, rustix::io::fcntl_dupfd_cloexec(ours, 3)?));
        Ok(write_end)
    };
    if is_read_later(out) {
        ends[0] = Some(add(out)?);
    }
    if is_read_later(err) {
        ends[1] = match &ends[0] {
            Some(shared) if are_one(out, err) => Some(shared.try_clone()?),
            _ => Some(add(err)?),
        };
    }
    Ok((plan, ends))
}

fn is_read_later(stream: BorrowedFd<'_>) -> bool {
    let is_device = |file: &Stat| FileType::from_raw_mode(file.st_mode) == FileType::CharacterDevice;
    let null = || {
        // Of what is no device the numbers are all 0: where /dev/null is none, nothing is it.
        let null = rustix::fs::stat("/dev/null").ok().filter(is_device)?;
        Some(fstat(stream).ok().filter(is_device)?.st_rdev == null.st_rdev)
    };
    !rustix::termios::isatty(stream) && null() != Some(true)
}

fn are_one(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// The threads, while the command runs.
pub(super) struct Streams {
    /// Dropped when the command has ended.
    running: Option<OwnedFd>,
    threads: Vec<JoinHandle<()>>,
}

impl Plan {
    pub(super) fn start(self) -> io::Result<Streams> {
        let Some(mask) = self.mask.filter(|_| !self.pipes.is_empty()) else {
            return Ok(Streams { running: None, threads: Vec::new() });
        };
        let (ended, running) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut threads = Vec::new();
        for (from, to) in self.pipes {
            let (mask, ended) = (mask.clone(), ended.try_clone()?);
            let thread = std::thread::Builder::new().name("mask".to_owned());
            threads.push(thread.spawn(move || pass_on(from, &to, &ended, &mask))?);
        }
        Ok(Streams { running: Some(running), threads })
    }
}

impl Streams {
    pub(super) fn ended(self) -> Rest {
        drop(self.running);
        Rest(self.threads)
    }
}

/// Output that is on its way.
pub(crate) struct Rest(Vec<JoinHandle<()>>);

impl Rest {
    /// Waits until it has arrived.
    pub(crate) fn arrive(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}

/// Everything from `from`, masked, to `to`, until the stream ends or the reader is gone: then `from` is closed, and
/// the command learns of it as it would have without us.
fn pass_on(from: OwnedFd, to: &OwnedFd, ended: &OwnedFd, mask: &Mask) {
    let mut filter = Filter::new(mask.current());
    let (mut buffer, mut clear) = (vec![0; CHUNK], Vec::with_capacity(CHUNK));
    let (mut end, mut used) = (End::default(), 0);
    while end.wait(&from, ended) {
        let count = match read(&from, &mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(_) => break,
        };
        end.read(count);
        used = used.max(count);
        filter.switch(&mask.current(), &mut clear);
        filter.push(&buffer[..count], &mut clear);
        if !write_all(to, &clear) {
            break;
        }
        clear.clear();
    }
    drop(from);
    clear.clear();
    filter.finish(&mut clear);
    write_all(to, &clear);
    // The rest was never written to: clearing it would only use memory.
    buffer[..used].zeroize();
}

/// When to stop reading: what was in the pipe at the command's end is read in any case, what others write into it
/// later only until [`DRAIN`] is over.
#[derive(Default)]
struct End {
    deadline: Option<Instant>,
    owed: usize,
}

impl End {
    /// Waits for something to read, or the end of the stream; false when it is time to stop.
    fn wait(&mut self, from: &OwnedFd, ended: &OwnedFd) -> bool {
        loop {
            let timeout = match self.deadline {
                None => None,
                Some(_) if self.owed > 0 => None,
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None => return false,
                    Some(rest) => Timespec::try_from(rest).ok(),
                },
            };
            let mut fds = [PollFd::new(from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
            let watched = if self.deadline.is_some() { 1 } else { 2 };
            match poll(&mut fds[..watched], timeout.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(_) => return false,
                Ok(0) => return false,
                Ok(_) => {}
            }
            if watched == 2 && !fds[1].revents().is_empty() {
                self.deadline = Some(Instant::now() + DRAIN);
                let there = ioctl_fionread(from).unwrap_or(0);
                self.owed = usize::try_from(there).unwrap_or(0);
            }
            if !fds[0].revents().is_empty() {
                return true;
            }
        }
    }

    fn read(&mut self, count: usize) {
        self.owed = self.owed.saturating_sub(count);
    }
}

/// Writes all of it; false when the reader has closed its end.
fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Another process has made it non-blocking: wait until it takes more.
            Err(Errno::AGAIN) => {
                let mut fds = [PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT)];
                let _ = poll(&mut fds, None);
            }
            Err(_) => return false,
        }
    }
    true
}
