//! The rotation of GitLab's access token itself: the old one ends with it, so that the new one must not be lost.

use serde_json::json;

use super::gitlab::Fault;
use super::story::Story;
use crate::support::{Cmd, Reply, Space};

const KEY: &str = "CI_CREDS_GITLAB_TOKEN";

/// The rotating job, with the token in its variable.
fn job(story: &Story<'_>, args: &[&str]) -> Cmd {
    story.rotate(["--gitlab-access-token"]).args(args).env(KEY, story.gitlab.token_now())
}

fn stored(story: &Story<'_>) -> String {
    story.gitlab.kept("projects/22", KEY, "*")["value"].as_str().unwrap().to_owned()
}

/// A fault for the requests whose line ends so.
fn at(end: &'static str, fault: fn(&dyn Fn() -> Reply) -> Reply) -> Option<Fault> {
    Some(Box::new(move |seen, act| if seen.line.ends_with(end) { fault(act) } else { act() }))
}

#[test]
fn a_new_access_token_takes_the_old_ones_place_in_the_variable() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.gitlab.token_now();
    story.gitlab.variable("projects/22", KEY, &old, &json!({}));
    let run = job(&story, &["--dry-run"]).run_both().expect(0);
    assert!(story.gitlab.requests().iter().all(|line| line.starts_with("GET ")), "{run}");
    let run = job(&story, &["--gitlab-token-ttl", "90d"]).run().expect(0);
    let new = story.gitlab.token_now();
    assert!(new != old && stored(&story) == new, "{run}");
    assert!(run.stderr.contains("holds the new access token ci-creds (number 43, until 2"), "{run}");
    assert_eq!(
        (run.stdout.as_str(), story.gitlab.kept("projects/22", KEY, "*")["masked"].clone()),
        ("", json!(true))
    );
    // And once more, with the new one.
    job(&story, &[]).run().expect(0);
    assert_eq!(stored(&story), story.gitlab.token_now());
}

#[test]
fn a_new_access_token_takes_the_old_ones_place_in_vault() {
    let space = Space::new();
    let story = Story::new(&space);
    let (one, two) = (space.kv1("kv"), space.kv2("secret"));
    let (first, second) = (format!("{one}/gitlab"), format!("{two}/data/gitlab"));
    let reads = format!(
        "path \"{first}\" {{ capabilities = [\"read\"] }}\npath \"{second}\" {{ capabilities = [\"read\"] }}"
    );
    for (path, read) in [(&first, "data"), (&second, "data.data")] {
        let now = story.gitlab.token_now();
        let kept = json!({"token": now});
        space.write(path, if read == "data" { kept } else { json!({"data": kept}) });
        let place = format!("{path}#token");
        let rotate = |args: &[&str]| job(&story, args).no_env(KEY).args(["--gitlab-token-path", &place]);
        story.may_also(&reads);
        let run = rotate(&[]).run().expect(4);
        assert!(run.stderr.contains(&format!("path \"{path}\" {{ capabilities = [\"update\"] }}")), "{run}");
        assert_eq!(story.gitlab.token_now(), now, "{run}");
        story.may_also(&reads.replace("[\"read\"]", "[\"read\", \"update\"]"));
        rotate(&["--dry-run"]).run_both().expect(0);
        assert_eq!(story.gitlab.token_now(), now);
        let run = rotate(&[]).run().expect(0);
        let new = story.gitlab.token_now();
        let pointer = format!("/{}/token", read.replace('.', "/"));
        let held = space.ok("GET", path, serde_json::Value::Null);
        assert!(new != now && held.pointer(&pointer) == Some(&json!(new)), "{held} {run}");
        assert!(space.login_tokens().is_empty(), "{run}");
    }
    // A write of the one field would take the others away.
    space.write(&first, json!({"token": story.gitlab.token_now(), "other": "x"}));
    let now = story.gitlab.token_now();
    let run = job(&story, &["--gitlab-token-path", &format!("{first}#token")]).run().expect(3);
    assert!(run.stderr.contains("has other fields too") && story.gitlab.token_now() == now, "{run}");
}

#[test]
fn nothing_is_rotated_where_the_new_one_could_not_be_stored() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.gitlab.token_now();
    story.gitlab.variable("projects/22", KEY, "something else", &json!({}));
    let run = job(&story, &[]).run().expect(3);
    assert!(run.stderr.contains("holds another value"), "{run}");
    story.gitlab.variable("projects/22", "OTHER", &old, &json!({}));
    story.gitlab.fault(Some(Box::new(|seen, act| {
        if seen.method() == "PUT" { Reply::Json(403, json!({"message": "403 Forbidden"})) } else { act() }
    })));
    let run = job(&story, &["--variable", "OTHER"]).run().expect(4);
    assert!(run.stderr.contains("role Maintainer"), "{run}");
    assert_eq!(story.gitlab.token_now(), old, "{run}");
}

#[test]
fn a_lost_answer_and_a_store_that_fails_are_told() {
    let space = Space::new();
    let story = Story::new(&space);
    let old = story.gitlab.token_now();
    story.gitlab.variable("projects/22", KEY, &old, &json!({}));
    // It did not take place.
    story.gitlab.fault(at("/rotate", |_| Reply::Drop));
    let run = job(&story, &[]).run().expect(5);
    assert!(run.stderr.contains("is as it was") && story.gitlab.token_now() == old, "{run}");
    // It did, and nobody has the new one.
    story.gitlab.fault(at("/rotate", |act| {
        act();
        Reply::Drop
    }));
    let run = job(&story, &[]).run().expect(5);
    assert!(
        run.stderr.contains("the answer was lost") && run.stderr.contains("make a new one there"),
        "{run}"
    );
    let rotations = story.gitlab.requests().iter().filter(|line| line.ends_with("/rotate")).count();
    assert_eq!(rotations, 2, "one for each run: a second would end the new token too");
    // The variable can't be written any longer, once the token was rotated.
    let now = story.gitlab.token_now();
    story.gitlab.variable("projects/22", "OTHER", &now, &json!({}));
    let mut rotated = false;
    story.gitlab.fault(Some(Box::new(move |seen, act| {
        rotated |= seen.line.ends_with("/rotate");
        if rotated && seen.method() == "PUT" { Reply::text(502, "") } else { act() }
    })));
    let run = job(&story, &["--variable", "OTHER"]).run().expect(5);
    assert!(run.stderr.contains("may not hold the new one") && run.stderr.contains("number 43"), "{run}");
}
