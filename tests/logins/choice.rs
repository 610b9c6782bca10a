//! Which login, when none is named.

use serde_json::json;

use super::{Target, assert_issued};
use crate::support::{Space, jwt, secret};

#[test]
fn two_logins_are_one_too_many() {
    let space = Space::new();
    let target = Target::new(&space);
    let cmd = target.cmd().env("VAULT_ROLE_ID", secret()).env("VAULT_ID_TOKEN", jwt::mint(json!({})));
    insta::assert_snapshot!(cmd.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: VAULT_ROLE_ID and VAULT_ID_TOKEN are both set: AppRole or JWT?
    hint: set VAULT_AUTH_METHOD (or --auth) to approle or jwt
    ");
}

#[test]
fn old_gitlabs_tokens_do_not_disturb_split_custody() {
    let space = Space::new();
    let target = Target::new(&space);
    let login = space.approle("gitlab", json!({"token_policies": target.policy}));
    let cmd = target.cmd().split_custody(&login, &space.issuing_token(&login));
    let cmd = cmd.env("CI_JOB_JWT", jwt::mint(json!({}))).env("CI_JOB_JWT_V2", jwt::mint(json!({})));
    let run = assert_issued(cmd.run_both());
    assert!(!run.stderr.contains("CI_JOB_JWT"), "{run}");
}

#[test]
fn a_given_token_comes_before_what_old_gitlabs_put_into_every_job() {
    let space = Space::new();
    let target = Target::new(&space);
    let token = space.token(&[&target.policy], json!({}));
    let cmd = target.cmd().env("CI_JOB_JWT", "not.a.jwt").env("VAULT_TOKEN", token);
    assert_issued(cmd.clone().run_both());
    // An ID token that somebody asked for comes before it, and the name decides above all.
    let asked = cmd.env("VAULT_ID_TOKEN", "not.a.jwt");
    let run = asked.run_both().expect(3);
    assert!(run.stderr.contains("the ID token (VAULT_ID_TOKEN)"), "{run}");
    assert_issued(asked.env("BAO_AUTH_METHOD", "token").run_both());
}

#[test]
fn what_is_missing_is_named() {
    let space = Space::new();
    let target = Target::new(&space);
    insta::assert_snapshot!(target.cmd().run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there is nothing to log in with: no VAULT_ROLE_ID, VAULT_ID_TOKEN or VAULT_TOKEN
    hint: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`, or set one of these variables; VAULT_AUTH_METHOD names any other login: kubernetes, aws, cert, agent
    ");
    let dir = tempfile::tempdir().unwrap();
    let fork =
        target.cmd().job(dir.path()).env("CI_COMMIT_REF_PROTECTED", "false").env("CI_COMMIT_REF_NAME", "fix");
    let fork = fork.env("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "mallory/project");
    let fork = fork.env("CI_MERGE_REQUEST_PROJECT_PATH", "group/project");
    insta::assert_snapshot!(fork.clone().run_both().expect(3), @r#"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there is nothing to log in with: no VAULT_ROLE_ID, VAULT_ID_TOKEN or VAULT_TOKEN
    hint: this job runs on fix of the fork mallory/project, which is not protected: GitLab keeps protected variables from it; `rules: [{if: $CI_COMMIT_REF_PROTECTED == "true"}]` keeps the job off such refs
    hint: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`, or set one of these variables; VAULT_AUTH_METHOD names any other login: kubernetes, aws, cert, agent
    "#);
    insta::assert_snapshot!(fork.env("VAULT_AUTH_METHOD", "approle").run_both().expect(3), @r#"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the AppRole login needs a role_id, and none is set
    hint: this job runs on fix of the fork mallory/project, which is not protected: GitLab keeps protected variables from it; `rules: [{if: $CI_COMMIT_REF_PROTECTED == "true"}]` keeps the job off such refs
    hint: set VAULT_ROLE_ID or --role-id; where a runner has it, give the job that runner's tags
    "#);
    insta::assert_snapshot!(target.cmd().args(["--auth", "jwt"]).run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the JWT login needs an ID token, and none is set
    hint: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`, or name the token with --id-token-env
    ");
    insta::assert_snapshot!(target.cmd().args(["--auth", "ldap"]).run_both().expect(2), @r"
    exit code: 2
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 2) && false
    ----- stderr -----
    error: --auth names a login that does not exist
    hint: the logins are approle, jwt, kubernetes, aws, cert, agent, token
    ");
    let odd = target.cmd().env("VAULT_TOKEN", secret()).env("VAULT_AUTH_PATH", "auth/../sys");
    insta::assert_snapshot!(odd.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: VAULT_AUTH_PATH must be the mount of an auth method, such as jwt or auth/team/jwt
    hint: correct it, or unset VAULT_AUTH_PATH
    ");
    insta::assert_snapshot!(target.cmd().env("VAULT_AUTH_METHOD", "ldap").run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: VAULT_AUTH_METHOD names a login that does not exist
    hint: the logins are approle, jwt, kubernetes, aws, cert, agent, token
    ");
}
