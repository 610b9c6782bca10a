//! Scripts around the command under test, in real shells.

use std::path::{Path, PathBuf};

use super::cmd::{Cmd, PROGRAM};
use super::say;

/// The POSIX shells that `eval` must be safe in; `busybox` stands for its ash.
pub const SHELLS: [&str; 7] = ["dash", "bash", "zsh", "ksh93", "mksh", "yash", "busybox"];

/// Those that this machine has (all of them in CI).
pub fn shells() -> Vec<&'static str> {
    SHELLS.into_iter().filter(|shell| require(shell).is_some()).collect()
}

/// `SHELL -euc TEXT` (fish has no such options) with ci-creds first on PATH, otherwise in the same clean
/// environment and with the same checks as [`Cmd::new`].
pub fn script(shell: &str, text: &str) -> Cmd {
    let program = require(shell).unwrap_or_else(|| panic!("ask shells() or require({shell:?}) first"));
    let options: &[&str] = match shell {
        "busybox" => &["sh", "-euc"],
        "fish" => &["--no-config", "-c"],
        // No start-up files, which a clean environment does not keep it from reading.
        "zsh" => &["-f", "-euc"],
        _ => &["-euc"],
    };
    let own = Path::new(&*PROGRAM).parent().unwrap().display();
    let path = format!("{own}:{}", inherited("PATH").unwrap_or_default());
    // fish takes a home that is missing from the user's entry, and finds what lies there.
    Cmd::program(program).args(options).args([text]).env("PATH", path).env("HOME", "/nonexistent")
}

/// The path of a tool. Where it is missing, CI fails, and a developer's machine says so aloud and goes on.
pub fn require(tool: &str) -> Option<PathBuf> {
    // Debian calls it ksh93, others ksh.
    let names: &[&str] = if tool == "ksh93" { &["ksh93", "ksh"] } else { &[tool] };
    let found = names.iter().find_map(|name| find(name));
    if found.is_none() {
        assert!(!in_ci(), "{tool} is not installed; .ci/run installs it");
        say(&format!("SKIPPED: a test needs {tool}, which is not installed"));
    }
    found
}

/// Whether nothing may be skipped.
pub fn in_ci() -> bool {
    inherited("CI").is_some_and(|ci| ci == "true")
}

/// The path of a tool, if it is there.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = inherited("PATH").unwrap_or_default();
    path.split(':').map(|dir| Path::new(dir).join(tool)).find(|program| program.is_file())
}

/// A variable of the test process itself.
#[allow(clippy::disallowed_methods, reason = "the rule is for src/: the harness has to find the tools")]
fn inherited(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
