//! Each IFS that the pages promise: what is split at characters of the text arrives whole, or fails the line.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use super::corpus::{self, Random};
use super::shell::{POSIX_LIKE, Shell};
use super::{Batch, SOAK, compare, encode, format, hostile_directory, say};

/// How many values each shell is given, each case with an IFS of its own.
const VALUES: usize = if SOAK { 100_000 } else { 5_000 };
/// How many cases one process of a shell has.
const CASES: usize = 100;

/// In each value, so that it is found where it must not be.
const MARK: &str = "SeCrEt";

/// What the pages promise for an `eval` without quotes, in their words. Each random IFS of these tests is of this set.
const PROMISED: &str = "an IFS of one character, or of blank, tab, newline, `,` and `|`, each at most once";

#[test]
fn the_pages_name_the_ifs_that_are_tested() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gitlab.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(PROMISED), "docs/gitlab.md does not say: {PROMISED}");
}

/// One of [`PROMISED`].
fn promised(random: &mut Random) -> String {
    match random.below(4) {
        0 => {
            let several = [' ', '\t', '\n', ',', '|'].into_iter();
            let some: Vec<char> = several.filter(|_| random.below(2) == 0).collect();
            let from = random.below(some.len().max(1));
            some[from..].iter().chain(&some[..from]).collect()
        }
        1 => ['é', '€', 'ã', '\u{1f511}'][random.below(4)].to_string(),
        _ => char::from(1 + random.below(127) as u8).to_string(),
    }
}

/// One eval.
struct Case {
    ifs: String,
    values: Batch,
}

#[test]
fn a_value_arrives_or_the_line_fails() {
    for (number, shell) in POSIX_LIKE.iter().enumerate() {
        let Some(binary) = shell.find() else { continue };
        let start = Instant::now();
        // Without soak each shell has a third of them, and not the same.
        let every = if SOAK { 1 } else { 3 };
        let mut cases: Vec<Case> = alone().skip(number % every).step_by(every).collect();
        let (mut random, mut values) = (Random(23), 0);
        while values < VALUES {
            let case = case(&mut random);
            values += case.values.len();
            cases.push(case);
        }
        let whole: usize =
            cases.chunks(CASES).enumerate().map(|(i, cases)| process(shell, &binary, i, cases)).sum();
        assert!(whole > cases.len() / 20 && whole < cases.len(), "{}: {whole}", shell.name);
        let (cases, elapsed) = (cases.len(), start.elapsed());
        say(&format!(
            "shells: {:8} {values:8} values under {cases} IFS: {whole} lines arrived, all equal, in {elapsed:.1?}",
            shell.name
        ));
    }
}

/// Each character of its own, with values that are plain, and with some that are not.
fn alone() -> impl Iterator<Item = Case> {
    let plain = [format!("{MARK}/K7MD+x=.@%-_9tes"), MARK.to_owned()].to_vec();
    let odd = [format!("{MARK} \"$x\"\n'(a)\\;&{{}}"), format!("é{MARK}€")].to_vec();
    let each = ('\u{1}'..='\u{7f}').chain(['é', '€', 'ã']);
    each.flat_map(move |char| {
        [&plain, &odd].map(|values| Case { ifs: char.to_string(), values: values.clone() })
    })
}

fn case(random: &mut Random) -> Case {
    const PLAIN: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/+=.@%-";
    let plain = |random: &mut Random| char::from(PLAIN[random.below(PLAIN.len())]);
    let ifs = promised(random);
    let most = if random.below(4) == 0 { 4 } else { 120 };
    let values = (0..1 + random.below(most)).map(|_| {
        let rest: String = match random.below(4) {
            0 => corpus::odd(random),
            _ => (0..random.below(40)).map(|_| plain(random)).collect(),
        };
        format!("{MARK}{rest}")
    });
    Case { ifs, values: values.collect() }
}

/// One process of the shell, with each case in a subshell, as some shells end with a syntax error. How many lines
/// arrived.
fn process(shell: &Shell, binary: &Path, number: usize, cases: &[Case]) -> usize {
    let settings = shell.settings();
    let setting = &settings[number % settings.len()];
    let place = hostile_directory();
    let at = |name: &str, i: usize| place.path().join(format!("{name}{i}"));
    let (bin, log) = (fragments(place.path()), place.path().join("log"));
    let first = format!(
        "{}\nset +e\nPATH={}\nLOG={}\nexport PATH LOG\n",
        setting.first,
        bin.display(),
        log.display()
    );
    let mut scripts = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        fs::write(at("text", i), encode(format("sh"), &case.values)).unwrap();
        let (text, report, err) = (at("text", i), at("report", i), at("err", i));
        let (text, report, err) = (text.display(), report.display(), err.display());
        let ifs = case.ifs.replace('\'', r"'\''");
        let then = match i % 2 {
            0 => format!("case $? in 0) /usr/bin/env -0 >{report} ;; esac"),
            _ => format!("/usr/bin/env -0 >{report}"),
        };
        let stops = ["set +e", "set -e"][i % 2];
        scripts.push(format!(
            "(PATH={}\n{stops}\nIFS='{ifs}'\neval $(/bin/cat {text})\n{then}) 2>{err}\n",
            bin.display()
        ));
    }
    let mut done = 0;
    while done < cases.len() {
        shell.run(binary, setting, &place.path().join("cwd"), &[&first, &*scripts[done..].concat()].concat());
        // ksh93 may end with a subshell that fails.
        done = (done..cases.len()).find(|i| !at("err", *i).exists()).unwrap_or(cases.len()).max(done + 1);
    }
    let argv = fs::read_to_string(&log).unwrap_or_default();
    assert!(!argv.contains(MARK), "{}: an argument of a program: {argv}", shell.name);
    let mut whole = 0;
    for (i, case) in cases.iter().enumerate() {
        let what = format!("{} IFS={:?} {}", shell.name, case.ifs, setting.describe());
        match fs::read(at("report", i)) {
            Ok(report) => {
                compare(&what, &case.values, &report);
                whole += 1;
            }
            Err(_) => {
                let text = fs::read_to_string(at("text", i)).unwrap();
                let err = fs::read(at("err", i)).unwrap_or_default();
                let err = String::from_utf8_lossy(&err);
                let splits = |char: char| char != ' ' && text.trim_end().contains(char);
                // A shell may take an IFS byte by byte.
                let broken = case.ifs.chars().any(|char| splits(char) || !char.is_ascii());
                assert!(broken, "{what}: failed without a reason: {err}\n{text}");
                // A trace shows the values.
                assert!(!err.contains(MARK) || setting.traces(), "{what}: {err}\n{text}");
            }
        }
    }
    whole
}

/// A failing line fails, with its own status as long as no character of it is missing.
#[test]
fn a_failing_line_fails() {
    let failure = format("sh").failure.unwrap();
    let names = ["STALE", "AWS_SECRET_ACCESS_KEY"].map(str::to_owned);
    let mut random = Random(5);
    let mut list: Vec<String> = ('\u{1}'..='\u{7f}').map(String::from).collect();
    // Of several characters these hold as well.
    list.extend(
        [
            "0123456789",
            "143",
            "14 3",
            "()",
            "(;)",
            "&",
            "e(",
            "exit",
            "false",
            "(4)",
            "(143)",
            "4)(4E",
            "4e",
            "143false",
        ]
        .map(str::to_owned),
    );
    list.extend((0..if SOAK { 20_000 } else { 200 }).map(|_| promised(&mut random)));
    for shell in POSIX_LIKE {
        let Some(binary) = shell.find() else { continue };
        let settings = shell.settings();
        for (number, list) in list.chunks(CASES).enumerate() {
            let setting = &settings[number % settings.len()];
            let place = hostile_directory();
            let first = format!("{}\nset +e\n", setting.first);
            let mut scripts = Vec::new();
            let at = |i: usize| place.path().join(format!("status{i}"));
            for (i, ifs) in list.iter().enumerate() {
                let code = [143, 4][i % 2];
                let text = place.path().join(format!("text{i}"));
                fs::write(&text, failure(if i % 3 == 0 { &[] } else { &names }, code)).unwrap();
                let (text, quoted) = (text.display(), ifs.replace('\'', r"'\''"));
                let e = ["set +e", "set -e"][i / 2 % 2];
                let went_on = place.path().join(format!("on{i}"));
                let then = if i / 2 % 2 == 0 {
                    "exit \"$?\"".to_owned()
                } else {
                    format!(": >{}", went_on.display())
                };
                scripts.push(format!(
                    "/bin/echo ended >{0}\n(false; {e}\nIFS='{quoted}'\neval $(/bin/cat {text})\n{then})\n/bin/echo $? >{0}\n",
                    at(i).display()
                ));
            }
            let mut done = 0;
            while done < list.len() {
                let script = [&first, &*scripts[done..].concat()].concat();
                shell.run(&binary, setting, &place.path().join("cwd"), &script);
                // ksh93 may end with a subshell that fails.
                done = (done..list.len()).find(|i| !at(*i).exists()).unwrap_or(list.len()).max(done + 1);
            }
            for (i, ifs) in list.iter().enumerate() {
                let what = format!("{} IFS={ifs:?} {}", shell.name, setting.describe());
                let status = fs::read_to_string(place.path().join(format!("status{i}"))).unwrap_or_default();
                let text = fs::read_to_string(place.path().join(format!("text{i}"))).unwrap();
                assert!(!["", "0"].contains(&status.trim()), "{what}: {status:?} {text}");
                assert!(!place.path().join(format!("on{i}")).exists(), "{what}: went on");
                if !ifs.chars().any(|char| char != ' ' && text.trim_end().contains(char)) {
                    assert_eq!(status.trim(), [143, 4][i % 2].to_string(), "{what}");
                }
            }
        }
    }
}

/// A folder of programs that note their arguments: for each part of a word that an IFS may leave of a statement.
fn fragments(place: &Path) -> std::path::PathBuf {
    let bin = place.join("bin");
    fs::create_dir(&bin).unwrap();
    let program = bin.join("program");
    fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$@\" >>\"$LOG\"\nexit 1\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["export", "unset", "test", "alias", "unalias", "eval", MARK, "V0", "V1"];
    let parts = words.iter().flat_map(|word| {
        (0..word.len()).flat_map(move |from| (from + 1..=word.len()).map(move |to| &word[from..to]))
    });
    for part in parts.collect::<HashSet<_>>() {
        let _ = std::os::unix::fs::symlink(&program, bin.join(part));
    }
    bin
}
