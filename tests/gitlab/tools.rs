//! What reads GitLab's pipelines here: gitlab-ci-local runs them, check-jsonschema has GitLab's published schema. Both
//! are pinned, and installed under the target directory by the first test that asks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{require, say};

/// The folder with package.json, its lock and requirements.txt.
fn pins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gitlab")
}

/// The program gitlab-ci-local, and the folder of its Node.
pub fn gitlab_ci_local() -> Option<(PathBuf, PathBuf)> {
    let (npm, node) = (require("npm")?, require("node")?);
    let home = install("gitlab-ci-local", "package-lock.json", |home| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(pins().join(name), home.join(name)).unwrap();
        }
        Command::new(npm).current_dir(home).args(["ci", "--silent", "--ignore-scripts", "--no-fund"]).spawn()
    });
    Some((home.join("node_modules/.bin/gitlab-ci-local"), node.parent().unwrap().to_owned()))
}

/// The program check-jsonschema.
pub fn check_jsonschema() -> Option<PathBuf> {
    let python = require("python3")?;
    let home = install("check-jsonschema", "requirements.txt", |home| {
        let venv = Command::new(python).args(["-m", "venv"]).arg(home).status().unwrap();
        assert!(venv.success(), "python3 has no venv");
        let pip = home.join("bin/python");
        Command::new(pip)
            .args(["-m", "pip", "install", "-q", "--no-deps", "-r"])
            .arg(pins().join("requirements.txt"))
            .spawn()
    });
    Some(home.join("bin/check-jsonschema"))
}

/// A folder that holds what `pin` lists, made once; other test processes wait.
fn install(
    name: &str,
    pin: &str,
    make: impl FnOnce(&Path) -> std::io::Result<std::process::Child>,
) -> PathBuf {
    let home = target_dir().join(name);
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (wanted, stamp) = (fs::read_to_string(pins().join(pin)).unwrap(), home.join("installed"));
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return home;
    }
    say(&format!("installing {name} (once) into {}", home.display()));
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    let ended = make(&home).unwrap().wait().unwrap();
    assert!(ended.success(), "{name} can't be installed: is the package registry available?");
    fs::write(stamp, wanted).unwrap();
    home
}

/// Where cargo put this program: the directory that it marks with CACHEDIR.TAG.
fn target_dir() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let tagged = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    tagged.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Path::to_path_buf)
}

/// A command's standard output; it must succeed.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}
