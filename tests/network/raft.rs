//! A cluster that loses its leader while jobs start: every run succeeds, and no lease is nobody's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::openbao::call;
use crate::support::run::Run;
use crate::support::{Cluster, Cmd, Engine, Space, eventually, holds_within, jwt, say};

struct Outcome {
    /// What the runs were handed.
    leases: BTreeSet<String>,
    warned: Vec<String>,
    slowest: Duration,
}

/// Runs in eight threads until `more` says that it is enough; `start` numbers them.
fn run_jobs(cmd: &Cmd, more: &(dyn Fn(usize) -> bool + Sync)) -> Outcome {
    let started = AtomicUsize::new(0);
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut runs = Vec::new();
                    while more(started.fetch_add(1, Ordering::SeqCst)) {
                        runs.push(cmd.run());
                    }
                    runs
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    for run in &results {
        assert_eq!(run.code, 0, "{run}");
    }
    Outcome {
        leases: results.iter().map(lease_of).collect(),
        warned: results
            .iter()
            .map(|run| run.stderr.clone())
            .filter(|text| text.contains("may have made"))
            .collect(),
        slowest: results.iter().map(|run| run.elapsed).max().unwrap_or_default(),
    }
}

/// Ends the runs also when the disturber itself fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn lease_of(run: &Run) -> String {
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    answer["credentials"][0]["lease_id"].as_str().unwrap().to_owned()
}

/// What both tests do: jobs with credentials that have a lease, while `disturb` works on the cluster.
fn through(disturb: impl Fn(&Cluster, &AtomicUsize) + Sync, count: Option<usize>) {
    let cluster = Cluster::start();
    let space = Space::on(&cluster.server);
    let engine = Engine::new(&space, "db", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("ci");
    engine.answer_after(Duration::from_millis(150));
    let path = format!("{}/creds/ci", engine.mount);
    let jwt = space.jwt();
    jwt.role("web", json!({"token_policies": [space.may_read(&[&path])], "token_ttl": "1h"}));
    // A standby that answers by itself may learn of the role a moment later.
    let (login, body) =
        (format!("auth/{}/login", jwt.mount), json!({"role": "web", "jwt": jwt::mint(json!({}))}));
    eventually("every node lets the job in", || {
        cluster.ports().all(|port| {
            let answer = call(port, "", "POST", &login, &body).ok().filter(|answer| answer.status == 200);
            let token = answer.and_then(|one| Some(one.body["auth"]["client_token"].as_str()?.to_owned()));
            token.is_some_and(|token| {
                call(port, &token, "POST", "auth/token/revoke-self", &json!({}))
                    .is_ok_and(|one| one.status == 204)
            })
        })
    });
    let cmd = Cmd::new(["read", &path, "DB_USER=username", "DB_PASSWORD=password", "--format", "json", "-v"])
        .vault(&cluster.server)
        .jwt(&jwt, "web", &jwt::mint(json!({})));
    let (begun, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let began = Instant::now();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            let _over = Over(&over);
            disturb(&cluster, &begun);
        });
        run_jobs(&cmd, &|number| {
            begun.fetch_max(number + 1, Ordering::SeqCst);
            count.map_or_else(|| !over.load(Ordering::SeqCst), |count| number < count)
        })
    });
    let expected = outcome.leases.len();
    cluster.settle();
    // A node that lost the lead in the middle of a revocation leaves it to its successor, which tries again later.
    let nobodys = || {
        let known: BTreeSet<String> = engine.leases().into_iter().collect();
        assert!(outcome.leases.is_subset(&known), "every run's lease is alive");
        known.difference(&outcome.leases).cloned().collect::<Vec<_>>()
    };
    holds_within(Duration::from_secs(60), || nobodys().is_empty());
    // Every token of an attempt that was given up is gone, and with it all that the server knows to be its own; it may
    // have lost the tie, such a lease ends by itself, and its run said so. What is left of tokens are logins without
    // an answer: the runs named those, but for a few that were lost between a standby and the leader.
    let said = |what: &str| outcome.warned.iter().map(|text| text.matches(what).count()).sum::<usize>();
    let (tokens, lost_logins) = (space.login_tokens().len(), said("may have made a token"));
    let between = expected.div_ceil(10);
    assert!(
        tokens <= expected + lost_logins + between,
        "{tokens} tokens, {expected} runs, {lost_logins} lost logins"
    );
    let (untied, lost_reads) = (nobodys().len(), said("may have made credentials"));
    assert!(
        untied <= lost_reads,
        "{untied} leases that no run was handed; the runs that started once more said:\n{}",
        outcome.warned.join("\n")
    );
    let warned = outcome.warned.len();
    let orphans = engine.objects().len() - expected;
    assert!(orphans <= warned, "{orphans} keys without a lease, but {warned} warnings");
    say(&format!(
        "{} runs in {} s, the slowest took {} s; {} started once more, {orphans} keys without a lease, {untied} leases \
         that the server lost the tie of",
        expected,
        began.elapsed().as_secs(),
        outcome.slowest.as_secs(),
        warned
    ));
}

#[test]
fn forty_runs_survive_the_death_of_the_leader() {
    let kill = |cluster: &Cluster, begun: &AtomicUsize| {
        eventually("runs are under way", || begun.load(Ordering::SeqCst) >= 16);
        cluster.kill_leader();
    };
    through(kill, Some(40));
}

#[test]
#[cfg_attr(not(feature = "soak"), ignore = "runs with --features soak")]
fn runs_survive_a_rolling_restart_of_all_nodes() {
    let restart = |cluster: &Cluster, begun: &AtomicUsize| {
        eventually("runs are under way", || begun.load(Ordering::SeqCst) >= 8);
        cluster.restart_all();
    };
    through(restart, None);
}
