//! AppRole in all its forms.

use serde_json::{Value, json};

use super::{Target, assert_issued, file};
use crate::support::run::Run;
use crate::support::space::AppRole;
use crate::support::{Cmd, Options, Server, Space, require, secret};

fn approle(target: &Target<'_>, mut params: Value) -> AppRole {
    params["token_policies"] = json!(target.policy);
    target.space.approle("gitlab", params)
}

/// A wrapping token with a new secret_id of the role inside.
pub fn wrapped(space: &Space<'_>, login: &AppRole) -> String {
    let path = format!("auth/{}/role/{}/secret-id", login.mount, login.role);
    let policy = space.policy(&format!("path \"{path}\" {{ capabilities = [\"update\"] }}"));
    let issuer = space.token(&[&policy], json!({}));
    let issued = wrapping(space, &issuer, &path);
    issued["wrap_info"]["token"].as_str().unwrap().to_owned()
}

/// One call with the header that wraps its answer.
fn wrapping(space: &Space<'_>, token: &str, path: &str) -> Value {
    let url = format!("{}/v1/{path}", space.server.addr);
    let headers = [format!("X-Vault-Token: {token}"), "X-Vault-Wrap-TTL: 60".to_owned()];
    let curl = Cmd::program(require("curl").expect("curl makes the wrapping tokens")).args([
        "-s",
        "-X",
        "POST",
        &url,
        "-d",
        "{\"a\":\"b\"}",
    ]);
    let run = headers.iter().fold(curl, |curl, header| curl.args(["-H", header])).may_show_secrets().run();
    serde_json::from_str(&run.stdout).unwrap()
}

fn without_secret_id(login: &AppRole) -> AppRole {
    AppRole { secret_id: None, ..login.clone() }
}

#[test]
fn the_secret_id_comes_from_a_variable_a_file_or_standard_input() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    assert_issued(target.cmd().approle(&login).run_both());
    let bare = target.cmd().approle(&without_secret_id(&login));
    let (_dir, path) = file(&format!("{}\n", login.secret_id.as_ref().unwrap()));
    assert_issued(bare.clone().env("CI_CREDS_SECRET_ID_FILE", &path).run_both());
    // A flag wins over a variable.
    let wrong = bare.clone().env("VAULT_SECRET_ID", secret());
    assert_issued(wrong.args(["--secret-id-file".as_ref(), path.as_os_str()]).run_both());
    let stdin = bare.clone().args(["--secret-id-file", "-"]).stdin(login.secret_id.unwrap());
    assert_issued(stdin.run_both());
}

#[test]
fn a_role_may_do_without_a_secret_id() {
    let space = Space::new();
    let target = Target::new(&space);
    let params = json!({"bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8"});
    let login = approle(&target, params);
    assert_issued(target.cmd().approle(&login).run_both());
}

#[test]
fn a_wrapped_secret_id_is_checked_and_opened() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    let bare = target.cmd().approle(&without_secret_id(&login));
    let token = wrapped(&space, &login);
    let cmd = bare.clone().env("VAULT_WRAPPED_SECRET_ID", &token).env("VAULT_AUTH_ROLE", "gitlab");
    assert_issued(cmd.run());
    // The name of the AppRole need not be known.
    let (_dir, path) = file(&wrapped(&space, &login));
    assert_issued(bare.env("CI_CREDS_WRAPPED_SECRET_ID_FILE", path).run());
    insta::assert_snapshot!(cmd.run().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: the wrapped secret_id (VAULT_WRAPPED_SECRET_ID) may have been intercepted: Vault says of its token: wrapping token is not valid or does not exist
    hint: a wrapping token is good for one use and a short time: did a retried job use it, or is it too old? Give the job a new one
    hint: if not, somebody else has the secret_id: destroy it (auth/X-approle/role/gitlab/secret-id-accessor/destroy), look in Vault's audit log for who called sys/wrapping/unwrap, and find out who could read the variable
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

#[test]
fn a_foreign_wrapping_token_is_not_opened() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    let foreign = wrapping(&space, &space.server.root_token, "sys/wrapping/wrap");
    let foreign = foreign["wrap_info"]["token"].as_str().unwrap();
    let cmd = target.cmd().approle(&without_secret_id(&login)).env("VAULT_WRAPPED_SECRET_ID", foreign);
    insta::assert_snapshot!(cmd.clone().env("VAULT_AUTH_ROLE", "gitlab").run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: the wrapped secret_id (VAULT_WRAPPED_SECRET_ID) may have been intercepted: its token was made at sys/wrapping/wrap, not at auth/X-approle/role/gitlab/secret-id
    hint: give the job the wrapping token of a POST to auth/X-approle/role/gitlab/secret-id, with X-Vault-Wrap-TTL
    hint: if that is what it should have been, somebody exchanged it, and has the secret_id: destroy that, and find out who could write the variable
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let other = space.approle("other", json!({}));
    let other = target
        .cmd()
        .approle(&without_secret_id(&login))
        .env("VAULT_WRAPPED_SECRET_ID", wrapped(&space, &other));
    insta::assert_snapshot!(other.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: the wrapped secret_id (VAULT_WRAPPED_SECRET_ID) may have been intercepted: its token was made at auth/X-approle/role/other/secret-id, not at auth/X-approle/role/ROLE/secret-id
    hint: give the job the wrapping token of a POST to auth/X-approle/role/ROLE/secret-id, with X-Vault-Wrap-TTL
    hint: if that is what it should have been, somebody exchanged it, and has the secret_id: destroy that, and find out who could write the variable
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    // It is still closed.
    let lookup = space.server.api("POST", "sys/wrapping/lookup", json!({"token": foreign}));
    assert_eq!(lookup.status, 200);
}

#[test]
fn split_custody_issues_a_secret_id_with_the_jobs_facts() {
    let server = Server::start(&Options { audit: true, root_token: secret(), ..Options::default() });
    let space = Space::on(&server);
    let target = Target::new(&space);
    let login = approle(&target, json!({"secret_id_num_uses": 1}));
    let dir = tempfile::tempdir().unwrap();
    let cmd = target.cmd().job(dir.path()).env("GITLAB_USER_LOGIN", "alice");
    let cmd = cmd.split_custody(&login, &space.issuing_token(&login));
    assert_issued(cmd.run_both());
    let path = format!("auth/{}/role/gitlab/secret-id", login.mount);
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
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    let rule = |more: &str| {
        let path = format!("auth/{}/role/gitlab/secret-id", login.mount);
        let policy = space.policy(&format!("path \"{path}\" {{ capabilities = [\"update\"]\n{more} }}"));
        space.token(&[&policy], json!({}))
    };
    let dir = tempfile::tempdir().unwrap();
    let cmd = target.cmd().job(dir.path());
    let hardened = rule("allowed_parameters = { \"ttl\" = [] }");
    assert_issued(cmd.clone().split_custody(&login, &hardened).run_both());
    let wrapping = rule("min_wrapping_ttl = \"10s\"\nmax_wrapping_ttl = \"5m\"");
    let wrapping = cmd.split_custody(&login, &wrapping);
    assert_issued(wrapping.clone().env("VAULT_WRAP_TTL", "60s").run_both());
    insta::assert_snapshot!(wrapping.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused to issue a secret_id at auth/X-approle/role/gitlab/secret-id
      caused by: permission denied
    hint: is gitlab the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it
    hint: the policy of VAULT_TOKEN must have: path "auth/X-approle/role/gitlab/secret-id" { capabilities = ["update"] }
    hint: VAULT_TOKEN must be the issuing token: has it ended, or is it the token of a login?
    hint: a policy with min_wrapping_ttl wants VAULT_WRAP_TTL, such as 60s
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}

#[test]
fn an_issuing_token_that_may_not_issue() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    let cmd = target.cmd().split_custody(&login, &space.issuing_token(&login));
    let refused = cmd.clone().env("VAULT_TOKEN", space.token(&["default"], json!({})));
    insta::assert_snapshot!(refused.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused to issue a secret_id at auth/X-approle/role/gitlab/secret-id
      caused by: permission denied
    hint: is gitlab the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it
    hint: the policy of VAULT_TOKEN must have: path "auth/X-approle/role/gitlab/secret-id" { capabilities = ["update"] }
    hint: VAULT_TOKEN must be the issuing token: has it ended, or is it the token of a login?
    hint: a policy with min_wrapping_ttl wants VAULT_WRAP_TTL, such as 60s
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let root = cmd.clone().env("VAULT_AUTH_ROLE", "nobody").env("VAULT_TOKEN", &space.server.root_token);
    insta::assert_snapshot!(root.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
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
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle, role gitlab
      caused by: invalid role or secret ID
    hint: the secret_id was issued for the AppRole gitlab just now: is VAULT_ROLE_ID that AppRole's role_id?
    hint: the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    insta::assert_snapshot!(target.with(&["login"]).split_custody(&login, "s").no_env("VAULT_AUTH_ROLE").run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
    unset VAULT_TOKEN BAO_TOKEN; (exit 3)
    ----- stderr -----
    error: VAULT_TOKEN can't issue a secret_id: the AppRole's name is not set
    hint: set VAULT_AUTH_ROLE or --auth-role to the AppRole's name
    ");
}

#[test]
fn refused_ids() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    let used = space.secret_id(&login, json!({"num_uses": 1}));
    let cmd = target.cmd().approle(&login).env("VAULT_SECRET_ID", &used);
    assert_issued(cmd.run());
    insta::assert_snapshot!(cmd.run().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: invalid role or secret ID
    hint: the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let beside = cmd.env("VAULT_TOKEN", space.issuing_token(&login));
    insta::assert_snapshot!(beside.run().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: invalid role or secret ID
    hint: if VAULT_TOKEN is a token that may issue secret_ids, `unset VAULT_SECRET_ID`: it comes first, and may be used up
    hint: the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    assert_issued(beside.no_env("VAULT_SECRET_ID").env("VAULT_AUTH_ROLE", "gitlab").run());
    let none = target.cmd().approle(&without_secret_id(&login));
    insta::assert_snapshot!(none.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: missing secret_id
    hint: set VAULT_SECRET_ID, VAULT_WRAPPED_SECRET_ID or --secret-id-file, or VAULT_TOKEN to a token that may issue secret_ids
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let bound = space.secret_id(&login, json!({"cidr_list": ["192.0.2.0/24"]}));
    let bound = target.cmd().approle(&login).env("VAULT_SECRET_ID", bound);
    insta::assert_snapshot!(bound.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: source address "127.0.0.1" unauthorized through CIDR restrictions on the secret ID
    hint: this runner's address is not among the secret_id's bound CIDRs
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let text = target.cmd().approle(&login).env("VAULT_SECRET_ID", "two\nlines");
    insta::assert_snapshot!(text.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 3)
    ----- stderr -----
    error: secret_id (VAULT_SECRET_ID) can't be used: it has blanks or characters that can't be printed
    hint: give it as it was issued, on one line
    ");
}

#[test]
fn a_locked_role_and_a_missing_mount_look_the_same() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({}));
    let wrong = target.cmd().approle(&login).env("VAULT_SECRET_ID", secret());
    let codes: Vec<Run> = (0..5).map(|_| wrong.run()).collect();
    assert!(codes.iter().all(|run| run.code == 4));
    insta::assert_snapshot!(target.cmd().approle(&login).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/X-approle
      caused by: permission denied
    hint: five wrong secret_ids lock an AppRole for 15 minutes, even for the right one; or no AppRole is mounted at auth/X-approle: --auth-path or VAULT_AUTH_PATH names another mount
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let nowhere = AppRole { mount: "nowhere".to_owned(), ..login };
    insta::assert_snapshot!(target.cmd().approle(&nowhere).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the AppRole login at auth/nowhere
      caused by: permission denied
    hint: five wrong secret_ids lock an AppRole for 15 minutes, even for the right one; or no AppRole is mounted at auth/nowhere: --auth-path or VAULT_AUTH_PATH names another mount
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

#[test]
fn a_token_that_is_bound_to_other_addresses_logs_in_and_reads_nothing() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = approle(&target, json!({"token_bound_cidrs": "192.0.2.0/24"}));
    insta::assert_snapshot!(target.cmd().approle(&login).run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
    unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; (exit 4)
    ----- stderr -----
    error: Vault refused the read of X-exoscale/apikey/ci
      caused by: permission denied
    hint: the policy must have: path "X-exoscale/apikey/ci" { capabilities = ["read"] }
    hint: a wrong role (is it ci?), an unknown mount, and a token that has ended, are refused in the same way
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}
