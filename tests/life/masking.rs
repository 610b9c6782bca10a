//! The mask in front of a command's output: no secret gets through, and everything else does, at once.

use std::io::Read as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{nothing_is_left, shell};
use crate::main_job::story::Story;
use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Space, require, say, secret};

/// Prints secrets and other text in pieces that are cut anywhere, and writes down what must come out.
const PRINTER: &str = r#"
import base64, os, random, sys, urllib.parse, json
random.seed(7)
count = int(sys.argv[1])
secret = os.environ["SECRET"]
def b64(before):
    return base64.b64encode(before + secret.encode()).decode()
def shown(before):
    # The first characters also hold bits of what is before.
    return b64(before)[:-(-8 * len(before) // 6)] + "[MASKED]"
forms = [(secret, "[MASKED]"), (b64(b""), shown(b"")), (b64(b"u"), shown(b"u")), (b64(b"us"), shown(b"us")),
         (urllib.parse.quote(secret, safe=""), "[MASKED]"), (json.dumps(secret), '"[MASKED]"')]
words = ["", " ", "\n", "key=", "100%\r", secret[:9], secret[3:], "line\n"]
streams = [[], []]
for _ in range(count):
    stream = random.choice(streams)
    stream.append(random.choice(forms))
    word = random.choice(words)
    stream.append((" " + word + " ", " " + word + " "))
whole = ["".join(text for text, _ in stream).encode() for stream in streams]
with open(sys.argv[2], "w") as expected:
    json.dump(["".join(text for _, text in stream) for stream in streams], expected)
at = [0, 0]
while at[0] < len(whole[0]) or at[1] < len(whole[1]):
    which = random.randrange(2)
    piece = whole[which][at[which]:at[which] + random.randint(1, 200)]
    at[which] += len(piece)
    os.write(1 + which, piece)
"#;

#[test]
fn a_hundred_thousand_secrets_cut_anywhere() {
    let Some(python) = require("python3") else { return };
    let space = Space::new();
    let mount = space.kv1("kv");
    let value = format!("{}/+\"é {}", secret(), "x".repeat(20));
    space.write(&format!("{mount}/app"), serde_json::json!({"password": value}));
    let token = space.token(&[&space.may_read(&[&format!("{mount}/app")])], serde_json::json!({"ttl": "5m"}));
    let dir = tempfile::tempdir().unwrap();
    let expected = dir.path().join("expected");
    let count = if cfg!(feature = "soak") { "100000" } else { "5000" };
    let cmd = crate::support::Cmd::new(["read", &format!("{mount}/app"), "SECRET=password", "-q", "--"]);
    let cmd = cmd.args([python.to_str().unwrap(), "-c", PRINTER, count, expected.to_str().unwrap()]);
    let run = cmd.vault(space.server).env("VAULT_TOKEN", &token).run().expect(0);
    let expected: [String; 2] = serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
    assert!(run.stdout == expected[0], "stdout differs");
    assert!(run.stderr == expected[1], "stderr differs");
    assert!(!run.stdout.contains(&value) && !run.stdout.contains(&STANDARD.encode(&value)));
}

/// Each with the tool that writes it so; what must come out of it.
const ENCODED: &[(&str, &str)] = &[
    // GNU's base64 in lines of 76, 64 and 20 columns, with and without the newline of `echo`, and at each alignment.
    ("printf %s \"$SECRET\" | base64", "[MASKED]"),
    ("echo \"$SECRET\" | base64", "[MASKED]"),
    ("echo \"$SECRET\" | base64 -w 64", "[MASKED]"),
    ("echo \"$SECRET\" | base64 -w 20", "[MASKED]"),
    ("echo \"$SECRET\" | base64 -w 0; echo", "[MASKED]"),
    // In narrow lines, and indented as YAML does it, also where a line does not end with a group.
    ("printf %s \"$SECRET\" | base64 -w 7", "[MASKED]"),
    ("printf %s \"$SECRET\" | base64 -w 75 | sed 's/^/  /'", "  [MASKED]"),
    ("printf %s \"$SECRET\" | base64 -w 7 | sed 's/^/\\t    /'", "\t    [MASKED]"),
    ("printf 'u%s' \"$SECRET\" | base64 | sed '1s/^..//'", "[MASKED]"),
    ("printf 'us%s' \"$SECRET\" | base64 -w 0 | cut -c 4-", "[MASKED]"),
    // The middle of it alone.
    ("printf %s \"$SECRET\" | base64 -w 0 | cut -c 9-28", "[MASKED]"),
    ("printf '%q\\n' \"$SECRET\"", "[MASKED]"),
    ("declare -p SECRET", "declare -x SECRET=\"[MASKED]\""),
    ("export -p | grep SECRET=", "declare -x SECRET=\"[MASKED]\""),
    ("echo \"${SECRET@Q}\"", "'[MASKED]'"),
    ("python3 -c 'import os; print(repr(os.environ[\"SECRET\"]))'", "'[MASKED]'"),
    (
        "python3 -c 'import os, json; print(json.dumps(json.dumps(os.environ[\"SECRET\"])))'",
        "\"\\\"[MASKED]\\\"\"",
    ),
    ("python3 -c 'import os, html; print(html.escape(os.environ[\"SECRET\"]))'", "[MASKED]"),
];

#[test]
fn encoded_by_any_tool_a_secret_stays_masked() {
    if require("python3").is_none() {
        return;
    }
    let space = Space::new();
    let mount = space.kv1("kv");
    let value = format!("{}'$\"\\ <&+é {}", secret(), secret().repeat(4));
    space.write(&format!("{mount}/app"), serde_json::json!({"password": value, "user": "admin"}));
    let token = space.token(&[&space.may_read(&[&format!("{mount}/app")])], serde_json::json!({"ttl": "5m"}));
    let script: String = ENCODED.iter().map(|(line, _)| format!("{line}; echo :\n")).collect();
    let path = format!("{mount}/app");
    let cmd = Cmd::new(["read", &path, "SECRET=password", "SHORT=user", "--", "bash", "-c", &script]);
    let cmd = cmd.vault(space.server).env("VAULT_TOKEN", &token).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let run = cmd.env("LC_ALL", "C.UTF-8").run().expect(0);
    let seen: Vec<&str> = run.stdout.split("\n:\n").collect();
    for ((line, expected), seen) in ENCODED.iter().zip(&seen) {
        assert_eq!(seen, expected, "{line}");
    }
    assert_eq!(seen.len(), ENCODED.len() + 1);
    let word = "SHORT is not masked in the output: it has fewer than 8 characters";
    assert_eq!(run.stderr.matches(word).count(), 1, "{run}");
}

/// What only shells and encoders with ways of their own write so: control characters, capitals, an escaped slash.
const ESCAPED: &[(&str, &str)] = &[
    ("bash -c 'printf \"%q\\n\" \"$SECRET\"'", "$'[MASKED]'"),
    ("LC_ALL=C bash -c 'printf \"%q\\n\" \"$SECRET\"'", "$'[MASKED]'"),
    ("bash -c 'declare -p SECRET'", "declare -x SECRET=$'[MASKED]'"),
    ("zsh -fc 'printf \"%q\\n\" \"$SECRET\"'", "[MASKED]"),
    ("zsh -fc 'typeset -p SECRET'", "export SECRET=$'[MASKED]'"),
    ("ksh93 -c 'printf \"%q\\n\" \"$SECRET\"'", "$'[MASKED]'"),
    ("mksh -c 'typeset -p SECRET'", "typeset -x SECRET=$'[MASKED]'"),
    ("mksh -c 'printf \"%q\\n\" \"$SECRET\"'", "'[MASKED]'"),
    ("/usr/bin/printf '%q\\n' \"$SECRET\"", "'[MASKED]'"),
    ("python3 -c 'import os; print(repr(os.environ[\"SECRET\"]))'", "'[MASKED]'"),
    ("python3 -c 'import os, json; print(json.dumps(os.environ[\"SECRET\"]))'", "\"[MASKED]\""),
    (
        "python3 -c 'import os, json; print(json.dumps(os.environ[\"SECRET\"]).replace(\"/\", \"\\\\u002f\"))'",
        "\"[MASKED]\"",
    ),
    (
        "python3 -c 'import os, json, re; print(re.sub(r\"\\\\u(....)\", lambda found: \"\\\\u\" + found[1].upper(), \
         json.dumps(os.environ[\"SECRET\"]).replace(\"/\", \"\\\\u002f\")))'",
        "\"[MASKED]\"",
    ),
    // As OWASP's encoder and mustache.js do it.
    (
        "python3 -c 'import os, html; print(html.escape(os.environ[\"SECRET\"]).replace(\"/\", \"&#x2F;\"))'",
        "[MASKED]",
    ),
];

#[test]
fn escaped_by_any_shell_a_secret_stays_masked() {
    let tools = ["bash", "zsh", "ksh93", "mksh", "python3"];
    if tools.iter().any(|tool| require(tool).is_none()) {
        return;
    }
    let space = Space::new();
    let mount = space.kv1("kv");
    let path = format!("{mount}/app");
    let value = format!("{}\u{1b}wo\u{1}\u{2}rd\u{7f}'q\"\\w\té/+{}", secret(), secret());
    space.write(&path, serde_json::json!({"password": value}));
    let token = space.token(&[&space.may_read(&[&path])], serde_json::json!({"ttl": "5m"}));
    let script: String = ESCAPED.iter().map(|(line, _)| format!("{line}; echo :\n")).collect();
    let cmd = Cmd::new(["read", &path, "SECRET=password", "--", "bash", "-c", &script]);
    let cmd = cmd.vault(space.server).env("VAULT_TOKEN", &token).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let run = cmd.env("LC_ALL", "C.UTF-8").may_show_secrets().run().expect(0);
    let seen: Vec<&str> = run.stdout.split("\n:\n").collect();
    let lines = ESCAPED.iter().zip(&seen).filter(|((_, expected), seen)| *expected != **seen);
    let wrong: Vec<_> = lines.map(|((line, _), seen)| format!("{line}\n  {seen:?}")).collect();
    assert!(wrong.is_empty() && seen.len() == ESCAPED.len() + 1, "{}", wrong.join("\n"));
}

/// A bundle of certificates takes a multiple of its size; what would need more than 64 MiB is refused before the command
/// starts.
#[test]
fn a_large_secret_is_masked_in_bounded_memory_or_refused() {
    let space = Space::new();
    let mount = space.kv1("kv");
    let line = format!("{}\n", secret().repeat(3).chars().take(64).collect::<String>());
    let bundle: String = (0..3_400).map(|number| format!("{number:04}{}", &line[4..])).collect();
    let path = format!("{mount}/app");
    let token = space.token(&[&space.may_read(&[&path])], serde_json::json!({"ttl": "5m"}));
    let run = |size: usize, script: &str| {
        // The smallest one is a value of one line, which takes next to nothing.
        let bundle = if size == 0 { line.clone() } else { bundle.repeat(size) };
        space.write(&path, serde_json::json!({"bundle": bundle}));
        let cmd = Cmd::new(["read", &path, "BUNDLE=@bundle", "--", "sh", "-c", script]);
        cmd.vault(space.server).env("VAULT_TOKEN", &token).env("PATH", "/usr/bin:/bin").run()
    };
    let small = run(0, "grep VmHWM /proc/$PPID/status");
    let large =
        run(1, "grep VmHWM /proc/$PPID/status; tail -n 1 \"$BUNDLE\"; base64 \"$BUNDLE\" | tail -n 2")
            .expect(0);
    let kilobytes = |text: &str| -> u64 {
        text.lines().next().unwrap().chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let nothing = kilobytes(&small.expect(0).stdout);
    let used = kilobytes(&large.stdout).saturating_sub(nothing);
    // The mask's part is counted in its own tests. This has the answer too, copies of the secret, and what an allocator
    // keeps.
    let most = |size: usize| 32 * size as u64 / 1024 + 4096;
    assert!(used <= most(bundle.len()), "{used} kB for {}", bundle.len());
    for size in [5, 10, 31, 64] {
        space.write(&path, serde_json::json!({"bundle": bundle[..size * 1024]}));
        let script = "grep VmHWM /proc/$PPID/status";
        let cmd = Cmd::new(["read", &path, "BUNDLE=@bundle", "--", "sh", "-c", script]);
        let cmd = cmd.vault(space.server).env("VAULT_TOKEN", &token).env("PATH", "/usr/bin:/bin");
        let used = kilobytes(&cmd.run().stdout).saturating_sub(nothing);
        eprintln!("the mask of {size} KiB takes {used} kB");
        assert!(used <= most(size * 1024), "{size} KiB: {used} kB");
    }
    let rest: Vec<&str> = large.stdout.lines().skip(1).collect();
    // Both lines of base64 are one occurrence.
    assert_eq!(rest, ["[MASKED]", "[MASKED]"]);
    assert!(!large.stderr.contains("not masked"), "{large}");
    // Five of 3 MB, all different.
    let paths: Vec<String> = (0..5).map(|number| format!("{mount}/large{number}")).collect();
    let token = space.token(
        &[&space.may_read(&paths.iter().map(String::as_str).collect::<Vec<_>>())],
        serde_json::json!({"ttl": "5m"}),
    );
    let mut cmd =
        Cmd::new(["read"]).vault(space.server).env("VAULT_TOKEN", &token).env("PATH", "/usr/bin:/bin");
    for (number, path) in paths.iter().enumerate() {
        space.write(path, serde_json::json!({"bundle": format!("{number}{}", bundle.repeat(14))}));
        cmd = cmd.args([path.as_str(), &format!("NAME{number}=@bundle")]);
    }
    let refused = cmd.args(["--", "echo", "started"]).run().expect(6);
    assert!(refused.stdout.is_empty() && refused.stderr.contains("too many for the mask"), "{refused}");
    assert!(refused.stderr.contains("--no-mask"), "{refused}");
}

/// How the whole of a key or a bundle gets into a log: in lines of any width, behind something else, in JSON, in YAML.
const WRAPPED: &[&str] = &[
    "cat \"$KEY\"",
    "sed 's/^/    /' \"$KEY\"",
    "base64 \"$KEY\"",
    "base64 -w 0 \"$KEY\"",
    "base64 -w 20 \"$KEY\"",
    "openssl base64 -in \"$KEY\"",
    "base64 \"$KEY\" | sed 's/^/      /'",
    "base64 -w 75 \"$KEY\" | sed 's/^/      /'",
    "(printf x; cat \"$KEY\") | base64",
    "(printf xy; cat \"$KEY\") | base64 -w 0",
    "python3 -c 'import json, os; print(json.dumps(open(os.environ[\"KEY\"]).read()))'",
    // What was in no form of a long secret: the URL-safe alphabet, any width, and what others than JSON make of it.
    "base64 -w 0 \"$KEY\" | tr +/ -_",
    "(printf x; cat \"$KEY\") | base64 -w 77",
    "base64 -w 0 \"$KEY\" | sed 's/.*/&\\r/'",
    "python3 -c 'import os, urllib.parse; print(urllib.parse.quote(open(os.environ[\"KEY\"]).read(), safe=\"\"))'",
    "python3 -c 'import html, os; print(html.escape(open(os.environ[\"KEY\"]).read()))'",
    "python3 -c 'import os; print(repr(open(os.environ[\"KEY\"]).read()))'",
    "printf '%q\\n' \"$(cat \"$KEY\")\"",
];

/// A key in PEM, and a document in JSON as of a service account, both of 10 KB.
#[test]
fn a_long_secret_is_masked_however_it_is_wrapped() {
    if require("python3").is_none() || require("openssl").is_none() {
        return;
    }
    let space = Space::new();
    let mount = space.kv1("kv");
    let path = format!("{mount}/app");
    let token = space.token(&[&space.may_read(&[&path])], serde_json::json!({"ttl": "5m"}));
    let lines: Vec<String> = (0..150).map(|_| STANDARD.encode(format!("{}{}", secret(), secret()))).collect();
    let lines: Vec<&str> = lines.iter().map(|line| &line[..64.min(line.len())]).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let json = lines.iter().map(|line| format!("  \"{}\": \"{line}\",\n", &line[10..18])).collect::<String>();
    for key in [pem, json] {
        assert!((8_000..16_000).contains(&key.len()), "{}", key.len());
        space.write(&path, serde_json::json!({"key": key}));
        for line in WRAPPED {
            let cmd =
                Cmd::new(["read", &path, "KEY=@key", "-q", "--", "bash", "-c", line]).vault(space.server);
            let cmd = cmd.env("VAULT_TOKEN", &token).env("PATH", "/usr/local/bin:/usr/bin:/bin");
            let run = cmd.may_show_secrets().run().expect(0);
            let left = run.stdout.replace("[MASKED]", "").replace("\\n", "");
            let left: String = left.split_whitespace().collect();
            // The frame of PEM in base64, a character that also holds bits of what is before, and quotes.
            assert!(left.len() <= 80, "{line}: {} bytes are left: {left}", left.len());
        }
    }
}

#[test]
fn a_prompt_appears_at_once() {
    let space = Space::new();
    let story = Story::new(&space);
    let running = shell(&story, &[], "printf 'Password: ' >&2; sleep 5; echo >&2").spawn();
    let started = Instant::now();
    running.wait_for_stderr("Password: ");
    // Not after the five seconds that the command sleeps from there on.
    let elapsed = started.elapsed();
    running.signal(rustix::process::Signal::TERM);
    let run = running.wait();
    assert!(run.elapsed - elapsed < Duration::from_secs(6), "{run}");
}

#[test]
fn both_streams_of_one_file_keep_their_order() {
    let space = Space::new();
    let story = Story::new(&space);
    let lines = "i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; echo $EXOSCALE_API_SECRET";
    let cmd = shell(&story, &["-q"], lines);
    let run = cmd.wrapped("/bin/sh", ["-c", "exec \"$@\" 2>&1", "sh"]).run().expect(0);
    let expected: String = (0..500).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert_eq!(run.stdout, expected + "[MASKED]\n");
    nothing_is_left(&story);
}

#[test]
fn two_hundred_megabytes_are_the_same_behind_it() {
    let Some(python) = require("python3") else { return };
    let space = Space::new();
    let story = Story::new(&space);
    let megabytes = if cfg!(feature = "soak") { 200 } else { 40 };
    // Any bytes, text and not; the reader is slower than the writer at first.
    let program = format!(
        "import os, random\nrandom.seed(3)\nblock = random.randbytes(1 << 20)\nout = os.fdopen(1, 'wb')\n\
         for _ in range({megabytes}): out.write(block)"
    );
    let script = "sleep 1; exec cksum";
    let alone = crate::support::Cmd::program("/bin/sh")
        .args(["-c", "\"$@\" | cksum", "sh", python.to_str().unwrap(), "-c", &program])
        .env("PATH", "/usr/bin:/bin");
    let alone = alone.run().expect(0);
    let with = story.run(["exoscale", "--", python.to_str().unwrap(), "-c", &program]);
    let with =
        with.wrapped("/bin/sh", ["-c", &format!("\"$@\" | ({script})"), "sh"]).env("PATH", "/usr/bin:/bin");
    let with = with.run().expect(0);
    assert_eq!(with.stdout, alone.stdout);
    eprintln!("{megabytes} MB: {:?} alone, {:?} behind the mask", alone.elapsed, with.elapsed);
    nothing_is_left(&story);
}

#[test]
fn a_reader_that_goes_away_ends_the_command_as_without_us() {
    let space = Space::new();
    let story = Story::new(&space);
    let cmd = shell(&story, &["-q"], "while echo y; do :; done 2>/dev/null; exit 3");
    let run =
        cmd.wrapped("/bin/bash", ["-c", "\"$@\" | head -1; echo ${PIPESTATUS[0]}", "bash"]).run().expect(0);
    assert!(["y\n141\n", "y\n3\n"].contains(&run.stdout.as_str()), "{run}");
    nothing_is_left(&story);
}

#[test]
fn a_file_gets_the_mask_and_no_mask_leaves_it_alone() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    for (options, masked) in [(&[][..], true), (&["--no-mask"], false)] {
        let path = dir.path().join("out");
        let redirect = format!("exec \"$@\" >{}", path.display());
        shell(&story, options, "echo $EXOSCALE_API_SECRET")
            .wrapped("/bin/sh", ["-c", &redirect, "sh"])
            .run()
            .expect(0);
        let mut text = String::new();
        std::fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text == "[MASKED]\n", masked);
        assert_eq!(text.len() == 25, !masked);
    }
}

/// In a container of hardly anything, somebody made a file of it.
#[test]
fn a_dev_null_that_is_none_is_no_reason_to_mask_nothing() {
    let may = std::process::Command::new("/usr/bin/unshare").args(["-rm", "/bin/true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        say("SKIPPED: another /dev/null needs `unshare -rm`");
        return;
    }
    let (space, folder) = (Space::new(), tempfile::tempdir().unwrap());
    let (story, file) = (Story::new(&space), folder.path().join("null"));
    std::fs::write(&file, "").unwrap();
    let text = format!(
        "mount --bind '{}' /dev/null && exec {} exoscale -q -- sh -c 'echo $EXOSCALE_API_SECRET'",
        file.display(),
        PROGRAM.as_str()
    );
    let cmd = story.run(["exoscale"]).env("PATH", "/usr/bin:/bin");
    let run =
        Cmd::program("/usr/bin/unshare").args(["-rm", "/bin/sh", "-c", &text]).inherit(&cmd).run().expect(0);
    assert_eq!(run.stdout, "[MASKED]\n");
}
