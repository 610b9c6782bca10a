//! Rotation after rotation, with a fault at a random step of each: the server or GitLab hangs up before or after
//! the request took effect, answers an error in its place, stays away, or the process is asked to stop.

use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::story::Story;
use crate::support::stub::{self, Request, Response};
use crate::support::{Options, Server, Space};

/// Rotations in each chain, and chains: 15 in all, or 200.
const CHAINS: usize = 5;
const LENGTH: usize = if cfg!(feature = "soak") { 40 } else { 3 };

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
enum Kind {
    HangUpBefore,
    HangUpAfter,
    PageBefore,
    PageAfter,
    OwnError,
    Stop,
}

const KINDS: [Kind; 6] =
    [Kind::HangUpBefore, Kind::HangUpAfter, Kind::PageBefore, Kind::PageAfter, Kind::OwnError, Kind::Stop];

/// One fault: from the `at`th request on, `times` requests suffer it.
#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: Kind,
    at: usize,
    times: usize,
    at_gitlab: bool,
}

/// SplitMix64: the same faults in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % limit as u64).unwrap()
    }

    fn plan(&mut self) -> Plan {
        let at_gitlab = self.below(3) == 0;
        let steps = if at_gitlab { 3 } else { 9 };
        let times = [1, 1, 2, 1000][self.below(4)];
        Plan { kind: KINDS[self.below(KINDS.len())], at: self.below(steps), times, at_gitlab }
    }
}

/// A plan under way: counts requests, and tells the test when to send the signal.
#[derive(Default)]
struct Injector {
    plan: Option<Plan>,
    seen: usize,
    stop: bool,
}

impl Injector {
    fn kind(&mut self, at_gitlab: bool) -> Option<Kind> {
        let plan = self.plan.filter(|plan| plan.at_gitlab == at_gitlab)?;
        let index = self.seen;
        self.seen += 1;
        (plan.at..plan.at + plan.times).contains(&index).then_some(plan.kind)
    }
}

fn suffer(
    injector: &Mutex<Injector>,
    at_gitlab: bool,
    act: &dyn Fn() -> Option<Response>,
) -> Option<Response> {
    let kind = injector.lock().unwrap().kind(at_gitlab);
    let page = Response::new("502 Bad Gateway", "Content-Type: text/html\r\n", b"<html>bad gateway</html>");
    match kind {
        None => act(),
        Some(Kind::HangUpBefore) => None,
        Some(Kind::HangUpAfter) => act().and(None),
        Some(Kind::PageBefore) => Some(page),
        Some(Kind::PageAfter) => act().map(|_| page),
        Some(Kind::OwnError) if at_gitlab => Some(Response::json(
            "500 Internal Server Error",
            &json!({"message": "500 Internal Server Error"}),
        )),
        Some(Kind::OwnError) => {
            Some(Response::json("503 Service Unavailable", &json!({"errors": ["Vault is sealed"]})))
        }
        Some(Kind::Stop) => {
            injector.lock().unwrap().stop = true;
            thread::sleep(std::time::Duration::from_millis(100));
            act()
        }
    }
}

#[test]
fn whatever_breaks_the_variable_works_and_every_token_is_accounted_for() {
    let server = Server::start(&Options::default());
    let server = &server;
    thread::scope(|scope| {
        let chains: Vec<_> =
            (0..CHAINS).map(|chain| scope.spawn(move || rotate_on_and_on(server, chain))).collect();
        let ends: Vec<_> = chains.into_iter().flat_map(|chain| chain.join().unwrap()).collect();
        let count = |code| ends.iter().filter(|end| **end == code).count();
        let (done, doubt, stopped) = (count(0), count(5), count(143));
        crate::support::say(&format!(
            "rotate: {} rotations under faults: {done} done, {doubt} code 5, {stopped} stopped",
            ends.len()
        ));
        assert!(done > 0 && doubt > 0, "{ends:?}");
    });
}

fn rotate_on_and_on(server: &Server, chain: usize) -> Vec<i32> {
    let space = Space::on(server);
    let story = Story::new(&space);
    story.start();
    let injector = Arc::new(Mutex::new(Injector::default()));
    let upstream = server.addr.strip_prefix("http://").unwrap().to_owned();
    let vault = {
        let injector = Arc::clone(&injector);
        stub::serve(move |request: &Request| suffer(&injector, false, &|| stub::forward(request, &upstream)))
    };
    {
        let injector = Arc::clone(&injector);
        story.gitlab.fault(Some(Box::new(move |_, act| suffer(&injector, true, &|| Some(act())))));
    }
    let mut random = Random(0x0c1c_0de5 + chain as u64);
    // All that the runs reported, and the times at which an answer to a creation was lost.
    let (mut reported, mut lost, mut ends) = (String::new(), Vec::new(), Vec::new());
    for _ in 0..LENGTH {
        let plan = random.plan();
        *injector.lock().unwrap() = Injector { plan: Some(plan), ..Injector::default() };
        let before = story.gitlab.value();
        let running = story
            .rotate([])
            .env("VAULT_ADDR", format!("http://{vault}"))
            .env("VAULT_MAX_RETRIES", "1")
            .spawn();
        while !running.has_ended() {
            if std::mem::take(&mut injector.lock().unwrap().stop) {
                running.signal(Signal::TERM);
            }
            thread::sleep(std::time::Duration::from_millis(5));
        }
        let run = running.wait();
        *injector.lock().unwrap() = Injector::default();
        assert!([0, 5, 143].contains(&run.code), "{plan:?}: {run}");
        let now = story.gitlab.value();
        assert!(story.issues(&now), "the variable's token works after {plan:?}: {run}");
        assert_eq!(story.job(&before).code, 0, "a job with the old token works after {plan:?}: {run}");
        assert!(run.code != 0 || now != before, "{plan:?}: {run}");
        reported += &run.stderr;
        lost.extend(
            run.stderr.contains("but the answer was lost").then(|| jiff::Timestamp::now().as_second()),
        );
        let current = story.lookup(&now).0;
        let unknown: Vec<_> = story
            .alive()
            .into_iter()
            .filter(|(accessor, ..)| *accessor != current && !reported.contains(accessor.as_str()))
            .filter(|(_, created, _)| !lost.iter().any(|time| (0..=20).contains(&(time - created))))
            .collect();
        assert!(unknown.is_empty(), "{plan:?}: nobody reported {unknown:?}: {run}");
        ends.push(run.code);
    }
    ends
}
