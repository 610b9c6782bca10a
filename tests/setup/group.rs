//! Many projects: one role whose policy has the project's number in its paths, or a role for each project.

use serde_json::{Value, json};

use super::world::{World, cli};
use crate::support::jwt::AUDIENCE;

const GROUP: [&str; 4] = ["--group", "group", "--group-claim", "--protected"];

/// A KV engine where each of these has a secret of its own, and the run that reads the job's.
fn world(mark: &str, owners: &[&str]) -> (World, String) {
    let mut world = World::new("login").unwrap();
    let mount = world.space.mount("kv", json!({"type": "kv", "options": {"version": "1"}}));
    for owner in owners {
        world.space.write(&format!("{mount}/{owner}/app"), json!({"token": "s"}));
    }
    world.run = ["read", &format!("{mount}/{mark}/app"), "TOKEN=token", "--kv-version", "1"]
        .map(str::to_owned)
        .to_vec();
    (world, mount)
}

fn setup(world: &World, who: &[&str], format: &str) -> String {
    let cmd = world.setup(who).args(["--audience", AUDIENCE, "--format", format]);
    cmd.run().expect(0).stdout
}

/// The login of a project of this group: its token, if it is let in.
fn login(world: &World, role: &str, (id, path, group): (&str, &str, &str)) -> Option<String> {
    let claims =
        json!({"project_id": id, "project_path": path, "namespace_path": group, "namespace_id": "7"});
    let body = json!({"role": role, "jwt": world.token(claims)});
    let at = format!("{}/auth/jwt/login", world.space.namespace);
    let reply = world.space.server.api_as("", "POST", &at, body);
    Some(reply.body["auth"]["client_token"].as_str()?.to_owned())
}

fn reads(world: &World, token: &str, path: &str) -> bool {
    let at = format!("{}/{path}", world.space.namespace);
    world.space.server.api_as(token, "GET", &at, Value::Null).status == 200
}

#[test]
fn each_project_of_a_group_reads_its_own_path_only() {
    let (mut world, mount) = world("{project_id}", &["22", "23"]);
    let script = setup(&world, &GROUP, "sh");
    for _ in 0..2 {
        world.shell(&script).run().expect(0);
    }
    let own = |id: &str| format!("{mount}/{id}/app");
    let one = login(&world, "job", ("22", "group/app", "group")).unwrap();
    let two = login(&world, "job", ("23", "group/web", "group")).unwrap();
    assert!(reads(&world, &one, &own("22")) && !reads(&world, &one, &own("23")));
    assert!(reads(&world, &two, &own("23")) && !reads(&world, &two, &own("22")));
    assert!(!reads(&world, &one, &own("+")) && !reads(&world, &one, &own("*")));
    // Another group, and one below this.
    for group in ["other", "group/sub", "groups"] {
        assert_eq!(login(&world, "job", ("22", "other/app", group)), None, "{group}");
    }
    // A project that takes over the path of another one is another entity: it never gets to the first one's secret,
    // nor does it move the first one's token.
    let third = login(&world, "job", ("24", "group/app", "group")).unwrap();
    assert!(!reads(&world, &third, &own("22")) && reads(&world, &one, &own("22")));
    // The whole run, and the check.
    let words = std::mem::take(&mut world.run);
    world.run = vec!["read".to_owned(), own("22"), "TOKEN=token".to_owned()];
    for token in [one, two, third] {
        world.space.ok("POST", "auth/token/revoke", json!({"token": token}));
    }
    assert_eq!(world.fault(), None);
    world.run = words;
    let check = world.setup(&GROUP).args(["--audience", AUDIENCE, "--check", "--strict"]);
    let check = check.env("VAULT_TOKEN", &world.space.server.root_token);
    check.env("VAULT_NAMESPACE", &world.space.namespace).run().expect(0);
}

/// Why a path can't stand in a template: the server refuses it, so that setup does before.
#[test]
fn a_templated_value_with_a_slash_opens_nothing() {
    let (world, mount) = world("{project_id}", &["22", "group/app"]);
    let script = setup(&world, &GROUP, "sh").replace("metadata.project_id", "metadata.project_path");
    world.shell(&script).run().expect(0);
    let token = login(&world, "job", ("22", "group/app", "group")).unwrap();
    assert!(!reads(&world, &token, &format!("{mount}/group/app/app")));
    for (words, says) in [
        (
            &["--group", "group", "--group-claim=project_path"][..],
            "OpenBao refuses a path that is filled in with /",
        ),
        (&["--group", "group", "--group-claim=environment"], "it is not a number that nobody can choose"),
        (&["--group", "group", "--group-claim=namespace_id"], "no path of the run has it"),
        (&["--group-claim"], "it needs --group, or --project"),
        (&["--project", "g/a", "--group-claim"], "give --project the number"),
    ] {
        let run = world.setup(words).args(["--audience", AUDIENCE]).run().expect(2);
        assert!(run.stderr.contains(says), "{run}");
    }
}

#[test]
fn projects_that_are_listed_have_a_role_each() {
    let (world, mount) = world("{project_path}", &["group/app", "group/web"]);
    let who = ["--project", "group/app", "--project", "group/web", "--group-claim=project_path"];
    world.shell(&setup(&world, &who, "sh")).run().expect(0);
    for (own, other, role) in [("app", "web", "job-group-app"), ("web", "app", "job-group-web")] {
        let path = |name: &str| format!("{mount}/group/{name}/app");
        let token = login(&world, role, ("1", &format!("group/{own}"), "group")).unwrap();
        assert!(reads(&world, &token, &path(own)) && !reads(&world, &token, &path(other)), "{own}");
        assert_eq!(login(&world, role, ("1", &format!("group/{other}"), "group")), None);
    }
}

#[test]
fn every_format_has_the_claim() {
    let (world, mount) = world("{project_id}", &[]);
    assert!(
        setup(&world, &GROUP, "terraform")
            .contains("aliases.${vault_jwt_auth_backend.login.accessor}.metadata.project_id}}")
    );
    assert!(setup(&world, &GROUP, "hcl").starts_with("# <accessor> is that of the auth method: vault read"));
    let job = setup(&world, &GROUP, "gitlab");
    assert!(job.contains(&format!("ci-creds read '{mount}/'\\\"$CI_PROJECT_ID\\\"'/app' ")), "{job}");
    let job = setup(&world, &["--project", "22", "--project", "23", "--group-claim"], "gitlab");
    assert!(job.contains("VAULT_AUTH_ROLE: \"job-$CI_PROJECT_ID\""), "{job}");
    assert!(
        setup(&world, &GROUP, "sh")
            .contains(&format!("accessor=$({} read -field=accessor sys/auth/jwt)", cli()))
    );
}
