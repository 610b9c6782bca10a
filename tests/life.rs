//! The life of a credential: run a command with it, hide it, keep it alive, take it back.

mod command;
mod dead_man;
mod faults;
mod holding_up;
mod keeper;
mod masking;
mod refresh;
mod renewal;
mod shared;
mod state_file;
mod status;
mod trust;

use crate::main_job::story::{Story, nothing_is_left};
use crate::support::Cmd;

/// `ci-creds OPTIONS -- sh -c SCRIPT` in split custody, with the tools that a script needs.
pub(crate) fn shell(story: &Story<'_>, options: &[&str], script: &str) -> Cmd {
    let cmd = story.run(["exoscale"]).args(options).args(["--", "/bin/sh", "-c", script]);
    cmd.env("PATH", "/usr/bin:/bin")
}
