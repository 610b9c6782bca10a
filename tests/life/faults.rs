//! Runs that fail at every step, against the database engine on PostgreSQL: what such a run issued is gone, in Vault
//! and in the database, and `revoke`, or the end of the command, brings the rest to zero.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use serde_json::json;

use super::shell;
use crate::main_job::story::{ROLE, Story};
use crate::support::{Cmd, Postgres, Run, Space, eventually};

const RUNS: usize = if cfg!(feature = "soak") { 1000 } else { 50 };
const BATCH: usize = 50;
const WORKERS: usize = if cfg!(feature = "soak") { 4 } else { 2 };

/// The same sequence in each run of the tests.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A way through to the server on which the connection breaks in the middle of some answers.
struct Cutting {
    addr: String,
    /// The answer of a connection that is cut; 0 for none.
    cut: std::sync::Arc<AtomicUsize>,
    /// How many answers of a login were cut: nobody knows those tokens, and nothing depends on them.
    logins: AtomicUsize,
}

impl Cutting {
    fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = format!("http://{}", listener.local_addr().unwrap());
        let (upstream, cut) = (server.strip_prefix("http://").unwrap().to_owned(), std::sync::Arc::default());
        let asked: std::sync::Arc<AtomicUsize> = std::sync::Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&upstream).unwrap());
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || _ = copy(from, to, 0));
                let cut = asked.swap(0, Ordering::SeqCst);
                thread::spawn(move || _ = copy(server, client, cut));
            }
        });
        Self { addr, cut, logins: AtomicUsize::new(0) }
    }
}

/// Up to the answer that is cut: half of it goes through.
fn copy(mut from: TcpStream, mut to: TcpStream, cut: usize) -> std::io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    for answer in 1.. {
        let count = from.read(&mut buffer)?;
        let end = if answer == cut { count / 2 } else { count };
        to.write_all(&buffer[..end])?;
        if count == 0 || answer == cut {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    to.shutdown(Shutdown::Both)
}

/// The story, with users in a real database behind the leases.
struct Stage<'a> {
    story: Story<'a>,
    database: Postgres,
    mount: String,
}

impl<'a> Stage<'a> {
    fn new(space: &'a Space<'static>) -> Option<Self> {
        let (story, database) = (Story::new(space), Postgres::start()?);
        let mount = database.mount(space, 1, 0.0);
        // A run may be stopped while the engine works.
        let create =
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
        let statements = [create, "SELECT pg_sleep(random() * 0.04);"];
        let role = json!({"db_name": "pg0", "default_ttl": "15m", "max_ttl": "30m", "creation_statements": statements});
        space.write(&format!("{mount}/roles/{ROLE}"), role);
        let policy = space.may_read(&[&format!("{mount}/creds/{ROLE}")]);
        let login = format!("auth/{}/role/{ROLE}", story.approle.mount);
        space.write(&login, json!({"token_policies": policy}));
        Some(Self { story, database, mount })
    }

    fn on(&self, cmd: Cmd) -> Cmd {
        cmd.env("CI_CREDS_EXOSCALE_MOUNT", &self.mount)
    }

    /// The leases that are alive, and the users that are there.
    fn alive(&self) -> (usize, usize) {
        (self.story.space.leases(&format!("{}/creds", self.mount)).len(), self.database.users().len())
    }
}

/// One run with a fault; true if its credentials are the job's now.
fn one(stage: &Stage<'_>, cutting: &Cutting, state: &Path, random: &mut Random) -> bool {
    let shell = |args: &[&str], script: &str| stage.on(shell(&stage.story, args, script));
    let print = stage.on(stage.story.run(["exoscale", "--state-file", state.to_str().unwrap()]));
    let redirected = |cmd: Cmd, how: &str| cmd.wrapped("/bin/sh", ["-c", &format!("\"$@\" {how}"), "sh"]);
    let stopped = |cmd: Cmd, after: u64, signal| {
        let running = cmd.may_show_secrets().spawn();
        thread::sleep(Duration::from_millis(after));
        running.signal(signal);
        running.wait()
    };
    let run: Run = match random.below(9) {
        0 => redirected(print, ">&-").run().expect(6),
        1 => redirected(print, ">/dev/full").run().expect(6),
        2 => print.args(["--and", "scaleway=nobody"]).run().expect(4),
        3 => {
            // The answers are the secret_id, the login, the credentials.
            let answer = usize::try_from(random.below(3)).unwrap() + 1;
            cutting.logins.fetch_add(usize::from(answer == 2), Ordering::SeqCst);
            cutting.cut.store(answer, Ordering::SeqCst);
            print.args(["--addr", &cutting.addr]).run()
        }
        4 => {
            let after = random.below(120);
            let run =
                stopped(shell(&["--state-file", state.to_str().unwrap()], "sleep 0.05"), after, Signal::TERM);
            assert!([0, 143].contains(&run.code), "{run}");
            return false;
        }
        5 => {
            shell(&[], "exit 3").run().expect(3);
            return false;
        }
        choice => {
            let signal = if choice == 6 { Signal::INT } else { Signal::TERM };
            let run = stopped(print, random.below(90), signal);
            assert!([0, 128 + signal.as_raw()].contains(&run.code), "{run}");
            run
        }
    };
    run.code == 0
}

#[test]
fn no_failed_run_leaves_anything() {
    // Most of the time a run waits: for a lost answer, for a slow engine.
    let workers: Vec<_> =
        (0..WORKERS).map(|seed| thread::spawn(move || batches(2026 + seed, RUNS / WORKERS))).collect();
    for worker in workers {
        if let Err(fault) = worker.join() {
            std::panic::resume_unwind(fault);
        }
    }
}

fn batches(seed: usize, runs: usize) {
    let space = Space::new();
    let Some(stage) = Stage::new(&space) else { return };
    let cutting = Cutting::new(&space.server.addr);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut random = Random(u64::try_from(seed).unwrap());
    let mut done = 0;
    while done < runs {
        let batch = BATCH.min(runs - done);
        done += batch;
        let good = (0..batch).filter(|_| one(&stage, &cutting, &state, &mut random)).count();
        eventually("only what successful runs issued is left", || stage.alive() == (good, good));
        let lines = std::fs::read_to_string(&state).unwrap_or_default().lines().count();
        assert_eq!(lines, good, "after {done}: the state file lists what is the job's, and nothing else");
        Cmd::new(["revoke", "--state-file"]).args([&state]).run().expect(0);
        eventually("no user and no lease is left, and no token but those whose login was cut off", || {
            stage.alive() == (0, 0) && space.login_tokens().len() <= cutting.logins.load(Ordering::SeqCst)
        });
        assert!(!state.exists());
    }
}
