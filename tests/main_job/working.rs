//! Where everything is right: the job goes on, with as few requests as there can be.

use serde_json::json;

use super::story::{ROLE, Story};
use crate::support::{Proxy, Space, jwt, script};

const SCRIPT: &str = r#"eval $(ci-creds exoscale); test -n "$EXOSCALE_API_KEY"; echo went on"#;

#[test]
fn the_job_goes_on_with_every_login() {
    let space = Space::new();
    let story = Story::new(&space);
    for shell in ["dash", "bash"] {
        for (login, job) in story.logins(&script(shell, SCRIPT)) {
            let run = job.run().expect(0);
            assert_eq!(run.stdout, "went on\n", "{shell}, {login}: {run}");
            assert!(run.stderr.contains("valid 15m, until "), "{shell}, {login}: {run}");
        }
    }
}

#[test]
fn one_connection_and_no_request_too_many() {
    let space = Space::new();
    let story = Story::new(&space);
    for ((login, job), expected) in
        story.logins(&crate::support::Cmd::new(["exoscale"])).into_iter().zip([3, 2, 1])
    {
        let proxy = Proxy::new(space.server);
        job.env("VAULT_ADDR", &proxy.addr).run().expect(0);
        assert_eq!(
            (proxy.requests().len(), proxy.connections()),
            (expected, 1),
            "{login}: {:?}",
            proxy.requests()
        );
    }
}

#[test]
fn a_token_that_nothing_needs_is_revoked_at_once() {
    let space = Space::new();
    let kv = space.kv1("exoscale");
    space.write(
        &format!("{kv}/apikey/{ROLE}"),
        json!({"api_key": "EXO1", "api_secret": crate::support::secret()}),
    );
    let policy = space.may_read(&[&format!("{kv}/apikey/*")]);
    let jwt = space.jwt();
    jwt.role(ROLE, json!({"bound_claims": {"ref": "main"}, "token_policies": policy}));
    let proxy = Proxy::new(space.server);
    let job = crate::support::Cmd::new(["exoscale"]).jwt(&jwt, ROLE, &jwt::mint(json!({})));
    job.env("VAULT_ADDR", &proxy.addr).env("CI_CREDS_EXOSCALE_MOUNT", &kv).run().expect(0);
    let last = proxy.requests().pop().unwrap();
    assert_eq!((proxy.requests().len(), last.as_str()), (3, "POST /v1/auth/token/revoke-self"));
    assert!(space.login_tokens().is_empty());
}

#[test]
fn a_short_token_is_renewed_to_the_life_of_the_lease() {
    let space = Space::new();
    let story = Story::new(&space);
    let path = format!("auth/{}/role/{ROLE}", story.approle.mount);
    space.write(&path, json!({"token_ttl": "1m", "token_max_ttl": "30m"}));
    let run = story.run(["exoscale"]).run().expect(0);
    assert!(run.stderr.contains("valid 15m, until "), "{run}");
    space.write(&path, json!({"token_ttl": "1m", "token_max_ttl": "2m"}));
    let run = story.run(["exoscale"]).run().expect(0);
    assert!(run.stderr.contains("valid 2m, until "), "{run}");
    assert!(run.stderr.contains("the login's token ends after 2m"), "{run}");
}

#[test]
fn the_stale_names_are_gone_and_nothing_else_is_touched() {
    let space = Space::new();
    let story = Story::new(&space);
    let text =
        r#"eval $(ci-creds exoscale -q); echo "${EXOSCALE_KEY-unset} $EXOSCALE_ZONE $EXOSCALE_API_KEY""#;
    let run = story
        .script("dash", text)
        .env("EXOSCALE_KEY", "old")
        .env("EXOSCALE_ZONE", "ch-gva-2")
        .run()
        .expect(0);
    assert!(run.stdout.starts_with("unset ch-gva-2 "), "{run}");
    assert_eq!(run.stderr, "", "-q silences the summary");
    let made = story.engine.objects();
    assert!(made.iter().any(|user| run.stdout.trim_end().ends_with(user.as_str())), "{made:?} {run}");
}

#[test]
fn several_providers_and_the_token_with_one_login() {
    let space = Space::new();
    let story = Story::new(&space);
    let kv = space.kv1("scaleway");
    let secret = crate::support::secret();
    space.write(
        &format!("{kv}/creds/dev"),
        json!({"access_key": "SCW1", "secret_key": secret, "zone": "fr-par-1"}),
    );
    let rules = format!(
        "path \"{kv}/creds/dev\" {{ capabilities = [\"read\"] }}\npath \"{}/creds/*\" {{ capabilities = [\"read\"] }}",
        story.engine.mount
    );
    let role = format!("auth/{}/role/{ROLE}", story.approle.mount);
    space.write(&role, json!({"token_policies": space.policy(&rules)}));
    let text = r#"eval $(ci-creds exoscale --and scaleway=dev --and login)
        test -n "$EXOSCALE_API_SECRET"; test -n "$VAULT_TOKEN"
        echo "$SCW_ACCESS_KEY $SCW_SECRET_KEY $SCW_DEFAULT_ZONE $VAULT_AUTH_METHOD""#;
    let run = story.script("bash", text).env("CI_CREDS_SCALEWAY_MOUNT", &kv).run().expect(0);
    assert_eq!(run.stdout, format!("SCW1 {secret} fr-par-1 token\n"));
    // All or nothing: the second is not there, so the first is taken back.
    let run =
        story.run(["exoscale", "--and", "scaleway=prod"]).env("CI_CREDS_SCALEWAY_MOUNT", &kv).run().expect(4);
    assert!(
        run.stdout.starts_with(" unset EXOSCALE_API_KEY ") && run.stdout.contains(" SCW_SECRET_KEY"),
        "{run}"
    );
}

#[test]
fn aws_by_whichever_path_and_verb_the_policy_allows() {
    let space = Space::new();
    let kv = space.kv1("aws");
    let pair = json!({"access_key": "AKIA1", "secret_key": crate::support::secret(), "security_token": crate::support::secret(), "ttl": "1h"});
    space.write(&format!("{kv}/sts/web"), pair.clone());
    space.write(&format!("{kv}/creds/web"), pair);
    let text = r#"eval $(ci-creds aws web --region eu-west-1)
        test -n "$AWS_SESSION_TOKEN"; test -n "$AWS_CREDENTIAL_EXPIRATION"
        echo "$AWS_ACCESS_KEY_ID $AWS_DEFAULT_REGION $AWS_REGION ${AWS_PROFILE-unset} ${AWS_SECURITY_TOKEN-unset}""#;
    for path in ["sts", "creds"] {
        let token = space.token(&[&space.may_read(&[&format!("{kv}/{path}/web")])], json!({}));
        let job =
            script("dash", text).vault(space.server).env("VAULT_TOKEN", token).env("CI_CREDS_AWS_MOUNT", &kv);
        let run = job.env("AWS_PROFILE", "old").env("AWS_SECURITY_TOKEN", "old").run().expect(0);
        assert_eq!(run.stdout, "AKIA1 eu-west-1 eu-west-1 unset unset\n", "{path}");
    }
}

#[test]
fn read_takes_any_path_of_kv_1_and_2() {
    let space = Space::new();
    let (kv1, kv2) = (space.kv1("one"), space.kv2("two"));
    let password = crate::support::secret();
    space.write(&format!("{kv1}/db"), json!({"user": "app", "password": password, "port": 5432}));
    space.write(
        &format!("{kv2}/data/db"),
        json!({"data": {"user": "app", "password": password, "tls": {"on": true}}}),
    );
    let token = space.token(&[&space.may_read(&[&format!("{kv1}/*"), &format!("{kv2}/*")])], json!({}));
    let run = |args: &[&str]| {
        let text =
            format!("eval $(ci-creds read {}); echo \"$DB_USER $DB_PASSWORD $DB_MORE\"", args.join(" "));
        script("dash", &text).vault(space.server).env("VAULT_TOKEN", &token).run()
    };
    let first =
        run(&[&format!("/{kv1}/db"), "DB_USER=user", "DB_PASSWORD=password", "DB_MORE=port"]).expect(0);
    assert_eq!(first.stdout, format!("app {password} 5432\n"));
    let second =
        run(&[&format!("{kv2}/data/db"), "DB_USER=user", "DB_PASSWORD=password", "DB_MORE=tls.on"]).expect(0);
    assert_eq!(second.stdout, format!("app {password} true\n"));
    let short =
        run(&[&format!("{kv2}/db"), "DB_USER=user", "DB_PASSWORD=password", "DB_MORE=tls.on"]).expect(0);
    assert_eq!(short.stdout, second.stdout);
    assert!(short.stderr.contains("as it is KV version 2"), "{short}");
}
