//! `ci-creds completions SHELL`: out of the definition that parses the command line.

use crate::emit::sink;

/// Prints them.
pub fn run(shell: clap_complete::Shell) -> Result<(), sink::Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "ci-creds", &mut script);
    // clap_complete's bash script takes the hyphen of a program's name for the start of a subcommand in one of two
    // places, and then completes nothing behind the first word.
    sink::text(&String::from_utf8_lossy(&script).replace("ci__subcmd__creds", "ci__creds"))
}
