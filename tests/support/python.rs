//! Python packages for tests, at pinned versions: a virtual environment under the target directory, made by the
//! first test that asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::openbao::install::{install_once, target_dir};
use super::{say, shell};

/// The bin directory of an environment with the packages of this `pip freeze` list. Where it can't be made, CI
/// fails, and a developer's machine says so aloud and goes on.
pub fn python(name: &str, requirements: &Path) -> Option<PathBuf> {
    let list = fs::read_to_string(requirements).unwrap();
    let home = target_dir().join(name);
    let outcome = install_once(&home, &list, |home| {
        say(&format!(
            "installing the packages of {} with pip (once) into {}",
            requirements.display(),
            home.display()
        ));
        run(Command::new("python3").args(["-m", "venv"]).arg(home))?;
        let pip = home.join("bin/python");
        run(Command::new(pip).args(["-m", "pip", "install", "--no-deps", "-qr"]).arg(requirements))
    });
    match outcome {
        Ok(()) => Some(home.join("bin")),
        Err(reason) => {
            assert!(!shell::in_ci(), "{reason}");
            say(&format!("SKIPPED: a test needs Python packages that can't be installed: {reason}"));
            None
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
