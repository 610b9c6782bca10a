//! What is printed suffices, every line of it is needed, and it lets in nobody else.

use serde_json::{Map, Value, json};

use super::world::{KINDS, World, cli};
use crate::support::{eventually, unique};

/// The policies that a script writes, with their names.
pub fn policies(script: &str) -> Vec<(String, String)> {
    let start = format!("{} policy write ", cli());
    let parts = script.split(&start).skip(1);
    let parts = parts.map(|part| part.split_once(" - <<'EOF'\n").unwrap());
    parts.map(|(name, rest)| (name.to_owned(), rest.split_once("EOF\n").unwrap().0.to_owned())).collect()
}

/// The text of the job's policy.
fn policy(script: &str) -> String {
    policies(script).remove(0).1
}

/// Takes away each part of each policy in turn; returns how many there were.
pub fn each_part_is_needed(world: &World, script: &str) -> usize {
    assert_eq!(world.fault(), None, "{}\n{script}", world.run[0]);
    let mut count = 0;
    for (name, whole) in policies(script) {
        let path = format!("sys/policies/acl/{name}");
        // A secret_id is issued without metadata where it is refused with it.
        let mutants = mutants(&whole).into_iter().filter(|(part, _)| !part.contains("metadata"));
        for (part, mutant) in mutants {
            world.space.ok("PUT", &path, json!({"policy": mutant}));
            assert!(world.fault().is_some(), "{} succeeds without: {part}\n{mutant}", world.run[0]);
            count += 1;
        }
        world.space.ok("PUT", &path, json!({"policy": whole}));
    }
    assert_eq!(world.fault(), None, "{}", world.run[0]);
    count
}

/// The role that a script writes.
fn role(script: &str) -> Map<String, Value> {
    let (_, rest) = script.split_once(&format!("{} write auth/jwt/role/job - <<'EOF'\n", cli())).unwrap();
    serde_json::from_str(rest.split_once("\nEOF\n").unwrap().0).unwrap()
}

/// The policy without one of its parts, each in turn: a path, or a parameter.
fn mutants(policy: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = policy.lines().collect();
    let mut mutants = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let end = match (line.starts_with("path "), line.ends_with('}')) {
            (true, true) => at,
            (true, false) => at + lines[at..].iter().position(|line| *line == "}").unwrap(),
            (false, _) if line.starts_with("    \"") => at,
            _ => continue,
        };
        // Without any parameter at all, every parameter is allowed.
        let instead: &[&str] = if line.starts_with("path ") { &[] } else { &["    \"other\" = []"] };
        let rest = [&lines[..at], instead, &lines[end + 1..]].concat();
        mutants.push(((*line).to_owned(), rest.join("\n")));
    }
    mutants
}

#[test]
fn each_line_is_needed_and_all_of_them_suffice() {
    let mut count = 0;
    for kind in KINDS {
        let Some(world) = World::new(kind) else { continue };
        let script = world.printed(&[]);
        for _ in 0..2 {
            world.shell(&script).run().expect(0);
        }
        count += each_part_is_needed(&world, &script);
    }
    assert!(count >= 20, "{count} mutants");
}

#[test]
fn a_command_is_kept_alive_and_each_line_for_it_is_needed() {
    let mut world = World::new("exoscale").unwrap();
    let mount = world.run[3].clone();
    let pair = json!({"api_key": "EXO1", "api_secret": "s", "ttl": "4s"});
    world.space.write(&format!("{mount}/apikey/ci"), pair);
    world.options = ["--token-ttl", "4s"].map(str::to_owned).to_vec();
    let script = world.printed(&["--", "true"]);
    world.shell(&script).run().expect(0);
    let job = |world: &World| world.job(&world.token(json!({})), &["--", "/bin/sleep", "5"]).run();
    let run = job(&world).expect(0);
    let quiet = |text: &str| !text.contains("warning") && !text.contains("can't be renewed");
    assert!(policy(&script).contains("sys/leases/renew"), "{script}");
    // KV's leases can't be renewed; that the line is there, and the token's renewal, is what counts here.
    assert!(!run.stderr.contains("the login's token can't"), "{run}");
    let without = policy(&script).replace("auth/token/renew-self", "auth/token/x");
    world.space.ok("PUT", "sys/policies/acl/job", json!({"policy": without}));
    assert!(!quiet(&job(&world).stderr));
}

/// With --dead-man a process may be killed between the login's answer and the cut of the token's life: then the role's own
/// TTL is what ends the token.
#[test]
fn a_window_is_the_tokens_own_life() {
    let mut world = World::new("exoscale").unwrap();
    world.options = vec!["--dead-man".to_owned(), "30s".to_owned()];
    let script = world.printed(&["--", "true"]);
    let fields = role(&script);
    assert_eq!((&fields["token_ttl"], &fields["token_max_ttl"]), (&json!(30), &json!(3600)));
    assert!(world.printed(&["--format", "gitlab"]).contains("--dead-man 30s"));
    world.shell(&script).run().expect(0);
    // A login alone, whose process then is gone.
    let (_, token) = login(&world, json!({}));
    let looked = world.space.ok("POST", "auth/token/lookup", json!({"token": token}));
    assert!(looked["data"]["ttl"].as_u64().is_some_and(|ttl| ttl <= 30), "{looked}");
    // A healthy run lives longer than that.
    let seconds = if cfg!(feature = "soak") { "75" } else { "40" };
    let run = world.job(&world.token(json!({})), &["--dead-man", "30s", "--", "/bin/sleep", seconds]);
    let run = run.run().expect(0);
    assert!(run.stderr.contains(", ends 30s after this process"), "{run}");
    assert!(!run.stderr.contains("login's token can't"), "{run}");
    eventually("the token is gone", || world.tokens().is_empty());
    // Another life that is named is meant.
    world.options.extend(["--token-ttl", "5m"].map(str::to_owned));
    assert_eq!(role(&world.printed(&[]))["token_ttl"], 300);
}

/// A line for what the job does with the token is needed as much as the others.
#[test]
fn a_line_is_allowed_for_what_the_job_does_with_the_token() {
    let world = World::new("login").unwrap();
    let told = "--allow auth/token/create=update";
    assert!(world.printed(&[]).contains(told));
    let script = world.printed(&["--allow", "auth/token/create=update", "--allow", "/sys/mounts/=read"]);
    assert!(!script.contains(told), "{script}");
    world.shell(&script).run().expect(0);
    let (_, token) = login(&world, json!({}));
    let ask = |method: &str, path: &str| {
        let at = format!("{}/{path}", world.space.namespace);
        world.space.server.api_as(&token, method, &at, json!({"ttl": "1m"})).status
    };
    assert_eq!((ask("POST", "auth/token/create"), ask("GET", "sys/mounts")), (200, 200));
    assert_eq!((ask("POST", "sys/mounts/x"), ask("GET", "sys/auth")), (403, 403));
}

/// AWS's sessions outlive the token; a command that gets fresh ones needs it all the time.
#[test]
fn a_token_is_renewed_only_where_something_needs_it() {
    let world = World::new("aws").unwrap();
    let renews = |more: &[&str]| policy(&world.printed(more)).contains("auth/token/renew-self");
    assert!(!renews(&[]) && !renews(&["--", "terraform", "apply"]));
    assert!(renews(&["--refresh", "--", "terraform", "apply"]));
    assert!(renews(&["--and", "login", "--", "terraform", "apply"]));
}

/// A login with these claims changed: its status, and the token.
fn login(world: &World, changes: Value) -> (u16, String) {
    let path = format!("{}/auth/jwt/login", world.space.namespace);
    let body = json!({"role": "job", "jwt": world.token(changes)});
    let reply = world.space.server.api_as("", "POST", &path, body);
    (reply.status, reply.body["auth"]["client_token"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn nobody_else_is_let_in() {
    let world = World::new("kv1").unwrap();
    let script = world.printed(&[]);
    world.shell(&script).run().expect(0);
    let claims = role(&script)["bound_claims"].as_object().unwrap().clone();
    assert_eq!(claims.len(), 5, "{claims:?}");
    let mut refused = 0;
    let mut refuse = |changes: Value| {
        let (status, _) = login(&world, changes.clone());
        assert!(status == 400 || status == 403, "{status} {changes}");
        refused += 1;
    };
    let mut others =
        |claim: &str, values: Vec<Value>| values.iter().for_each(|value| refuse(json!({claim: value})));
    let numbers = (0..80).filter(|number| *number != 22).map(|number| json!(number.to_string()));
    others(
        "project_id",
        numbers
            .chain([json!(22), json!(["23"]), json!("022"), json!("22 "), json!("*"), Value::Null])
            .collect(),
    );
    let fixed = [
        "Main",
        "main ",
        " main",
        "mai",
        "main2",
        "ma*n",
        "*",
        "",
        "refs/heads/main",
        "main/x",
        "feature/main",
        "HEAD",
    ];
    let random = (0..40).map(|_| json!(unique()));
    others(
        "ref",
        fixed.map(|text| json!(text)).into_iter().chain(random).chain([json!(true), Value::Null]).collect(),
    );
    others(
        "ref_type",
        ["tag", "Branch", "branches", "", "*", "merge_request"].map(|text| json!(text)).to_vec(),
    );
    others("ref_type", vec![Value::Null]);
    others("ref_protected", ["false", "True", "TRUE", "1", "", "*"].map(|text| json!(text)).to_vec());
    others("ref_protected", vec![json!(true), json!(1), Value::Null]);
    let random = (0..30).map(|_| json!(unique()));
    let fixed = ["Production", "production ", "prod", "production/eu", "review/main", "staging", "", "*"];
    others(
        "environment",
        fixed.map(|text| json!(text)).into_iter().chain(random).chain([Value::Null]).collect(),
    );
    let fixed = ["https://vault.example.com/", "https://vault", "*", "", "https://VAULT.example.com"];
    others(
        "aud",
        fixed
            .map(|text| json!(text))
            .into_iter()
            .chain([json!([]), json!(["x", "y"]), Value::Null])
            .collect(),
    );
    let fixed = ["https://gitlab.com", "https://gitlab.example.com", "", "*"];
    others("iss", fixed.map(|text| json!(text)).to_vec());
    let slash = format!("{}/", world.issuer.addr);
    others("iss", vec![json!(slash)]);
    let past = jiff::Timestamp::now().as_second() - 7200;
    others("exp", vec![json!(past)]);
    println!("{refused} claim sets are refused");
    assert!(refused >= 200, "{refused}");
    // What else may differ lets in all the same.
    assert_eq!(login(&world, json!({"job_id": "1", "pipeline_source": "web", "user_login": "bob"})).0, 200);
}

#[test]
fn nothing_else_can_be_read() {
    let world = World::new("kv1").unwrap();
    world.shell(&world.printed(&[])).run().expect(0);
    let (_, token) = login(&world, json!({}));
    let mount = world.run[1].rsplit_once('/').unwrap().0.to_owned();
    let read = |method: &str, path: &str| {
        world
            .space
            .server
            .api_as(&token, method, &format!("{}/{path}", world.space.namespace), Value::Null)
            .status
    };
    assert_eq!(read("GET", &format!("{mount}/app")), 200);
    let own = ["app2", "app/x", "ap", "APP"].map(|name| format!("{mount}/{name}"));
    let others = [
        "auth/token/lookup-self",
        "sys/auth",
        "sys/mounts",
        "sys/policies/acl/job",
        "cubbyhole/x",
        "auth/jwt/role/job",
    ];
    for path in own.iter().map(String::as_str).chain(others) {
        assert_eq!(read("GET", path), 403, "{path}");
    }
    assert_eq!(read("LIST", &mount), 403);
    assert_eq!(read("POST", &format!("{mount}/app")), 403);
}

#[test]
fn several_projects_and_globs_let_in_those_alone() {
    let world = World::new("kv1").unwrap();
    let print = |who: &[&str]| {
        let run = world.setup(who).args(["--audience", crate::support::jwt::AUDIENCE]).run().expect(0);
        world.shell(&run.stdout).run().expect(0);
        role(&run.stdout)
    };
    let enters = |changes: Value| login(&world, changes).0 == 200;
    let role = print(&["--project", "22", "--project", "23", "--protected"]);
    assert_eq!(role["bound_claims_type"], "string");
    assert!(enters(json!({})) && enters(json!({"project_id": "23", "ref": "v1", "ref_type": "tag"})));
    assert!(!enters(json!({"project_id": "24"})) && !enters(json!({"ref_protected": "false"})));
    let role = print(&["--project", "group/*", "--ref", "refs/tags/v*"]);
    assert_eq!(role["bound_claims_type"], "glob");
    assert!(enters(json!({"ref": "v1.0", "ref_type": "tag"})));
    assert!(!enters(json!({"ref": "v1.0"})) && !enters(json!({"ref": "w", "ref_type": "tag"})));
    assert!(!enters(json!({"ref": "v1", "ref_type": "tag", "project_path": "groups/x"})));
    // An old field does not live on.
    let role = print(&["--project", "22", "--ref", "dev", "--unprotected"]);
    assert_eq!(
        (role["bound_claims_type"].as_str(), role["bound_claims"].as_object().unwrap().len()),
        (Some("string"), 3)
    );
    assert!(enters(json!({"ref": "dev", "ref_protected": "false"})) && !enters(json!({})));
    let line = "this token says: project_id=22 ref=main ref_type=branch ref_protected=true environment=production aud=https://vault.example.com";
    let role = print(&["--from-job", line]);
    assert_eq!(
        role["bound_claims"],
        json!({"project_id": "22", "ref": "main", "ref_type": "branch", "ref_protected": "true", "environment": "production"})
    );
    assert!(enters(json!({})) && !enters(json!({"environment": "review"})));
}
