//! ID tokens that ci-creds finds useless by itself, and by whose clock.

use serde_json::json;

use super::Setup;
use crate::support::run::Run;
use crate::support::{Fake, Reply, Space};

#[test]
fn a_token_that_cannot_work_is_not_sent() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let now = jiff::Timestamp::now().as_second();
    let expired = setup.cmd(json!({"exp": now - 7205}));
    insta::assert_snapshot!(tidy(&expired.run_both().expect(3)), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the ID token (VAULT_ID_TOKEN) can't be used: it expired HOURS ago
    hint: an ID token lives as long as the job may run: log in earlier in the job
    ");
    let early = setup.cmd(json!({"nbf": now + 7230}));
    insta::assert_snapshot!(tidy(&early.run_both().expect(3)), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the ID token (VAULT_ID_TOKEN) can't be used: it is not valid for another HOURS
    hint: compare the clocks of GitLab, Vault and this runner
    ");
    let none = setup.cmd(json!({})).env("VAULT_ID_TOKEN", "not.a.jwt");
    insta::assert_snapshot!(none.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the ID token (VAULT_ID_TOKEN) can't be used: it is not a JWT
    hint: it takes the token of `id_tokens:` in .gitlab-ci.yml, as it is
    ");
}

#[test]
fn the_clock_that_counts_is_vaults() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let now = jiff::Timestamp::now().as_second();
    // By this machine's clock the token is two hours old, by Vault's it has just begun.
    let behind = dated(-7200, "stop here");
    let cmd = setup
        .cmd(json!({"iat": now - 9000, "nbf": now - 9000, "exp": now - 3600}))
        .env("VAULT_ADDR", &behind.addr);
    insta::assert_snapshot!(tidy(&cmd.run_both().expect(4)), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    warning: this machine's clock is wrong: by Vault's, the ID token is good
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: stop here
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    // Expired by both clocks; and the other way round, by Vault's alone.
    let cmd = setup.cmd(json!({"nbf": now - 15_000, "exp": now - 10_805})).env("VAULT_ADDR", &behind.addr);
    insta::assert_snapshot!(tidy(&cmd.run_both().expect(3)), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the ID token (VAULT_ID_TOKEN) can't be used: it expired HOURS ago
      this machine's clock is HOURS ahead of Vault's
    hint: an ID token lives as long as the job may run: log in earlier in the job
    ");
    let expired = "error validating token: invalid expiration time (exp) claim: token is expired";
    let ahead = dated(7200, expired);
    let cmd = setup.cmd(json!({"exp": now + 3600})).env("VAULT_ADDR", &ahead.addr);
    insta::assert_snapshot!(tidy(&cmd.run_both().expect(4)), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating token: invalid expiration time (exp) claim: token is expired
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
      this machine's clock is HOURS behind Vault's
    hint: an ID token lives as long as the job may run: log in early; or are the clocks apart?
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

/// The seconds of a duration depend on when the run was.
fn tidy(run: &Run) -> String {
    let text = run.to_string();
    regex::Regex::new(r"\b(\d+h|\d+m)+\d+s\b|\b\dh\b").unwrap().replace_all(&text, "HOURS").into_owned()
}

/// A server with a clock of its own, `ahead` of this machine's: every answer is this refusal.
fn dated(ahead: i64, refusal: &'static str) -> Fake {
    let time = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + ahead).unwrap();
    let date = time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string();
    let body = json!({"errors": [refusal]}).to_string();
    Fake::new(move |_| Reply::Full(400, date.clone(), body.clone().into()))
}
