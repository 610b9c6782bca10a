//! `bao proxy` or `bao agent` in front of a server: with its cache, or with a login of its own.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use super::Server;
use super::openbao::{binary, free_port, guarded, scratch};

/// A running proxy; dropping it stops it.
pub struct BaoProxy {
    /// What a client takes for VAULT_ADDR or VAULT_AGENT_ADDR.
    pub addr: String,
    dir: PathBuf,
    watchdog: Child,
}

impl BaoProxy {
    /// `bao proxy` with these blocks of configuration beside its listener; `{dir}` in them is its folder, which
    /// holds `files`.
    pub fn start(server: &Server, blocks: &str, files: &[(&str, &str)]) -> Self {
        Self::start_as("proxy", server, blocks, files)
    }

    /// The same as `bao proxy` or as `bao agent`.
    pub fn start_as(command: &str, server: &Server, blocks: &str, files: &[(&str, &str)]) -> Self {
        let mut last = String::new();
        // Between choosing a free port and listening on it, somebody else may take it.
        for _ in 0..5 {
            match Self::try_start(command, server, blocks, files) {
                Ok(proxy) => return proxy,
                Err(log) => last = log,
            }
        }
        panic!("bao {command} does not start; its last words:\n{last}");
    }

    fn try_start(
        subcommand: &str,
        server: &Server,
        blocks: &str,
        files: &[(&str, &str)],
    ) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("proxy-").tempdir_in(scratch()).unwrap().keep();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
        let port = free_port();
        let config = format!(
            "pid_file = \"{dir}/proxy.pid\"\nvault {{ address = \"{}\" }}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n{}\n",
            server.addr,
            blocks.replace("{dir}", dir.to_str().unwrap()),
            dir = dir.display(),
        );
        fs::write(dir.join("proxy.hcl"), config).unwrap();
        let mut command = guarded(&dir, &binary());
        command.args([subcommand, &format!("-config={}", dir.join("proxy.hcl").display())]);
        let watchdog = command.spawn().expect("there is a POSIX shell");
        let mut proxy = Self { addr: format!("http://127.0.0.1:{port}"), dir, watchdog };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let log = || fs::read_to_string(proxy.dir.join("log")).unwrap_or_default();
            if log().contains("bind: address already in use") {
                return Err(log());
            }
            if log().contains(" started!") && TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(proxy);
            }
            if proxy.watchdog.try_wait().unwrap().is_some() || Instant::now() > deadline {
                return Err(log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for BaoProxy {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
