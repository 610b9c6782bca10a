//! The harness of the black-box tests: a real server, a corner of it for each test, the built binary in a clean
//! environment, and a check of everything that it prints for secrets.
//!
//! A test reads: make a [`Space`], put something into it, run a [`Cmd`], look at the [`Run`].
#![allow(dead_code, reason = "the harness is written ahead of the tests")]

pub mod caching;
pub mod canary;
pub mod cmd;
pub mod engine;
pub mod fake;
pub mod forward;
pub mod jwt;
pub mod manual;
pub mod openbao;
pub mod pages;
pub mod pki;
pub mod plugins;
pub mod postgres;
pub mod proxy;
pub mod python;
pub mod raft;
pub mod reference;
pub mod relay;
pub mod run;
pub mod running;
pub mod shell;
pub mod space;

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use caching::BaoProxy;
pub use canary::{CANARY, secret};
pub use cmd::Cmd;
pub use engine::Engine;
pub use fake::{Fake, Reply};
pub use openbao::{Options, Server};
pub use pki::Pki;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use python::python;
pub use raft::Cluster;
pub use run::{Run, stable};
pub use running::Running;
pub use shell::{fifo, require, script, shells};
pub use space::Space;

/// The one server of all tests, started by the first that asks. Its watchdog ends it with this process.
pub fn bao() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&Options { root_token: secret(), ..Options::default() }))
}

/// Waits until something holds: revocation is queued, and a fixed sleep is either too short or too long.
#[track_caller]
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    eventually_within(Duration::from_secs(20), what, holds);
}

/// The same for what takes longer on a busy machine, such as the start of a cluster.
#[track_caller]
pub fn eventually_within(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(limit, holds), "still not so after {limit:?}: {what}");
}

/// Whether something holds before the time is over.
pub fn holds_within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// Random and legal wherever a name is wanted.
pub fn unique() -> String {
    let mut random = [0; 6];
    let source = std::fs::File::open("/dev/urandom");
    source.and_then(|mut file| std::io::Read::read_exact(&mut file, &mut random)).unwrap();
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Past the test framework's capture: a skipped test must be seen in a green run as well.
pub fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
