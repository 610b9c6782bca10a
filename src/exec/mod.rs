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

use crate::ci;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::error::{Code, Explain};
use crate::input;
use crate::options;
use crate::{process, shutdown};
use program::{is_no_program, is_text, located};

pub(crate) mod background;
pub(crate) mod find;
mod forms;
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

/// A command that can't be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No file has this name.
    #[error("{0}: there is no such command")]
    NotFound(String),
    /// The file exists, but the system refuses to run it.
    #[error("{0} can't be run")]
    NotExecutable(String, #[source] io::Error),
    /// The file exists, but the interpreter in its first line does not.
    #[error("{0} can't be run: the program in its first line is not there")]
    NoInterpreter(String),
    /// A word or a variable has a NUL byte, which no environment can hold.
    #[error("{0} can't be passed to the command: its value has a NUL character")]
    Nul(String),
    /// The environment is larger than the system accepts.
    #[error(transparent)]
    TooLarge(#[from] limits::TooLarge),
    /// The system gave no pipe, or no signals.
    #[error("the command can't be set up")]
    Setup(#[source] io::Error),
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::NotFound,
            Self::NotExecutable(..) | Self::NoInterpreter(_) => Code::NotExecutable,
            Self::Nul(_) | Self::TooLarge(_) => Code::Output,
            Self::Setup(_) => Code::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound(name) => vec![not_found(name)],
            Self::NotExecutable(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                vec!["is it a program, and is it executable (chmod +x)?".to_owned()]
            }
            Self::NotExecutable(_, error) if is_no_program(error) => {
                vec!["is it for another kind of machine?".to_owned()]
            }
            Self::NoInterpreter(_) => {
                vec!["is it installed here, and does the line end as lines of Linux do (no CR)?".to_owned()]
            }
            Self::Setup(_) => {
                vec![
                    "is a limit of processes or open files reached (ulimit -u, ulimit -n, the container's)?"
                        .to_owned(),
                ]
            }
            Self::TooLarge(large) => vec![large.hint()],
            Self::Nul(_) => vec!["`read` can put such a value into a file instead".to_owned()],
            Self::NotExecutable(..) => Vec::new(),
        }
    }
}

/// Words that exist only inside a shell.
const BUILTINS: &[&str] = &[
    "cd", "export", "set", "unset", "source", ".", "eval", "exec", "alias", "ulimit", "umask", "exit", "trap",
];

/// The hint for a command that was not found, by its name.
fn not_found(name: &str) -> String {
    if name.contains(char::is_whitespace) {
        return "this is one word with blanks: leave the quotes out, or let a shell part it: sh -c '…'"
            .to_owned();
    }
    if BUILTINS.contains(&name) {
        format!("{name} is the shell's own: run sh -c '{name} …'")
    } else {
        "is it installed here, and is PATH right?".to_owned()
    }
}

/// The environment of the command: the job's without what logs in and what is stale, with the credentials.
/// `login` are the variables that this run's login was made with.
pub(crate) fn environment(
    env: &Env,
    all: &[Credentials],
    login: &[String],
) -> Result<HashMap<OsString, OsString>, Error> {
    let is = |name: &OsStr, known: &str| name.as_encoded_bytes() == known.as_bytes();
    let withheld: Vec<String> = options::withheld().collect();
    let ours = |name: &OsStr| {
        withheld.iter().any(|known| is(name, known))
            || ci::unasked_id_tokens().any(|known| is(name, known))
            || login.iter().any(|known| is(name, known))
    };
    let stale = |name: &OsStr| {
        all.iter().any(|one| {
            one.unsets.iter().any(|known| is(name, known))
                || one.variables.iter().any(|variable| is(name, &variable.name))
        })
    };
    let kept = env.all().filter(|(name, _)| !ours(name) && !stale(name));
    let mut environment: HashMap<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    for variable in all.iter().flat_map(|one| &one.variables) {
        let value = variable.value.reveal();
        if value.contains('\0') {
            return Err(Error::Nul(variable.name.clone()));
        }
        environment.insert(variable.name.clone().into(), value.into());
    }
    limits::check(environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())))?;
    Ok(environment)
}

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
            // The difference alone: where all of it is new, the standard library copies this process to start another.
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
                // A shell waits for this process to stop. Whoever lets it go on means the command as well.
                let _ = kill_process(getpid(), Signal::STOP);
                let _ = kill_process(pid, Signal::CONT);
            }
        };
        let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(u8::MAX))
    }

    /// The command has ended: what it wrote is on its way. Returns what waits until it has arrived.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_gets_the_credentials_and_nothing_that_logs_in() {
        let env: Env = [
            ("PATH", "/bin"),
            ("VAULT_ADDR", "https://v"),
            ("VAULT_TOKEN", "x"),
            ("BAO_TOKEN", "x"),
            ("VAULT_ROLE_ID", "x"),
            ("BAO_SECRET_ID", "x"),
            ("VAULT_WRAPPED_SECRET_ID", "x"),
            ("VAULT_ID_TOKEN", "x"),
            ("CI_JOB_JWT_V2", "x"),
            ("VAULT_CLIENT_KEY_BYTES", "x"),
            ("MY_TOKEN", "x"),
            ("OLD", "x"),
            ("KEY", "stale"),
        ]
        .into_iter()
        .collect();
        let all = crate::emit::tests::credentials(&[("KEY", "fresh"), ("VAULT_TOKEN", "own")], &["OLD"]);
        let mut names: Vec<_> =
            environment(&env, &all, &["MY_TOKEN".to_owned()]).unwrap().into_iter().collect();
        names.sort();
        let expected =
            [("KEY", "fresh"), ("PATH", "/bin"), ("VAULT_ADDR", "https://v"), ("VAULT_TOKEN", "own")];
        assert_eq!(names, expected.map(|(name, value)| (name.into(), value.into())));
        let nul = crate::emit::tests::credentials(&[("KEY", "a\0b")], &[]);
        assert!(matches!(environment(&env, &nul, &[]), Err(Error::Nul(_))));
    }
}
