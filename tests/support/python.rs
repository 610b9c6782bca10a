//! Python with the clouds' own libraries, and the clouds that they can be pointed at: installed once under the
//! target directory.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::Cmd;
use super::daemon::Daemon;
use super::openbao::{run, say, target_dir};

/// What the tests use. moto is AWS in one process.
const PACKAGES: &[&str] = &["moto[server]==5.2.1", "boto3==1.43.11", "exoscale==0.16.4", "scaleway==2.12.0"];

/// The interpreter.
pub fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(install).clone()
}

/// A program in Python, run and checked like ci-creds itself. It may show secrets: it is a cloud's client.
pub fn script(text: &str) -> Cmd {
    Cmd::program(python()).args(["-c", text]).may_show_secrets()
}

/// AWS: the one moto server of all tests.
pub fn moto() -> &'static Daemon {
    static MOTO: OnceLock<Daemon> = OnceLock::new();
    MOTO.get_or_init(|| {
        Daemon::start("moto-", |_, port| {
            let mut command = Command::new(python());
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        })
    })
}

fn install() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    PACKAGES.hash(&mut hasher);
    let home = target_dir().join(format!("python-{:016x}", hasher.finish()));
    let lock = File::create(home.with_extension("lock")).expect("the target directory is writable");
    lock.lock().expect("file locks work in the target directory");
    if !home.exists() {
        say(&format!("installing {} with pip (once) into {}", PACKAGES.join(", "), home.display()));
        let fresh = home.with_extension("tmp");
        let _ = fs::remove_dir_all(&fresh);
        run(Command::new("python3").args(["-m", "venv"]).arg(&fresh));
        run(Command::new(fresh.join("bin/python")).args(["-m", "pip", "install", "-q"]).args(PACKAGES));
        fs::rename(&fresh, &home).expect("the installed packages can be renamed");
    }
    home.join("bin/python")
}
