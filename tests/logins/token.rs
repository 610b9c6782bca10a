//! A token that is given, and `ci-creds login`, which gives one.

use serde_json::json;

use super::{Target, assert_issued, file};
use crate::support::openbao;
use crate::support::{Space, jwt, require, script, secret};

#[test]
fn the_token_comes_from_a_variable_or_a_file() {
    let space = Space::new();
    let target = Target::new(&space);
    let token = space.token(&[&target.policy], json!({}));
    // A stray newline does no harm.
    assert_issued(target.cmd().env("VAULT_TOKEN", format!("{token}\n")).run_both());
    let (_dir, path) = file(&token);
    assert_issued(target.cmd().env("BAO_TOKEN_PATH", path).env("VAULT_AUTH_METHOD", "token").run_both());
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault-token"), format!("{token}\n")).unwrap();
    let at_home = target.cmd().env("HOME", home.path());
    assert_issued(at_home.run_both());
    // Not in CI, where a runner's home is everybody's.
    insta::assert_snapshot!(at_home.env("CI", "true").env("NO_COLOR", "1").run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: there is nothing to log in with: no VAULT_ROLE_ID, VAULT_ID_TOKEN or VAULT_TOKEN
    hint: give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`, or set one of these variables; VAULT_AUTH_METHOD names any other login: kubernetes, aws, cert, agent
    ");
    assert!(space.is_alive(&token), "a given token is never revoked");
}

#[test]
fn tokens_that_are_none() {
    let space = Space::new();
    let target = Target::new(&space);
    let bad = target.cmd().env("VAULT_TOKEN", format!("{}\u{7}x", secret()));
    insta::assert_snapshot!(bad.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the token (VAULT_TOKEN) can't be used: it has blanks or characters that can't be printed
    hint: give it as it was issued, on one line
    ");
    let umlaut = target.cmd().env("VAULT_TOKEN", "tökén");
    insta::assert_snapshot!(umlaut.run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the token (VAULT_TOKEN) can't be used: it has blanks or characters that can't be printed
    hint: give it as it was issued, on one line
    ");
    let dead = target.cmd().env("VAULT_TOKEN", secret());
    insta::assert_snapshot!(dead.run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the read of X-exoscale/apikey/ci
      caused by: permission denied
    hint: VAULT_TOKEN has ended, most likely: give a new one; where `ci-creds login` set it, first `unset VAULT_TOKEN VAULT_AUTH_METHOD`
    hint: the policy must have: path "X-exoscale/apikey/ci" { capabilities = ["read"] }
    hint: a wrong role (is it ci?), an unknown mount, and a token that has ended, are refused in the same way
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
}

/// The terminal session of story 2, with the real `bao` on PATH.
#[test]
fn login_serves_bao_and_later_calls() {
    let space = Space::new();
    let (target, jwt) = (Target::new(&space), space.jwt());
    jwt.role("web-pipeline", json!({"token_policies": target.policy}));
    let bao = openbao::binary();
    let Some(bash) = require("bash") else { return };
    let session = |text: &str| {
        let path = format!("PATH={}:$PATH", bao.parent().unwrap().display());
        let name = bao.file_name().unwrap().to_string_lossy().into_owned();
        let text = format!("{path}\nbao() {{ command {name} \"$@\"; }}\n{text}");
        script(bash.file_name().unwrap().to_str().unwrap(), &text).vault(space.server).may_show_secrets()
    };
    let token = jwt::mint(json!({}));
    let job = session("eval $(ci-creds login); bao token lookup").jwt(&jwt, "web-pipeline", &token);
    let run = job.run().expect(0);
    assert!(run.stdout.contains("web-pipeline") && run.stdout.contains("display_name"), "{run}");
    let again =
        session("eval $(ci-creds login); eval $(ci-creds exoscale ci); test -n \"$EXOSCALE_API_KEY\"");
    let again = again.env("CI_CREDS_EXOSCALE_MOUNT", &target.mount);
    again.clone().jwt(&jwt, "web-pipeline", &token).run().expect(0);
    // Split custody: the issuing token is gone after the login, and nobody misses it.
    let login = space.approle("gitlab", json!({"token_policies": target.policy}));
    again.split_custody(&login, &space.issuing_token(&login)).run().expect(0);
}

#[test]
fn login_hands_over_what_came_from_flags() {
    let space = Space::new();
    let (target, jwt) = (Target::new(&space), space.jwt());
    jwt.role("web-pipeline", json!({"token_policies": target.policy}));
    let cmd = target.with(&["login", "--addr", &space.server.addr, "--format", "json"]).no_env("VAULT_ADDR");
    let cmd = cmd.jwt(&jwt, "web-pipeline", &jwt::mint(json!({})));
    let run = cmd.run_both().expect(0);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let variables = &json["credentials"][0]["variables"];
    assert_eq!(variables["VAULT_ADDR"], json!(space.server.addr));
    assert_eq!(variables["VAULT_AUTH_METHOD"], "token");
    assert!(space.is_alive(variables["VAULT_TOKEN"].as_str().unwrap()), "{run}");
}
