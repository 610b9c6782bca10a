//! Rotation after rotation, with a fault at one step of each: the server or GitLab hangs up before or after the request
//! took effect, answers an error in its place, stays away, or the process is asked to stop. Every kind of fault takes
//! its turn at every step.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::story::Story;
use crate::support::forward::forward;
use crate::support::{Fake, Options, Reply, Server, Space};

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

/// A rotation's requests: login, look at the old token, creation, look at the new one, capabilities, renewal and look at
/// the old one, end of the login; at GitLab read, change, read back.
const AT_VAULT: usize = 8;
const AT_GITLAB: usize = 3;
const FAULTS: usize = KINDS.len() * (AT_VAULT + AT_GITLAB);

/// One fault: from the `at`th request on, `times` requests suffer it.
#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: Kind,
    at: usize,
    times: usize,
    at_gitlab: bool,
}

impl Plan {
    /// All of them before any comes again, the same in every run; far apart, so that a few are of every kind.
    fn number(index: usize) -> Self {
        let fault = index * 29 % FAULTS;
        let (kind, step) = (KINDS[fault % KINDS.len()], fault / KINDS.len());
        let at_gitlab = step >= AT_VAULT;
        let times = [1, 2, 1000][(index + index / FAULTS) % 3];
        Self { kind, at: if at_gitlab { step - AT_VAULT } else { step }, times, at_gitlab }
    }
}

/// A plan under way: counts requests, and tells the test when to send the signal.
#[derive(Default)]
struct Injector {
    plan: Option<Plan>,
    seen: usize,
    suffered: bool,
    stop: bool,
}

impl Injector {
    fn kind(&mut self, at_gitlab: bool) -> Option<Kind> {
        let plan = self.plan.filter(|plan| plan.at_gitlab == at_gitlab)?;
        let index = self.seen;
        self.seen += 1;
        let suffers = (plan.at..plan.at + plan.times).contains(&index);
        self.suffered |= suffers;
        suffers.then_some(plan.kind)
    }
}

fn suffer(injector: &Mutex<Injector>, at_gitlab: bool, act: &dyn Fn() -> Reply) -> Reply {
    let kind = injector.lock().unwrap().kind(at_gitlab);
    let page =
        Reply::Full(502, "Content-Type: text/html\r\n".to_owned(), b"<html>bad gateway</html>".to_vec());
    match kind {
        None => act(),
        Some(Kind::HangUpBefore) => Reply::Drop,
        Some(Kind::HangUpAfter) => {
            act();
            Reply::Drop
        }
        Some(Kind::PageBefore) => page,
        Some(Kind::PageAfter) => {
            act();
            page
        }
        Some(Kind::OwnError) if at_gitlab => {
            Reply::Json(500, json!({"message": "500 Internal Server Error"}))
        }
        Some(Kind::OwnError) => Reply::Json(503, json!({"errors": ["Vault is sealed"]})),
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
        let all: Vec<_> = chains.into_iter().flat_map(|chain| chain.join().unwrap()).collect();
        let count = |code| all.iter().filter(|end| end.code == code).count();
        let suffered = all.iter().filter(|end| end.suffered).count();
        crate::support::say(&format!(
            "rotate: {} rotations, {suffered} with a fault: {} done, {} code 5, {} stopped",
            all.len(),
            count(0),
            count(5),
            count(143)
        ));
        assert!(count(0) > 0 && count(5) > 0 && count(143) > 0, "{all:?}");
        // A run that ends early never comes to its fault; most do.
        assert!(suffered * 10 >= all.len() * 9, "{all:?}");
    });
}

/// How a rotation ended, and whether it came to its fault.
#[derive(Debug)]
struct End {
    code: i32,
    suffered: bool,
}

/// Stands between the rotation and its servers.
fn faulty(injector: &Arc<Mutex<Injector>>, server: &Server, story: &Story<'_>) -> Fake {
    let upstream = server.addr.strip_prefix("http://").unwrap().to_owned();
    let (at_vault, at_gitlab) = (Arc::clone(injector), Arc::clone(injector));
    story.gitlab.fault(Some(Box::new(move |_, act| suffer(&at_gitlab, true, act))));
    Fake::new(move |seen| suffer(&at_vault, false, &|| forward(seen, &upstream)))
}

fn rotate_on_and_on(server: &Server, chain: usize) -> Vec<End> {
    let space = Space::on(server);
    let story = Story::new(&space);
    story.start();
    let injector = Arc::new(Mutex::new(Injector::default()));
    let vault = faulty(&injector, server, &story);
    let accessors = || story.alive().into_iter().map(|(accessor, ..)| accessor).collect::<BTreeSet<_>>();
    let (mut known, mut ends) = (accessors(), Vec::new());
    for index in 0..LENGTH {
        let plan = Plan::number(chain * LENGTH + index);
        *injector.lock().unwrap() = Injector { plan: Some(plan), ..Injector::default() };
        let before = story.gitlab.value();
        let running = story.rotate([]).env("VAULT_ADDR", &vault.addr).env("VAULT_MAX_RETRIES", "1").spawn();
        while !running.has_ended() {
            if std::mem::take(&mut injector.lock().unwrap().stop) {
                running.signal(Signal::TERM);
            }
            // Not only in the end: a job may start at any moment.
            assert!(story.issues(&story.gitlab.value()), "the variable's token works during {plan:?}");
            thread::sleep(std::time::Duration::from_millis(30));
        }
        let run = running.wait();
        let suffered = std::mem::take(&mut *injector.lock().unwrap()).suffered;
        assert!([0, 5, 143].contains(&run.code), "{plan:?}: {run}");
        let now = story.gitlab.value();
        assert!(story.issues(&now), "the variable's token works after {plan:?}: {run}");
        assert_eq!(story.job(&before).code, 0, "a job with the old token works after {plan:?}: {run}");
        assert!(run.code != 0 || now != before, "{plan:?}: {run}");
        // Each token that this run made and left is named by it, also the one that is in the variable. Where the answer
        // to a creation was lost there is one without a name at most: its role and time are there.
        let alive = accessors();
        let unnamed = alive.difference(&known).filter(|accessor| !run.stderr.contains(accessor.as_str()));
        let lost = run.stderr.contains("but the answer was lost") && run.stderr.contains(&story.token_role);
        assert!(unnamed.count() <= usize::from(lost), "{plan:?}: {run}");
        known = alive;
        ends.push(End { code: run.code, suffered });
    }
    ends
}
