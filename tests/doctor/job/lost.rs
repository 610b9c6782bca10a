//! `--issue` with an answer that never comes: what the engine may have made is nobody's to revoke, and is named.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::doctor::world::{ROLE, World};
use crate::support::forward::forward;
use crate::support::{Fake, Reply, Space, eventually};

#[test]
fn what_a_lost_answer_may_have_left_is_named() {
    let space = Space::new();
    let mut world = World::new(&space);
    let path = format!("/v1/{}/creds/{ROLE}", world.engine.mount);
    let (upstream, lost) = (world.upstream(), Mutex::new(None));
    let fake = Fake::new(move |seen| {
        let answer = forward(seen, &upstream);
        if seen.target() == path {
            *lost.lock().unwrap() = Some(Instant::now());
            return Reply::Drop;
        }
        // The engine may still be at it.
        let early = lost.lock().unwrap().is_some_and(|lost| lost.elapsed() < Duration::from_secs(2));
        assert!(!(early && seen.is_revocation()), "revoked at once");
        answer
    });
    world.env("VAULT_ADDR", &fake.addr);
    world.flag("--issue");
    let what = format!("creds/{ROLE}, role {ROLE}, may have made");
    let report = world.report();
    assert_eq!(report.code, 5, "{:#}", report.body);
    assert!(report.step("issue")["seen"].as_str().unwrap().contains(&what), "{:#}", report.body);
    let revoke = report.step("revoke");
    assert_eq!(revoke["seen"], "the token of this look is revoked, what may be left is named above");
    eventually("what has a lease is gone", || {
        world.engine.objects().is_empty() && space.login_tokens().is_empty()
    });
    // Of a given token as well.
    world.env("VAULT_AUTH_METHOD", "token");
    world.env("VAULT_TOKEN", space.token(&["default", &world.policy], json!({})));
    let report = world.report();
    let seen = report.step("issue")["seen"].as_str().unwrap();
    assert!(seen.contains(&what) && seen.contains("or when VAULT_TOKEN is revoked"), "{:#}", report.body);
}
