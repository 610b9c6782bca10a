//! What the real readers make of merged files is tested in `tests/sdks.rs`.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

const VALUES: [&str; 2] =
    ["aws_access_key_id = A\naws_secret_access_key = s/+=\n", "access_key: \"A\"\nsecret_key: \"1e5\"\n"];

fn seeded() -> ProptestConfig {
    let cases = if cfg!(feature = "soak") { 20_000 } else { 1_000 };
    ProptestConfig {
        rng_seed: RngSeed::Fixed(18),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn profile(form: usize, name: &str) -> Profile {
    let values = Zeroizing::new(VALUES[form].to_owned());
    Profile { form: FORMS[form], name: name.to_owned(), values, owner: Owner::default() }
}

/// What the state file has of a profile that `put` has put into a file.
fn part(profile: &Profile, put: &Put) -> Part {
    let fresh = tempfile::NamedTempFile::new().unwrap();
    Part::new(Path::new("/x"), profile, &put.part, true, &fresh).unwrap()
}

fn taken(part: &Part, text: &str) -> Option<String> {
    part.without(text).map(|text| text.to_string())
}

/// Lines that such files are made of, and some that they are not.
fn line(form: usize) -> BoxedStrategy<String> {
    let common = prop_oneof![Just(String::new()), Just("   ".to_owned()), "# [a-z]{0,5}", "[a-c]{1,2}"];
    let own = if form == 0 {
        prop_oneof![
            "\\[[a-c]\\]( ;x)?",
            "[a-c]{1,2} ?= ?[a-z0-9/+]{0,4}",
            "  [a-c] = x",
            "; x",
            "\\[profile [ab]\\]",
            "[ \\t]\\[a\\]",
        ]
        .boxed()
    } else {
        prop_oneof![
            Just("profiles:".to_owned()),
            "  [a-c]:",
            "    [a-c]{2}: [a-z]{1,2}",
            "[a-c]{1,2}: (\"x\"|'y'|z)( # c)?",
            "access_key: x",
            "active_profile: a",
            "    \"[a-c]\":",
            "      k: v",
            Just("---".to_owned()),
            "a: [{|>&-].*",
            "  - a",
        ]
        .boxed()
    };
    prop_oneof![1 => common, 4 => own].boxed()
}

fn text(form: usize) -> impl Strategy<Value = String> {
    (vec(line(form), 0..10), prop_oneof![Just("\n"), Just("\r\n")], any::<bool>())
        .prop_map(|(lines, end, closed)| lines.join(end) + if closed && !lines.is_empty() { end } else { "" })
}

/// Anything, of characters that mean something.
fn odd() -> impl Strategy<Value = String> {
    vec(
        prop::sample::select("[]=:#; \t\n\n\r\"'{}-|ab\u{e4}\u{85}profiles".chars().collect::<Vec<_>>()),
        0..24,
    )
    .prop_map(|chars| chars.into_iter().collect())
}

/// Puts profiles in, one after another, and takes them out in the reverse and in the same order: each other byte is
/// there at each moment, and at the end nothing else.
fn comes_and_goes(form: usize, text: &str) {
    for names in [["one", "two"], ["two", "default"]] {
        let Ok(first) = profile(form, names[0]).put_into(text, Timestamp::UNIX_EPOCH) else { continue };
        assert_eq!(first.text.matches(first.part.as_str()).count(), 1, "{text:?}");
        let one = part(&profile(form, names[0]), &first);
        assert_eq!(taken(&one, &first.text).as_deref(), Some(text), "{text:?}");
        let again = profile(form, names[0]).put_into(&first.text, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(taken(&one, &again.text).as_deref(), Some(text), "twice: {text:?}");
        let Ok(second) = profile(form, names[1]).put_into(&first.text, Timestamp::UNIX_EPOCH) else {
            continue;
        };
        let two = part(&profile(form, names[1]), &second);
        assert_eq!(taken(&two, &second.text).as_deref(), Some(first.text.as_str()), "{text:?}");
        let rest = taken(&one, &second.text).unwrap();
        assert_eq!(taken(&two, &rest).as_deref(), Some(text), "{text:?}");
        assert!(taken(&one, &rest).is_none());
    }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn every_other_byte_stays((ini, yaml) in (text(0), text(1))) {
        comes_and_goes(0, &ini);
        comes_and_goes(1, &yaml);
    }

    #[test]
    fn every_other_byte_of_odd_texts_stays(text in odd()) {
        comes_and_goes(0, &text);
        comes_and_goes(1, &text);
    }
}

#[track_caller]
fn put(form: usize, name: &str, text: &str) -> String {
    profile(form, name).put_into(text, Timestamp::UNIX_EPOCH).unwrap().text.to_string()
}

#[test]
fn a_profile_goes_where_readers_look_for_it() {
    let mark = "# ci-creds: check ";
    let shown = |text: String| {
        let lines = text.split_inclusive('\n').map(|line| match line.find(mark) {
            Some(at) => format!("{}MARK{}", &line[..at], &line[at + mark.len() + 16..]),
            None => line.to_owned(),
        });
        lines.collect::<String>()
    };
    let ini = "[web]\nMARK\naws_access_key_id = A\naws_secret_access_key = s/+=";
    assert_eq!(shown(put(0, "web", "")), format!("{ini}\n"));
    assert_eq!(shown(put(0, "web", "# mine\n[a]\nb = c\n")), format!("# mine\n[a]\nb = c\n{ini}\n"));
    assert_eq!(shown(put(0, "web", "[a]\nb = c")), format!("[a]\nb = c\n{ini}"));
    let crlf = format!("[a]\nb = c\n{ini}\n").replace('\n', "\r\n");
    assert_eq!(shown(put(0, "web", "[a]\r\nb = c\r\n")), crlf);
    let top = "MARK\naccess_key: \"A\"\nsecret_key: \"1e5\"\n";
    let deep = "  \"web\":\n    MARK\n    access_key: \"A\"\n    secret_key: \"1e5\"\n";
    assert_eq!(shown(put(1, "default", "active_profile: a\n")), format!("active_profile: a\n{top}"));
    assert_eq!(shown(put(1, "web", "")), format!("profiles: # added by ci-creds\n{deep}"));
    let before = "# mine\nprofiles: # all\n    # a's\n    a:\n        access_key: b\nsend_telemetry: true\n";
    let (head, rest) = before.split_at(before.find("    # a's").unwrap());
    let deeper = deep.replace("    ", "      ").replace("  \"web\"", "    \"web\"");
    assert_eq!(shown(put(1, "web", before)), format!("{head}{deeper}{rest}"));
}

#[test]
fn what_is_not_understood_is_refused_by_its_line() {
    let ini = [
        ("a = b\n", 1),
        ("[a]\n\n  b = c\n", 3),
        ("[a]\nb\n", 2),
        ("[a\n", 1),
        ("[a] b\n", 1),
        ("[a]\nb = c\n [d]\n", 3),
        ("[a]\rb = c\n", 1),
        ("\u{feff}[a]\n", 1),
        ("[a]\nb = \0\n", 2),
        ("[a]]\n", 1),
        ("[a]\n= b\n", 2),
    ];
    let yaml = [
        ("- a\n", 1),
        ("a: |\n  b: c\n", 1),
        ("a: {b: c}\n", 1),
        ("a: &x b\n", 1),
        ("a: b\n  c: d\n", 2),
        ("a:\n\tb: c\n", 2),
        ("a: b\n--- \na: c\n", 2),
        ("a: \"b\n", 1),
        ("a: 'b\n", 1),
        ("a: 'b''c'\n", 1),
        ("a:\n  b\n", 2),
        ("  a: b\n", 1),
        ("profiles: {}\n", 1),
        ("profiles: x\n", 1),
        ("profiles:\n  a:\nprofiles:\n", 3),
        ("a:\n    b: c\n  d: e\n", 3),
        ("? a\n", 1),
        ("%YAML 1.2\n", 1),
        ("a: !!str b\n", 1),
        ("a: *x\n", 1),
        ("...\n", 1),
        ("a: b: c\n", 1),
        ("a: \"b\" c\n", 1),
    ];
    for (form, texts) in [(0, &ini[..]), (1, &yaml[..])] {
        for (text, line) in texts {
            for name in ["web", "default"] {
                match profile(form, name).put_into(text, Timestamp::UNIX_EPOCH) {
                    Err(Why::Fault(fault)) => assert_eq!(fault.line + 1, *line, "{text:?}: {fault:?}"),
                    other => panic!("{text:?}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn what_others_wrote_is_theirs() {
    let ini =
        ["[web]\nx = y\n", "[ web ]\n", "[profile web]\nx = y\n", "[\"web\"]\n", "[web] # mine\nx = y\n"];
    let yaml = [
        "profiles:\n  web:\n    access_key: x\n",
        "profiles:\n  'web': # x\n",
        "profiles:\n  a:\n  \"web\":\n",
    ];
    for (form, texts) in [(0, &ini[..]), (1, &yaml[..])] {
        for text in texts {
            let outcome = profile(form, "web").put_into(text, Timestamp::UNIX_EPOCH);
            assert!(matches!(outcome, Err(Why::Taken)), "{text:?}: {outcome:?}");
        }
        // ci-creds' own, with a value that somebody has changed.
        let changed = put(form, "web", "").replace('A', "B");
        assert!(
            matches!(profile(form, "web").put_into(&changed, Timestamp::UNIX_EPOCH), Err(Why::Taken)),
            "{changed}"
        );
    }
    for text in
        ["access_key: x\n", "default_region: fr-par\n", "profiles:\n  a:\n    b: c\napi_url: https://x\n"]
    {
        let outcome = profile(1, "default").put_into(text, Timestamp::UNIX_EPOCH);
        assert!(matches!(outcome, Err(Why::Taken)), "{text:?}: {outcome:?}");
    }
    for (form, text) in [(0, "[web]\na = b\n[web]\n"), (1, "profiles:\n  web:\n  \"web\":\n")] {
        assert!(
            matches!(profile(form, "web").put_into(text, Timestamp::UNIX_EPOCH), Err(Why::Twice)),
            "{text:?}"
        );
    }
}

#[test]
fn another_job_s_profile_is_its_own_until_it_ends() {
    let now = Timestamp::from_second(1_000).unwrap();
    for form in 0..2 {
        let of = |job: Option<&str>, until: Option<i64>| {
            let until = until.map(|second| Timestamp::from_second(second).unwrap());
            Profile { owner: Owner { job: job.map(str::to_owned), until }, ..profile(form, "web") }
        };
        let text = of(Some("1"), Some(1_001)).put_into("", now).unwrap().text;
        assert!(of(Some("1"), None).put_into(&text, now).is_ok());
        for job in [Some("2"), None] {
            match of(job, None).put_into(&text, now) {
                Err(Why::InUse { job, until }) => {
                    assert_eq!((job.as_deref(), until.as_second()), (Some("1"), 1_001))
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(of(Some("2"), None).put_into(&text, Timestamp::from_second(1_001).unwrap()).is_ok());
        let text = of(Some("1"), None).put_into("", now).unwrap().text;
        assert!(of(Some("2"), None).put_into(&text, now).is_ok(), "nobody can tell when it ends");
    }
}

#[test]
fn only_what_was_written_is_taken_out() {
    let profile = profile(0, "web");
    let put = profile.put_into("[a]\nb = c\n", Timestamp::UNIX_EPOCH).unwrap();
    let (part, text) = (part(&profile, &put), put.text.to_string());
    for (changed, why) in [
        (text.replace("s/+=", "x/+="), "another value"),
        (format!("{text}region = x\n"), "a line more"),
        (format!("{text} more\n"), "a value that goes on"),
        (text.replace("= A", "= A\nregion = x"), "a line in its midst"),
        (text.replace('\n', "\r\n"), "other line ends"),
        (format!("{text}{}", put.part.as_str()), "twice"),
    ] {
        assert!(part.without(&changed).is_none() && !part.is_gone(&changed), "{why}");
    }
    for gone in ["", "[a]\nb = c\n"] {
        assert!(part.is_gone(gone));
    }
    let later = Profile { values: Zeroizing::new("aws_access_key_id = B\n".to_owned()), ..profile };
    assert!(part.is_gone(&later.put_into(&text, Timestamp::UNIX_EPOCH).unwrap().text), "a later run's");
    let behind = format!("{text}\n# theirs\n[d]\ne = f");
    assert_eq!(taken(&part, &behind).as_deref(), Some("[a]\nb = c\n\n# theirs\n[d]\ne = f"));
}

/// A process that was killed before the new file took the place of the old one.
#[test]
fn a_new_file_that_was_left_behind_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials");
    fs::write(&path, "[a]\nb = c\n").unwrap();
    let (target, part) = Target::make(&path, profile(0, "web"), Timestamp::UNIX_EPOCH).unwrap();
    std::mem::forget(target);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fate = runtime.block_on(part.take_out(&crate::shutdown::Shutdown::never())).unwrap();
    assert_eq!(fate, Fate::Gone);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[a]\nb = c\n");
}

/// `revoke` takes back what is being written too, and so may run between the two steps.
#[test]
fn a_new_file_that_revoke_has_deleted_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for before in [None, Some("[a]\nb = c\n")] {
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        let (target, part) = Target::make(&path, profile(0, "web"), Timestamp::UNIX_EPOCH).unwrap();
        let never = crate::shutdown::Shutdown::never();
        runtime.block_on(part.take_out(&never)).unwrap();
        let written = runtime.block_on(target.write(Timestamp::UNIX_EPOCH, &never));
        assert!(matches!(written, Err(Error::Deleted { .. })));
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
    }
}
