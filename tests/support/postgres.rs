//! A private PostgreSQL server, and OpenBao's database engine on it: leases behind which there is a real user.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::engine::PASSWORD_LETTERS;
use super::openbao::{free_port, guarded};
use super::{CANARY, Space, eventually, require, secret};

/// A running server; dropping it ends it.
pub struct Postgres {
    bin: PathBuf,
    /// Where it listens, on this machine.
    pub port: u16,
    password: String,
    server: Child,
    _dir: TempDir,
}

impl Postgres {
    /// Starts one, or says that this machine has none.
    pub fn start() -> Option<Self> {
        let bin = programs()?;
        let dir = tempfile::tempdir().unwrap();
        let (data, run) = (dir.path().join("data"), dir.path().join("run"));
        let (password, file) = (secret(), dir.path().join("password"));
        fs::write(&file, &password).unwrap();
        fs::create_dir(&data).unwrap();
        fs::create_dir(&run).unwrap();
        if rustix::process::geteuid().is_root() {
            // It refuses to work for root, and Debian's package makes a user for it.
            done(Command::new("chown").args(["-R", "postgres"]).arg(dir.path()));
        }
        let init = [
            "-A",
            "scram-sha-256",
            "-U",
            "postgres",
            "--no-sync",
            "--no-instructions",
            "-E",
            "UTF8",
            "--locale=C",
        ];
        let mut words = as_postgres(&bin.join("initdb"));
        words.extend(init.map(Into::into));
        words.extend(["-D".into(), data.clone(), format!("--pwfile={}", file.display()).into()]);
        done(Command::new(&words[0]).args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin"));
        let port = free_port();
        let mut words = as_postgres(&bin.join("postgres"));
        words.extend(["-D".into(), data]);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=150",
            "shared_buffers=16MB",
            // In its folder, and not where it stays when the server is killed.
            "dynamic_shared_memory_type=mmap",
        ] {
            words.extend(["-c".into(), setting.into()]);
        }
        let server = guarded(&run, &words[0]).args(&words[1..]).spawn().unwrap();
        let postgres = Self { bin, port, password, server, _dir: dir };
        eventually("PostgreSQL answers", || postgres.works("postgres", &postgres.password));
        Some(postgres)
    }

    /// Whether this pair opens the database.
    pub fn works(&self, user: &str, password: &str) -> bool {
        self.query(user, password, "SELECT 1").is_some_and(|answer| answer == ["1"])
    }

    /// Runs a statement as the administrator.
    pub fn run(&self, statement: &str) {
        self.query("postgres", &self.password, statement).expect("the administrator may do everything");
    }

    /// The users that the engine made, as they are now.
    pub fn users(&self) -> Vec<String> {
        let query = format!("SELECT rolname FROM pg_roles WHERE rolname LIKE '{CANARY}%'");
        self.query("postgres", &self.password, &query).expect("the administrator may ask")
    }

    /// Mounts the database engine, with roles `ci0`, `ci1`, … whose creation takes up to `seconds`; returns the mount.
    /// Each has a connection of its own: the engine makes one user at a time on each.
    pub fn mount(&self, space: &Space<'_>, roles: usize, seconds: f32) -> String {
        let mount = space.mount("db", json!({"type": "database"}));
        let policy = space.name("passwords");
        let rule = format!("length = 24\nrule \"charset\" {{ charset = \"{PASSWORD_LETTERS}\" }}");
        space.write(&format!("sys/policies/password/{policy}"), json!({"policy": rule}));
        let config = json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
            "connection_url": format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", self.port),
            "username": "postgres", "password": self.password, "password_policy": policy,
            "max_open_connections": 3, "username_template": format!("{CANARY}-{{{{random 20}}}}"),
        });
        let create =
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
        for number in 0..roles {
            space.write(&format!("{mount}/config/pg{number}"), config.clone());
            let role = json!({
                "db_name": format!("pg{number}"), "default_ttl": "1h", "max_ttl": "2h",
                "creation_statements": [create, format!("SELECT pg_sleep(random() * {seconds});")],
            });
            space.write(&format!("{mount}/roles/ci{number}"), role);
        }
        mount
    }

    fn query(&self, user: &str, password: &str, query: &str) -> Option<Vec<String>> {
        let output = Command::new(self.bin.join("psql"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                user,
                "-d",
                "postgres",
                "-AtX",
                "-c",
                query,
            ])
            .env_clear()
            .env("PGPASSWORD", password)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then(|| text.lines().map(str::to_owned).collect())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// Debian keeps them off PATH, one folder for each version.
fn programs() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        for tool in ["setpriv", "chown"] {
            require(tool)?;
        }
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin")).find(|bin| bin.join("initdb").is_file());
    found.or_else(|| Some(require("initdb")?.parent()?.to_owned()))
}

fn as_postgres(program: &Path) -> Vec<PathBuf> {
    if rustix::process::geteuid().is_root() {
        let user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"];
        return user.into_iter().map(PathBuf::from).chain([program.to_owned()]).collect();
    }
    vec![program.to_owned()]
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}
