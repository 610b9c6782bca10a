//! Rotations that are refused: the variable is as it was, and the new token, if there was one, is gone.

use serde_json::json;

use super::story::Story;
use crate::support::{Reply, Run, Space};

/// The variable holds what it held, that still works, and no other token of the role is alive.
#[track_caller]
fn nothing_happened(story: &Story<'_>, old: &str, run: &Run) {
    assert_eq!(story.gitlab.value(), old, "{run}");
    assert!(story.issues(old), "{run}");
    let others: Vec<_> =
        story.alive().into_iter().filter(|(accessor, ..)| *accessor != story.lookup(old).0).collect();
    assert!(others.is_empty() && story.lookup(old).1 > 3600, "{others:?} {run}");
    assert!(story.space.login_tokens().is_empty(), "{run}");
}

#[test]
fn by_the_token_role() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let policy = story.issuing_policy();
    for (role, text) in [
        (json!({"orphan": false}), "it dies with the login that made it"),
        (json!({"allowed_policies": ["default"]}), "may not issue secret_ids at auth/"),
        (json!({"token_num_uses": 5}), "a limited number of requests"),
        (
            json!({"allowed_policies": [policy], "token_no_default_policy": true}),
            "lacks the policy `default`",
        ),
    ] {
        story.token_role(role.clone());
        let run = story.rotate([]).run();
        assert!(run.stderr.contains(text), "{role}: {run}");
        // Without `default` it can't revoke itself either: it is named.
        let code = if role["token_no_default_policy"] == json!(true) { 5 } else { 4 };
        assert_eq!(run.code, code, "{run}");
        if code == 4 {
            nothing_happened(&story, &old, &run);
        }
        story.token_role(json!({"token_num_uses": 0, "token_no_default_policy": false}));
    }
}

#[test]
fn by_vault() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let run = story.rotate(["--token-role", "other"]).run().expect(4);
    assert!(run.stderr.contains(r#"path "auth/token/create/other" { capabilities = ["update"] }"#), "{run}");
    nothing_happened(&story, &old, &run);
    let run = story.rotate(["--approle", "other"]).run().expect(4);
    assert!(run.stderr.contains("is --approle right?"), "{run}");
    nothing_happened(&story, &old, &run);
    let run = story.rotate([]).no_env("VAULT_AUTH_METHOD").run().expect(3);
    assert!(run.stderr.contains("set VAULT_AUTH_METHOD"), "{run}");
    nothing_happened(&story, &old, &run);
}

#[test]
fn by_gitlab_before_anything_is_made() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    for (token, args, code, text) in [
        ("wrong", vec![], 4, "CI_JOB_TOKEN can't change variables"),
        ("read-only", vec![], 4, "insufficient_scope"),
        ("developer", vec![], 4, "role Maintainer"),
        ("", vec!["--variable", "NOPE"], 4, "404 Variable Not Found"),
        ("", vec!["--environment-scope", "nope"], 4, "with this environment scope"),
    ] {
        let token = if token.is_empty() { &story.gitlab.token } else { token };
        let run = story.rotate([]).args(args).env("CI_CREDS_GITLAB_TOKEN", token).run().expect(code);
        assert!(run.stderr.contains(text), "{text}: {run}");
        nothing_happened(&story, &old, &run);
    }
    let run = story.rotate([]).no_env("CI_CREDS_GITLAB_TOKEN").env("CI_JOB_TOKEN", "x").run().expect(3);
    assert!(run.stderr.contains("CI_JOB_TOKEN can't change variables"), "{run}");
}

#[test]
fn by_gitlab_after_the_token_was_made() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let limited = Reply::Full(429, "Retry-After: 0\r\n".to_owned(), b"Retry later\n".to_vec());
    for (answer, code, text) in [
        (Reply::Json(400, json!({"message": {"value": ["is invalid"]}})), 4, "is invalid"),
        (Reply::Json(403, json!({"message": "403 Forbidden"})), 4, "403 Forbidden"),
        (limited, 5, "status 429"),
    ] {
        story.gitlab.fault(Some(Box::new(move |request, act| match request.method() {
            "PUT" => answer.clone(),
            _ => act(),
        })));
        let run = story.rotate([]).env("VAULT_MAX_RETRIES", "2").run().expect(code);
        assert!(run.stderr.contains(text), "{text}: {run}");
        nothing_happened(&story, &old, &run);
    }
    story.gitlab.fault(None);
    let mut limits = 2;
    story.gitlab.fault(Some(Box::new(move |_, act| {
        limits -= 1;
        if limits >= 0 { Reply::text(429, "Retry later\n") } else { act() }
    })));
    story.rotate([]).run().expect(0);
    assert!(story.gitlab.value() != old, "a rate limit is waited for");
}

#[test]
fn a_change_that_is_not_confirmed_leaves_both_tokens() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let mut reported = String::new();
    // Carried out or not, the answer is an error, and the variable can't be read any more.
    for carried_out in [false, true] {
        let mut broken = false;
        story.gitlab.fault(Some(Box::new(move |request, act| {
            broken |= request.method() == "PUT";
            if broken && request.method() == "PUT" && carried_out {
                act();
            }
            let error = json!({"message": "500 Internal Server Error"});
            if broken { Reply::Json(500, error) } else { act() }
        })));
        let run = story.rotate([]).env("VAULT_MAX_RETRIES", "0").run().expect(5);
        assert!(run.stderr.contains("the variable holds one of them, and works"), "{run}");
        // The old token, and one of each run: nothing is revoked, and nothing is kept quiet about.
        reported += &run.stderr;
        let alive = story.alive();
        assert_eq!(alive.len(), if carried_out { 3 } else { 2 }, "{alive:?} {run}");
        for (accessor, ..) in alive {
            assert!(reported.contains(&accessor), "{accessor} {run}");
        }
        assert!(run.stderr.contains(&story.lookup(&story.gitlab.value()).0), "{run}");
        assert!(story.issues(&old) && story.issues(&story.gitlab.value()), "{run}");
        story.gitlab.fault(None);
    }
    // An error that hides a change: it is found when the variable is read back.
    let mut once = true;
    story.gitlab.fault(Some(Box::new(move |request, act| {
        let answer = act();
        let hide = request.method() == "PUT" && std::mem::take(&mut once);
        if hide { Reply::text(502, "<html>") } else { answer }
    })));
    let before = story.gitlab.value();
    story.rotate([]).run().expect(0);
    assert!(story.gitlab.value() != before && story.lookup(&before).1 <= 3600);
}

/// Without --approle the login's role is no AppRole: what the new token must be able to do is what the old one can.
#[test]
fn without_an_approle_the_old_tokens_policies_count() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.start();
    let policies = story.space.ok("GET", &format!("auth/token/roles/{}", story.token_role), json!(null));
    let policies = policies["data"]["allowed_policies"].clone();
    let rotate = || story.rotate([]).no_env("CI_CREDS_APPROLE");
    story.token_role(json!({"allowed_policies": ["default"]}));
    let run = rotate().run().expect(4);
    assert!(run.stderr.contains("lacks what the old issuing token has: "), "{run}");
    nothing_happened(&story, &old, &run);
    story.token_role(json!({"allowed_policies": policies}));
    rotate().run().expect(0);
    let new = story.gitlab.value();
    assert!(new != old && story.issues(&new));
    // Where the old one is not there, nothing is made, and the rehearsal says so as the run does.
    let space = Space::new();
    let story = Story::new(&space);
    story.gitlab.variable("projects/22", "VAULT_TOKEN", &crate::support::secret(), &json!({}));
    for args in [&[][..], &["--dry-run"]] {
        let run = story.rotate([]).no_env("CI_CREDS_APPROLE").args(args).run().expect(3);
        assert!(run.stderr.contains("hint: name the AppRole with --approle"), "{run}");
        assert!(story.alive().is_empty(), "{run}");
    }
}
