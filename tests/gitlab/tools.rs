//! What reads GitLab's pipelines here: gitlab-ci-local runs them, check-jsonschema has GitLab's published schema. Both
//! are pinned, and installed under the target directory by the first test that asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::openbao::install::{install_once, target_dir};
use crate::support::{python, require, say};

/// The folder with package.json, its lock and requirements.txt.
fn pins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gitlab")
}

/// The program gitlab-ci-local, and the folder of its Node.
pub fn gitlab_ci_local() -> Option<(PathBuf, PathBuf)> {
    let (npm, node) = (require("npm")?, require("node")?);
    let home = target_dir().join("gitlab-ci-local");
    let wanted = fs::read_to_string(pins().join("package-lock.json")).unwrap();
    let outcome = install_once(&home, &wanted, |home| {
        say(&format!("installing gitlab-ci-local with npm (once) into {}", home.display()));
        fs::create_dir_all(home).unwrap();
        for name in ["package.json", "package-lock.json"] {
            fs::copy(pins().join(name), home.join(name)).unwrap();
        }
        let args = ["ci", "--silent", "--ignore-scripts", "--no-fund"];
        output(Command::new(npm).current_dir(home).args(args));
        Ok(())
    });
    outcome.unwrap();
    Some((home.join("node_modules/.bin/gitlab-ci-local"), node.parent().unwrap().to_owned()))
}

/// The Python that has check-jsonschema as a module.
pub fn check_jsonschema() -> Option<PathBuf> {
    require("python3")?;
    Some(python("check-jsonschema", &pins().join("requirements.txt"))?.join("python"))
}

/// A command's standard output; it must succeed.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}
