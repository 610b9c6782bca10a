//! The script itself: hostile names, what is there already, and words that can't be set up.

use serde_json::json;

use super::world::{World, cli};
use crate::support::jwt::AUDIENCE;
use crate::support::shell::{SYSTEM_SHELL, find};
use crate::support::{Cmd, shells};

/// Names that a shell would run, if it read them.
const HOSTILE: [&str; 8] = [
    "g/$(touch owned)",
    "g/`touch owned`",
    "g/'; touch owned; '",
    "g/\"; touch owned; \"",
    "g/\\",
    "g/EOF",
    "-x/!y",
    "g/${IFS}&touch owned|x>owned",
];

#[test]
fn no_name_is_read_by_the_shell() {
    for (number, name) in HOSTILE.into_iter().enumerate() {
        let world = World::new("kv1").unwrap();
        let options = [
            "--audience",
            AUDIENCE,
            &format!("--project={name}"),
            &format!("--environment={name}"),
            &format!("--ref={name}"),
        ];
        let run = world.setup(&options).run().expect(0);
        let dir = tempfile::tempdir().unwrap();
        let list = shells();
        let shell = list.get(number % list.len().max(1)).copied().unwrap_or("sh");
        let program = find(shell).unwrap_or_else(|| SYSTEM_SHELL.into());
        let applet: &[&str] = if shell == "busybox" { &["sh"] } else { &[] };
        let cmd =
            Cmd::program(program).args(applet).inherit(&world.shell("")).stdin(run.stdout).dir(dir.path());
        cmd.run().expect(0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{shell}: {name}");
        let role = world.space.ok("GET", "auth/jwt/role/job", json!(null));
        assert_eq!(role["data"]["bound_claims"]["project_path"], json!(name));
        assert_eq!(role["data"]["bound_claims"]["environment"], json!(name));
    }
}

#[test]
fn another_configuration_is_not_replaced() {
    let world = World::new("kv1").unwrap();
    world.space.write("sys/auth/jwt", json!({"type": "jwt"}));
    let mut config = crate::support::jwt::trust();
    config["default_role"] = json!("others");
    world.space.write("auth/jwt/config", config);
    let script = world.printed(&[]);
    let run = world.shell(&script).run().expect(1);
    assert!(run.stderr.contains("auth/jwt/config is set up for https://gitlab.example.com"), "{run}");
    // It stops before it has written anything.
    let policy = format!("{}/sys/policies/acl/job", world.space.namespace);
    assert_eq!(world.space.server.api("GET", &policy, json!(null)).status, 404);
    // The same issuer: its configuration stays as it is.
    let mine = world.setup(&[
        "--project",
        "22",
        "--audience",
        AUDIENCE,
        "--gitlab-url",
        "https://gitlab.example.com",
    ]);
    world.shell(&mine.run().expect(0).stdout).run().expect(0);
    let after = world.space.ok("GET", "auth/jwt/config", json!(null));
    assert_eq!(after["data"]["default_role"], json!("others"));
    // A mount of another method, and a token that may not look.
    let other = World::new("kv1").unwrap();
    other.space.write("sys/auth/jwt", json!({"type": "approle"}));
    let run = other.shell(&other.printed(&[])).run();
    assert!(run.code != 0 && run.stderr.contains("sys/auth/jwt is another method"), "{run}");
}

/// As doctor takes it: the line itself, the log that has it, or standard input.
#[test]
fn the_line_of_a_job_comes_from_its_log_as_well() {
    let line = "this token says: project_id=22 ref=main ref_type=branch ref_protected=true aud=https://vault.example.com";
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("job.log");
    std::fs::write(&log, format!("error: Vault refused the JWT login\n  {line}\nhint: x\n")).unwrap();
    let setup = |from: &str| {
        let words =
            ["setup", "exoscale", "ci", "--gitlab-url", "https://gitlab.example.com", "--from-job", from];
        Cmd::new(words)
    };
    let itself = setup(line).run().expect(0).stdout;
    assert!(itself.contains("22") && itself.contains("main"), "{itself}");
    assert_eq!(setup(log.to_str().unwrap()).run().expect(0).stdout, itself);
    assert_eq!(setup("-").stdin(line).run().expect(0).stdout, itself);
    let run = setup("/nowhere/job.log").run().expect(2);
    assert!(run.stderr.contains("--from-job holds no claims, and /nowhere/job.log can't be read"), "{run}");
}

#[test]
fn words_that_can_not_be_set_up_are_refused_and_fail_the_pipe() {
    let world = World::new("kv1").unwrap();
    let usual = ["--project", "22", "--gitlab-url", "https://gitlab.example.com", "--audience", AUDIENCE];
    let setup = |words: &[&str]| Cmd::new(["setup"]).args(words).args(usual);
    for (words, code, says) in [
        (vec!["exoscale", "a*"], 2, "the path exoscale/apikey/a* can't stand in a policy"),
        (vec!["read", "kv/+/x", "A=b"], 2, "can't stand in a policy"),
        (vec!["read", "kv/{{identity.entity.id}}/x", "A=b"], 2, "can't stand in a policy"),
        (vec!["exoscale", "ci", "--auth-role", "a b"], 2, "the role a b can't"),
        (vec!["exoscale", "ci", "--auth", "cert"], 2, "setup does not know the login cert"),
        (vec!["exoscale", "ci", "--project", "group/app"], 2, "by number and by path"),
        (vec!["exoscale", "ci", "--ref", "**"], 2, "must not let in everybody"),
        (vec!["exoscale", "ci", "--unprotected"], 2, "--unprotected needs --ref"),
        (vec!["exoscale", "ci", "--from-job", "nothing"], 2, "--from-job holds no claims"),
        (vec!["exoscale", "ci", "--token-ttl", "soon"], 2, "--token-ttl is no duration"),
        (vec!["exoscale", "ci", "--allow", "auth/token/create"], 2, "--allow is a path and one capability"),
        (
            vec!["exoscale", "ci", "--allow", "auth/token/create=write"],
            2,
            "--allow is a path and one capability",
        ),
        (vec!["exoscale", "ci", "--allow", "=read"], 2, "--allow is a path and one capability"),
        (vec!["exoscale", "ci", "--allow", "secret/*=read"], 2, "the path secret/* can't stand in a policy"),
        (vec!["exoscale", "ci", "--auth-role", "Default"], 2, "the policy Default is Vault's own"),
        (vec!["exoscale", "root"], 2, "the policy root is Vault's own"),
        (vec!["exoscale"], 3, "the exoscale role is not set"),
    ] {
        let run = setup(&words).run().expect(code);
        assert!(run.stderr.contains(says), "{words:?}\n{run}");
        world.shell(&run.stdout).run().expect(code);
    }
    let bare = |words: &[&str]| Cmd::new(["setup", "exoscale", "ci"]).args(words).run();
    for (words, code, says) in [
        (vec![], 2, "no project is named"),
        (vec!["--project", "22"], 3, "the address of GitLab is not set"),
        (
            vec!["--project", "22", "--gitlab-url", "https://gitlab.example.com"],
            3,
            "the audience of the ID tokens",
        ),
        (vec!["--project", "22,23"], 2, "--project is a number or GROUP/PROJECT, given several times"),
        (vec!["--project", "app"], 2, "--project is a number or GROUP/PROJECT"),
        (vec!["--project", "22", "--gitlab-url", "gitlab.example.com"], 2, "--gitlab-url has no scheme"),
        (
            vec!["--project", "22", "--bound-cidr", "10.0.0.0/8"],
            2,
            "--bound-cidr does not go with --auth jwt",
        ),
        (
            vec!["--project", "22", "--audience", "x", "--gitlab-url", "http://gitlab.example.com"],
            3,
            "--gitlab-url is plain http to gitlab.example.com: anyone on the way can give Vault other keys",
        ),
        (
            vec!["--project", "22", "--audience", "x", "--gitlab-url", "https://user@gitlab.example.com"],
            3,
            "has a user, a query or a fragment",
        ),
        (vec!["--auth", "approle", "--bound-cidr", "10.0.0.0/33"], 2, "--bound-cidr has no number of bits"),
        (vec!["--auth", "approle", "--bound-cidr", "10.0.0.0/+8"], 2, "--bound-cidr has no number of bits"),
        (vec!["--auth", "approle", "--bound-cidr", "10.0.0/8"], 2, "--bound-cidr is no network"),
        (vec!["--auth", "approle", "--bound-cidr", "runners"], 2, "--bound-cidr is no network"),
        (vec!["--auth", "approle", "--bound-cidr", "0.0.0.0/0"], 2, "--bound-cidr binds nothing"),
        (vec!["--auth", "approle", "--bound-cidr", "::/0"], 2, "--bound-cidr binds nothing"),
        (vec!["--auth", "aws", "--principal", "arn:aws:iam::123456789012:root"], 2, "names a whole account"),
        (vec!["--auth", "aws", "--principal", "arn:aws:iam::123456789012:role/"], 2, "--principal is no ARN"),
        (
            vec!["--auth", "aws", "--principal", "arn:aws:sts::123456789012:assumed-role/runner/i-1"],
            2,
            "--principal is no ARN of an IAM role",
        ),
        (vec!["--auth", "approle", "--ref", "main"], 2, "--ref does not go with --auth approle"),
    ] {
        let run = bare(&words).expect(code);
        assert!(run.stderr.contains(says), "{words:?}\n{run}");
    }
    for good in ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"] {
        bare(&["--auth", "approle", "--bound-cidr", good]).expect(0);
    }
    let http =
        ["--project", "22", "--audience", "x", "--gitlab-url", "http://gitlab.example.com", "--allow-http"];
    assert!(bare(&http).expect(0).stdout.contains("\"bound_issuer\": \"http://gitlab.example.com\""));
}

/// Two setups without --auth-role must not write the same role and policy: the second would take the first one's place.
#[test]
fn the_setup_of_each_secret_has_a_role_of_its_own() {
    let printed = |path: &str, format: &str| {
        let words = ["setup", "read", path, "A=a", "--kv-version", "2", "--project", "22", "--protected"];
        let usual =
            ["--gitlab-url", "https://gitlab.example.com", "--audience", AUDIENCE, "--format", format];
        Cmd::new(words).args(usual).args(["--cli", cli()]).run().expect(0).stdout
    };
    for (path, role) in [("secret/app", "secret-app"), ("secret/other", "secret-other")] {
        let script = printed(path, "sh");
        assert!(script.contains(&format!("policy write {role} - ")), "{script}");
        assert!(script.contains(&format!("write auth/jwt/role/{role} - ")), "{script}");
    }
    let page = printed("secret/app", "markdown");
    for says in [
        "That is every protected branch and every protected tag.",
        "| the login's token | what the policy says, until the job ends, or for 15m |",
        "| what the job reads | what it opens,",
    ] {
        assert!(page.contains(says), "{says}\n{page}");
    }
}
