//! GitLab's access token is read from Vault by the rotation's own login.

use serde_json::json;

use super::story::Story;
use crate::support::Space;

#[test]
fn the_access_token_comes_from_vault() {
    let space = Space::new();
    let story = Story::new(&space);
    let (one, two) = (space.kv1("kv"), space.kv2("secret"));
    let kept = json!({"token": format!("{}\n", story.gitlab.token), "other": "x"});
    space.write(&format!("{one}/gitlab"), kept.clone());
    space.write(&format!("{two}/data/gitlab"), json!({"data": kept}));
    story.may_also(&format!(
        "path \"{one}/gitlab\" {{ capabilities = [\"read\"] }}\n\
         path \"{two}/data/gitlab\" {{ capabilities = [\"read\"] }}"
    ));
    let mut old = story.start();
    for place in
        [format!("{one}/gitlab#token"), format!("{two}/data/gitlab#token"), format!("{two}/gitlab#token")]
    {
        let job = story.rotate([]).no_env("CI_CREDS_GITLAB_TOKEN").env("CI_CREDS_GITLAB_TOKEN_PATH", &place);
        let run = job.clone().args(["--dry-run"]).run_both().expect(0);
        assert_eq!(story.gitlab.value(), old, "{place}: {run}");
        let run = job.run().expect(0);
        let new = story.gitlab.value();
        assert!(new != old && story.issues(&new), "{place}: {run}");
        assert!(space.login_tokens().is_empty(), "{place}: {run}");
        old = new;
    }
    // The flag wins over the variables.
    let job = story.rotate(["--gitlab-token-path", &format!("{one}/gitlab#token")]);
    job.env("CI_CREDS_GITLAB_TOKEN", "wrong").env("CI_CREDS_GITLAB_TOKEN_FILE", "/nowhere").run().expect(0);
}

#[test]
fn a_place_that_has_none_is_named_and_nothing_is_made() {
    let space = Space::new();
    let story = Story::new(&space);
    let one = space.kv1("kv");
    space.write(&format!("{one}/gitlab"), json!({"token": "wrong", "blank": "a b"}));
    let old = story.start();
    let missing = format!("path \"{one}/gitlab\" {{ capabilities = [\"read\"] }}");
    for rehearsed in [false, true] {
        let rotate = |place: &str, code: i32, text: &str| {
            let job = story.rotate(["--gitlab-token-path", place]).no_env("CI_CREDS_GITLAB_TOKEN");
            let run = job.args(rehearsed.then_some("--dry-run")).run().expect(code);
            assert!(run.stderr.contains(text), "{text}: {run}");
            assert_eq!((story.gitlab.value(), story.alive().len()), (old.clone(), 1), "{run}");
            assert!(space.login_tokens().is_empty(), "{run}");
        };
        story.may_also("");
        rotate(&format!("{one}/gitlab#token"), 4, &missing);
        story.may_also(&missing);
        rotate(&format!("{one}/gitlab#nothing"), 4, "nothing");
        rotate(&format!("{one}/gitlab#blank"), 3, "has blanks or characters that can't be sent");
        rotate(&format!("{one}/gitlab#token"), 4, "the GitLab token is wrong or has expired");
        rotate("secret/gitlab", 2, "the form is PATH#FIELD");
        rotate("#token", 2, "it has no path");
    }
}
