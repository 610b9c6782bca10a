//! Where something is wrong: the script stops with the documented code, and the error says what to change.

use serde_json::json;

use super::story::{ROLE, Story};
use crate::support::{Cmd, Fake, Options, Reply, Server, Space, fake, jwt, require, script, secret};

const SCRIPT: &str = "eval $(ci-creds exoscale $ROLE); test -n \"$EXOSCALE_API_KEY\"; echo went on";

/// Runs the script in dash and bash; nothing on stdout, and this status, in both.
#[track_caller]
fn stops(job: impl Fn(&str) -> Cmd, code: i32) {
    for shell in ["dash", "bash"] {
        let run = job(shell).env("VAULT_MAX_RETRIES", "1").run().expect(code);
        assert_eq!(run.stdout, "", "{shell}: {run}");
        // The one thing that may come first tells what was waited for.
        let first = run.stderr.lines().find(|line| !line.ends_with("; trying again")).unwrap_or_default();
        assert!(first.starts_with("error: "), "{shell}: {run}");
    }
}

/// Runner's older bash runs a script as `: | eval …`, and reports 1 for whatever fails there
/// (gitlab-runner `shells/bash.go`, FF_USE_NEW_BASH_EVAL_STRATEGY).
#[test]
fn the_old_way_of_gitlab_runner_keeps_the_code_behind_exit() {
    // What it looks at is bash's `pipefail`: another shell in its place tells nothing.
    if require("bash").is_none() {
        return;
    }
    let code = |line: &str| {
        let text = format!("set -o pipefail\n: | eval $'{}\\necho after'\nexit 0", line.replace('\'', "\\'"));
        script("bash", &text).run().code
    };
    for call in ["eval \"$(ci-creds exoscale ci)\"", "eval $(ci-creds exoscale ci)"] {
        assert_eq!(code(call), 1, "{call}");
        assert_eq!(code(&format!("{call} || exit $?")), 3, "{call}");
    }
    assert_eq!(code("ci-creds exoscale ci -- true || exit $?"), 3);
}

#[test]
fn the_script_stops_with_the_documented_code() {
    let space = Space::new();
    let story = Story::new(&space);
    let job = |shell: &str| story.script(shell, SCRIPT).env("ROLE", "");
    stops(|shell| job(shell).env("ROLE", "nobody"), 4);
    stops(|shell| job(shell).env("VAULT_ADDR", "http://127.0.0.1:1"), 5);
    stops(|shell| job(shell).env("VAULT_ADDR", ""), 3);
    let denied = space.token(&["default"], json!({}));
    stops(|shell| job(shell).env("VAULT_AUTH_METHOD", "token").env("VAULT_TOKEN", &denied), 4);
    stops(|shell| story.script(shell, "eval $(ci-creds exoscal); echo went on"), 2);
    stops(|shell| story.script(shell, "eval $(ci-creds exoscale --no-such-option); echo went on"), 2);
}

#[test]
fn a_sealed_server_is_unreachable() {
    let server = Server::start(&Options::default());
    server.ok("PUT", "sys/seal", json!({}));
    let job = |shell: &str| script(shell, SCRIPT).vault(&server).env("VAULT_TOKEN", "none").env("ROLE", "ci");
    stops(job, 5);
    let run = Cmd::new(["exoscale", "ci"])
        .vault(&server)
        .env("VAULT_TOKEN", "none")
        .env("VAULT_MAX_RETRIES", "0")
        .run();
    insta::assert_snapshot!(run, @r"
    exit code: 5
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 5) && false
    ----- stderr -----
    error: Vault could not carry out the read of exoscale/apikey/ci
      caused by: Vault is sealed
    hint: unseal it, then retry the job
    ");
}

#[test]
fn a_denied_read_names_the_policy() {
    let space = Space::new();
    let story = Story::new(&space);
    let run = story.run(["exoscale", "nobody"]).env("CI_CREDS_EXOSCALE_MOUNT", "exoscale").run();
    insta::assert_snapshot!(run, @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the read of exoscale/creds/nobody
      caused by: permission denied
    hint: the policy must have: path "exoscale/creds/nobody" { capabilities = ["read"] }
    hint: a wrong role (is it nobody?), an unknown mount, and a token that has ended, are refused in the same way
    hint: `ci-creds doctor exoscale nobody` looks at each step of this run
    "#);
    assert!(space.login_tokens().is_empty(), "the login is taken back");
}

#[test]
fn a_refused_job_shows_its_claims() {
    let space = Space::new();
    let story = Story::new(&space);
    let [_, (_, job), _] = story.logins(&Cmd::new(["exoscale"]));
    let run = job
        .env("VAULT_ID_TOKEN", jwt::mint(json!({"ref": "dev", "aud": "https://vault.example.com"})))
        .run_both();
    assert_eq!(run.code, 4, "{run}");
    let expected = [
        "error: Vault refused the JWT login at auth/",
        "  caused by: error validating claims: claim \"ref\" does not match any associated bound claim values",
        "  this token says: ",
        " ref=dev ref_type=branch ",
        "hint: run this job where the role allows it: its ref is not among the role's bound_claims",
    ];
    for part in expected {
        assert!(run.stderr.contains(part), "{part} is missing in {run}");
    }
    assert!(!run.stderr.contains("user_email"), "{run}");
}

#[test]
fn an_issuing_token_that_may_not_issue_is_told_apart() {
    let space = Space::new();
    let story = Story::new(&space);
    let run = story.run(["exoscale"]).env("VAULT_TOKEN", &story.token).run_both();
    assert_eq!(run.code, 4);
    let policy = format!(
        "path \"auth/{}/role/{ROLE}/secret-id\" {{ capabilities = [\"update\"] }}",
        story.approle.mount
    );
    assert!(run.stderr.contains(&policy), "{run}");
}

/// What users of to-be-continuous have in their projects.
#[test]
fn to_be_continuous_names_are_known() {
    let run =
        |name: &str| Cmd::new(["exoscale", "ci"]).env(name, "https://vault.example.com/v1/").run().expect(3);
    let text = run("VAULT_BASE_URL").stderr;
    assert!(text.contains("not set: VAULT_BASE_URL is to-be-continuous' variable"), "{text}");
    assert!(text.contains("hint: set VAULT_ADDR to the same address without /v1 at its end"), "{text}");
    let text = run("VAULT_ADDR").stderr;
    assert!(text.contains("VAULT_ADDR ends with /v1, which belongs to each request"), "{text}");
}

#[test]
fn what_is_not_set_is_named() {
    let without = |cmd: Cmd| cmd.run_both().to_string();
    insta::assert_snapshot!(without(Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", " ")), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the address of Vault is not set
    hint: set VAULT_ADDR or --addr, such as https://vault.example.com:8200
    ");
    let there = || Cmd::new(["scaleway"]).env("VAULT_ADDR", "https://vault.example.com");
    let text = without(there());
    assert!(
        text.contains("error: the scaleway role is not set\nhint: give ROLE, or set CI_CREDS_SCALEWAY_ROLE"),
        "{text}"
    );
    let text = without(there().env("CI_CREDS_ROLE", "dev"));
    assert!(
        text.contains("there is nothing to log in with: no VAULT_ROLE_ID, VAULT_ID_TOKEN or VAULT_TOKEN"),
        "{text}"
    );
    let both = there().env("CI_CREDS_ROLE", "dev").env("VAULT_ROLE_ID", "r").env("BAO_ID_TOKEN", "t");
    let text = without(both);
    assert!(
        text.contains(
            "error: VAULT_ROLE_ID and BAO_ID_TOKEN are both set: AppRole or JWT?\nhint: set VAULT_AUTH_METHOD"
        ),
        "{text}"
    );
    let text = without(there().env("VAULT_ADDR", "http://vault.example.com").env("CI_CREDS_ROLE", "dev"));
    assert!(text.contains("set CI_CREDS_ALLOW_HTTP=true or --allow-http"), "{text}");
    let text =
        without(Cmd::new(["exoscale", "ci", "--ttl", "5m"]).env("VAULT_ADDR", "https://vault.example.com"));
    assert!(text.contains("error: --ttl: the exoscale engine takes no TTL from a request"), "{text}");
}

#[test]
fn usage_is_code_2_and_names_are_checked() {
    for args in [
        &["read", "a/b", "PATH=x"][..],
        &["read", "a/b", "A-B=x"],
        &["read", "a/b", "NAME"],
        &["read", "a/../b", "A=x"],
        &["read", "a/b", "A=x", "A=y"],
        &["aws", "web", "--format", "yaml"],
        &["aws", "web", "--and", "aws=other"],
        &["aws", "web", "--field", "nope=x"],
        &["exoscale", "ci", "--min-ttl", "soon"],
        &["nope"],
        &[],
    ] {
        let run = Cmd::new(args).env("VAULT_ADDR", "https://vault.example.com").env("VAULT_TOKEN", "t").run();
        assert_eq!(run.code, 2, "{args:?}: {run}");
        assert!(run.stdout.trim_end().ends_with("(exit 2) && false"), "{args:?}: {run}");
    }
    // Where the format is no shell's, stdout stays empty.
    for args in [&["aws", "--format", "json", "--nope"][..], &["aws", "--format=dotenv", "--nope"]] {
        let run = Cmd::new(args).run().expect(2);
        assert_eq!(run.stdout, "", "{args:?}");
    }
    let run = Cmd::new(["aws", "--nope"]).env("CI_CREDS_FORMAT", "json").run().expect(2);
    assert_eq!(run.stdout, "");
}

/// A job as Runner's older bash script runs it: the script's lines in one `eval` behind a pipe.
fn in_old_runner(line: &str) -> Cmd {
    let quoted = line.replace('\\', "\\\\").replace('\'', "\\'");
    script(
        "bash",
        &format!("set -eo pipefail\nset +o noclobber\n: | eval $'{quoted}\\n\\necho went on\\n'\nexit 0\n"),
    )
}

#[test]
fn the_code_arrives_with_the_form_that_the_hint_prints() {
    if require("bash").is_none() {
        return;
    }
    // What makes a key does not answer: that is worth a retry.
    let server =
        Fake::new(|seen| if seen.line.contains("/apikey/") { Reply::Drop } else { fake::vault(seen) });
    let job = |line: &str| in_old_runner(line).env("VAULT_ADDR", &server.addr).env("VAULT_TOKEN", secret());
    let line = "eval \"$(ci-creds exoscale ci)\"";
    let bare = job(line).run();
    assert_eq!((bare.code, bare.stdout.as_str()), (1, ""), "why the hint has more than the line: {bare}");
    let hint = bare.stderr.split("lets GitLab do it, with `").nth(1).and_then(|rest| rest.split('`').next());
    let hint = hint.unwrap_or_else(|| panic!("no form in the hint: {bare}"));
    let run = job(&format!("{line} {hint}")).run().expect(5);
    assert_eq!(run.stdout, "", "{run}");
}

/// Durations as Vault takes them, through the whole program.
#[test]
fn a_day_is_a_duration() {
    let server = Fake::vault();
    let cmd = Cmd::new(["exoscale", "ci", "--min-ttl", "1d"]).env("VAULT_ADDR", &server.addr);
    let run = cmd.env("VAULT_TOKEN", secret()).run().expect(6);
    assert!(run.stderr.contains("less than --min-ttl 24h"), "{run}");
}
