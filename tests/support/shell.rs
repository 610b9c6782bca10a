//! Scripts around the command under test, in real shells.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cmd::{Cmd, PROGRAM};
use super::say;

/// The POSIX shells that `eval` must be safe in; `busybox` stands for its ash.
pub const SHELLS: [&str; 7] = ["dash", "bash", "zsh", "ksh93", "mksh", "yash", "busybox"];

/// The shell that every POSIX system has, where PATH names none.
pub const SYSTEM_SHELL: &str = "/bin/sh";

/// Those that this machine has (all of them in CI).
pub fn shells() -> Vec<&'static str> {
    SHELLS.into_iter().filter(|shell| require(shell).is_some()).collect()
}

/// `SHELL -euc TEXT` (fish has no such options) with ci-creds first on PATH, otherwise in the same clean
/// environment and with the same checks as [`Cmd::new`]. dash and bash stand for any POSIX shell: where one is missing,
/// CI fails, and elsewhere the system's own takes its place.
pub fn script(shell: &str, text: &str) -> Cmd {
    let program = match shell {
        "dash" | "bash" => require(shell).unwrap_or_else(|| SYSTEM_SHELL.into()),
        _ => require(shell).unwrap_or_else(|| panic!("ask shells() or require({shell:?}) first")),
    };
    let options: &[&str] = match shell {
        "busybox" => &["sh", "-euc"],
        "fish" => &["--no-config", "-c"],
        // No start-up files, which a clean environment does not keep it from reading.
        "zsh" => &["-f", "-euc"],
        _ => &["-euc"],
    };
    let own = Path::new(&*PROGRAM).parent().unwrap().display();
    let path = format!("{own}:{}", with_system_tools());
    // fish takes a home that is missing from the user's entry, and finds what lies there.
    Cmd::program(program).args(options).args([text]).env("PATH", path).env("HOME", "/nonexistent")
}

/// Makes a FIFO.
#[track_caller]
pub fn fifo(path: &Path) {
    let mut shell = Command::new(SYSTEM_SHELL);
    shell.args(["-c", "mkfifo \"$1\"", "sh"]).arg(path).env("PATH", with_system_tools());
    assert!(shell.status().unwrap().success());
}

/// A program that every Linux system has, container images included: coreutils, and util-linux.
#[track_caller]
pub fn system_tool(name: &str) -> PathBuf {
    let path = with_system_tools();
    let found = path.split(':').map(|dir| Path::new(dir).join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} is neither on PATH nor in /usr/bin or /bin"))
}

/// PATH, and behind it the folders where POSIX systems have `cat`, `sleep` and the like.
pub fn with_system_tools() -> String {
    format!("{}:/usr/bin:/bin", inherited("PATH").unwrap_or_default())
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
