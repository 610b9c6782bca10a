//! The life of a credential: run a command with it, hide it, keep it alive, take it back.

mod command;
mod faults;
mod masking;
mod refresh;
mod renewal;
mod state_file;

use crate::main_job::story::Story;
use crate::support::{Cmd, eventually};

/// No lease, no key, no token of a login.
#[track_caller]
fn nothing_is_left(story: &Story<'_>) {
    eventually("no key, lease or token is left", || {
        story.engine.objects().is_empty()
            && story.engine.leases().is_empty()
            && story.space.login_tokens().is_empty()
    });
}

/// `ci-creds OPTIONS -- sh -c SCRIPT` in split custody, with the tools that a script needs.
fn shell(story: &Story<'_>, options: &[&str], script: &str) -> Cmd {
    let cmd = story.run(["exoscale"]).args(options).args(["--", "/bin/sh", "-c", script]);
    cmd.env("PATH", "/usr/bin:/bin")
}
