//! The logins beside JWT and AppRole: what doctor says of them when all is well, and when it is not.

use serde_json::json;

use super::world::Report;
use crate::logins::approle::wrapped::wrapped;
use crate::logins::{aws, cert, kubernetes};
use crate::support::{Cmd, Options, Server, Space, bao, secret};

/// The same run, looked at by doctor.
fn doctor(cmd: Cmd) -> Report {
    Report::of(&Cmd::new(["doctor", "exoscale", "ci", "--format", "json"]).inherit(&cmd).run())
}

#[track_caller]
fn healthy(report: &Report, method: &str) {
    assert!(report.first(false).is_none() && report.code == 0, "{:#}", report.body);
    assert!(report.step("method")["seen"].as_str().unwrap().starts_with(method), "{:#}", report.body);
    for id in ["login", "token", "policy", "lifetime", "output", "revoke"] {
        assert_eq!(report.step(id)["status"], "ok", "{id}: {:#}", report.body);
    }
}

#[test]
fn kubernetes_is_looked_at() {
    let space = Space::new();
    let setup = kubernetes::Setup::new(&space);
    let (_dir, path) = crate::logins::file(&kubernetes::token("ci", "app-deployer"));
    let cmd = setup.cmd().env("CI_CREDS_ID_TOKEN_FILE", &path);
    let report = doctor(cmd.clone());
    healthy(&report, "Kubernetes at auth/");
    assert_eq!(report.step("id-token")["status"], "ok", "{:#}", report.body);
    let (_other, elsewhere) = crate::logins::file(&kubernetes::token("prod", "app-deployer"));
    let report = doctor(cmd.env("CI_CREDS_ID_TOKEN_FILE", elsewhere));
    let first = report.first(false).unwrap();
    assert_eq!((&first["id"], report.code), (&json!("login"), 4), "{:#}", report.body);
    assert!(first["hint"].as_str().unwrap().contains("bound_service_account_namespaces"), "{first}");
    let report = doctor(setup.cmd());
    let first = report.first(false).unwrap();
    assert!(report.code == 3 && first["hint"].as_str().unwrap().contains("is this a pod"), "{first}");
}

#[test]
fn aws_is_looked_at() {
    let Some(cloud) = aws::Cloud::start() else { return };
    let space = cloud.space();
    let setup = aws::Setup::new(&cloud, &space);
    let held = cloud.moto.assume("runner");
    let report = doctor(aws::keys(setup.cmd(), &held));
    healthy(&report, "AWS IAM at auth/");
    let report = doctor(aws::keys(setup.cmd(), &cloud.moto.assume("somebody")));
    let first = report.first(false).unwrap();
    assert_eq!((&first["id"], report.code), (&json!("login"), 4), "{:#}", report.body);
    assert!(first["seen"].as_str().unwrap().contains("does not belong to the role"), "{first}");
}

#[test]
fn certificates_are_looked_at() {
    let server = Server::start(&Options { tls: true, root_token: secret(), ..Options::default() });
    let space = Space::on(&server);
    let setup = cert::Setup::new(&space);
    let report = doctor(setup.cmd("runner"));
    healthy(&report, "TLS certificate at auth/");
    assert_eq!(report.step("tls")["status"], "ok", "{:#}", report.body);
    let report = doctor(setup.cmd("laptop"));
    let first = report.first(false).unwrap();
    assert_eq!((&first["id"], report.code), (&json!("login"), 4), "{:#}", report.body);
    assert!(first["hint"].as_str().unwrap().contains("allows its names too"), "{first}");
}

/// What looking costs is said before it is spent.
#[test]
fn a_wrapped_secret_id_is_used_up_and_that_is_said_first() {
    let space = Space::on(bao());
    let target = crate::logins::Target::new(&space);
    let login = space.approle("gitlab", json!({"token_policies": target.policy, "token_ttl": "20m"}));
    let bare = crate::support::space::AppRole { secret_id: None, ..login.clone() };
    let cmd = target.cmd().approle(&bare).env("VAULT_WRAPPED_SECRET_ID", wrapped(&space, &login));
    let report = doctor(cmd.clone());
    assert_eq!(report.code, 0, "{:#}", report.body);
    let ids: Vec<_> = report.steps().iter().map(|step| step["id"].as_str().unwrap()).collect();
    let place = |id: &str| ids.iter().position(|one| *one == id).unwrap();
    let method = report.step("method");
    assert!(place("method") < place("login"), "{ids:?}");
    assert_eq!(method["status"], "warn", "{method}");
    assert!(method["hint"].as_str().unwrap().contains("this look uses it up"), "{method}");
    // It did cost that.
    let report = doctor(cmd);
    let first = report.first(false).unwrap();
    assert!(first["seen"].as_str().unwrap().contains("may have been intercepted"), "{:#}", report.body);
    // A plain one may be good for one use too: a note, as most are good for more.
    let once = space.secret_id(&login, json!({"num_uses": 1}));
    let cmd = target.cmd().approle(&bare).env("VAULT_SECRET_ID", once);
    let report = doctor(cmd.clone());
    let method = report.step("method");
    assert_eq!((report.code, &method["status"]), (0, &json!("ok")), "{:#}", report.body);
    assert!(
        method["hint"].as_str().unwrap().contains("uses it up: give the job a new secret_id"),
        "{method}"
    );
    assert!(doctor(cmd).first(false).unwrap()["hint"].as_str().unwrap().contains("used up"));
    // Split custody costs the run nothing: it issues one of its own.
    let custody = target.cmd().split_custody(&login, &space.issuing_token(&login));
    let report = doctor(custody);
    healthy(&report, "AppRole at auth/");
    assert!(report.step("method")["hint"].is_null(), "{:#}", report.body);
    assert!(report.step("issuer")["seen"].as_str().unwrap().contains("issues secret_ids for gitlab"));
}
