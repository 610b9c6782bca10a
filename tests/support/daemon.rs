//! A server of any kind for tests: on a free port, with its own directory, and gone when this process is gone.

use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::openbao::{WATCHDOG, free_port, scratch};

/// A running server; dropping it stops it.
pub struct Daemon {
    /// Where it listens, on this machine.
    pub port: u16,
    /// Its log, and whatever it keeps; removed with it.
    pub dir: PathBuf,
    watchdog: Child,
}

impl Daemon {
    /// Starts what `command` makes of a directory and a port, and waits until it listens.
    pub fn start(name: &str, command: impl Fn(&PathBuf, u16) -> Command) -> Self {
        for _ in 0..3 {
            let dir = tempfile::Builder::new().prefix(name).tempdir_in(scratch()).unwrap().keep();
            let port = free_port();
            let wanted = command(&dir, port);
            let mut watched = Command::new("sh");
            watched.args(["-c", WATCHDOG]).arg(&dir).arg(wanted.get_program()).args(wanted.get_args());
            let set = wanted.get_envs().filter_map(|(name, value)| Some((name, value?)));
            watched.envs(set).process_group(0);
            let watchdog = watched.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut daemon = Self { port, dir, watchdog: watchdog.unwrap() };
            if daemon.listens() {
                return daemon;
            }
            super::say(&std::fs::read_to_string(daemon.dir.join("log")).unwrap_or_default());
        }
        panic!("{name} does not start");
    }

    /// Its address for HTTP.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn listens(&mut self) -> bool {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            if self.watchdog.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        false
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
