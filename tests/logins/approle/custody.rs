//! AppRole by split custody: a token that may issue secret_ids, and the role_id elsewhere.

use serde_json::{Value, json};

use super::Setup;
use crate::logins::assert_issued;
use crate::support::{Options, Server, Space, secret};

#[test]
fn split_custody_issues_a_secret_id_with_the_jobs_facts() {
    let server = Server::start(&Options { audit: true, root_token: secret(), ..Options::default() });
    let space = Space::on(&server);
    let setup = Setup::new(&space, json!({"secret_id_num_uses": 1}));
    let dir = tempfile::tempdir().unwrap();
    let cmd = setup.target.cmd().job(dir.path()).env("GITLAB_USER_LOGIN", "alice");
    let cmd = cmd.split_custody(&setup.login, &space.issuing_token(&setup.login));
    assert_issued(cmd.run_both());
    let path = format!("auth/{}/role/gitlab/secret-id", setup.login.mount);
    let issues = || {
        let audit = server.audit().into_iter().filter(|request| request["path"] == json!(path));
        audit.map(|request| request["data"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(issues().len(), 2);
    // The audit log hashes what is sent; the login's answer has it in the clear.
    let log = std::fs::read_to_string(server.dir.join("audit.log")).unwrap();
    for fact in ["group/project", "4242", "1212", "main", "alice"] {
        assert!(log.contains(&format!("\"{fact}\"")), "{fact} is not in the audit log");
    }
    assert_issued(cmd.args(["--no-metadata"]).run());
    assert_eq!(issues().last(), Some(&Value::Null), "{:?}", issues());
}

#[test]
fn a_policy_that_forbids_metadata_gets_the_request_again_without() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let rule = |more: &str| {
        let path = format!("auth/{}/role/gitlab/secret-id", setup.login.mount);
        let policy = space.policy(&format!("path \"{path}\" {{ capabilities = [\"update\"]\n{more} }}"));
        space.token(&[&policy], json!({}))
    };
    let dir = tempfile::tempdir().unwrap();
    let cmd = setup.target.cmd().job(dir.path());
    let hardened = rule("allowed_parameters = { \"ttl\" = [] }");
    assert_issued(cmd.clone().split_custody(&setup.login, &hardened).run_both());
    let wrapping = rule("min_wrapping_ttl = \"10s\"\nmax_wrapping_ttl = \"5m\"");
    let wrapping = cmd.split_custody(&setup.login, &wrapping);
    assert_issued(wrapping.clone().env("VAULT_WRAP_TTL", "60s").run_both());
    insta::assert_snapshot!(wrapping.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused to issue a secret_id at auth/X-approle/role/gitlab/secret-id
      caused by: permission denied
    hint: a policy with min_wrapping_ttl wants VAULT_WRAP_TTL, such as 60s
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}

#[test]
fn an_issuing_token_that_may_not_issue() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let cmd = setup.target.cmd().split_custody(&setup.login, &space.issuing_token(&setup.login));
    let refused = cmd.clone().env("VAULT_TOKEN", space.token(&["default"], json!({})));
    insta::assert_snapshot!(refused.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused to issue a secret_id at auth/X-approle/role/gitlab/secret-id
      caused by: permission denied
    hint: is gitlab the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it
    hint: the policy of VAULT_TOKEN must have: path "auth/X-approle/role/gitlab/secret-id" { capabilities = ["update"] }
    hint: VAULT_TOKEN is alive, and must be the issuing token: is it the token of a login?
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let root = cmd.clone().env("VAULT_AUTH_ROLE", "nobody").env("VAULT_TOKEN", &space.server.root_token);
    insta::assert_snapshot!(root.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused to issue a secret_id at auth/X-approle/role/nobody/secret-id
      caused by: role "nobody" does not exist
    hint: is nobody the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let wrong = cmd.clone().env("VAULT_ROLE_ID", secret());
    insta::assert_snapshot!(wrong.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle, role gitlab
      caused by: invalid role or secret ID
    hint: the secret_id was issued for the AppRole gitlab just now: is VAULT_ROLE_ID that AppRole's role_id?
    hint: the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    insta::assert_snapshot!(setup.target.with(&["login"]).split_custody(&setup.login, "s").no_env("VAULT_AUTH_ROLE").run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset VAULT_TOKEN BAO_TOKEN; false && true; (exit 3) && false
    ----- stderr -----
    error: VAULT_TOKEN can't issue a secret_id: the AppRole's name is not set
    hint: set VAULT_AUTH_ROLE or --auth-role to the AppRole's name
    ");
}

/// A bare 403 means many things: one look at the token tells which comes first.
#[test]
fn an_issuing_token_that_has_ended_is_told_first() {
    let space = Space::new();
    let setup = Setup::new(&space, json!({}));
    let run = setup.target.cmd().split_custody(&setup.login, &secret()).run_both().expect(4);
    let first = run.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap();
    assert!(first.starts_with("hint: VAULT_TOKEN has ended, most likely"), "{run}");
}
