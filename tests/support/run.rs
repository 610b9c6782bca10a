//! What a finished command left: its code, its output, and the checks that every run goes through.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::canary;

/// A finished command. As text it is one block for an inline snapshot, with everything replaced that differs
/// from run to run.
#[derive(Debug)]
pub struct Run {
    /// The exit code; 128 + signal when a signal ended it, as a shell reports that.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Run {
    pub(super) fn new(status: ExitStatus, stdout: String, stderr: String, elapsed: Duration) -> Self {
        let signal = status.signal();
        let code = status.code().unwrap_or_else(|| 128 + signal.unwrap_or_default());
        Self { code, signal, stdout, stderr, elapsed }
    }

    /// Fails, showing the whole run, unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "unexpected exit code of:\n{self}");
        self
    }

    /// Nothing on stderr may be secret, nor on stdout when it is no answer: of a failed run, or of one that only
    /// reports.
    #[track_caller]
    pub(super) fn assert_no_secret(&self, reports: bool) {
        let shown = [("stderr", &self.stderr, true), ("stdout", &self.stdout, self.code != 0 || reports)];
        for (name, text, checked) in shown {
            if checked && let Some(leak) = canary::find(text) {
                panic!("a secret on {name}: {leak}\nexit code: {}\n{text}", self.code);
            }
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code: {}", self.code)?;
        writeln!(f, "----- stdout -----\n{}", stable(&self.stdout).trim_end_matches('\n'))?;
        write!(f, "----- stderr -----\n{}", stable(&self.stderr).trim_end_matches('\n'))
    }
}

/// A text with all that differs from run to run replaced by names.
pub fn stable(text: &str) -> String {
    VARYING.iter().fold(text.to_owned(), |text, (shape, name)| shape.replace_all(&text, *name).into_owned())
}

static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    // With the random part of secret(), or the user name that Engine makes.
    let canary = format!("{}[0-9A-Za-z-]*", canary::CANARY);
    let shapes = [
        (canary.as_str(), "CANARY"),
        ("[Qq]{24}", "PASSWORD"),
        (r"(127\.0\.0\.1|\[::1\]|localhost):\d+", "$1:PORT"),
        // A directory of the tempfile crate, wherever temporary files are kept.
        (r#"(/[^\s'":;,]*)?/\.tmp[A-Za-z0-9]{6}\b"#, "TMP"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?", "TIME"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
        // The auth mounts and the prefix of a Space.
        (r"\bx[0-9a-f]{12}-([a-z]+)-[0-9a-f]{4}\b", "X-$1"),
        (r"\bx[0-9a-f]{12}-", "X-"),
        // The clock in a key's name, in nanoseconds.
        (r"\b\d{16,}\b", "NANOS"),
        // A lease's or an accessor's random part.
        (r"\b[A-Za-z0-9]{24}\b", "ID"),
        (r"\b\d+(\.\d+)?(ms|µs)\b", "N ms"),
    ];
    shapes.into_iter().map(|(shape, name)| (Regex::new(shape).unwrap(), name)).collect()
});
