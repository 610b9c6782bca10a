//! What the shell formats write, read back by the real shells: round trips of (value, shell, quoting), byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod corpus;
mod cut;
mod ifs;
mod names;
mod shell;

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use ci_creds::testing::credentials::{Credentials, Variable};
use ci_creds::testing::emit::{FORMATS, Format, Options};
use corpus::Batch;
use shell::{FISH, POSIX_LIKE, Setting, Shell, Way};
use tempfile::TempDir;

use crate::support::{Fake, jwt, require, script};

const SOAK: bool = cfg!(feature = "soak");

#[test]
fn bash() {
    round_trips(&POSIX_LIKE[0], "sh");
}

#[test]
fn dash() {
    round_trips(&POSIX_LIKE[1], "sh");
}

#[test]
fn zsh() {
    round_trips(&POSIX_LIKE[2], "sh");
}

#[test]
fn ksh93() {
    round_trips(&POSIX_LIKE[3], "sh");
}

#[test]
fn mksh() {
    round_trips(&POSIX_LIKE[4], "sh");
}

#[test]
fn yash() {
    round_trips(&POSIX_LIKE[5], "sh");
}

#[test]
fn busybox() {
    round_trips(&POSIX_LIKE[6], "sh");
}

#[test]
fn fish() {
    round_trips(&FISH, "fish");
}

/// A failing command in a script of its own line: the script stops with the code, and the names are unset.
#[test]
fn a_failure_stops_the_script() {
    let failure = format("sh").failure.unwrap();
    let codes: &[u8] = if SOAK { &[1, 2, 3, 4, 5, 6, 130, 143] } else { &[5] };
    for shell in POSIX_LIKE {
        let Some(binary) = shell.find() else { continue };
        let place = hostile_directory();
        let directory = place.path().join("cwd");
        let text = place.path().join("text");
        let names = [vec![], vec!["STALE".to_owned(), "ABSENT".to_owned()]];
        for (code, names) in codes.iter().flat_map(|code| names.each_ref().map(|names| (*code, names))) {
            fs::write(&text, failure(names, code)).unwrap();
            for (setting, way) in shell.settings().iter().flat_map(|s| [(s, Way::Unquoted), (s, Way::Quoted)])
            {
                let what = format!("{} {way:?} {} {names:?}", shell.name, setting.describe());
                let eval = read(&text, way, "; exit 4");
                let stops = format!("{}\nset -e\n{eval}\n/bin/echo went on\n", setting.first);
                let output = shell.run(&binary, setting, &directory, &stops);
                assert_eq!((output.status.code(), output.stdout), (Some(code.into()), vec![]), "{what}");

                let goes_on = format!("{}\nset +e\n{eval}\nst=$?\nIFS=\n", setting.first);
                let script = format!("{goes_on}/bin/echo $st${{STALE+stale}}\n");
                let output = shell.run(&binary, setting, &directory, &script);
                let stale = if names.is_empty() { "stale" } else { "" };
                assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{code}{stale}\n"), "{what}");
            }
        }
    }
}

/// fish shows the whole line of what it can't read: unless somebody chose a format, nothing is handed to it.
#[test]
fn fish_is_told_its_format() {
    if require("fish").is_none() {
        return;
    }
    let vault = Fake::vault();
    let call = |format: &str| {
        let text = format!("eval (ci-creds exoscale ci{format}); or exit\necho went on");
        let id_token = jwt::mint(serde_json::json!({}));
        script("fish", &text).env("VAULT_ADDR", &vault.addr).env("VAULT_ID_TOKEN", id_token).run()
    };
    let run = call("").expect(6);
    assert!(run.stderr.contains("error: fish does not read the format sh") && run.stdout.is_empty(), "{run}");
    assert!(!run.stderr.contains("EXOSCALE_API_SECRET") && vault.lines().is_empty(), "{run}");
    assert_eq!(call(" --format fish").expect(0).stdout, "went on\n");
}

#[test]
fn a_failure_in_fish_is_the_status() {
    let Some(binary) = FISH.find() else { return };
    let failure = format("fish").failure.unwrap();
    let place = hostile_directory();
    let directory = place.path().join("cwd");
    let text = place.path().join("text");
    for code in [1, 3, 143] {
        fs::write(&text, failure(&["STALE".to_owned(), "ABSENT".to_owned()], code)).unwrap();
        let text = text.display();
        for eval in [format!("eval (/bin/cat {text})"), format!("/bin/cat {text} | source")] {
            let script = format!("{eval}\nset -l st $status\nset -q STALE; and exit 99\n");
            let script = format!("{script}functions -q __ci_creds_failed; and exit 98\nexit $st\n");
            for setting in Shell::plain_settings() {
                let output = FISH.run(&binary, &setting, &directory, &script);
                assert_eq!(output.status.code(), Some(code.into()), "{eval}: {output:?}");
                assert_eq!(output.stderr, b"");
                let output =
                    FISH.run(&binary, &setting, &directory, &format!("{eval}; or exit\necho went on\n"));
                assert_eq!((output.status.code(), output.stdout), (Some(code.into()), vec![]), "{eval}");
            }
        }
    }
}

/// Every value, in every way, through one shell.
fn round_trips(shell: &Shell, format_name: &str) {
    let Some(binary) = shell.find() else { return };
    let start = Instant::now();
    let settings = if shell.name == "fish" { Shell::plain_settings() } else { shell.settings() };
    let mut count = 0;
    let mut go = |batches: &[Batch], setting: &Setting, way: Way| {
        count += process(shell, &binary, format(format_name), setting, way, batches);
    };
    for way in [Way::Unquoted, Way::Quoted] {
        // What the shells trip over: under soak in each setting, else once, spread over the settings.
        let pairs = corpus::ascii_and_pairs();
        for (i, setting) in settings.iter().enumerate() {
            let every = if SOAK { 1 } else { settings.len() };
            let part: Vec<Batch> = pairs.iter().skip(i % every).step_by(every).cloned().collect();
            go(&part, setting, way);
        }
        let alone = corpus::alone(if SOAK { 16_384 } else { 8_192 });
        let random = corpus::random(if SOAK { 40_000 } else { 2_000 }, 20);
        let unicode = corpus::unicode(if SOAK { 64 } else { 1_024 });
        for batches in [alone, random, unicode] {
            for (i, setting) in settings.iter().enumerate() {
                let part: Vec<Batch> = batches.iter().skip(i).step_by(settings.len()).cloned().collect();
                go(&part, setting, way);
            }
        }
    }
    say(&format!("shells: {:8} {count:8} round trips, all equal, in {:.1?}", shell.name, start.elapsed()));
}

/// One process of the shell: an eval for each batch, after which env reports what a child gets. How many values.
fn process(
    shell: &Shell,
    binary: &Path,
    format: &Format,
    setting: &Setting,
    way: Way,
    batches: &[Batch],
) -> usize {
    let place = hostile_directory();
    let mut script = format!("{}\n", setting.first);
    let survivors: String = (1..128).map(|code| format!("${{__ci_creds_{code:03o}+x}}")).collect();
    for (i, batch) in batches.iter().enumerate() {
        let text = place.path().join(format!("text{i}"));
        fs::write(&text, encode(format, batch)).unwrap();
        let report = place.path().join(format!("report{i}"));
        let report = report.display();
        script += &if shell.name == "fish" {
            let read = match way {
                Way::Unquoted => format!("eval (/bin/cat {})", text.display()),
                Way::Quoted => format!("/bin/cat {} | source", text.display()),
            };
            format!("{read}; or exit 97\n/usr/bin/env -0 >{report}\n")
        } else {
            format!(
                "{}\ncase $? in 0) ;; *) exit 97 ;; esac\n\
                 case ${{__ci_creds_b+x}}${{__ci_creds_n+x}}${{__ci_creds_v+x}}{survivors} in ?*) exit 98 ;; esac\n\
                 /usr/bin/env -0 >{report}\n",
                read(&text, way, "")
            )
        };
    }
    let output = shell.run(binary, setting, &place.path().join("cwd"), &script);
    let what = format!("{} {way:?} {}", shell.name, setting.describe());
    let traced = setting.first.contains("set -x");
    let stderr = String::from_utf8_lossy(&output.stderr[..output.stderr.len().min(2_000)]);
    assert!(output.status.success() && (traced || stderr.is_empty()), "{what}: {} {stderr}", output.status);
    for (i, batch) in batches.iter().enumerate() {
        compare(&what, batch, &fs::read(place.path().join(format!("report{i}"))).unwrap());
    }
    batches.iter().map(Vec::len).sum()
}

/// The line of a script that reads a text as it would read ci-creds'; cat is its stand-in.
fn read(text: &Path, way: Way, then: &str) -> String {
    match way {
        Way::Unquoted => format!("eval $(/bin/cat {}{then})", text.display()),
        Way::Quoted => format!("eval \"$(/bin/cat {}{then})\"", text.display()),
    }
}

fn compare(what: &str, batch: &Batch, report: &[u8]) {
    let seen: HashMap<&[u8], &[u8]> = report
        .split(|&byte| byte == 0)
        .filter_map(|entry| entry.split_at_checked(entry.iter().position(|&byte| byte == b'=')?))
        .collect();
    for (i, value) in batch.iter().enumerate() {
        let got = seen.get(format!("V{i}").as_bytes()).map(|got| &got[1..]);
        let got = got.map(|got| String::from_utf8_lossy(got).into_owned());
        assert!(got.as_ref() == Some(value), "{what}: V{i} is {got:?}, not {value:?}");
    }
    assert!(!seen.contains_key(b"STALE".as_slice()), "{what}: STALE is still set");
    let helper = seen.keys().find(|name| name.starts_with(b"__ci_creds"));
    assert!(helper.is_none(), "{what}: a helper is exported");
}

/// The text for V0, V1, … with these values.
fn encode(format: &Format, batch: &Batch) -> Vec<u8> {
    let variable = |(i, value): (usize, &String)| Variable {
        name: format!("V{i}"),
        value: value.as_str().into(),
        sensitive: true,
    };
    let credentials = Credentials {
        issued_by: ci_creds::testing::credentials::IssuedBy::Read,
        role: None,
        path: "secret/data/x".to_owned(),
        detour: None,
        label: None,
        variables: batch.iter().enumerate().map(variable).collect(),
        unsets: vec!["STALE".to_owned(), "ABSENT".to_owned()],
        lease: None,
        life: None,
        outlives_token: true,
        external: None,
        files: Vec::new(),
    };
    (format.encode)(&[credentials], &Options { profile: None, dotenv_limit: 20 }).unwrap().to_vec()
}

fn format(name: &str) -> &'static Format {
    FORMATS.iter().find(|format| format.name == name).unwrap()
}

/// A directory with `cwd` in it, which is full of names that are made to get into the text.
fn hostile_directory() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("cwd");
    fs::create_dir(&directory).unwrap();
    for name in corpus::HOSTILE {
        fs::write(directory.join(name), "").unwrap();
    }
    for name in corpus::HOSTILE_DIRECTORIES {
        fs::create_dir(directory.join(name)).unwrap();
        fs::write(directory.join(name).join("';"), "").unwrap();
    }
    place
}

/// Past the test harness, which would hide it.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
