//! How an error gets from its module to `main`: each module has an error type of its own, with a message
//! ([`std::fmt::Display`] and `source`), an exit code and hints ([`Explain`]); [`Error`] carries any of them. It must
//! not print anything.

use std::fmt::{self, Write as _};

use crate::text::one_line;

/// Why the process ends: the documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A bug in ci-creds.
    Bug = 1,
    /// Arguments, an unknown command, a name that `read` refuses.
    Usage = 2,
    /// The environment or configuration is incomplete or wrong.
    Environment = 3,
    /// Vault or the cloud's API refused the request.
    Refused = 4,
    /// Vault, or the cloud behind it, could not answer: worth a retry.
    Unreachable = 5,
    /// The credentials can't be given in this form or place.
    Output = 6,
    /// Credentials were found in what the job leaves behind.
    Found = 7,
    /// The command exists but can't be run.
    NotExecutable = 126,
    /// There is no such command.
    NotFound = 127,
    /// Stopped by SIGHUP.
    HungUp = 129,
    /// Stopped by SIGINT.
    Interrupted = 130,
    /// Stopped by SIGQUIT.
    Quit = 131,
    /// Stopped by SIGUSR1.
    User1 = 138,
    /// Stopped by SIGUSR2.
    User2 = 140,
    /// Stopped by SIGALRM.
    Alarm = 142,
    /// Stopped by SIGTERM.
    Terminated = 143,
    /// Stopped by SIGSTKFLT, which Linux alone has.
    StackFault = 144,
    /// Stopped by SIGXCPU: the soft limit of `ulimit -t`.
    CpuTime = 152,
    /// Stopped by SIGVTALRM.
    VirtualAlarm = 154,
    /// Stopped by SIGPROF.
    Profile = 155,
    /// Stopped by SIGIO, which ends a process on Linux alone.
    Io = 157,
    /// Stopped by SIGPWR, which Linux alone has.
    Power = 158,
    /// Stopped by a real-time signal, whichever: 128 + the number of the first that is a program's own.
    RealTime = 162,
}

/// What a person needs beside the message itself.
pub trait Explain: std::error::Error {
    /// The exit code that this fault ends the process with.
    fn code(&self) -> Code;
    /// Facts that help to understand the fault, one a line.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
    /// What to do about it, one a line, the likeliest first.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Any module's error, on its way to `main`.
#[derive(Debug)]
pub struct Error(Box<dyn Explain + 'static>);

impl<E: Explain + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Error {
    /// The exit code.
    pub fn code(&self) -> Code {
        self.0.code()
    }
}

/// The whole report for stderr: error, causes, notes, hints, each on a line of its own, whoever wrote parts of it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut report = format!("error: {}", one_line(&self.0.to_string()));
        for cause in causes(self.0.source()) {
            write!(report, "\n  caused by: {}", one_line(&cause.to_string()))?;
        }
        for note in self.0.notes() {
            write!(report, "\n  {}", one_line(&note))?;
        }
        for hint in self.0.hints() {
            write!(report, "\nhint: {}", one_line(&hint))?;
        }
        f.write_str(&report)
    }
}

/// An error's source, and what is behind that.
pub(crate) fn causes<'a>(
    source: Option<&'a (dyn std::error::Error + 'static)>,
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(source, |error| error.source())
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    causes(error.source()).fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The advice to take a setting away: a flag is left out, a variable is unset.
pub(crate) fn leave_out(source_name: &str) -> String {
    if source_name.starts_with('-') {
        format!("leave {source_name} out")
    } else {
        format!("unset {source_name}")
    }
}
