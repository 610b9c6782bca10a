//! ID tokens that Vault refuses, and what each refusal means.

use serde_json::json;

use super::Setup;
use crate::support::{Space, jwt};

#[test]
fn refused_claims_are_explained() {
    let space = Space::new();
    let setup = Setup::new(&space);
    insta::assert_snapshot!(setup.cmd(json!({"ref": "dev"})).run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating claims: claim "ref" does not match any associated bound claim values
      this token says: namespace_path=group project_id=22 project_path=group/project ref=dev ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: run this job where the role allows it: its ref is not among the role's bound_claims
    hint: or the role's bound_claims must contain ref=dev, which also lets in every other job with it
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    insta::assert_snapshot!(setup.cmd(json!({"ref": null})).run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating claims: claim "ref" is missing
      this token says: namespace_path=group project_id=22 project_path=group/project ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: run this job where the role allows it: its ref is not among the role's bound_claims
    hint: the role's bound_claims ask for ref, which this token does not have: whoever takes ref out of them opens the role to every job that meets the rest
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    insta::assert_snapshot!(setup.cmd(json!({"aud": "https://other.example.com"})).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating token: invalid audience (aud) claim: audience claim does not match any expected audience
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://other.example.com iss=https://gitlab.example.com
    hint: set aud in the job's id_tokens: to what the role is bound to; or the role's bound_audiences must contain the token's aud: https://other.example.com
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    insta::assert_snapshot!(setup.cmd(json!({"iss": "https://other.example.com"})).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating token: invalid issuer (iss) claim
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://other.example.com
    hint: the mount's bound_issuer must be the token's iss: https://other.example.com
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    setup.role("deploy", json!({"user_claim": "nothing"}));
    insta::assert_snapshot!(setup.cmd(json!({})).run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: claim "nothing" not found in token
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: set user_claim=project_path, or another claim that the token has, on the role deploy
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    setup.role("deploy", json!({"user_claim": "runner_id"}));
    insta::assert_snapshot!(setup.cmd(json!({})).run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: claim "runner_id" could not be converted to string
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com runner_id=1
    hint: set user_claim=project_path, or another claim that is text, on the role deploy
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    setup.role("deploy", json!({"bound_audiences": [], "bound_claims": {"ref": "main"}}));
    insta::assert_snapshot!(setup.cmd(json!({})).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: audience claim found in JWT but no audiences bound to the role
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: the role's bound_audiences must contain https://vault.example.com
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    setup.role("deploy", json!({"bound_subject": "project_path:group/other"}));
    insta::assert_snapshot!(setup.cmd(json!({})).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating token: invalid subject (sub) claim
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: run this job where the role's bound_subject allows it; or the role's bound_subject must be the token's sub: project_path:group/project:ref_type:branch:ref:main
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    setup.role("deploy", json!({"bound_subject": "", "bound_claims": {"user_email": "bob@example.com"}}));
    insta::assert_snapshot!(setup.cmd(json!({})).run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating claims: claim "user_email" does not match any associated bound claim values
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: run this job where the role allows it: its user_email is not among the role's bound_claims
    hint: or the role's bound_claims must contain the token's user_email, which is not shown here
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}

#[test]
fn refused_roles_and_mounts_are_explained() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let cmd = setup.cmd(json!({}));
    insta::assert_snapshot!(cmd.clone().env("VAULT_AUTH_ROLE", "nope").run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role nope
      caused by: role "nope" could not be found
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: there is no role nope at auth/X-jwt: check VAULT_AUTH_ROLE and VAULT_AUTH_PATH
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    insta::assert_snapshot!(cmd.clone().no_env("VAULT_AUTH_ROLE").run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt
      caused by: missing role
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: set VAULT_AUTH_ROLE or --auth-role, or a default_role at auth/X-jwt
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    insta::assert_snapshot!(cmd.clone().env("VAULT_AUTH_PATH", "nowhere").run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/nowhere, role deploy
      caused by: permission denied
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: is the JWT method mounted at auth/nowhere? --auth-path or VAULT_AUTH_PATH names another mount, VAULT_NAMESPACE another namespace; else the address of this runner may not be among those that the role allows
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let empty = space.auth("jwt");
    insta::assert_snapshot!(cmd.clone().env("VAULT_AUTH_PATH", &empty).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: could not load configuration
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: auth/X-jwt is not configured: it needs GitLab's oidc_discovery_url or jwks_url
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    setup.role("deploy", json!({"token_bound_cidrs": "192.0.2.0/24"}));
    insta::assert_snapshot!(cmd.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: permission denied
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: is the JWT method mounted at auth/X-jwt? --auth-path or VAULT_AUTH_PATH names another mount, VAULT_NAMESPACE another namespace; else the address of this runner may not be among those that the role allows
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}

#[test]
fn a_token_of_another_gitlab_is_explained() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let token = jwt::mint(json!({}));
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let other = format!("{rest}.{}", signature.chars().rev().collect::<String>());
    let cmd = setup.cmd(json!({})).no_env("VAULT_ID_TOKEN").env("CI_JOB_JWT_V2", other);
    insta::assert_snapshot!(cmd.run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    warning: CI_JOB_JWT_V2 is gone from GitLab 17 on: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`
    error: Vault refused the JWT login at auth/X-jwt, role deploy
      caused by: error validating token: error verifying token signature: no known key successfully validated the token signature
      this token says: namespace_path=group project_id=22 project_path=group/project ref=main ref_type=branch ref_protected=true pipeline_id=1212 pipeline_source=push job_id=4242 environment=production environment_protected=true deployment_tier=production sub=project_path:group/project:ref_type:branch:ref:main aud=https://vault.example.com iss=https://gitlab.example.com
    hint: the mount must use the keys of the GitLab that made the token: set its oidc_discovery_url to https://gitlab.example.com
    hint: CI_JOB_JWT_V2 is the token of GitLab before 17: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}` instead
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
}
