//! Why a command can't be started. It must not show the command's arguments.

use std::io;

use super::limits;
use super::program::is_no_program;
use crate::error::{Code, Explain};

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
