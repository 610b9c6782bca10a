//! A cluster whose standbys answer reads: a run through any node sees what it has just written.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::openbao::{call, without_index};
use crate::support::space::AppRole;
use crate::support::{Cluster, Cmd, Run, Server, Space, bao, eventually, jwt, say};

/// Runs of each of the five logins against each node, and against a node that hands out no index.
const RUNS: usize = if cfg!(feature = "soak") { 60 } else { 1 };
const RUNS_WITHOUT_INDEX: usize = if cfg!(feature = "soak") { 20 } else { 1 };
/// So many refusals of a new secret_id a node without an index can take before the fifth locks the AppRole there.
const REFUSALS: usize = 4;

/// A team's corner: a role with static credentials, and every login that leads to it.
struct Team<'a> {
    space: Space<'a>,
    approle: AppRole,
    cmd: Cmd,
}

impl<'a> Team<'a> {
    fn new(server: &'a Server) -> Self {
        let space = Space::on(server);
        let kv = space.kv1("exoscale");
        space.write(&format!("{kv}/apikey/ci"), json!({"api_key": "EXOkey", "api_secret": "a-secret"}));
        let policy = space.may_read(&[&format!("{kv}/apikey/ci")]);
        let role = json!({"token_policies": [policy], "secret_id_num_uses": 1});
        let approle = space.approle("web", role);
        let cmd = Cmd::new(["exoscale", "ci"]).env("CI_CREDS_EXOSCALE_MOUNT", &kv);
        Self { space, approle, cmd }
    }

    fn split(&self) -> Cmd {
        self.cmd.clone().split_custody(&self.approle, &self.space.issuing_token(&self.approle))
    }

    /// Each login by its name.
    fn logins(&self) -> Vec<(&'static str, Cmd)> {
        let policy = self.space.may_read(&["*"]);
        let given = self.space.approle("given", json!({"token_policies": [policy]}));
        let jwt = self.space.jwt();
        jwt.role("web", json!({"token_policies": [policy]}));
        let token = self.space.token(&[&policy], json!({}));
        vec![
            ("split custody", self.split()),
            ("split custody, wrapped", self.split().env("VAULT_WRAP_TTL", "60s")),
            ("a given secret_id", self.cmd.clone().approle(&given)),
            ("JWT", self.cmd.clone().jwt(&jwt, "web", &jwt::mint(json!({})))),
            ("a token", self.cmd.clone().env("VAULT_TOKEN", token)),
        ]
    }
}

/// Five wrong secret_ids lock an AppRole: no run may leave one behind.
fn nothing_is_locked(server: &Server) {
    let locked = server.ok("GET", "sys/locked-users", Value::Null);
    assert_eq!(locked["data"]["total"], 0, "{locked}");
}

/// Every node has what was written before this.
pub fn caught_up(cluster: &Cluster) {
    let server = &cluster.server;
    let policy = Space::on(server).policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
    let path = format!("sys/policies/acl/{policy}");
    cluster.each_sees("every node has the last policy", |port| {
        call(port, &server.root_token, "GET", &path, &Value::Null).is_ok_and(|reply| reply.status == 200)
    });
}

/// How many requests each login makes against a single server.
fn alone() -> Vec<usize> {
    let team = Team::new(bao());
    let port = bao().addr.rsplit(':').next().unwrap().parse().unwrap();
    let (addr, count) = Cluster::counted(vec![port]);
    let of = |(_, cmd): (&str, Cmd)| {
        cmd.env("VAULT_ADDR", &addr).run().expect(0);
        count.swap(0, Ordering::SeqCst)
    };
    team.logins().into_iter().map(of).collect()
}

fn every_login_through_every_node(cluster: &Cluster, exact: bool, count: usize) {
    let expected = alone();
    let mut team = Team::new(&cluster.server);
    let mut logins = team.logins();
    caught_up(cluster);
    let mut ways: Vec<_> = cluster.ports().map(|port| vec![port]).collect();
    ways.push(cluster.ports().collect());
    let (mut runs, mut refusals, mut since) = (0, 0, 0);
    for ports in ways {
        let (addr, requests) = Cluster::counted(ports.clone());
        for number in 0..expected.len() {
            for _ in 0..count {
                if since == REFUSALS {
                    // Each one counts, and only 15 minutes would clear them.
                    team = Team::new(&cluster.server);
                    logins = team.logins();
                    caught_up(cluster);
                    since = 0;
                }
                let (login, cmd) = &logins[number];
                let run = cmd.clone().env("VAULT_ADDR", &addr).run();
                assert_eq!(run.code, 0, "{login} through {ports:?}: {run}");
                let refused = usize::from(run.stderr.contains("did not know the new secret_id yet"));
                (refusals, since) = (refusals + refused, since + refused);
                let (sent, expected) = (requests.swap(0, Ordering::SeqCst), expected[number]);
                // A refusal costs the look at the node's health and the second try.
                assert!(
                    sent == expected + 2 * refused && (refused == 0 || !exact),
                    "{login} through {ports:?}: {sent} requests, not {expected}: {run}"
                );
                runs += 1;
            }
        }
    }
    nothing_is_locked(&cluster.server);
    let doctor = Cmd::new(["doctor", "exoscale", "ci"])
        .inherit(&logins[0].1)
        .env("VAULT_ADDR", cluster.standby())
        .run();
    let said = ["without an index", "by its index a run sees"][usize::from(exact)];
    assert!(doctor.code == 0 && doctor.stdout.contains(said), "{doctor}");
    say(&format!("{runs} runs through each node and a balancer, {refusals} new secret_ids tried twice"));
}

#[test]
fn a_run_sees_what_it_has_just_written() {
    every_login_through_every_node(&Cluster::shared(), true, RUNS);
}

#[test]
fn a_standby_that_hands_out_no_index_is_given_time() {
    every_login_through_every_node(&Cluster::of(&without_index()), false, RUNS_WITHOUT_INDEX);
}

#[test]
fn fifty_runs_at_the_same_moment_pass_one_standby() {
    let cluster = Cluster::shared();
    let team = Team::new(&cluster.server);
    let cmd = team.split().env("VAULT_ADDR", cluster.standby());
    caught_up(&cluster);
    let count = if cfg!(feature = "soak") { 50 } else { 12 };
    let runs: Vec<Run> = thread::scope(|scope| {
        let runs: Vec<_> = (0..count).map(|_| scope.spawn(|| cmd.run())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for run in runs {
        assert_eq!(run.code, 0, "{run}");
    }
}

/// Runs through two standbys, half of them with one-use secret_ids, while the leader is killed.
fn through_the_death_of_the_leader(count: usize) {
    let cluster = Cluster::start();
    let team = Team::new(&cluster.server);
    let logins = team.logins();
    caught_up(&cluster);
    let standbys = cluster.standbys();
    let begun = Instant::now();
    let runs: Vec<Run> = thread::scope(|scope| {
        let start = |number: usize| {
            let at = Duration::from_millis(200) * u32::try_from(number).unwrap();
            let cmd = if number.is_multiple_of(2) { &logins[0].1 } else { &logins[3].1 };
            let cmd = cmd.clone().env("VAULT_ADDR", format!("http://127.0.0.1:{}", standbys[number / 2 % 2]));
            scope.spawn(move || {
                thread::sleep(at);
                cmd.run()
            })
        };
        let runs: Vec<_> = (0..count).map(start).collect();
        thread::sleep(Duration::from_millis(1500));
        cluster.kill_leader();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let failed: Vec<_> = runs.iter().filter(|run| run.code != 0).map(|run| run.to_string()).collect();
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed.join("\n"));
    cluster.settle();
    nothing_is_locked(&cluster.server);
    // Each run has revoked its token. What is left are logins whose answer was lost: their runs named them, but for a
    // few that were lost between a standby and the leader.
    let named: usize = runs.iter().map(|run| run.stderr.matches("may have made a token").count()).sum();
    eventually("no token is left without a run", || {
        team.space.login_tokens().len() <= named + count.div_ceil(10)
    });
    team.split().vault(&cluster.server).run().expect(0);
    let slowest = runs.iter().map(|run| run.elapsed).max().unwrap_or_default();
    say(&format!("{count} runs in {} s, the slowest took {slowest:.1?}", begun.elapsed().as_secs()));
}

#[test]
fn one_use_secret_ids_survive_the_death_of_the_leader() {
    let (times, count) = if cfg!(feature = "soak") { (5, 40) } else { (1, 12) };
    (0..times).for_each(|_| through_the_death_of_the_leader(count));
}

#[test]
fn a_locked_approle_is_named_with_what_unlocks_it() {
    let team = Team::new(bao());
    let cmd = team.split().vault(bao());
    cmd.run().expect(0);
    let (mount, role_id) = (&team.approle.mount, &team.approle.role_id);
    for _ in 0..5 {
        let wrong = json!({"role_id": role_id, "secret_id": "wrong"});
        assert_eq!(bao().api("POST", &format!("auth/{mount}/login"), wrong).status, 400);
    }
    let run = cmd.run();
    let hint = run.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
    assert!(
        run.code == 4
            && hint
                .starts_with("hint: the AppRole web is locked after five wrong secret_ids, for 15 minutes")
            && hint.contains("sys/locked-users/ACCESSOR/unlock/ROLE_ID"),
        "{run}"
    );
    let mounts = bao().ok("GET", "sys/auth", Value::Null);
    let accessor = mounts["data"][format!("{mount}/")]["accessor"].as_str().unwrap();
    bao().ok("POST", &format!("sys/locked-users/{accessor}/unlock/{role_id}"), json!({}));
    cmd.run().expect(0);
}
