//! What people and scripts see: short when all is well, and with the first thing to do at the top when not.

use serde_json::json;

use super::world::{ROLE, Report, World};
use crate::support::forward::forward;
use crate::support::{Cmd, Fake, Reply, Space, bao, jwt};

#[test]
fn a_healthy_run_fits_one_screen() {
    let space = Space::new();
    let mut world = World::new(&space);
    let dir = tempfile::tempdir().unwrap();
    world.cmd = world.cmd.clone().job(dir.path()).args(["--issue"]);
    let run = world.plain().expect(0);
    assert!(run.stdout.lines().count() <= 40, "{run}");
    assert!(run.stdout.ends_with("\nAll is well.\n"), "{run}");
    let marks: Vec<_> = run.stdout.lines().filter_map(|line| line.chars().next()).collect();
    assert!(!marks.contains(&'✗') && !marks.contains(&'!'), "{run}");
    assert_eq!(run.stderr, "", "{run}");
}

#[test]
fn references_of_other_tools_are_named() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.env("API_TOKEN", "@url@http://vault-secrets-provider/api/secrets/web/api?field=token");
    world.env("OTHER", "op://team/item/field");
    let run = world.plain().expect(0);
    let lines: Vec<_> = run.stdout.lines().filter(|line| line.contains("another tool's reference")).collect();
    assert!(
        lines.len() == 2 && lines[0].contains("API_TOKEN begins with @url@") && lines[1].contains("op://"),
        "{run}"
    );
    assert!(run.stdout.contains("ci-creds read PATH API_TOKEN=FIELD"), "{run}");
    assert!(!run.stdout.contains("web/api?"), "the reference itself may be a secret: {run}");
}

#[test]
fn on_a_broken_one_the_first_thing_to_do_is_plain() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.token(json!({"ref": "dev"}));
    let run = world.plain().expect(4);
    let bad: Vec<_> = run.stdout.lines().filter(|line| line.starts_with('✗')).collect();
    assert!(bad.len() == 1 && bad[0].starts_with("✗ login "), "{run}");
    let after: Vec<_> = run.stdout.lines().skip_while(|line| !line.starts_with('✗')).collect();
    assert!(
        after
            .iter()
            .take(5)
            .any(|line| line.contains("→ run this job where the role allows it: its ref is not among")),
        "{run}"
    );
    // The end of the log is what people see first.
    assert!(
        run.stderr.contains("error: doctor found one fault: login: Vault refused the JWT login"),
        "{run}"
    );
    assert!(run.stderr.contains("hint: run this job where the role allows it"), "{run}");
    assert!(run.stdout.lines().count() <= 40, "{run}");
}

/// Broken where the log breaks it, a policy is still one.
#[test]
fn the_printed_policy_can_be_pasted() {
    let space = Space::new();
    let mut world = World::new(&space);
    let role = "a-role-with-a-name-for-two-lines";
    world.engine.role(role);
    world.env("CI_CREDS_EXOSCALE_ROLE", role);
    let run = world.plain().expect(4);
    let (_, hint) = run.stdout.split_once("→ the policy must have:").unwrap();
    let (policy, _) = hint.split_once('→').unwrap();
    assert!(policy.trim().contains('\n'), "it fits one line: {run}");
    space.ok("PUT", &format!("sys/policies/acl/{}", world.policy), json!({"policy": policy}));
    world.plain().expect(0);
}

#[test]
fn nothing_is_issued_unasked_and_all_is_taken_back() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.plain().expect(0);
    assert_eq!(world.engine.upstream_requests(), 0);
    world.flag("--issue");
    let report = world.report();
    assert_eq!(report.code, 0, "{:#}", report.body);
    assert!(
        report.step("issue")["seen"].as_str().unwrap().contains("issued, valid 15m"),
        "{:#}",
        report.body
    );
    crate::support::eventually("made, and deleted", || world.engine.upstream_requests() == 2);
    crate::support::eventually("nothing is left", || {
        world.engine.objects().is_empty()
            && world.engine.leases().is_empty()
            && space.login_tokens().is_empty()
    });
    // Of a given token only the lease is taken back.
    let revoke = space.policy("path \"sys/leases/revoke\" { capabilities = [\"update\"] }");
    let token = space.token(&["default", &world.policy, &revoke], json!({}));
    world.env("VAULT_AUTH_METHOD", "token");
    world.env("VAULT_TOKEN", &token);
    assert_eq!(world.report().code, 0);
    crate::support::eventually("the lease is gone", || {
        world.engine.leases().is_empty() && world.engine.objects().is_empty()
    });
    assert!(space.is_alive(&token));
}

#[test]
fn the_first_fault_decides_the_code() {
    for (variable, value, code) in [
        ("VAULT_ADDR", "vault", 3),
        ("VAULT_AUTH_PATH", "nowhere", 4),
        ("VAULT_ADDR", "http://127.0.0.1:1", 5),
        ("CI_DEBUG_TRACE", "true", 6),
    ] {
        let space = Space::new();
        let mut world = World::new(&space);
        world.env(variable, value);
        world.plain().expect(code);
        assert_eq!(world.report().code, code, "{variable}");
    }
    for line in [&["doctor", "nope"][..], &["doctor", "read", "a"], &["doctor", "--format", "xml"]] {
        Cmd::new(line).run().expect(2);
    }
    // Remarks count under --strict only.
    let space = Space::new();
    let mut world = World::new(&space);
    world.role(json!({"token_num_uses": 2}));
    // Nor do the looks themselves use the token up.
    assert_eq!(world.report().code, 0);
    world.flag("--strict");
    assert_eq!(world.report().code, 4);
}

/// Whatever is looked at, and however loudly: the harness searches all of it for secrets.
#[test]
fn no_secret_is_printed() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.flag("--issue");
    world.cmd.run_both().expect(0);
    world.cmd.clone().args(["--format", "json"]).run_both().expect(0);
    let bound = json!({"bound_claims": {"user_email": "bob@example.com", "user_identities": "x"}});
    world.role(bound);
    world.cmd.run_both().expect(4);
    world.cmd.clone().args(["--format", "json"]).run_both().expect(4);
    world.env("VAULT_ID_TOKEN", crate::support::secret());
    world.cmd.run_both().expect(3);
    world.approle();
    world.cmd.run_both().expect(0);
    world.env("VAULT_PROXY_ADDR", format!("http://user:{}@127.0.0.1:1", crate::support::secret()));
    world.env("VAULT_ADDR", "https://vault.example.com");
    world.cmd.run_both().expect(5);
    // The check can fail: a report with a secret in it does.
    let leak = Cmd::program("/bin/echo").args(["doctor", &crate::support::secret()]);
    assert!(std::panic::catch_unwind(move || leak.run()).is_err(), "a leak goes unseen");
}

/// A server that writes what it likes into its answers has no hand in the log: not in what is seen, nor at its end.
#[test]
fn no_answer_moves_the_cursor() {
    let space = Space::new();
    let mut world = World::new(&space);
    let upstream = world.upstream();
    let fake = Fake::new(move |seen| {
        let data = match seen.target() {
            path if path.contains("/internal/ui/mounts/") => {
                json!({"path": "exoscale/", "type": "x\u{1b}[2K\r✓ all\u{7}"})
            }
            path if path.ends_with(&format!("/exoscale/role/{ROLE}")) => {
                json!({"ttl": "5m\u{1b}]0;title\u{7}", "operations": ["a\u{9b}2J"]})
            }
            _ => return forward(seen, &upstream),
        };
        Reply::Json(200, json!({"data": data}))
    });
    world.env("VAULT_ADDR", &fake.addr);
    let run = world.plain().expect(0);
    let moves = |text: &str| text.contains(|char: char| char.is_control() && char != '\n');
    assert!(!moves(&run.stdout) && !moves(&run.stderr), "{run}");
    assert!(run.stdout.contains("an engine of type x [2K ✓ all"), "{run}");
    assert!(run.stdout.contains("ttl=5m ]0;title"), "{run}");
    assert!(!moves(world.report().step("engine")["seen"].as_str().unwrap()));
}

/// `doctor read` takes what `read` takes.
#[test]
fn any_path_is_looked_at() {
    let space = Space::new();
    let world = World::new(&space);
    let kv = space.kv2("secret");
    let secret = crate::support::secret();
    space.write(&format!("{kv}/data/app"), json!({"data": {"password": secret}}));
    let read = |path: &str, args: &[&str]| {
        let cmd = Cmd::new(["doctor", "read", path, "PASSWORD=password", "--format", "json"]).args(args);
        Report::of(&cmd.inherit(&world.cmd).run())
    };
    let path = format!("{kv}/app");
    let report = read(&path, &[]);
    let policy = report.first(false).unwrap();
    assert!(policy["id"] == "policy" && report.code == 4, "{:#}", report.body);
    assert!(policy["seen"].as_str().unwrap().contains(&format!("may not read {path}")), "{policy}");
    // The rule is for data/, where KV version 2 has it; typed is the path without.
    let rule = space.may_read(&[&format!("{kv}/data/app")]);
    world.role(json!({"token_policies": [rule]}));
    let report = read(&path, &["--issue"]);
    assert_eq!(report.code, 0, "{:#}", report.body);
    assert_eq!(report.step("policy")["seen"], format!("read on {kv}/data/app"), "{:#}", report.body);
    assert_eq!(report.step("engine")["status"], "ok", "{:#}", report.body);
    assert!(report.step("issue")["seen"].as_str().unwrap().contains("issued"), "{:#}", report.body);
    // A field that is not there shows with --issue, as in the run.
    let cmd = Cmd::new(["doctor", "read", &path, "PASSWORD=passwort", "--issue", "--format", "json"]);
    let report = Report::of(&cmd.inherit(&world.cmd).run());
    let first = report.first(false).unwrap();
    assert!(
        first["id"] == "issue" && first["seen"].as_str().unwrap().contains("passwort"),
        "{:#}",
        report.body
    );
    // Without, the last line says what was not tried; where nothing would be issued there is nothing to try.
    let last = |args: &[&str]| {
        let run = Cmd::new(["doctor"]).args(args).inherit(&world.cmd).run().expect(0);
        run.stdout.lines().last().unwrap().to_owned()
    };
    let untried = "All is well as far as it goes without issuing: --issue tries the read itself.";
    assert_eq!(last(&["read", &path, "PASSWORD=passwort"]), untried);
    assert_eq!(last(&["read", &path, "PASSWORD=password", "--issue"]), "All is well.");
    assert_eq!(last(&["login"]), "All is well.");
    // --data makes it a write.
    let report = read(&path, &["--data", "ttl=5m"]);
    assert!(
        report.first(false).unwrap()["hint"].as_str().unwrap().contains("[\"update\"]"),
        "{:#}",
        report.body
    );
    // And the refusal of a real `read` leads here.
    let run = Cmd::new(["read", "nowhere/app", "PASSWORD=password"]).inherit(&world.cmd).run().expect(4);
    assert!(
        run.stderr.contains("`ci-creds doctor read nowhere/app PASSWORD=password` looks at each step"),
        "{run}"
    );
}

/// A policy for a whole engine beside the line for the path that is read is wider than the run needs.
#[test]
fn a_whole_engine_beside_the_path_that_is_read_is_told() {
    let space = Space::on(bao());
    let (one, two) = (space.kv1("one"), space.kv2("two"));
    let engine = crate::support::Engine::new(&space, "db", json!({"ttl": "15m"}));
    engine.role(ROLE);
    let dynamic = format!("{}/creds/{ROLE}", engine.mount);
    for (path, wide, narrow) in [
        (format!("{one}/team/app"), format!("{one}/*"), format!("{one}/team/*")),
        (format!("{two}/data/team/app"), format!("{two}/*"), format!("{two}/data/team/*")),
        (format!("{two}/data/team/app"), format!("{two}/data/*"), format!("{two}/data/team/+")),
        (dynamic.clone(), format!("{}/*", engine.mount), format!("{}/roles/{ROLE}", engine.mount)),
        (dynamic.clone(), format!("{}/creds/+", engine.mount), format!("{}/config/*", engine.mount)),
    ] {
        for (more, code) in [(&narrow, 0), (&wide, 4)] {
            let policy = space.policy(&format!(
                "path \"{path}\" {{ capabilities = [\"read\"] }}\npath \"{more}\" {{ capabilities = [\"read\"] }}"
            ));
            let token = space.token(&[&policy], json!({"ttl": "20m"}));
            let cmd = Cmd::new(["doctor", "read", &path, "X=password", "--strict"]).vault(space.server);
            let run = cmd.env("VAULT_TOKEN", token).env("CI", "true").run();
            assert_eq!(run.code, code, "{more}: {run}");
            let told = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(told.contains("other paths too: the policy is wider"), code != 0, "{more}: {run}");
        }
    }
}

/// A policy such as `setup` prints lets no token read it: what was not checked is said, and fails under --strict.
#[test]
fn a_policy_that_can_not_be_read_is_no_good_news() {
    let space = Space::on(bao());
    let world = World::new(&space);
    world.role(json!({"token_policies": world.policy, "token_no_default_policy": true}));
    let nope = |more: &[&str]| world.cmd.clone().args(["nope"]).args(more).run();
    let run = nope(&[]).expect(0);
    assert!(run.stdout.contains("! policy         not checked: "), "{run}");
    let told = |text: &str| {
        let end = text.trim_end().rsplit("\n\n").next().unwrap().replace('\n', " ");
        assert!(end.contains("not everything was looked at: whether the token may read "), "{run}");
        assert!(end.ends_with("creds/nope: --issue tries it."), "{run}");
    };
    told(&run.stdout);
    told(&Cmd::new(["exoscale", "nope", "--dry-run"]).inherit(&world.cmd).run().expect(0).stderr);
    nope(&["--strict"]).expect(4);
    nope(&["--issue"]).expect(4);
    // A token that was given, with the same policy, is no fault either.
    let token = space.token(&[&world.policy], json!({"no_default_policy": true}));
    let given =
        world.cmd.clone().no_env("VAULT_ID_TOKEN").no_env("VAULT_AUTH_PATH").no_env("VAULT_AUTH_ROLE");
    let run = given.env("VAULT_TOKEN", token).args([ROLE, "--issue"]).run().expect(0);
    assert!(run.stdout.contains("it may not look itself up"), "{run}");
}

/// The call that fails may be one with a command: doctor stands in it, and runs nothing.
#[test]
fn a_call_with_a_command_is_looked_at() {
    let space = Space::new();
    let mut world = World::new(&space);
    world.env("CI_DEBUG_TRACE", "true");
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let words = ["--format", "json", "--no-mask", "--", "/bin/mkdir", made.to_str().unwrap()];
    let report = Report::of(&world.cmd.clone().args(words).run());
    assert_eq!(report.code, 0, "{:#}", report.body);
    assert_eq!(report.step("output")["seen"], "to /bin/mkdir alone; nothing is printed", "{:#}", report.body);
    assert!(!made.exists());
}

#[test]
fn several_at_once_are_looked_at() {
    let space = Space::on(bao());
    let mut world = World::new(&space);
    let kv = space.kv1("scaleway");
    space.write(&format!("{kv}/creds/{ROLE}"), json!({"access_key": "SCW", "secret_key": "s"}));
    world.env("CI_CREDS_SCALEWAY_MOUNT", &kv);
    world.cmd = world.cmd.clone().args(["--and", "scaleway"]);
    let report = world.report();
    let policies = |report: &Report| -> Vec<_> {
        let all = report.steps().iter().filter(|step| step["id"] == "policy" && step["status"] != "skip");
        all.map(|step| step["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (report.code, policies(&report)),
        (4, vec!["ok".to_owned(), "fail".to_owned()]),
        "{:#}",
        report.body
    );
    super::remedy::apply(&mut world, report.first(false).unwrap()["hint"].as_str().unwrap());
    world.flag("--issue");
    let report = world.report();
    assert_eq!(report.code, 0, "{:#}", report.body);
    assert_eq!(report.steps().iter().filter(|step| step["id"] == "issue").count(), 2, "{:#}", report.body);
    // There is no engine for Scaleway that could be mounted instead.
    let kept = report.steps().iter().find(|step| step["id"] == "engine" && step["status"] == "warn").unwrap();
    let hint = kept["hint"].as_str().unwrap();
    assert!(
        hint.contains("with --mint each job gets a key of its own") && !hint.contains("engine"),
        "{hint}"
    );
    // A job's claims are those of the token, whichever variable it is in.
    world.unset("VAULT_ID_TOKEN");
    world.env("CI_JOB_JWT_V2", jwt::mint(json!({})));
    let report = world.report();
    assert_eq!(report.code, 0, "{:#}", report.body);
    assert_eq!(report.step("id-token")["source"], "CI_JOB_JWT_V2", "{:#}", report.body);
}

/// The hint of a refused call is that call: its flags are what was wrong.
#[test]
fn the_hint_is_the_call_as_it_was_typed() {
    let space = Space::new();
    let world = World::new(&space);
    for typed in [
        &["exoscale", ROLE, "--mount", "elsewhere"][..],
        &["exoscale", "--and", "aws=nobody"],
        &["exoscale", ROLE, "--mount", "elsewhere", "--", "/bin/true", "--mount"],
    ] {
        let run = Cmd::new(typed.iter().copied()).inherit(&world.cmd).run().expect(4);
        let hint =
            run.stderr.lines().find_map(|line| line.split_once("hint: `ci-creds doctor ")?.1.split_once('`'));
        let call = hint.unwrap_or_else(|| panic!("{run}")).0;
        let told: Vec<_> = typed.iter().copied().take_while(|word| *word != "--").collect();
        assert_eq!(call, told.join(" "), "{run}");
        let report = Report::of(
            &Cmd::new(["doctor"]).args(call.split(' ')).args(["--format", "json"]).inherit(&world.cmd).run(),
        );
        assert_eq!(report.code, 4, "{call}: {:#}", report.body);
        assert_eq!(report.first(false).unwrap()["id"], "policy", "{call}: {:#}", report.body);
    }
}
