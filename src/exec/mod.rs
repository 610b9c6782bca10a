//! `-- COMMAND`: runs a process that gets the credentials and behaves as if a shell had started it: its input, its
//! signals, its exit status. It must not log in or revoke.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::task::Poll;

use futures_util::future::{Either, select};
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process};
use tokio::signal::unix::{self, SignalKind};

use crate::env::Env;
use crate::input;
use crate::{process, shutdown};
pub(crate) use environment::environment;
pub(crate) use error::Error;
use program::{is_no_program, is_text, located};

mod ahead;
pub(crate) mod background;
mod encoded;
mod environment;
mod error;
pub(crate) mod find;
mod forms;
mod grams;
mod held;
pub(crate) mod limits;
pub(crate) mod mask;
mod program;
pub(crate) mod refresh;
pub(crate) mod shell;
mod stream;

pub(crate) use stream::{Mask, Rest};

/// The signals that are passed on to the command.
const FORWARDED: &[Signal] = &[
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::XCPU,
    Signal::VTALARM,
    Signal::PROF,
    // Left alone they would stop this process, and the command would run on without its renewal and its mask.
    Signal::TSTP,
    Signal::CONT,
    #[cfg(target_os = "linux")]
    Signal::STKFLT,
    #[cfg(target_os = "linux")]
    Signal::IO,
    #[cfg(target_os = "linux")]
    Signal::POWER,
];

/// A command that runs.
pub(crate) struct Child {
    inner: tokio::process::Child,
    signals: Signals,
    streams: stream::Streams,
}

/// Signals for the command; listened to before it starts, so that none is lost.
pub(crate) struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self, Error> {
        let heard = FORWARDED.iter().filter(|signal| !process::ignores(signal.as_raw()));
        let listen = |signal: &Signal| Ok((*signal, unix::signal(SignalKind::from_raw(signal.as_raw()))?));
        let mut all: Vec<_> = heard.map(listen).collect::<io::Result<_>>().map_err(Error::Setup)?;
        // There is no safe way to send a real-time signal: the command is asked to stop in the usual way.
        all.extend(shutdown::real_time().map(|signal| (Signal::TERM, signal)));
        Ok(Self(all))
    }

    async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (name, signal) in &mut self.0 {
                if let Poll::Ready(Some(())) = signal.poll_recv(context) {
                    return Poll::Ready(*name);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Child {
    /// Starts `argv` with this environment and nothing else of ours; `env` is the job's own. With a mask its output
    /// goes through it.
    pub(crate) fn start(
        argv: &[OsString],
        env: &Env,
        environment: &HashMap<OsString, OsString>,
        mask: Option<&Mask>,
        signals: Signals,
    ) -> Result<Self, Error> {
        let [program, arguments @ ..] = argv else {
            return Err(Error::NotFound(String::new()));
        };
        let name = input::shown(&program.to_string_lossy());
        let (plan, ends) = stream::plan(mask).map_err(Error::Setup)?;
        // Before the command: it must not run where its output can't be masked.
        let streams = plan.start().map_err(Error::Setup)?;
        let spawn = |program: &OsStr, first: Option<&OsStr>| {
            let mut command = tokio::process::Command::new(program);
            command.args(first).args(arguments).stdin(Stdio::inherit());
            command.stdout(stdio(&ends[0])?).stderr(stdio(&ends[1])?);
            // Only the difference is set: where the environment is replaced as a whole, the standard library forks
            // instead of the faster posix_spawn.
            command.envs(environment.iter().filter(|(name, value)| env.raw(name) != Some(*value)));
            for (name, _) in env.all().filter(|(name, _)| !environment.contains_key(*name)) {
                command.env_remove(name);
            }
            command.spawn()
        };
        let file = || located(program, environment);
        let spawned = process::as_started(|| match spawn(program, None) {
            // A script without `#!` is the shell's, as execvp(3) has it.
            Err(error) if is_no_program(&error) && is_text(&file()) => {
                spawn(OsStr::new("/bin/sh"), Some(file().as_os_str()))
            }
            spawned => spawned,
        });
        let inner = spawned.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if file().is_file() => Error::NoInterpreter(name),
            io::ErrorKind::NotFound => Error::NotFound(name),
            io::ErrorKind::ArgumentListTooLong => match limits::refused(environment.iter()) {
                Some(large) => large.into(),
                None => Error::NotExecutable(name, error),
            },
            _ => Error::NotExecutable(name, error),
        })?;
        // The pipes end when the command does: the ends that it writes to are its own.
        drop(ends);
        Ok(Self { inner, signals, streams })
    }

    /// Waits for the end of the command, passing signals on to it; returns its status as a shell would.
    pub(crate) async fn wait(&mut self) -> io::Result<u8> {
        let pid = self.inner.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let mut ended = Box::pin(self.inner.wait());
        let status = loop {
            let signal = match select(&mut ended, Box::pin(self.signals.next())).await {
                Either::Left((status, _)) => break status?,
                Either::Right((signal, _)) => signal,
            };
            if let Some(pid) = pid.filter(|_| !is_the_terminals(signal)) {
                tracing::debug!("passing signal {} on", signal.as_raw());
                // It may have ended a moment ago.
                let _ = kill_process(pid, signal);
            }
            if let Some(pid) = pid.filter(|_| signal == Signal::TSTP && is_in_foreground()) {
                // A shell that sent SIGTSTP waits for this process to stop. What continues this process is meant for
                // the command as well.
                let _ = kill_process(getpid(), Signal::STOP);
                let _ = kill_process(pid, Signal::CONT);
            }
        };
        let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(u8::MAX))
    }

    /// Takes the streams of a command that has ended. The result waits until its last output has passed the mask.
    pub(crate) fn ended(self) -> Rest {
        self.streams.ended()
    }
}

/// Where one of the command's streams goes: into this pipe, or where ours goes.
fn stdio(end: &Option<OwnedFd>) -> io::Result<Stdio> {
    Ok(match end {
        Some(end) => end.try_clone()?.into(),
        None => Stdio::inherit(),
    })
}

/// A terminal sends Ctrl-C and Ctrl-\ to its whole foreground group: the command already has it. Passed on, it would
/// come twice, and many programs take the second one as "now at once".
fn is_the_terminals(signal: Signal) -> bool {
    (signal == Signal::INT || signal == Signal::QUIT) && is_in_foreground()
}

/// Whether this process is of its terminal's foreground group.
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| rustix::termios::tcgetpgrp(terminal.as_fd()).ok() == Some(getpgrp()))
}
