//! Vault's AWS plugins, which OpenBao has not built in, made from tests/aws-plugins.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::openbao::install::target_dir;
use super::shell::find;
use super::{python, say};

/// The plugins that the program serves, by the name it is called by.
const NAMES: &[&str] = &["aws-auth", "aws-engine"];

/// A directory for [`super::Options::plugin_dir`]; built by the first test that asks, in 2 to 3 minutes.
pub fn aws_plugins() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws-plugins");
    let go = match find("go") {
        Some(go) => go,
        // The same program as a Python package: Debian's own may be too old.
        None => python("python-go", &source.join("requirements.txt"))?.join("go"),
    };
    let home = target_dir().join("aws-plugins");
    fs::create_dir_all(&home).unwrap();
    let lock = File::create(target_dir().join("aws-plugins.lock")).unwrap();
    lock.lock().unwrap();
    let text =
        ["main.go", "go.mod", "go.sum"].map(|name| fs::read_to_string(source.join(name)).unwrap()).concat();
    let stamp = target_dir().join("aws-plugins.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|built| built == text) {
        return Some(home);
    }
    say("building Vault's AWS plugins with go (once, 2 to 3 minutes)");
    let program = target_dir().join("aws-plugins.program");
    let mut build = Command::new(go);
    build.current_dir(source).args(["build", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&program).arg(".");
    let output = build.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{build:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    for name in NAMES {
        let _ = fs::remove_file(home.join(name));
        fs::hard_link(&program, home.join(name)).unwrap();
    }
    fs::write(stamp, text).unwrap();
    Some(home)
}
