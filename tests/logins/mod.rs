//! Every login, against the real server: the good case, and every refusal that is known, with its whole message.

mod agent;
pub mod approle;
pub mod aws;
mod aws_profiles;
mod aws_sources;
pub mod cert;
mod choice;
mod jwt;
pub mod kubernetes;
pub mod moto;
mod paths;
mod token;

use std::path::PathBuf;

use serde_json::json;

use crate::support::run::Run;
use crate::support::{Cmd, Space, secret};

/// Something to read after the login: KV in the place of Exoscale's engine.
pub struct Target<'a> {
    space: &'a Space<'a>,
    mount: String,
    /// Allows reading it.
    pub policy: String,
}

impl<'a> Target<'a> {
    pub fn new(space: &'a Space<'a>) -> Self {
        let mount = space.kv1("exoscale");
        let path = format!("{mount}/apikey/ci");
        space.write(&path, json!({"api_key": secret(), "api_secret": secret(), "ttl": "5m"}));
        Self { space, policy: space.may_read(&[&path]), mount }
    }

    /// `ci-creds exoscale ci` with nothing to log in with.
    pub fn cmd(&self) -> Cmd {
        self.with(&["exoscale", "ci"])
    }

    /// The same with other arguments.
    fn with(&self, args: &[&str]) -> Cmd {
        Cmd::new(args).vault(self.space.server).env("CI_CREDS_EXOSCALE_MOUNT", &self.mount)
    }
}

/// The credentials came.
#[track_caller]
fn assert_issued(run: Run) -> Run {
    let run = run.expect(0);
    assert!(run.stdout.contains("EXOSCALE_API_KEY"), "{run}");
    run
}

/// A file with this text, and the directory that keeps it.
pub fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}
