//! What a user sees of the formats: --help, the advice on masking, and the documented JSON.

use serde_json::{Value, json};

use crate::support::{CANARY, Cmd, Space, script};

#[test]
fn help_lists_the_formats_that_fit_and_warns_of_the_report() {
    for command in ["exoscale", "aws", "scaleway", "read", "login"] {
        let help = Cmd::new([command, "--help"]).run().expect(0).stdout;
        let formats = help.split_once("\nFormats:\n").expect("--help lists the formats").1;
        let has = |name: &str| {
            formats.contains(&format!("\n  {name}\n")) || formats.starts_with(&format!("  {name}\n"))
        };
        assert!(["sh", "fish", "dotenv", "json"].iter().all(|name| has(name)), "{help}");
        assert_eq!(has("aws-credentials") && has("aws-credential-process"), command == "aws", "{help}");
        assert_eq!(has("scw-config"), command == "scaleway", "{help}");
        let words = formats.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("an artifact that people can download: add `artifacts: {access: none}`"),
            "{help}"
        );
    }
}

#[test]
fn what_gitlab_could_not_mask_is_named_at_v() {
    let space = Space::new();
    let path = format!("{}/app", space.kv1("kv"));
    space.write(
        &path,
        json!({"pin": "1234", "key": format!("{CANARY}\n{CANARY}"), "pass": format!("{CANARY}$x"), "fine": CANARY}),
    );
    let token = space.token(&[&space.may_read(&[&path])], json!({}));
    let cmd = Cmd::new(["read", &path, "PIN=pin", "KEY=key", "PASS=pass", "FINE=fine"]);
    let cmd = cmd.vault(space.server).env("VAULT_TOKEN", &token);
    assert!(!cmd.run().expect(0).stderr.contains("masking"));
    let run = cmd.args(["-v"]).run().expect(0);
    let advice: Vec<&str> = run.stderr.lines().filter(|line| line.contains("masking")).collect();
    assert_eq!(
        advice,
        [
            "debug: PIN: GitLab's own masking could not hide it: the value has fewer than 8 characters",
            "debug: KEY: GitLab's own masking could not hide it: the value has blanks or more than one line",
            "debug: PASS: GitLab's own masking could hide it only in a variable with `Expand variable reference` off",
        ]
    );
    assert!(!run.stderr.contains("1234"));
}

#[test]
fn json_is_as_documented() {
    let space = Space::new();
    let path = format!("{}/sts/ci", space.kv1("aws"));
    space.write(
        &path,
        json!({"access_key": "AKIA1", "secret_key": CANARY, "session_token": null, "ttl": "20m"}),
    );
    let token = space.token(&[&space.may_read(&[&path])], json!({}));
    let cmd = Cmd::new(["aws", "ci", "--format", "json"]).vault(space.server).env("VAULT_TOKEN", &token);
    let run = cmd.env("CI_CREDS_AWS_MOUNT", path.split('/').next().unwrap()).run().expect(0);
    let mut document: Value = serde_json::from_str(&run.stdout).unwrap();
    let one = &mut document["credentials"][0];
    let until: jiff::Timestamp = one["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(one["variables"]["AWS_CREDENTIAL_EXPIRATION"], one["expires_at"]);
    assert!((1_100..=1_200).contains(&until.duration_since(jiff::Timestamp::now()).as_secs()));
    one["expires_at"] = json!("TIME");
    one["variables"]["AWS_CREDENTIAL_EXPIRATION"] = json!("TIME");
    let variables = json!({"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_CREDENTIAL_EXPIRATION": "TIME"});
    let expected = json!({"version": 1, "credentials": [{
        "provider": "aws", "role": "ci", "path": path, "variables": variables, "lease_id": null, "renewable": false,
        "ttl_seconds": 1200, "expires_at": "TIME",
    }]});
    assert_eq!(document, expected);
}

/// The form for scripts that must also stop when ci-creds is not there, or is killed.
#[test]
fn two_statements_stop_where_one_can_not() {
    let line = "eval $(no-such-ci-creds)\necho went on";
    assert_eq!(script("dash", line).run().stdout, "went on\n");
    let two = "creds=$(no-such-ci-creds)\neval \"$creds\"\necho went on";
    let run = script("dash", two).run().expect(127);
    assert_eq!(run.stdout, "");
    let killed = "creds=$(kill -9 $$)\neval \"$creds\"\necho went on";
    assert_ne!(script("dash", killed).run().code, 0);
}
