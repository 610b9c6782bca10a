//! `--check`: what is there is compared with what would be printed, and nothing is written.

use serde_json::{Map, Value, json};

use super::world::World;
use crate::logins::aws::Cloud;
use crate::support::{Cmd, Run, bao};

/// What the last script of a world wrote, as JSON.
fn plan(world: &World) -> Value {
    serde_json::from_str(&world.printed(&["--format", "json"])).unwrap()
}

/// `--check` with an operator's token.
fn checked(world: &World, more: &[&str]) -> Run {
    let jobs = ["--project", "22", "--ref", "main", "--environment", "production"];
    let who: &[&str] = match world.login {
        "jwt" => &jobs,
        _ => &["--auth", "approle", "--bound-cidr", "127.0.0.0/8"],
    };
    operator(
        world,
        world.setup(who).args(["--audience", crate::support::jwt::AUDIENCE, "--check"]).args(more),
    )
    .run()
}

fn operator(world: &World, cmd: Cmd) -> Cmd {
    cmd.env("VAULT_TOKEN", &world.space.server.root_token).env("VAULT_NAMESPACE", &world.space.namespace)
}

/// What is not as it should be: verdict, and what was seen.
fn findings(world: &World) -> (i32, Vec<(String, String)>) {
    let run = checked(world, &["--strict", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run}"));
    assert_eq!(report["code"], json!(run.code));
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = report["findings"].as_array().unwrap().iter();
    let odd = all.filter(|one| one["verdict"] != "ok");
    (
        run.code,
        odd.map(|one| (text(one, "verdict"), format!("{}: {}", text(one, "place"), text(one, "seen"))))
            .collect(),
    )
}

#[track_caller]
fn deviates(world: &World, verdict: &str, says: &str) {
    let (code, found) = findings(world);
    assert_eq!(code, 4, "{says}: {found:?}");
    assert!(found.iter().all(|(known, _)| known == verdict), "{says}: {found:?}");
    assert!(found.iter().any(|(_, seen)| seen.contains(says)), "{says}: {found:?}");
}

/// Writes a role's fields with some changed; everything is written, as a write is merged with what is there.
fn rewrite(world: &World, role: &Value, changes: &Value) {
    let mut fields = role["fields"].as_object().unwrap().clone();
    fields.extend(changes.as_object().unwrap().clone());
    world.space.write(role["path"].as_str().unwrap(), Value::Object(fields));
}

#[test]
fn a_token_that_is_not_valid_is_told_so() {
    let world = World::new("kv1").unwrap();
    let cmd = world.setup(&["--project", "22", "--protected", "--check"]);
    let cmd = operator(&world, cmd).env("VAULT_TOKEN", crate::support::secret());
    let run = cmd.run().expect(4);
    assert!(run.stderr.contains("hint: this VAULT_TOKEN is not valid here: it has ended"), "{run}");
    assert!(!run.stderr.contains("policy must have"), "{run}");
}

#[test]
fn every_deviation_is_found() {
    let world = World::new("aws").unwrap();
    let (code, found) = findings(&world);
    assert!(code == 4 && found.iter().all(|(verdict, _)| verdict == "missing"), "{found:?}");
    let script = world.printed(&[]);
    world.shell(&script).run().expect(0);
    assert_eq!(findings(&world), (0, vec![]));
    let plan = plan(&world);
    let role = &plan["roles"][0];
    let claims = role["fields"]["bound_claims"].as_object().unwrap().clone();
    let with = |name: &str, value: Value| {
        let mut claims: Map<String, Value> = claims.clone();
        claims.insert(name.to_owned(), value);
        claims.retain(|_, value| !value.is_null());
        json!({"bound_claims": claims})
    };
    let aud = crate::support::jwt::AUDIENCE;
    let mut count = 0;
    for (changes, verdict) in [
        (json!({"token_ttl": 3600}), "wider"),
        (json!({"token_ttl": 60}), "missing"),
        (json!({"token_ttl": 0}), "wider"),
        (json!({"token_max_ttl": 7200}), "wider"),
        (json!({"token_max_ttl": 1000}), "missing"),
        (json!({"token_policies": ["job", "other"]}), "wider"),
        (json!({"token_policies": ["other"]}), "missing"),
        (json!({"token_no_default_policy": false}), "wider"),
        (json!({"token_period": 600}), "wider"),
        (json!({"token_explicit_max_ttl": 1200}), "missing"),
        (json!({"token_num_uses": 5}), "missing"),
        (json!({"token_type": "batch"}), "missing"),
        (json!({"token_bound_cidrs": ["10.0.0.0/8"]}), "missing"),
        (json!({"bound_audiences": [aud, "https://other.example.com"]}), "wider"),
        (json!({"bound_audiences": ["https://other.example.com"]}), "missing"),
        (with("ref_protected", Value::Null), "wider"),
        (with("project_id", Value::Null), "wider"),
        (with("environment", Value::Null), "wider"),
        (with("user_login", json!("alice")), "missing"),
        (with("ref", json!(["main", "dev"])), "wider"),
        (with("ref", json!("dev")), "missing"),
        (json!({"bound_claims_type": "glob"}), "wider"),
        (json!({"user_claim": "user_email"}), "wider"),
        (json!({"groups_claim": "groups_direct"}), "wider"),
        (json!({"bound_subject": "x"}), "missing"),
        (json!({"expiration_leeway": 3600}), "wider"),
        (json!({"not_before_leeway": 3600}), "wider"),
        (json!({"clock_skew_leeway": 3600}), "wider"),
        (json!({"claim_mappings": {"ref": "ref"}}), "wider"),
        (json!({"user_claim_json_pointer": true}), "missing"),
    ] {
        rewrite(&world, role, &changes);
        deviates(&world, verdict, changes.as_object().unwrap().keys().next().unwrap());
        count += 1;
        rewrite(&world, role, &json!({}));
    }
    count += policies(&world, plan["policies"][0]["text"].as_str().unwrap());
    assert_eq!(findings(&world), (0, vec![]));
    world.space.ok("DELETE", "auth/jwt/role/job", Value::Null);
    deviates(&world, "missing", "auth/jwt/role/job: there is no such role");
    world.shell(&script).run().expect(0);
    for (issuer, verdict) in [("https://other.example.com", "missing"), ("", "wider")] {
        let mut config = crate::support::jwt::trust();
        config["bound_issuer"] = json!(issuer);
        world.space.write("auth/jwt/config", config);
        deviates(&world, verdict, "auth/jwt/config: bound_issuer is ");
        count += 1;
    }
    let mut config = crate::support::jwt::trust();
    config["bound_issuer"] = json!(world.issuer.addr);
    world.space.write("auth/jwt/config", config);
    deviates(&world, "wider", "auth/jwt/config: the keys are those of jwt_validation_pubkeys");
    assert!(count + 1 >= 40, "{count}");
}

fn policies(world: &World, whole: &str) -> usize {
    let path = "sys/policies/acl/job";
    let arn = "\"arn:aws:iam::1:role/web\"";
    let mount = world.run[3].clone();
    let revoke = "path \"auth/token/revoke-self\" { capabilities = [\"update\"] }\n";
    let deviations = [
        (whole.replace(revoke, ""), "missing", "auth/token/revoke-self"),
        (whole.replace("sts/web", "sts/other"), "", "sts/web"),
        (whole.replace("[\"read\"]", "[\"read\", \"list\"]"), "wider", "list too, read is needed"),
        (whole.replace("[\"read\"]", "[\"list\"]"), "missing", "sts/web"),
        (whole.replace("[\"read\"]", "[\"read\", \"deny\"]"), "missing", "sts/web"),
        (
            format!("{whole}path \"{mount}/*\" {{ capabilities = [\"read\"] }}\n"),
            "wider",
            "the run does not ask for it",
        ),
        (whole.replace("sts/web", "sts/*"), "wider", "sts/*: the run does not ask for it"),
        (whole.replace("sts/web", "+/web"), "wider", "+/web: the run does not ask for it"),
        (whole.replace(&format!("[{arn}]"), "[]"), "wider", "role_arn may have other values"),
        (whole.replace(arn, &format!("{arn}, \"arn:x\"")), "wider", "role_arn may have other values"),
        (whole.replace(arn, "\"arn:x\""), "missing", "role_arn may not have the value"),
        (whole.replace("\"ttl\"", "\"x\""), "", "the parameter ttl is not among"),
        (whole.replace("    \"ttl\"", "    \"x\" = []\n    \"ttl\""), "wider", "the parameter x may be sent"),
        (
            whole.replace("  allowed", "  min_wrapping_ttl = \"60s\"\n  allowed"),
            "missing",
            "min_wrapping_ttl may keep",
        ),
        (
            whole.replace("  allowed", "  required_parameters = [\"ticket\"]\n  allowed"),
            "missing",
            "required_parameters has ticket, which the run does not send",
        ),
        ("path \"a\" { policy = \"read\" }".to_owned(), "", "sts/web"),
        (
            format!("{whole}path \"*\" {{ policy = \"sudo\" }}\n"),
            "wider",
            "sudo on *: the run does not ask for it",
        ),
        (
            format!("{whole}path \"{mount}/sts/web\" {{ capabilities = [\"read\", \"sudo\"] }}\n"),
            "wider",
            "sudo too, read is needed",
        ),
        (
            format!("{}{revoke}", format_args!("path \"{mount}/sts/web\" {{ capabilities = [\"read\"] }}\n")),
            "wider",
            "any parameter may be sent",
        ),
    ];
    let count = deviations.len();
    for (text, verdict, says) in deviations {
        assert_ne!(text, whole, "{says}");
        world.space.ok("PUT", path, json!({"policy": text}));
        let (code, found) = findings(world);
        let fits = |(known, seen): &(String, String)| {
            (verdict.is_empty() || known == verdict) && seen.contains(says)
        };
        assert!(code == 4 && found.iter().any(fits), "{says}: {found:?}");
        assert!(verdict.is_empty() || found.iter().all(|(known, _)| known == verdict), "{says}: {found:?}");
    }
    world.space.ok("DELETE", path, Value::Null);
    deviates(world, "missing", "policy job: there is no such policy");
    // What the run sends may be asked for.
    let strict = whole.replace("  allowed", "  required_parameters = [\"role_arn\", \"ttl\"]\n  allowed");
    world.space.ok("PUT", path, json!({"policy": strict}));
    let (code, found) = findings(world);
    assert!(code == 0, "{found:?}");
    world.space.ok("PUT", path, json!({"policy": whole}));
    count + 1
}

/// Which engine is mounted where, and which version of KV it is.
#[test]
fn the_mounts_of_the_run_are_looked_at() {
    let mut world = World::new("kv1").unwrap();
    world.shell(&world.printed(&[])).run().expect(0);
    assert_eq!(findings(&world), (0, vec![]));
    let kv1 = world.run[1].strip_suffix("/app").unwrap().to_owned();
    let kv2 = world.space.mount("second", json!({"type": "kv", "options": {"version": "2"}}));
    let deep = world.space.mount("deep/er", json!({"type": "kv", "options": {"version": "2"}}));
    let pki = world.space.mount("pki", json!({"type": "pki"}));
    let mut count = 0;
    for (path, more, says) in [
        (
            "nowhere/app".to_owned(),
            &["--kv-version", "1"][..],
            "engine nowhere/: no secrets engine is mounted there",
        ),
        ("nowhere".to_owned(), &[], "engine nowhere/: no secrets engine is mounted there"),
        (
            format!("{kv1}/app"),
            &["--kv-version", "2"],
            "it is KV version 1, and the policy has the paths of version 2",
        ),
        (
            format!("{kv2}/app"),
            &["--kv-version", "1"],
            "it is KV version 2, and the policy has the paths of version 1",
        ),
        (
            format!("{kv2}/app"),
            &[],
            "it is KV version 2, and the policy lacks the data/ of its paths: say --kv-version 2",
        ),
        (format!("{deep}/app"), &[], "it is KV version 2, and the policy lacks the data/"),
        (format!("{pki}/app"), &["--kv-version", "1"], "it is a pki engine, KV version 1 is needed"),
        (format!("{pki}/data/app"), &[], "it is a pki engine, KV version 2 is needed"),
    ] {
        let run = [&["read", &path, "TOKEN=token"][..], more].concat();
        world.run = run.into_iter().map(str::to_owned).collect();
        world.shell(&world.printed(&[])).run().expect(0);
        let (code, found) = findings(&world);
        assert!(code == 4 && found.len() == 1 && found[0].0 == "missing", "{path} {more:?}: {found:?}");
        assert!(found[0].1.contains(says), "{path} {more:?}: {found:?}");
        count += 1;
    }
    assert_eq!(count, 8);
    for (words, says) in [
        (vec!["aws", "web", "--mount", &pki], Some("it is a pki engine, aws is needed")),
        // What answers like the cloud's engine is as good.
        (vec!["aws", "web", "--mount", &kv1], None),
        (vec!["scaleway", "dev", "--mount", &kv2], Some("it is KV version 2, and the policy lacks")),
        (vec!["read", &format!("{kv2}/data/app"), "TOKEN=token"], None),
        (
            vec!["read", &format!("{pki}/issue/web"), "C=certificate", "--data", "common_name=a.example.com"],
            None,
        ),
    ] {
        world.run = words.iter().map(|&word| word.to_owned()).collect();
        world.shell(&world.printed(&[])).run().expect(0);
        let (code, found) = findings(&world);
        match says {
            Some(says) => {
                assert!(code == 4 && found.len() == 1 && found[0].1.contains(says), "{words:?}: {found:?}")
            }
            None => assert_eq!((code, found), (0, vec![]), "{words:?}"),
        }
    }
    // A reference has the version in its path.
    world.run = vec!["env".to_owned()];
    world.env = vec![("APP".to_owned(), format!("vault:{kv2}/app#token"))];
    world.shell(&world.printed(&[])).run().expect(0);
    let (code, found) = findings(&world);
    assert!(code == 4 && found[0].1.contains("write it into the reference"), "{found:?}");
}

#[test]
fn an_approle_is_checked_with_its_issuing_side() {
    let world = World::on(bao(), "kv1", "approle").unwrap();
    world.shell(&world.printed(&[])).run().expect(0);
    assert_eq!(findings(&world), (0, vec![]));
    let plan = plan(&world);
    let (login, issuing) = (&plan["roles"][0], &plan["roles"][1]);
    for (role, changes, verdict) in [
        (login, json!({"secret_id_num_uses": 0}), "wider"),
        (login, json!({"secret_id_num_uses": 5}), "wider"),
        (login, json!({"secret_id_ttl": 0}), "wider"),
        (login, json!({"secret_id_ttl": 10}), "missing"),
        (login, json!({"bind_secret_id": false}), "wider"),
        (login, json!({"token_bound_cidrs": []}), "wider"),
        (login, json!({"secret_id_bound_cidrs": ["10.0.0.0/8"]}), "missing"),
        (issuing, json!({"orphan": false}), "missing"),
        (issuing, json!({"renewable": false}), "missing"),
        (issuing, json!({"allowed_policies": ["job-issue", "default", "admin"]}), "wider"),
        (issuing, json!({"allowed_policies": ["job-issue"]}), "missing"),
        (issuing, json!({"token_period": 600}), "wider"),
    ] {
        rewrite(&world, role, &changes);
        deviates(&world, verdict, changes.as_object().unwrap().keys().next().unwrap());
        rewrite(&world, role, &json!({}));
    }
    assert_eq!(findings(&world), (0, vec![]));
}

#[test]
fn the_report_is_for_people_and_wider_fails_only_strictly() {
    let world = World::new("kv1").unwrap();
    world.shell(&world.printed(&[])).run().expect(0);
    let run = checked(&world, &["--strict"]).expect(0);
    assert!(run.stdout.starts_with("ok      ") && run.stdout.contains(" are as they should be"), "{run}");
    let role = &plan(&world)["roles"][0];
    rewrite(&world, role, &json!({"token_ttl": 3600}));
    let run = checked(&world, &[]).expect(0);
    assert!(run.stdout.starts_with("wider   auth/jwt/role/job: token_ttl is 3600, 900 is needed\n"), "{run}");
    let run = checked(&world, &["--strict"]).expect(4);
    assert!(run.stdout.contains("hint: the same call without --check"), "{run}");
    rewrite(&world, role, &json!({"token_ttl": 60}));
    assert!(
        checked(&world, &[]).expect(4).stdout.starts_with("missing auth/jwt/role/job: token_ttl"),
        "{run}"
    );
    // Nothing was written by all that, and a token that may not look is told what it needs.
    let found = world.space.ok("GET", "auth/jwt/role/job", Value::Null);
    assert_eq!(found["data"]["token_ttl"], 60);
    let token = world.space.token(&["default"], json!({}));
    let cmd = operator(&world, world.setup(&["--project", "22", "--audience", "x", "--check"]));
    let run = cmd.env("VAULT_TOKEN", token).run().expect(4);
    assert!(run.stderr.contains("this VAULT_TOKEN's policy must have: path \"auth/jwt/config\""), "{run}");
}

/// The example's policy of an operator lets the check look at everything, for each login.
#[test]
fn the_operators_policy_suffices() {
    for login in ["jwt", "approle", "kubernetes"] {
        looks_at_everything(&World::on(bao(), "kv1", login).unwrap());
    }
    let Some(cloud) = Cloud::start() else { return };
    let world = World::on(Box::leak(Box::new(cloud)).server(), "kv1", "aws").unwrap();
    world.space.write("sys/auth/aws", json!({"type": "aws-auth"}));
    looks_at_everything(&world);
}

fn looks_at_everything(world: &World) {
    world.shell(&world.printed(&[])).run().expect(0);
    let policy = json!({"policy": include_str!("../../examples/operator.hcl")});
    world.space.ok("PUT", "sys/policies/acl/operator", policy);
    let token = world.space.token(&["operator"], json!({"ttl": "5m"}));
    let checked = world.printed_cmd(&["--check", "--strict"]);
    operator(world, checked).env("VAULT_TOKEN", token).run().expect(0);
}

/// The token is from one namespace, and the engine is in one below it.
#[test]
fn the_engine_may_be_in_a_namespace_below() {
    let mut world = World::new("login").unwrap();
    let (outer, inner) = (world.space.namespace.clone(), format!("{}/app", world.space.namespace));
    world.space.ok("POST", "sys/namespaces/app", json!({}));
    world.space.ok("POST", "app/sys/mounts/kv", json!({"type": "kv", "options": {"version": "1"}}));
    world.space.ok("POST", "app/kv/app", json!({"token": "s"}));
    world.run = [
        "read",
        "kv/app",
        "TOKEN=token",
        "--kv-version",
        "1",
        "--namespace",
        &inner,
        "--auth-namespace",
        &outer,
    ]
    .map(str::to_owned)
    .to_vec();
    let script = world.printed(&[]);
    assert!(
        script.contains(&format!("export VAULT_NAMESPACE={outer}\n"))
            && script.contains("path \"app/kv/app\""),
        "{script}"
    );
    world.shell(&script).run().expect(0);
    // Its revocation finds both namespaces in the state file.
    assert_eq!(world.fault(), None, "{script}");
    operator(&world, world.printed_cmd(&["--check", "--strict"])).no_env("VAULT_NAMESPACE").run().expect(0);
    let job = world.printed(&["--format", "gitlab"]);
    assert!(job.contains(&format!("CI_CREDS_AUTH_NAMESPACE: \"{outer}\"")), "{job}");
    // A token is no good beside its namespace.
    world.run.truncate(5);
    for (engine, login) in [("other", "team"), ("teams/app", "team")] {
        let cmd = world.setup(&["--project", "22", "--namespace", engine, "--auth-namespace", login]);
        let run = cmd.args(["--audience", crate::support::jwt::AUDIENCE]).run().expect(2);
        assert!(run.stderr.contains("the namespace is not below the login's"), "{run}");
    }
}
