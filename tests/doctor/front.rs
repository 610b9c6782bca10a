//! A front that forbids what only doctor asks, with a page of its own, and lets the run through.

use super::world::{Report, World};
use crate::support::forward::forward;
use crate::support::{Fake, Reply, Space};

/// What a web server says to a path that it was told to deny.
fn forbidden() -> Reply {
    let page = b"<html><head><title>403 Forbidden</title></head></html>".to_vec();
    Reply::Full(403, "Content-Type: text/html\r\n".to_owned(), page)
}

/// The world's doctor behind a front that forbids paths with one of these beginnings.
fn behind(world: &World<'_>, denied: &'static [&'static str]) -> (Report, Fake) {
    let upstream = world.upstream();
    let front = Fake::new(move |seen| {
        if denied.iter().any(|path| seen.target().starts_with(path)) {
            forbidden()
        } else {
            forward(seen, &upstream)
        }
    });
    let cmd = world.cmd.clone().env("VAULT_ADDR", &front.addr).args(["--issue", "--format", "json"]);
    (Report::of(&cmd.run()), front)
}

#[test]
fn doctor_goes_on_where_only_a_look_is_forbidden() {
    let space = Space::new();
    let world = World::new(&space);
    let cases: &[(&[&str], &[&str])] = &[
        (&["/v1/sys/health"], &["health"]),
        (&["/v1/sys/internal/"], &["engine"]),
        (&["/v1/sys/capabilities-self"], &["policy"]),
        (&["/v1/auth/token/lookup-self"], &["token"]),
        (&["/v1/sys/", "/v1/auth/token/lookup-self"], &["health", "token", "policy", "engine"]),
    ];
    for (denied, unknown) in cases {
        let (report, front) = behind(&world, denied);
        assert_eq!(report.code, 0, "{denied:?}: {:#}", report.body);
        for id in *unknown {
            let step = report.step(id);
            assert_eq!(step["status"], "skip", "{denied:?}: {:#}", report.body);
            assert!(step["seen"].as_str().unwrap().contains("status 403 with an HTML page"), "{step:#}");
        }
        for id in ["login", "issue", "revoke"] {
            assert_eq!(report.step(id)["status"], "ok", "{denied:?}: {:#}", report.body);
        }
        assert!(front.lines().iter().any(|line| line.contains("/creds/")), "{:?}", front.lines());
        assert!(world.space.login_tokens().is_empty() && world.engine.objects().is_empty());
    }
}

#[test]
fn a_given_token_is_used_where_a_front_forbids_to_look_at_it() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.unset("VAULT_ID_TOKEN");
    world.env("VAULT_AUTH_METHOD", "token");
    let token = space.token(&[&world.policy, "default"], serde_json::json!({}));
    world.env("VAULT_TOKEN", token);
    let (report, _) = behind(&world, &["/v1/auth/token/lookup-self", "/v1/sys/health"]);
    assert_eq!((report.code, &report.step("token")["status"]), (0, &"skip".into()), "{:#}", report.body);
    assert_eq!(report.step("issue")["status"], "ok", "{:#}", report.body);
}

#[test]
fn a_front_that_forbids_everything_is_named_at_the_login() {
    let space = Space::new();
    let world = World::new(&space);
    let (report, _) = behind(&world, &["/"]);
    assert_eq!(report.code, 5, "{:#}", report.body);
    assert_eq!(report.first(false).unwrap()["id"], "login", "{:#}", report.body);
    assert!(report.first(false).unwrap()["hint"].as_str().unwrap().contains("is VAULT_ADDR right?"));
}
