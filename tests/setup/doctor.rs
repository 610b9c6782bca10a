//! Doctor's last hint: the call that prints what Vault lacks, in the words of the run.

use serde_json::{Value, json};

use super::world::{World, cli};
use crate::logins::{cert, kubernetes};
use crate::support::{Cmd, Fake, Reply, Run, bao, secret};

const BEGINS: &str = "hint: an operator prints what Vault must have for this run";

/// The call in the last hint.
fn hinted(run: &Run) -> Option<String> {
    let last = run.stderr.lines().rfind(|line| line.starts_with("hint:"))?;
    Some(last.strip_prefix(BEGINS)?.split('`').nth(1).unwrap().to_owned())
}

fn doctor(world: &World, claims: Value, more: &[&str]) -> Run {
    world.job(&world.token(claims), more).before(["doctor"]).may_show_secrets().run()
}

#[track_caller]
fn hint(world: &World, more: &[&str]) -> String {
    let run = doctor(world, json!({}), more).expect(4);
    hinted(&run).unwrap_or_else(|| panic!("no hint: {run}"))
}

/// Pastes a hint at the desk: what it prints goes into Vault.
#[track_caller]
fn paste(world: &World, hint: &str) {
    let program = format!("{} setup", *crate::support::cmd::PROGRAM);
    let call = hint.replace("ci-creds setup", &format!("{program} --cli {}", cli()));
    let desk = world.shell(&call).env("VAULT_ADDR", &world.space.server.addr).envs(world.desk_env());
    let printed = desk.run().expect(0).stdout;
    world.shell(&printed).run().expect(0);
}

#[test]
fn what_vault_lacks_is_printed_by_the_last_hint() {
    for kind in ["exoscale", "aws", "mint", "kv2", "env", "login"] {
        let world = World::new(kind).unwrap();
        let whole = hint(&world, &[]);
        paste(&world, &whole);
        assert_eq!(world.fault(), None, "{kind}: {whole}");
        doctor(&world, json!({}), &[]).expect(0);
        world.space.ok("DELETE", "auth/jwt/role/job", Value::Null);
        assert_eq!(hint(&world, &[]), whole);
        paste(&world, &whole);
        if kind != "login" {
            world.space.ok("DELETE", "sys/policies/acl/job", Value::Null);
            assert_eq!(hint(&world, &["--issue"]), whole);
        }
    }
}

/// What the job has from variables is not at the desk: it stands before the call.
#[test]
fn the_runs_variables_are_in_the_hint() {
    let mut world = World::new("exoscale").unwrap();
    let mount = world.run[3].clone();
    world.run.truncate(1);
    world.env = vec![
        ("CI_CREDS_EXOSCALE_MOUNT".to_owned(), mount.clone()),
        ("CI_CREDS_ROLE".to_owned(), "ci".to_owned()),
    ];
    let whole = hint(&world, &["--", "packer", "build"]);
    let namespace = &world.space.namespace;
    let begins = format!(
        "VAULT_NAMESPACE={namespace} VAULT_AUTH_ROLE=job CI_CREDS_EXOSCALE_MOUNT={mount} CI_CREDS_ROLE=ci ci-creds setup exoscale \
         --project 22 --ref main --environment production --audience "
    );
    assert!(whole.starts_with(&begins) && whole.ends_with(" -- COMMAND"), "{whole}");
    paste(&world, &whole);
    assert_eq!(world.fault(), None);
}

/// A role that is there and refuses this job is not to be replaced for it, and a ref that anybody may push to is
/// never let in by a hint.
#[test]
fn no_hint_opens_more_than_it_must() {
    let world = World::new("kv1").unwrap();
    let open = json!({"ref": "dev", "ref_protected": "false", "environment": null});
    let run = doctor(&world, open.clone(), &[]).expect(4);
    let call = hinted(&run).unwrap();
    assert!(call.contains(" --project 22 --audience ") && !call.contains("dev"), "{call}");
    world.shell(&world.printed(&[])).run().expect(0);
    let run = doctor(&world, open, &[]).expect(4);
    assert_eq!(hinted(&run), None, "{run}");
    // A token that is given has no role.
    let token = world.space.token(&["default"], json!({}));
    let run = world
        .job("", &[])
        .before(["doctor"])
        .no_env("VAULT_ID_TOKEN")
        .env("VAULT_TOKEN", token)
        .run()
        .expect(4);
    assert_eq!(hinted(&run), None, "{run}");
}

#[test]
fn other_logins_are_in_the_hint() {
    let mut world = World::on(bao(), "kv1", "approle").unwrap();
    let token = world.space.token(&["default"], json!({}));
    world.login_env = vec![
        ("VAULT_ROLE_ID".to_owned(), "6b7a1f0e-0000-4000-8000-000000000000".to_owned()),
        ("VAULT_TOKEN".to_owned(), token.clone()),
    ];
    let whole = hint(&world, &[]);
    assert!(whole.ends_with("--auth approle"), "{whole}");
    paste(&world, &whole);
    world.login_env.clear();
    world.space.ok("POST", "auth/token/revoke", json!({"token": token}));
    world.by_hand(&[]);
    assert_eq!(world.fault(), None, "{whole}");

    let cluster = Fake::new(|seen| {
        let review = seen.json();
        let user = json!({"username": "system:serviceaccount:ci:app-deployer", "uid": "u-1", "groups": []});
        let status = json!({"authenticated": true, "user": user, "audiences": review["spec"]["audiences"]});
        let kind = "TokenReview";
        Reply::Json(201, json!({"apiVersion": "authentication.k8s.io/v1", "kind": kind, "status": status}))
    });
    let mut world = World::on(bao(), "kv1", "kubernetes").unwrap();
    let path = world.file("token", &kubernetes::token("ci", "app-deployer"));
    world.by_hand(&[("CI_CREDS_ID_TOKEN_FILE", &path)]);
    let whole = hint(&world, &[]);
    assert!(whole.ends_with("--auth kubernetes --service-account ci/app-deployer"), "{whole}");
    paste(&world, &whole);
    let config = json!({"kubernetes_host": cluster.addr, "token_reviewer_jwt": secret(),
        "kubernetes_ca_cert": cert::ca("cluster").pem(), "disable_local_ca_jwt": true, "disable_iss_validation": true});
    world.space.write("auth/kubernetes/config", config);
    assert_eq!(world.fault(), None, "{whole}");
}

/// Outside a job, the role of a login that is not there is printed by a call whose run is to be filled in.
#[test]
fn a_role_that_is_not_there_names_setup() {
    let world = World::new("kv1").unwrap();
    let look = || {
        Cmd::new(["doctor", "auth/jwt/role/job"])
            .env("VAULT_ADDR", &world.space.server.addr)
            .env("VAULT_NAMESPACE", &world.space.namespace)
            .env("VAULT_TOKEN", &world.space.server.root_token)
            .run()
    };
    world.space.write("sys/auth/jwt", json!({"type": "jwt"}));
    let run = look().expect(4);
    assert!(
        run.stdout
            .replace("\n                   ", " ")
            .contains("ci-creds setup RUN… --auth-role job --project ID"),
        "{run}"
    );
}
