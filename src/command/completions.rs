//! `ci-creds completions SHELL`: out of the definition that parses the command line.

use crate::emit::sink;

/// Prints them.
pub fn run(shell: clap_complete::Shell) -> Result<(), sink::Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "ci-creds", &mut script);
    sink::text(&String::from_utf8_lossy(&script))
}
