//! Hundreds of runs through a proxy that breaks things at random, with users in a real database behind the leases:
//! every run gives a pair that works, or ends with a documented code; and nothing is left that nobody was told of.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::fake::Seen;
use crate::support::forward::{forward, hand_on};
use crate::support::{Cmd, Fake, Postgres, Reply, Server, Space, eventually, jwt, say};

const SEED: u64 = 20_261_121;
const RUNS: usize = if cfg!(feature = "soak") { 300 } else { 16 };
/// How long the engine works at most, in seconds.
const ENGINE: f32 = if cfg!(feature = "soak") { 5.0 } else { 3.0 };

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The connection ends before the request is passed on.
    Before,
    /// It ends while the server works.
    While,
    /// It ends when the answer is there.
    After,
    /// Half of the answer comes through.
    Cut,
    /// The request comes late.
    Late,
    /// Another answers in the server's place.
    Instead(u16, &'static str),
}

/// Every third request meets one, in turn and at random.
const FAULTS: &[Fault] = &[
    Fault::Before,
    Fault::While,
    Fault::After,
    Fault::Cut,
    Fault::Late,
    Fault::Instead(503, "<html>no server is available</html>"),
    Fault::Instead(503, r#"{"errors":["Vault is sealed"]}"#),
    Fault::Instead(429, ""),
];

/// SplitMix64: the same faults in the same order each time, as far as threads allow.
fn random(state: &AtomicU64) -> u64 {
    let mut value = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Stands in front of the server, and counts the faults.
fn faulty(server: &Server) -> (Fake, Arc<AtomicUsize>) {
    let upstream = server.addr.strip_prefix("http://").unwrap().to_owned();
    let (state, faults) = (AtomicU64::new(SEED), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&faults);
    let fake = Fake::new(move |seen| {
        let dice = random(&state);
        let fault = dice.is_multiple_of(3).then(|| FAULTS[(dice / 3) as usize % FAULTS.len()]);
        count.fetch_add(usize::from(fault.is_some()), Ordering::SeqCst);
        pass_on(seen, &upstream, fault, Duration::from_millis(dice / 64 % 1000))
    });
    (fake, faults)
}

fn pass_on(seen: &Seen, upstream: &str, fault: Option<Fault>, pause: Duration) -> Reply {
    match fault {
        Some(Fault::Before) => return Reply::Drop,
        Some(Fault::While) => {
            let _server = hand_on(seen, upstream);
            thread::sleep(pause);
            return Reply::Drop;
        }
        Some(Fault::Late) => thread::sleep(pause),
        Some(Fault::Instead(status, body)) => return Reply::text(status, body),
        _ => {}
    }
    match (fault, forward(seen, upstream)) {
        (Some(Fault::After), _) => Reply::Drop,
        (Some(Fault::Cut), reply @ Reply::Full(..)) => {
            let bytes = reply.bytes();
            Reply::Bytes(bytes[..bytes.len() / 2].to_vec())
        }
        (_, reply) => reply,
    }
}

#[test]
fn nothing_is_lost_in_a_storm() {
    let Some(postgres) = Postgres::start() else { return };
    let space = Space::new();
    let workers = if RUNS > 100 { 24 } else { 8 };
    let mount = postgres.mount(&space, workers, ENGINE);
    let policy = space.may_read(&[&format!("{mount}/creds/*")]);
    let jwt = space.jwt();
    jwt.role("web", json!({"token_policies": [policy], "token_ttl": "2h"}));
    let approle = space.approle("web", json!({"token_policies": [policy], "token_ttl": "2h"}));
    let issuer = space.issuing_token(&approle);
    let (fake, faults) = faulty(space.server);
    let base = Cmd::new(["read"]).env("VAULT_ADDR", &fake.addr);
    let id_token = jwt::mint(json!({}));
    // What works twice, what gets a new secret_id, and what may work once only.
    let kinds = [
        base.clone().jwt(&jwt, "web", &id_token),
        base.clone().jwt(&jwt, "web", &id_token),
        base.clone().split_custody(&approle, &issuer),
        base.clone().approle(&approle),
    ];
    let next = AtomicUsize::new(0);
    let runs: Vec<_> = thread::scope(|scope| {
        let work = || {
            let mut runs = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= RUNS {
                    return runs;
                }
                let path = format!("{mount}/creds/ci{}", number % workers);
                let words = [&path, "U=username", "P=password", "--format", "json"];
                runs.push(kinds[number % kinds.len()].clone().args(words).run());
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut given = BTreeSet::new();
    for run in &runs {
        assert!(matches!(run.code, 0 | 5), "{run}");
        if run.code == 0 {
            let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            let variables = &answer["credentials"][0]["variables"];
            let (user, password) = (variables["U"].as_str().unwrap(), variables["P"].as_str().unwrap());
            assert!(postgres.works(user, password), "the pair of a run that succeeded: {run}");
            given.insert(user.to_owned());
        } else {
            assert_eq!(run.stdout, "", "{run}");
        }
    }
    eventually("there are as many leases as runs that were given credentials", || {
        space.leases(&format!("{mount}/creds")).len() == given.len()
    });
    let named: usize = runs.iter().map(|run| run.stderr.matches("may have made credentials").count()).sum();
    eventually("every user without a lease was named", || {
        let users: BTreeSet<_> = postgres.users().into_iter().collect();
        given.is_subset(&users) && users.len() - given.len() <= named
    });
    say(&format!(
        "{} runs, {} faults: {} succeeded, {} lost reads were named, {} users are left without a lease; slowest {} s",
        runs.len(),
        faults.load(Ordering::SeqCst),
        given.len(),
        named,
        postgres.users().len() - given.len(),
        runs.iter().map(|run| run.elapsed.as_secs()).max().unwrap_or_default(),
    ));
    assert!(given.len() > RUNS / 2, "most runs succeed: {} of {RUNS}", given.len());
}
