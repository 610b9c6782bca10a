//! The real AWS engine and login of Vault, built once under the target directory as external plugins for OpenBao.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::openbao::install::{run, say, target_dir};

/// The names by which OpenBao knows them; the program looks at the name that it is called by.
const NAMES: [&str; 2] = ["aws-auth", "aws-engine"];

/// The directory with the plugins. Without Go, CI fails, and a developer's machine says so aloud and goes on.
pub fn aws() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| super::require("go").map(|go| build(&go))).clone()
}

fn build(go: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws-plugins");
    let home = target_dir().join("aws-plugins-dir");
    let lock = File::create(home.with_extension("lock")).expect("the target directory is writable");
    lock.lock().expect("file locks work in the target directory");
    // A server may be running one of them: it is replaced only when its source has changed.
    let made_of = ["main.go", "go.mod", "go.sum"].map(|file| fs::read_to_string(source.join(file)).unwrap());
    let stamp = home.with_extension("made-of");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == made_of.concat()) {
        return home;
    }
    say(&format!("building Vault's AWS plugins (some minutes, once) into {}", home.display()));
    let fresh = home.with_extension("tmp");
    let _ = (fs::remove_dir_all(&home), fs::remove_dir_all(&fresh));
    fs::create_dir_all(&fresh).unwrap();
    let first = fresh.join(NAMES[0]);
    let flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"];
    run(Command::new(go).arg("build").args(flags).arg(&first).arg(".").current_dir(source));
    for name in &NAMES[1..] {
        fs::hard_link(&first, fresh.join(name)).unwrap();
    }
    fs::rename(&fresh, &home).unwrap();
    fs::write(stamp, made_of.concat()).unwrap();
    home
}
