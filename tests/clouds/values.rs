//! The value that a job gets is the one in Vault, byte by byte, or there is an error.

use serde_json::{Value, json};

use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Space, script, secret, shells};

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
    for shell in shells() {
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

/// An older version of a KV version 2 secret is read by its number; no other engine gives the newest for it.
#[test]
fn a_version_is_that_one_or_an_error() {
    let space = Space::new();
    let (kv1, kv2) = (space.kv1("one"), space.kv2("two"));
    for value in ["first", "second", "third"] {
        space.write(&format!("{kv2}/data/app"), json!({"data": {"a": value}}));
        space.write(&format!("{kv1}/app"), json!({"a": value}));
    }
    let token = space.token(&[&space.may_read(&[&format!("{kv1}/*"), &format!("{kv2}/*")])], json!({}));
    let read =
        |words: &[&str]| job(&space, Cmd::new(["read", "--format", "dotenv"]).args(words), &token).run();
    let (one, two, bare) = (format!("{kv1}/app"), format!("{kv2}/data/app"), format!("{kv2}/app"));
    let run = read(&[&two, "X=a", "--version", "1", &bare, "Y=a", "Z=metadata", "--version=2"]);
    assert!(run.code == 4 && run.stderr.contains("no metadata"), "{run}");
    let run = read(&[&two, "X=a", "--version", "1", &bare, "Y=a", "--version=2", &two, "Z=a"]).expect(0);
    assert_eq!(run.stdout, "X=first\nY=second\nZ=third\n", "{run}");
    for (words, code, said) in [
        (&[&one, "X=a", "--version", "2"][..], 4, "only KV version 2 keeps versions"),
        (&[&two, "X=a", "--version", "9"], 4, "have a version 9?"),
        (&[&two, "X=a", "--version", "0"], 2, "the number of a version"),
        (&[&two, "X=a", "--version=-1"], 2, "the number of a version"),
        (&[&two, "X=a", "--version", "1", "--data", "a=b"], 2, "without --data"),
        (&[&two, "X=a", "--version", "1", "--kv-version", "1"], 2, "version 1 keeps no older ones"),
        (&[&format!("{two}?version=1"), "X=a"], 4, "`read` takes a version as --version N"),
    ] {
        let run = read(words);
        assert!(run.code == code && run.stderr.contains(said), "{words:?}: {run}");
    }
    for (reference, code, said) in [
        (format!("vault:{two}#a#1"), 0, "X=first"),
        (format!("vault:{two}?version=2#a"), 0, "X=second"),
        (format!("vault:{one}#a#2"), 4, "only KV version 2 keeps versions"),
        (format!("vault:{one}?version=2#a"), 4, "only KV version 2 keeps versions"),
    ] {
        let cmd = Cmd::new(["env", "--only", "X", "--format", "dotenv"]).env("X", &reference);
        let run = job(&space, cmd, &token).run();
        assert!(
            run.code == code && format!("{}{}", run.stdout, run.stderr).contains(said),
            "{reference}: {run}"
        );
    }
}

/// A value that no command can have is refused by its name, before the command starts and before a shell has it.
#[test]
fn what_no_environment_can_hold_is_refused() {
    let space = Space::new();
    let kv = space.kv1("kv");
    // Linux: 32 pages for one string, a quarter of the stack for all; Vault takes at most 1 MiB in one value.
    let one = 32 * rustix::param::page_size();
    let name_and_end = "BIG=".len() + 1;
    let (most, more) = ("x".repeat(one - name_and_end), "x".repeat(one - name_and_end + 1));
    space.write(&format!("{kv}/most"), json!({"a": most}));
    space.write(&format!("{kv}/more"), json!({"a": more}));
    space.write(&format!("{kv}/nul"), json!({"a": "x\0y"}));
    let token = space.token(&[&space.may_read(&[&format!("{kv}/*")])], json!({}));
    let path = |name: &str| format!("{kv}/{name}");
    let run = |words: &[&str]| {
        let cmd = Cmd::new(["read"]).args(words).env("PATH", "/usr/bin:/bin");
        job(&space, cmd, &token).run()
    };
    let count = "printf %s \"$BIG\" | wc -c";
    let fits = run(&[&path("most"), "BIG=a", "--no-mask", "--", "sh", "-c", count]).expect(0);
    assert_eq!(fits.stdout.trim(), (one - name_and_end).to_string());
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let touch = ["--", "touch", ran.to_str().unwrap()];
    for words in
        [&touch[..], &["--no-mask", touch[0], touch[1], touch[2]], &["--format", "sh"], &["--format", "fish"]]
    {
        let run = run(&[&[path("more").as_str(), "BIG=a"], words].concat()).expect(6);
        for said in [&format!("{} bytes, the limit is {one}", one + 1), "BIG is too long", "BIG=@FIELD"] {
            assert!(run.stderr.contains(said), "{words:?}: {}", run.stderr);
        }
        assert!(!run.stdout.contains("xxx") && !run.stderr.contains("xxx") && !ran.exists());
    }
    // The way that the hint names.
    run(&[&path("more"), "BIG=@a", "--", "sh", "-c", "test $(wc -c < \"$BIG\") -gt 131000"]).expect(0);
    // All together: each for itself fits.
    let names: Vec<String> = (0..20).map(|i| format!("B{i}=a")).collect();
    let most = path("most");
    let all: Vec<&str> = std::iter::once(most.as_str()).chain(names.iter().map(String::as_str)).collect();
    for words in [&touch[..], &["--format", "sh"]] {
        let refused = "ulimit -s 8192; exec \"$0\" \"$@\"";
        let cmd = Cmd::program("/bin/sh").args(["-c", refused, &*PROGRAM, "read"]);
        let run = job(&space, cmd.args(&all).args(words), &token).run().expect(6);
        assert!(run.stderr.contains("the variables are too long") && run.stderr.contains("=@FIELD"), "{run}");
        assert!(!ran.exists());
    }
    // A NUL is led to the two ways that take it.
    let nul = run(&[&path("nul"), "BIG=a"]).expect(6);
    assert!(nul.stderr.contains("NAME=@FIELD") && !nul.stderr.contains("-- COMMAND"), "{nul}");
    run(&[&path("nul"), "BIG=@a", "--", "sh", "-c", "test $(wc -c < \"$BIG\") = 3"]).expect(0);
    run(&[&path("nul"), "BIG=a", "--format", "json"]).expect(0);
}

/// What is empty is not there: neither a variable nor a file gets it.
#[test]
fn an_empty_value_is_none() {
    let space = Space::new();
    let kv = space.kv1("kv");
    space.write(&format!("{kv}/app"), json!({"a": "", "b": "x", "blank": " ", "list": [], "zero": 0}));
    let token = space.token(&[&space.may_read(&[&format!("{kv}/app")])], json!({}));
    let read = |pair: &str| {
        let cmd = Cmd::new(["read", &format!("{kv}/app"), pair, "B=b", "--format", "dotenv"]);
        job(&space, cmd, &token).run()
    };
    for pair in ["A=a", "A=@a", "A=list[]"] {
        let run = read(pair).expect(4);
        assert!(run.stdout.is_empty() && run.stderr.contains("the answer of"), "{pair}: {run}");
    }
    assert!(read("A=a").stderr.contains("a field a that is empty"), "{}", read("A=a"));
    for (pair, line) in [("A=zero", "A=0\nB=x\n"), ("A=list", "A=[]\nB=x\n")] {
        assert_eq!(read(pair).expect(0).stdout, line);
    }
    let cmd = Cmd::new(["env", "--only", "X"]).env("X", format!("vault:{kv}/app#a"));
    let run = job(&space, cmd, &token).run().expect(4);
    assert!(run.stderr.contains("is empty"), "{run}");
}
