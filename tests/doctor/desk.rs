//! A role check: the table names the claim, and the printed command, pasted into a shell, lets the token in.

use serde_json::{Value, json};

use super::world::{ROLE, Report, World};
use crate::support::{Cmd, Space, bao, canary, jwt, openbao};

/// The operator, with the policy that the examples give, for the mounts of this space.
pub fn operator(space: &Space<'_>, mount: &str, args: &[&str]) -> Cmd {
    let rules = include_str!("../../examples/operator.hcl");
    let rules = rules
        .replace("auth/jwt/", &format!("auth/{mount}/"))
        .replace("auth/approle/", &format!("auth/{mount}/"));
    let token = space.token(&[&space.policy(&rules)], json!({}));
    let role = format!("auth/{mount}/role/{ROLE}");
    let namespace = Some(&space.namespace).filter(|name| !name.is_empty());
    let cmd = Cmd::new(["doctor", &role]).args(args).vault(space.server).env("VAULT_TOKEN", token);
    cmd.envs(namespace.map(|name| ("VAULT_NAMESPACE", name)))
}

/// The role of the world, held against a token.
pub fn with_token(world: &World<'_>, token: &str) -> Report {
    let (_dir, file) = crate::logins::file(token);
    json_report(&operator(world.space, &world.jwt.mount, &["--id-token-file", file.to_str().unwrap()]))
}

pub fn json_report(cmd: &Cmd) -> Report {
    Report::of(&cmd.clone().args(["--format", "json"]).run())
}

/// The commands as they stand in the plain report, line ends and indentation included.
fn commands(plain: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for line in plain.lines() {
        if let Some((_, start)) = line.split_once("→ if this token should get in:") {
            all.push(start.to_owned());
            open = true;
        } else if open && line.starts_with(&" ".repeat(19)) {
            let last = all.last_mut().unwrap();
            *last = format!("{last}\n{line}");
        } else {
            open = false;
        }
    }
    all
}

/// Pastes a command, with `vault` being the server's own program.
fn paste(command: &str) {
    let script = format!("set -e\nvault() {{ {} \"$@\"; }}\n{command}", openbao::binary().display());
    Cmd::program("/bin/sh")
        .args(["-c", &script])
        .vault(bao())
        .env("VAULT_TOKEN", &bao().root_token)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .may_show_secrets()
        .run()
        .expect(0);
}

/// What the role has, what the token says, the claim to blame.
type Case = (Value, Value, &'static str);

fn cases() -> Vec<Case> {
    vec![
        (json!({}), json!({"ref": "dev"}), "ref"),
        (json!({"bound_claims": {"ref": ["main", "release"]}}), json!({"ref": "it's"}), "ref"),
        (json!({"bound_claims": {"project_id": 22}}), json!({}), "project_id"),
        (json!({"bound_claims": {"ref_protected": true}}), json!({}), "ref_protected"),
        (json!({"bound_claims": {"runner_id": "1"}}), json!({}), "runner_id"),
        (json!({"bound_claims": {"ref": "feature/*"}}), json!({"ref": "feature/x"}), "ref"),
        (
            json!({"bound_claims": {"ref": "feature/*"}, "bound_claims_type": "glob"}),
            json!({"ref": "fix/x"}),
            "ref",
        ),
        (
            json!({"bound_claims": {"environment": "staging", "deployment_tier": "staging"}}),
            json!({}),
            "deployment_tier",
        ),
        (
            json!({"bound_claims": {"groups_direct": ["group/admins"]}}),
            json!({"groups_direct": ["group/devs"]}),
            "groups_direct",
        ),
        (json!({"bound_claims": {"/x/y/0": "a"}}), json!({"x": {"y": ["b"]}}), "/x/y/0"),
        (json!({"bound_claims": {"customer": "a"}}), json!({}), "customer"),
        (json!({"bound_audiences": ["https://other.example.com"]}), json!({}), "aud"),
        (json!({"bound_audiences": []}), json!({}), "aud"),
        (json!({"bound_subject": "project_path:a/b:ref_type:branch:ref:main"}), json!({}), "sub"),
        (json!({"user_claim": "email"}), json!({}), "email"),
        (json!({"user_claim": "runner_id"}), json!({}), "runner_id"),
        (json!({"claim_mappings": {"runner_id": "runner"}}), json!({}), "runner_id"),
        (json!({"groups_claim": "groups_direct"}), json!({}), "groups_direct"),
        (
            json!({"role_type": "oidc", "allowed_redirect_uris": ["http://localhost:8250"]}),
            json!({}),
            "role_type",
        ),
    ]
}

/// Whether a change lets in more than what was written wrongly: a number for a text, a claim that no token has.
fn widening(role: &Value, claim: &str) -> bool {
    let wrong = ["project_id", "ref_protected", "runner_id", "email"].contains(&claim)
        || ["claim_mappings", "groups_claim"].iter().any(|field| role.get(field).is_some())
        || role["bound_audiences"] == json!([]);
    !wrong
}

/// The options take what they compare as it is, in a file, and on standard input.
#[test]
fn claims_come_from_a_file_as_well() {
    let space = Space::new();
    let world = World::new(&space);
    world.role(json!({"bound_claims": {"project_id": "22", "ref": "main"}}));
    let dir = tempfile::tempdir().unwrap();
    for (flag, text) in [
        ("--claims", "{\"project_id\": \"22\", \"ref\": \"dev\"}"),
        ("--from-job", "this token says: project_id=22 ref=dev"),
    ] {
        let desk = |value: &str| operator(&space, &world.jwt.mount, &[flag, value]);
        let file = dir.path().join("given");
        std::fs::write(&file, format!("{text}\n")).unwrap();
        let itself = desk(text).run().expect(4).stdout;
        assert!(itself.contains("project_id"), "{itself}");
        assert_eq!(desk(file.to_str().unwrap()).run().expect(4).stdout, itself);
        assert_eq!(desk("-").stdin(text).run().expect(4).stdout, itself);
        let run = desk("/nowhere/given").run().expect(2);
        assert!(run.stdout.contains("/nowhere/given can't be read: No such file"), "{run}");
    }
}

/// A production role, and a job on another branch: first where the job can run, and no command that gives up protection.
#[test]
fn protection_is_not_given_up_unasked() {
    let space = Space::new();
    let world = World::new(&space);
    world.role(json!({"bound_claims": {"project_id": "22", "ref": "main", "ref_protected": "true"}}));
    let claims = json!({"ref": "dev", "ref_protected": "false"});
    let job = Cmd::new(["exoscale", ROLE]).inherit(&world.cmd).env("VAULT_ID_TOKEN", jwt::mint(claims));
    let desk = operator(&space, &world.jwt.mount, &["--from-job", "-"]).stdin(job.run().expect(4).stderr);
    let plain = desk.run().expect(4).stdout;
    let hints: Vec<_> = plain.lines().filter(|line| line.contains("→ ")).collect();
    assert!(hints[0].contains("→ run the job where ref is main"), "{plain}");
    assert!(hints[1].contains("→ run the job on a protected ref"), "{plain}");
    assert!(plain.contains("would also let in"), "{plain}");
    assert!(!plain.contains("vault write"), "{plain}");
    let plain = desk.args(["--widen"]).run().expect(4).stdout;
    assert!(commands(&plain)[0].contains("ref_protected"), "{plain}");
    // The job's own hints: where to run it comes first, and unprotected refs are not offered to the role.
    for claims in
        [json!({"ref_protected": "false", "ref": "main"}), json!({"ref": "dev", "ref_protected": "false"})]
    {
        let run =
            Cmd::new(["exoscale", ROLE]).inherit(&world.cmd.clone().env("VAULT_ID_TOKEN", jwt::mint(claims)));
        let run = run.run().expect(4);
        let first = run.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap();
        // Of two claims that fail, Vault names the one that it came to first.
        let of_ref = run.stderr.contains("claim \"ref\" does not match");
        assert!(of_ref == first.contains("its ref is not among"), "{run}");
        assert!(of_ref != first.starts_with("hint: run this job on a protected ref"), "{run}");
        assert!(!run.stderr.contains("must contain ref_protected"), "{run}");
    }
}

/// The claim that failed comes first, also where the ref is not protected.
#[test]
fn the_first_hint_is_about_the_claim_that_failed() {
    let space = Space::new();
    let world = World::new(&space);
    let off = "dev is not a protected ref, and `rules: [{if: $CI_COMMIT_REF_PROTECTED == \"true\"}]` keeps the job off such refs";
    let branch = json!({"ref": "dev", "ref_protected": "false", "environment_protected": "false"});
    for (bound, start) in [
        (
            json!({"ref": "main"}),
            "run this job where the role allows it: its ref is not among the role's bound_claims",
        ),
        (
            json!({"environment_protected": "true"}),
            "give this job the `environment:` that the role is bound to: environment_protected comes from it",
        ),
    ] {
        world.role(json!({"bound_claims": bound}));
        let cmd = world.cmd.clone().env("VAULT_ID_TOKEN", jwt::mint(branch.clone()));
        let run = Cmd::new(["exoscale", ROLE]).inherit(&cmd).run().expect(4);
        let first = run.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
        assert_eq!(first, format!("{start}; {off}"), "{run}");
    }
    world.role(json!({"bound_claims": {"ref_protected": "true"}}));
    let run =
        Cmd::new(["exoscale", ROLE]).inherit(&world.cmd.clone().env("VAULT_ID_TOKEN", jwt::mint(branch)));
    let run = run.run().expect(4);
    let first = run.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    assert!(first.starts_with("run this job on a protected ref: dev is none, and `rules: "), "{run}");
}

#[test]
fn the_printed_command_lets_the_token_in() {
    for (role, claims, claim) in cases() {
        let space = Space::new();
        let world = World::new(&space);
        world.role(role.clone());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), jwt::mint(claims.clone())).unwrap();
        let desk = operator(&space, &world.jwt.mount, &["--id-token-file", file.path().to_str().unwrap()]);
        let careful = desk.run().expect(4).stdout;
        let desk = desk.args(["--widen"]);
        let report = json_report(&desk);
        let told = format!("{role} {claims}: {:#}", report.body);
        let first = report.first(false).unwrap_or_else(|| panic!("nothing is wrong: {told}"));
        assert_eq!((first["id"].as_str(), report.code), (Some("claims"), 4), "{told}");
        assert!(first["seen"].as_str().unwrap().starts_with(claim) || claim == "role_type", "{told}");
        let rows = report.body["claims"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["claim"] == claim && row["verdict"] == "fail"), "{told}");
        let plain = desk.run().stdout;
        assert!(plain.lines().all(|line| line.chars().count() <= 100), "{plain}");
        assert_eq!(canary::find(&plain), None, "{plain}");
        let commands = commands(&plain);
        assert!(!commands.is_empty(), "{plain}");
        // What would let in others is told, and not printed unasked.
        let widens = careful.contains("would also let in");
        assert_eq!(careful.contains("→ if this token should get in:"), !widens, "{told}: {careful}");
        assert_eq!(plain.contains("also lets in"), widens, "{plain}");
        assert_eq!(widens, widening(&role, claim), "{told}: {careful}");
        commands.iter().for_each(|command| paste(command));
        let cured = json_report(&desk);
        assert!(cured.first(false).is_none(), "{told}\nafter {commands:?}: {:#}", cured.body);
        let token = std::fs::read_to_string(file.path()).unwrap();
        let login = json!({"role": ROLE, "jwt": token});
        space.write(&format!("auth/{}/login", world.jwt.mount), login);
    }
}

#[test]
fn the_issuer_is_written_without_losing_the_rest() {
    let space = Space::new();
    let world = World::new(&space);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jwt::mint(json!({"iss": "https://gitlab.other.example.com"}))).unwrap();
    let desk =
        operator(&space, &world.jwt.mount, &["--id-token-file", file.path().to_str().unwrap(), "--widen"]);
    let plain = desk.run().expect(4).stdout;
    assert!(plain.contains("iss does not fit"), "{plain}");
    commands(&plain).iter().for_each(|command| paste(command));
    let report = json_report(&desk);
    assert!(report.first(false).is_none(), "{plain}\n{:#}", report.body);
}

#[test]
fn a_jobs_line_is_enough() {
    let space = Space::new();
    let world = World::new(&space);
    // The line comes from the real run, and nothing else does.
    let job = Cmd::new(["exoscale", ROLE]).vault(space.server).jwt(
        &world.jwt,
        ROLE,
        &jwt::mint(json!({"ref": "dev"})),
    );
    let failed = job.run().expect(4);
    let desk = operator(&space, &world.jwt.mount, &["--from-job", "-"]).stdin(failed.stderr.clone());
    let report = Report::of(&desk.clone().args(["--format", "json"]).run());
    assert!(
        report.first(false).unwrap()["seen"]
            .as_str()
            .unwrap()
            .starts_with("ref does not fit: the token has dev, the role wants main"),
        "{:#}",
        report.body
    );
    // What a job does not print is unknown, not missing.
    world.role(json!({"bound_claims": {"sha": "x"}}));
    let report = Report::of(&desk.args(["--format", "json"]).run());
    assert!(report.first(false).is_none(), "{:#}", report.body);
    assert!(
        report.body["claims"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["claim"] == "sha" && row["verdict"] == "unknown")
    );
}

/// As docs/doctor.md has them: of a claim that is not among those given nobody knows, and no binding goes for it.
#[test]
fn a_few_claims_take_no_binding_away() {
    let space = Space::new();
    let world = World::new(&space);
    let bound = json!({"project_id": "22", "ref": "main", "environment": "production", "sha": "abc"});
    world.role(json!({"bound_claims": bound, "bound_subject": "somebody", "user_claim": "project_path",
        "groups_claim": "groups_direct"}));
    let page = include_str!("../../docs/doctor.md");
    let examples = [
        ("--from-job", "this token says: project_id=22 ref=dev …"),
        ("--claims", r#"{"project_id": "22", "ref": "dev"}"#),
    ];
    for (flag, given) in examples {
        assert!(page.contains(&format!("{flag} '{given}'")), "{flag} {given}");
        let desk = operator(&space, &world.jwt.mount, &[flag, given, "--widen"]);
        let report = json_report(&desk);
        let first = report.first(false).unwrap();
        let told = format!("{flag}: {:#}", report.body);
        assert!(
            first["seen"].as_str().unwrap().starts_with("ref does not fit: the token has dev,"),
            "{told}"
        );
        for row in report.body["claims"].as_array().unwrap() {
            let (verdict, token) = match row["claim"].as_str().unwrap() {
                "project_id" => ("ok", "22"),
                "ref" => ("fail", "dev"),
                _ => ("unknown", "?"),
            };
            assert_eq!((&row["verdict"], &row["token"]), (&json!(verdict), &json!(token)), "{told}");
        }
        let hint = first["hint"].as_str().unwrap();
        for field in ["bound_audiences", "bound_subject", "user_claim", "groups_claim"] {
            assert!(!hint.contains(field), "{told}");
        }
        assert!(["environment", "sha"].iter().all(|claim| hint.contains(claim)), "{told}");
    }
}

#[test]
fn what_the_operator_may_not_read_is_said() {
    let space = Space::new();
    let world = World::new(&space);
    let desk = operator(&space, "elsewhere", &["--claims", "{}"]);
    let desk = desk.env("VAULT_TOKEN", space.token(&["default"], json!({})));
    let report = json_report(&desk);
    let first = report.first(false).unwrap();
    assert!(
        first["seen"].as_str().unwrap().contains("may not read auth/elsewhere/role/web-pipeline"),
        "{:#}",
        report.body
    );
    assert!(
        first["hint"]
            .as_str()
            .unwrap()
            .contains("path \"auth/elsewhere/role/web-pipeline\" { capabilities = [\"read\"] }")
    );
    let desk = operator(&space, &world.jwt.mount, &["--claims", "{}"]);
    world.space.server.ok("DELETE", &world.role_path(), Value::Null);
    let report = json_report(&desk);
    assert!(
        report.first(false).unwrap()["seen"].as_str().unwrap().contains("there is nothing at"),
        "{:#}",
        report.body
    );
}

#[test]
fn who_somebody_is_stays_unsaid() {
    let space = Space::new();
    let world = World::new(&space);
    world.role(json!({"bound_claims": {"user_email": canary::secret(), "ref": "dev"}}));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jwt::mint(json!({}))).unwrap();
    let desk = operator(&space, &world.jwt.mount, &["--id-token-file", file.path().to_str().unwrap()]);
    let plain = desk.run().expect(4).stdout;
    assert_eq!(canary::find(&plain), None, "{plain}");
    assert!(plain.contains("run the job with the user_email"), "{plain}");
    assert_eq!(json_report(&desk).code, 4);
}

/// A dead token is refused like one whose policy is too narrow: what Vault tells of it decides what is said first.
#[test]
fn an_operators_token_that_has_ended_is_told_first() {
    let space = Space::new();
    let desk = operator(&space, "jwt", &["--claims", "{}"]).env("VAULT_TOKEN", crate::support::secret());
    let report = json_report(&desk);
    let first = report.first(false).unwrap();
    assert!(first["hint"].as_str().unwrap().starts_with("it has ended, most likely"), "{:#}", report.body);
}

/// A good report names what it did not look at.
#[test]
fn a_report_that_looked_at_little_does_not_say_that_all_is_well() {
    let space = Space::new();
    let world = World::new(&space);
    let last = |cmd: &Cmd| {
        let run = cmd.run().expect(0);
        run.stdout.rsplit_once("\n\n").unwrap().1.replace('\n', " ")
    };
    let end = last(&operator(&space, &world.jwt.mount, &[]));
    assert!(end.contains("not everything was looked at: the claims of a job (give --claims JSON"), "{end}");
    let end =
        last(&operator(&space, &world.jwt.mount, &["--claims", r#"{"project_id": "22", "ref": "main"}"#]));
    assert!(end.contains("not everything was looked at: iss, aud, ") && end.contains("(marked ?"), "{end}");
    // Kubernetes: a role is read, and the pod is not there.
    let mount = space.auth("kubernetes");
    let role = json!({"bound_service_account_names": "*", "bound_service_account_namespaces": "ci", "token_ttl": "10m",
        "token_policies": world.policy});
    space.write(&format!("auth/{mount}/role/{ROLE}"), role);
    let desk = operator(&space, &mount, &[]);
    let report = json_report(&desk);
    let seen = report.step("role")["seen"].as_str().unwrap();
    assert!(seen.starts_with("a Kubernetes role; token TTL 10m"), "{seen}");
    assert!(seen.contains("bound_service_account_namespaces=ci bound_service_account_names=*"), "{seen}");
    assert_eq!(report.step("account")["status"], "warn", "{:#}", report.body);
    assert_eq!(report.step("fit")["status"], "skip", "{:#}", report.body);
    assert!(last(&desk).contains("whether a pod's service account fits"));
    // Certificates have another folder.
    let mount = space.auth("cert");
    let ca = crate::support::Pki::new("runners");
    let role = json!({"certificate": std::fs::read_to_string(ca.ca_file()).unwrap(), "token_ttl": "10m"});
    space.write(&format!("auth/{mount}/certs/{ROLE}"), role);
    let rules = format!("path \"auth/{mount}/certs/*\" {{ capabilities = [\"read\"] }}");
    let token = space.token(&[&space.policy(&rules)], json!({}));
    let desk = Cmd::new(["doctor", &format!("auth/{mount}/certs/{ROLE}")])
        .vault(space.server)
        .env("VAULT_TOKEN", token);
    let report = json_report(&desk);
    assert!(
        report.step("role")["seen"].as_str().unwrap().starts_with("a TLS certificate role"),
        "{:#}",
        report.body
    );
    assert_eq!(report.step("names")["status"], "warn", "{:#}", report.body);
}

/// As the README prints it: `doctor exoscale ROLE` with the operator's policy asks nobody to give himself the key.
#[test]
fn an_operator_is_not_told_to_grant_himself_the_key() {
    let space = Space::new();
    let world = World::new(&space);
    let desk = operator(&space, &world.jwt.mount, &[]);
    let cmd = |ci: bool| {
        let cmd = Cmd::new(["doctor", "exoscale", ROLE]).inherit(&world.cmd).no_env("VAULT_ID_TOKEN");
        let cmd = cmd.no_env("VAULT_AUTH_ROLE").no_env("VAULT_AUTH_PATH").no_env("CI");
        let token = desk.get_env("VAULT_TOKEN").unwrap();
        cmd.env("VAULT_TOKEN", token).envs(ci.then_some(("CI", "true"))).env("NO_COLOR", "1")
    };
    let report = json_report(&cmd(false));
    assert_eq!((report.code, &report.step("policy")["status"]), (0, &json!("skip")), "{:#}", report.body);
    assert!(!report.body.to_string().contains("the policy must have"), "{:#}", report.body);
    let plain = cmd(false).run().stdout.replace('\n', " ");
    assert!(plain.contains("what the job's own token may do"), "{plain}");
    // In a job the token is the job's: there it needs the key.
    let report = json_report(&cmd(true));
    assert_eq!(
        (report.code, &report.first(false).unwrap()["id"]),
        (4, &json!("policy")),
        "{:#}",
        report.body
    );
}
