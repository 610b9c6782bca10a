//! The value that a job gets is the one in Vault, byte by byte, or there is an error.

use serde_json::{Value, json};

use crate::support::{Cmd, Space, script, secret};

fn job(space: &Space<'_>, cmd: Cmd, token: &str) -> Cmd {
    cmd.vault(space.server).env("VAULT_TOKEN", token)
}

/// A script that changed IFS gets what is in Vault, or stops.
#[test]
fn a_changed_ifs_breaks_no_value() {
    let space = Space::new();
    let kv = space.kv1("kv");
    space.write(
        &format!("{kv}/aws"),
        json!({"access_key": "AKIAIOSFODNN7", "secret_key": "wJalrXUtnFEMI/K7MDENG"}),
    );
    let token = space.token(&[&space.may_read(&[&format!("{kv}/aws")])], json!({}));
    for shell in ["bash", "dash", "zsh", "ksh93", "mksh", "yash", "busybox"] {
        for (ifs, arrives) in
            [("/", false), ("e", false), ("7", false), ("=", false), (":", true), (",", true)]
        {
            let text = format!(
                "set -e; IFS='{ifs}'; eval $(ci-creds aws r --mount {kv} --path aws); unset IFS; echo \"$AWS_SECRET_ACCESS_KEY\""
            );
            let run = job(&space, script(shell, &text), &token).run();
            let seen = (run.code == 0, run.stdout.as_str());
            let expected = if arrives { (true, "wJalrXUtnFEMI/K7MDENG\n") } else { (false, "") };
            assert_eq!(seen, expected, "{shell} IFS={ifs}: {run}");
            assert!(arrives || !run.stderr.contains("K7MDENG"), "{run}");
        }
    }
}

/// A number is what was stored, in each form; and no number ends the life of anything.
#[test]
fn numbers_are_the_text_that_was_sent() {
    let space = Space::new();
    let (kv, numbers) =
        (space.kv1("kv"), ["1.10", "12345678901234567890123", "1E+5", "-0", "0.0", "-1.5e-300"]);
    let fields: Vec<String> =
        numbers.iter().enumerate().map(|(i, number)| format!("\"n{i}\":{number}")).collect();
    space.server.write_text(
        &format!("{kv}/app"),
        &format!("{{{},\"list\":[1.10,{{\"x\":1.50}}]}}", fields.join(",")),
    );
    let token = space.token(&[&space.may_read(&[&format!("{kv}/*")])], json!({}));
    let mut pairs: Vec<String> = (0..numbers.len()).map(|i| format!("N{i}=n{i}")).collect();
    pairs.extend(["LIST=list", "X=list[1].x"].map(str::to_owned));
    let expected: Vec<&str> = numbers.into_iter().chain(["[1.10,{\"x\":1.50}]", "1.50"]).collect();
    let read = || Cmd::new(["read", &format!("{kv}/app")]).args(&pairs);
    let show: Vec<String> = (0..numbers.len()).map(|i| format!("\"$N{i}\"")).collect();
    let show = format!("printf '%s\\n' {} \"$LIST\" \"$X\"", show.join(" "));
    let text = format!("eval $(ci-creds read {kv}/app {}); {show}", pairs.join(" "));
    let run = job(&space, script("bash", &text), &token).run().expect(0);
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected, "{run}");
    let run = job(&space, read().args(["--no-mask", "--", "sh", "-c", &show]), &token);
    let run = run.env("PATH", "/usr/bin:/bin").run().expect(0);
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected, "{run}");
    let run = job(&space, read().args(["--format", "json"]), &token).run().expect(0);
    let seen: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(seen["credentials"][0]["variables"]["N0"], json!("1.10"));
    assert_eq!(seen["credentials"][0]["variables"]["N1"], json!(numbers[1]));
    // Of a cloud's table, and as its end.
    space.server.write_text(&format!("{kv}/scw"), r#"{"access_key":1.10,"secret_key":2.50,"ttl":3600.5}"#);
    let run = Cmd::new(["scaleway", "r", "--mount", &kv, "--path", "scw", "--format", "dotenv"]);
    let run = job(&space, run, &token).run().expect(0);
    assert!(run.stdout.contains("SCW_ACCESS_KEY=1.10\nSCW_SECRET_KEY=2.50\n"), "{run}");
}

/// A secret of KV version 1 is never taken for version 2's envelope; what can't be told is asked for.
#[test]
fn a_secret_that_looks_like_an_envelope_is_one() {
    let space = Space::new();
    let (kv1, kv2) = (space.kv1("one"), space.kv2("two"));
    let metadata = json!({"version": 3, "created_time": "2026-11-21T10:00:00Z", "deletion_time": "", "destroyed": false});
    let likeness = json!({"a": "outer", "data": {"a": "inner", "access_key": "SCWX", "secret_key": "inner"}, "metadata": {"version": 3},
        "access_key": "SCWO", "secret_key": "outer"});
    let perfect = json!({"data": {"a": "inner"}, "metadata": metadata});
    let no_ttl = json!({"data": {"a": "inner"}, "metadata": metadata, "ttl": 0});
    for path in ["m", "data/m"] {
        space.write(&format!("{kv1}/{path}"), likeness.clone());
        space.write(&format!("{kv1}/{path}2"), perfect.clone());
        space.write(&format!("{kv1}/{path}3"), no_ttl.clone());
    }
    space.write(&format!("{kv2}/data/m"), json!({"data": likeness}));
    space.write(&format!("{kv2}/data/m2"), json!({"data": {"data": {"a": "inner"}, "a": "outer"}}));
    let token = space.token(&[&space.may_read(&[&format!("{kv1}/*"), &format!("{kv2}/*")])], json!({}));
    let read = |path: &str, field: &str, more: &[&str]| {
        let pair = format!("X={field}");
        let cmd = Cmd::new(["read", path, &pair, "--format", "dotenv"]).args(more);
        let run = job(&space, cmd, &token).run();
        (run.code, run.stdout.trim().to_owned(), run.stderr)
    };
    for (path, field, expected) in [
        (format!("{kv1}/m"), "a", "outer"),
        (format!("{kv1}/m"), "data.a", "inner"),
        (format!("{kv1}/m"), "metadata.version", "3"),
        (format!("{kv1}/data/m"), "a", "outer"),
        (format!("{kv1}/m2"), "data.a", "inner"),
        (format!("{kv1}/data/m2"), "metadata.version", "3"),
        (format!("{kv2}/data/m"), "a", "outer"),
        (format!("{kv2}/data/m"), "data.a", "inner"),
        (format!("{kv2}/m"), "a", "outer"),
        (format!("{kv2}/data/m2"), "data.a", "inner"),
        (format!("{kv2}/m2"), "a", "outer"),
    ] {
        let (code, stdout, stderr) = read(&path, field, &[]);
        assert_eq!((code, stdout), (0, format!("X={expected}")), "{path} {field}: {stderr}");
    }
    for version in ["1", "2"] {
        let (code, stdout, stderr) = read(&format!("{kv1}/data/m"), "data.a", &["--kv-version", version]);
        let expected = if version == "1" { (0, "X=inner") } else { (4, "") };
        assert_eq!((code, stdout.as_str()), expected, "{stderr}");
    }
    let (code, _, stderr) = read(&format!("{kv1}/m"), "a", &["--kv-version", "3"]);
    assert!(code == 2 && stderr.contains("--kv-version"), "{stderr}");
    for path in ["m", "data/m"] {
        let cmd = Cmd::new(["scaleway", "r", "--mount", &kv1, "--path", path, "--format", "dotenv"]);
        let run = job(&space, cmd, &token).run().expect(0);
        assert!(run.stdout.contains("SCW_ACCESS_KEY=SCWO\nSCW_SECRET_KEY=outer\n"), "{run}");
    }
    // Without the TTL that version 1 gives along, and with the path of version 2, nobody can tell.
    let (code, stdout, stderr) = read(&format!("{kv1}/data/m3"), "data.a", &[]);
    if stdout.is_empty() {
        assert!(code == 4 && stderr.contains("--kv-version 1 or 2, or CI_CREDS_KV_VERSION"), "{stderr}");
    } else {
        assert_eq!(stdout, "X=inner");
    }
}

/// A life below zero is named, and is not taken for an answer of somebody else's.
#[test]
fn a_life_below_zero_is_named() {
    let space = Space::new();
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"access_key": "SCW1", "secret_key": "of-kv", "ttl": "-5"}));
    let token = space.token(&[&space.may_read(&[&format!("{kv}/app")])], json!({}));
    let read = ["read".to_owned(), format!("{kv}/app"), "A=access_key".to_owned()];
    for cmd in [Cmd::new(read), Cmd::new(["scaleway", "r", "--mount", &kv, "--path", "app"])] {
        let run = job(&space, cmd, &token).run().expect(4);
        assert!(run.stderr.contains("has a field ttl that is less than 0"), "{run}");
    }
}

/// A list or an object is its JSON, and can be reached into.
#[test]
fn lists_and_objects_are_their_json() {
    let space = Space::new();
    let (kv, pem) = (space.kv1("kv"), |name: &str| {
        format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n")
    });
    let (password, chain) = (secret(), [pem("one"), pem("two")]);
    let account = json!({"type": "service_account", "key": password, "tags": ["<a>", 1, null]});
    space.write(&format!("{kv}/app"), json!({"account": account, "ca_chain": chain}));
    let token = space.token(&[&space.may_read(&[&format!("{kv}/app")])], json!({}));
    let pairs = "ACCOUNT=account KEY=account.key TAG=account.tags[0] CHAIN=ca_chain[] FIRST=ca_chain[0] FILE=@ca_chain[]";
    let text = format!(
        "ci-creds read {kv}/app {pairs} --no-mask -- sh -c 'printf \"%s|\" \"$ACCOUNT\" \"$KEY\" \"$TAG\" \"$CHAIN\" \"$FIRST\"; cat \"$FILE\"'"
    );
    let run = job(&space, script("bash", &text), &token).may_show_secrets().run().expect(0);
    let seen: Vec<&str> = run.stdout.split('|').collect();
    assert_eq!(serde_json::from_str::<Value>(seen[0]).unwrap(), account);
    let joined = format!("{}{}", pem("one"), pem("two").trim_end());
    assert_eq!(seen[1..], [password.as_str(), "<a>", &joined, &pem("one"), &joined]);
    let wrong =
        job(&space, Cmd::new(["read", &format!("{kv}/app"), "A=account.tags[3]"]), &token).run().expect(4);
    assert!(wrong.stderr.contains("no account.tags[3]"), "{wrong}");
}
