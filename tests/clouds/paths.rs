//! Several paths in one `read`: one login, one request for each path, all or nothing.

use serde_json::{Value, json};

use crate::support::{Cmd, Engine, Space, eventually, script, secret};

#[test]
fn each_path_gives_its_own_variables() {
    let space = Space::new();
    let engine = Engine::new(&space, "db", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("web");
    let (kv, token) = (space.kv1("kv"), secret());
    space.write(&format!("{kv}/app"), json!({"token": token, "port": 8080}));
    let creds = format!("{}/creds/web", engine.mount);
    let policy = space.may_read(&[&creds, &format!("{kv}/app")]);
    let login = space.approle("ci", json!({"token_policies": policy, "token_ttl": "20m"}));
    let words = format!("{creds} DB_USER=username DB_PASSWORD=password {kv}/app TOKEN=token PORT=port");
    let text = format!(
        "eval $(ci-creds read {words}); test -n \"$DB_USER\" && test -n \"$DB_PASSWORD\" && echo \"$TOKEN $PORT\""
    );
    let run = script("dash", &text).vault(space.server).approle(&login).run().expect(0);
    assert_eq!(run.stdout, format!("{token} 8080\n"), "{run}");
    // One request for each path: both halves of the pair are of one user.
    assert_eq!((engine.objects().len(), engine.leases().len()), (1, 1));
    // With a command everything goes again.
    let args = ["read"].into_iter().chain(words.split(' ')).chain(["--", "true"]);
    Cmd::new(args).vault(space.server).approle(&login).env("PATH", "/usr/bin:/bin").run().expect(0);
    eventually("the command's user is gone", || engine.objects().len() == 1 && engine.leases().len() == 1);
}

#[test]
fn data_goes_to_the_path_before_it() {
    let space = Space::new();
    let transit = space.mount("transit", json!({"type": "transit"}));
    for key in ["a", "b"] {
        space.write(&format!("{transit}/keys/{key}"), json!({}));
    }
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"token": "of-kv"}));
    let rules = format!(
        "path \"{transit}/encrypt/*\" {{ capabilities = [\"update\"] }}\npath \"{kv}/app\" {{ capabilities = [\"read\"] }}"
    );
    let token = space.token(&[&space.policy(&rules)], json!({}));
    let (a, b, app) = (format!("{transit}/encrypt/a"), format!("{transit}/encrypt/b"), format!("{kv}/app"));
    let args = [
        "read",
        &a,
        "A=ciphertext",
        "--data",
        "plaintext=YQ==",
        &b,
        "B=ciphertext",
        "--data",
        "plaintext=Yg==",
        &app,
        "T=token",
        "--format",
        "json",
    ];
    let run = Cmd::new(args).vault(space.server).env("VAULT_TOKEN", &token).run().expect(0);
    let seen: Value = serde_json::from_str(&run.stdout).unwrap();
    let decrypted = |index: usize, key: &str, name: &str| {
        let body = json!({"ciphertext": seen["credentials"][index]["variables"][name]});
        space.ok("POST", &format!("{transit}/decrypt/{key}"), body)["data"]["plaintext"].clone()
    };
    assert_eq!((decrypted(0, "a", "A"), decrypted(1, "b", "B")), (json!("YQ=="), json!("Yg==")));
    assert_eq!(seen["credentials"][2]["variables"]["T"], json!("of-kv"));
}

#[test]
fn one_refused_path_takes_the_others_back() {
    let space = Space::new();
    let engine = Engine::new(&space, "db", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("web");
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"token": secret()}));
    let creds = format!("{}/creds/web", engine.mount);
    let login = space.approle("ci", json!({"token_policies": space.may_read(&[&creds]), "token_ttl": "20m"}));
    let text = format!("eval $(ci-creds read {creds} DB_USER=username {kv}/app TOKEN=token); echo went on");
    let run = script("dash", &text).vault(space.server).approle(&login).run().expect(4);
    assert!(!run.stdout.contains("went on"), "{run}");
    assert!(run.stderr.contains(&format!("path \"{kv}/app\" {{ capabilities = [\"read\"] }}")), "{run}");
    eventually("what the other path gave is gone", || {
        engine.objects().is_empty() && engine.leases().is_empty()
    });
    // Whether a name is given twice is seen before anything is asked.
    let twice = ["read", &creds, "A=username", &creds, "A=password"];
    let run = Cmd::new(twice).vault(space.server).approle(&login).run().expect(2);
    assert!(run.stderr.contains("A"), "{run}");
    let run = Cmd::new(["read", &creds, "A=username", "secret/app"]).run().expect(2);
    assert!(run.stderr.contains("no NAME=FIELD stands behind the path secret/app"), "{run}");
}
