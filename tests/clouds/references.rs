//! `env`: references in variables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{CANARY, Cmd, Engine, Proxy, Space, eventually, require, script, secret, shells};

/// How many runs at the same time.
const RUNS: usize = if cfg!(feature = "soak") { 200 } else { 20 };

/// What GitLab sets in jobs (docs.gitlab.com: ci/variables/predefined_variables).
const PREDEFINED: &str = include_str!("predefined.txt");

/// A database engine with a role, a secret, and a login that may read both.
struct World<'a> {
    space: &'a Space<'static>,
    engine: Engine<'a>,
    kv: String,
    login: crate::support::space::AppRole,
}

impl<'a> World<'a> {
    fn new(space: &'a Space<'static>) -> Self {
        let engine = Engine::new(space, "db", json!({"ttl": "15m", "max_ttl": "1h"}));
        engine.role("web");
        let kv = space.kv1("kv");
        let policy = space.may_read(&[&format!("{}/creds/web", engine.mount), &format!("{kv}/*")]);
        let login = space.approle("ci", json!({"token_policies": policy, "token_ttl": "20m"}));
        Self { space, engine, kv, login }
    }

    fn creds(&self, field: &str) -> String {
        format!("vault:{}/creds/web#{field}", self.engine.mount)
    }

    fn cmd(&self, cmd: Cmd) -> Cmd {
        cmd.vault(self.space.server).approle(&self.login)
    }
}

#[test]
fn references_become_values_in_every_shell() {
    let space = Space::new();
    let world = World::new(&space);
    let (token, odd) = (secret(), "it's $x `a` #b\n  c ");
    space.write(
        &format!("{}/app", world.kv),
        json!({"token": token, "odd#name": odd, "api": {"key": "inner"}}),
    );
    let show = "printf '%s|' \"$TOKEN\" \"$ODD\" \"$KEY\" \"$TEXT\" \"$PLAIN\" \"$OTHER\"";
    let fish = require("fish").map(|_| "fish");
    for shell in shells().into_iter().chain(fish) {
        let text = match shell {
            "fish" => format!("eval (ci-creds env --format fish); {show}"),
            _ => format!("eval \"$(ci-creds env)\"; {show}"),
        };
        let run = world
            .cmd(script(shell, &text))
            .env("TOKEN", format!("vault:{}/app#token", world.kv))
            .env("ODD", format!("vault:{}/app#odd%23name", world.kv))
            .env("KEY", format!("ref+vault://{}/app#/api.key", world.kv))
            .env("TEXT", "vault::8200")
            .env("PLAIN", "postgres://vault:secret@db")
            .env("OTHER", "op://team/item/field")
            .run()
            .expect(0);
        let expected =
            format!("{token}|{odd}|inner|vault:8200|postgres://vault:secret@db|op://team/item/field|");
        assert_eq!(run.stdout, expected, "{shell} {run}");
        assert_eq!(run.stderr.matches("OTHER begins with op://").count(), 1, "{run}");
    }
}

#[test]
fn both_halves_belong_together_and_each_path_is_read_once() {
    let space = Space::new();
    let world = World::new(&space);
    let seen: Mutex<BTreeMap<String, String>> = Mutex::default();
    let one = || {
        let cmd = world.cmd(Cmd::new(["env", "--format", "json"]));
        let cmd = cmd.env("DB_USER", world.creds("username")).env("DB_PASSWORD", world.creds("password"));
        let given: Value = serde_json::from_str(&cmd.run().expect(0).stdout).unwrap();
        let text = |name: &str| given["credentials"][0]["variables"][name].as_str().unwrap().to_owned();
        seen.lock().unwrap().insert(text("DB_USER"), text("DB_PASSWORD"));
    };
    thread::scope(|scope| (0..RUNS).for_each(|_| drop(scope.spawn(one))));
    assert_eq!(world.engine.pairs(), seen.into_inner().unwrap());
    assert_eq!(world.engine.leases().len(), RUNS);
}

/// Ten paths, thirty variables: one request for each path, and no second connection where the server is quick. How
/// quick it is depends on what else this machine does, hence several runs.
#[test]
fn paths_are_read_on_one_connection_where_the_server_is_quick() {
    let space = Space::new();
    let world = World::new(&space);
    let fields = ["a", "b", "c"];
    let mut cmd = world.cmd(Cmd::new(["env", "--format", "json"]));
    for number in 0..10 {
        let path = format!("{}/app{number}", world.kv);
        space.write(&path, json!({"a": secret(), "b": secret(), "c": secret()}));
        for field in fields {
            cmd = cmd.env(format!("TOKEN{number}{field}"), format!("vault:{path}#{field}"));
        }
    }
    let counts = || {
        let proxy = Proxy::new(space.server);
        cmd.clone().env("VAULT_ADDR", &proxy.addr).run().expect(0);
        let lines = proxy.requests();
        let reads: BTreeSet<_> = lines.iter().filter(|line| line.starts_with("GET ")).collect();
        // The login, ten reads, one revocation: nothing depends on the token.
        assert_eq!((lines.len(), reads.len()), (12, 10), "{lines:#?}");
        proxy.connections()
    };
    let seen: Vec<usize> = (0..20).map(|_| counts()).take_while(|connections| *connections > 1).collect();
    assert!(seen.len() < 20, "no run kept to one connection: {seen:?}");
}

/// Where an engine takes its time, nobody waits for one path after the other.
#[test]
fn slow_paths_are_read_at_the_same_time() {
    let space = Space::new();
    let world = World::new(&space);
    let path = |number: usize| format!("{}/creds/web{number}", world.engine.mount);
    (0..3).for_each(|number| world.engine.role(&format!("web{number}")));
    let policy = space.may_read(&[&path(0), &path(1), &path(2)]);
    let token = space.token(&[&policy], json!({}));
    let mut cmd = Cmd::new(["env", "--format", "json"]).vault(space.server).env("VAULT_TOKEN", token);
    for number in 0..3 {
        cmd = cmd.env(format!("PASSWORD{number}"), format!("vault:{}#password", path(number)));
    }
    world.engine.answer_after(Duration::from_millis(100));
    let proxy = Proxy::new(space.server);
    cmd.env("VAULT_ADDR", &proxy.addr).run().expect(0);
    assert_eq!((proxy.requests().len(), proxy.connections()), (3, 3), "{:#?}", proxy.requests());
    assert_eq!(world.engine.leases().len(), 3);
}

#[test]
fn a_command_gets_values_and_files_and_all_of_it_goes_again() {
    let space = Space::new();
    let world = World::new(&space);
    let folder = tempfile::tempdir().unwrap();
    space.write(&format!("{}/kube", world.kv), json!({"config": "clusters: []\n"}));
    let shown = "test -n \"$DB_USER\" && test -n \"$DB_PASSWORD\" && stat -c %a \"$KUBECONFIG\" && cat \"$KUBECONFIG\" \
                 && echo ${VAULT_ROLE_ID-none}";
    let run = world
        .cmd(Cmd::new(["env", "--", "sh", "-c", shown]))
        .env("DB_USER", world.creds("username"))
        .env("DB_PASSWORD", world.creds("password"))
        .env("KUBECONFIG", format!("vault-file:{}/kube#config", world.kv))
        .env("TMPDIR", folder.path())
        .env("PATH", "/usr/bin:/bin")
        .run()
        .expect(0);
    assert_eq!(run.stdout, "600\n[MASKED]none\n", "{run}");
    eventually("the command's user is gone", || world.engine.objects().is_empty());
    assert!(world.engine.leases().is_empty() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
    assert!(space.login_tokens().is_empty());
}

#[test]
fn one_refused_path_of_ten_takes_all_back_and_names_its_variables() {
    let space = Space::new();
    let world = World::new(&space);
    let other = space.kv1("other");
    for number in 0..8 {
        space.write(&format!("{}/app{number}", world.kv), json!({"token": secret()}));
    }
    let mut cmd = world.cmd(script("dash", "eval $(ci-creds env); echo went on"));
    for number in 0..8 {
        cmd = cmd.env(format!("TOKEN{number}"), format!("vault:{}/app{number}#token", world.kv));
    }
    let run = cmd
        .env("DB_USER", world.creds("username"))
        .env("REFUSED", format!("vault:{other}/x#token"))
        .run()
        .expect(4);
    assert!(!run.stdout.contains("went on"), "{run}");
    for told in ["REFUSED", &format!("path \"{other}/x\" {{ capabilities = [\"read\"] }}")] {
        assert!(run.stderr.contains(told), "{told} {run}");
    }
    eventually("what the other paths gave is gone", || world.engine.objects().is_empty());
    assert!(space.login_tokens().is_empty());
}

#[test]
fn doctor_looks_at_each_reference_and_merges_the_policy() {
    let space = Space::new();
    let world = World::new(&space);
    let (kv2, other) = (space.kv2("two"), space.kv1("other"));
    let cmd = world.cmd(Cmd::new(["doctor", "env"])).env("DB_USER", world.creds("username"));
    let cmd = cmd.env("DB_PASSWORD", world.creds("password")).env("A", format!("vault:{kv2}/app#a"));
    let run = cmd.env("B", format!("vault:{other}/b#b")).run().expect(4);
    let shown = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = shown.split("all that this run reads needs these lines").nth(1).unwrap_or_default();
    for path in [format!("{}/creds/web", world.engine.mount), format!("{other}/b")] {
        let line = format!("path \"{path}\" {{ capabilities = [\"read\"] }}");
        assert_eq!(whole.matches(&line).count(), 1, "{line} {run}");
    }
    assert!(world.engine.objects().is_empty() && space.login_tokens().is_empty());
}

#[test]
fn a_failure_unsets_the_variables_that_hold_references_and_no_other() {
    let space = Space::new();
    let world = World::new(&space);
    let cmd = world
        .cmd(Cmd::new(["env"]))
        .env("A", format!("vault:{}/none#x", world.kv))
        .env("B", "vault:no-field");
    let run = cmd.env("C", "plain").env("CI_COMMIT_MESSAGE", "vault:a/b#c").run().expect(3);
    assert_eq!(run.stdout, " unset A B; false && true; (exit 3) && false\n", "{run}");
    assert!(run.stderr.contains("B begins like a reference: it has no #FIELD"), "{run}");
    assert_eq!(run.stderr.matches("#FIELD").count(), 2, "once in the error, once in the hint: {run}");
    assert!(!run.stderr.contains("no-field"), "{run}");
}

#[test]
fn a_wrong_field_is_told_with_its_variable() {
    let space = Space::new();
    let world = World::new(&space);
    space.write(&format!("{}/app", world.kv), json!({"token": secret()}));
    let cmd = world.cmd(Cmd::new(["env"])).env("GOOD", format!("vault:{}/app#token", world.kv));
    let run = cmd.env("WRONG", format!("vault:{}/app#tokn", world.kv)).run().expect(4);
    assert!(run.stderr.contains("/app has no tokn for WRONG\n"), "{run}");
}

#[test]
fn what_outsiders_write_is_never_a_reference() {
    let space = Space::new();
    let world = World::new(&space);
    let path = format!("{}/prod", world.kv);
    space.write(&path, json!({"password": secret()}));
    let reference = format!("vault:{path}#password");
    let names: Vec<&str> = PREDEFINED.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(names.len() > 150, "{}", names.len());
    let cmd = names.iter().fold(Cmd::new(["env", "--require"]), |cmd, name| cmd.env(name, &reference));
    // Without CI_PROJECT_DIR and its like the run itself would be about other things.
    let run = cmd.no_env("CI_DEBUG_TRACE").run().expect(3);
    assert!(run.stderr.contains("no variable holds a reference"), "{run}");
    assert!(!run.stdout.contains(CANARY) && !run.stderr.contains(&path), "{run}");
    // `NOTES: $CI_COMMIT_MESSAGE` in the project's own file.
    let notes = |cmd: Cmd| cmd.env("CI_COMMIT_MESSAGE", format!("{reference}\n")).env("NOTES", &reference);
    let run = notes(Cmd::new(["env"])).run().expect(3);
    assert!(run.stderr.contains("NOTES repeats CI_COMMIT_MESSAGE, which outsiders can write"), "{run}");
    assert!(!run.stdout.contains(CANARY) && !run.stderr.contains(&path), "{run}");
    // --only can't change that, nor does what logs in ever hold one.
    for name in ["CI_COMMIT_MESSAGE", "GITLAB_USER_NAME", "TRIGGER_PAYLOAD", "VAULT_TOKEN", "CI_CREDS_X"] {
        let run = Cmd::new(["env", "--only", name]).env(name, &reference).run().expect(3);
        assert!(run.stderr.contains(&format!("--only names {name}, which is never taken")), "{run}");
    }
}

#[test]
fn only_and_except_choose() {
    let space = Space::new();
    let world = World::new(&space);
    for list in [",", " , "] {
        let run = world.cmd(Cmd::new(["env"])).env("CI_CREDS_ONLY", list).run().expect(3);
        assert!(run.stderr.contains("CI_CREDS_ONLY must be names, with commas between them"), "{run}");
    }
    space.write(&format!("{}/app", world.kv), json!({"a": "of-a", "b": "of-b"}));
    let run = |args: &[&str], list: Option<&str>| {
        let cmd = world
            .cmd(Cmd::new(["env", "--format", "json"]).args(args))
            .envs(list.map(|list| ("CI_CREDS_ONLY", list)));
        let cmd =
            cmd.env("A", format!("vault:{}/app#a", world.kv)).env("B", format!("vault:{}/app#b", world.kv));
        let given: Value = serde_json::from_str(&cmd.run().expect(0).stdout).unwrap();
        given["credentials"][0]["variables"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(run(&[], None), ["A", "B"]);
    assert_eq!(run(&["--only", "A"], None), ["A"]);
    assert_eq!(run(&[], Some("A, B")), ["A", "B"]);
    assert_eq!(run(&["--except", "A"], None), ["B"]);
}

#[test]
fn without_a_reference_nothing_is_asked() {
    // No address, no login: a before_script that all jobs share.
    let run = script("dash", "eval $(ci-creds env); echo went on").run().expect(0);
    assert_eq!(run.stdout, "went on\n", "{run}");
    assert!(run.stderr.contains("warning: no variable holds a reference"), "{run}");
    let cmd = Cmd::new(["env", "--", "sh", "-c", "echo $TEXT; exit 7"]).env("TEXT", "vault::x");
    let run = cmd.env("PATH", "/usr/bin:/bin").run().expect(7);
    assert_eq!(run.stdout, "vault:x\n", "{run}");
    Cmd::new(["env", "--require"]).run().expect(3);
    let run = Cmd::new(["env"]).env("PATH", "vault:secret/app#path").run().expect(2);
    assert!(run.stderr.contains("PATH"), "{run}");
}

#[test]
fn a_version_of_a_secret_and_parameters() {
    let space = Space::new();
    let kv2 = space.kv2("two");
    for value in ["first", "second"] {
        space.write(&format!("{kv2}/data/app"), json!({"data": {"token": value}}));
    }
    let token = space.token(&[&space.may_read(&[&format!("{kv2}/data/app")])], json!({}));
    let cmd = Cmd::new(["env", "--format", "json"]).vault(space.server).env("VAULT_TOKEN", &token);
    let cmd = cmd
        .env("NEW", format!("vault:{kv2}/data/app#token"))
        .env("OLD", format!("vault:{kv2}/data/app#token#1"))
        .env("QUERIED", format!("vault:{kv2}/app?version=1#token"));
    let given: Value = serde_json::from_str(&cmd.run().expect(0).stdout).unwrap();
    let mut all = BTreeMap::new();
    for one in given["credentials"].as_array().unwrap() {
        all.extend(one["variables"].as_object().unwrap().clone());
    }
    assert_eq!(json!(all), json!({"NEW": "second", "OLD": "first", "QUERIED": "first"}));
}
