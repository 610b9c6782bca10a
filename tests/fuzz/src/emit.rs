//! Formats: what is read back is what was given, or the value was refused.

use ci_creds::testing::credentials::{Credentials, Variable};
use ci_creds::testing::emit::{self, Options};

use super::{gitlab, texts};

/// How many variables a report may hold.
const LIMIT: usize = 5;

/// `V0`, `V1`, … with the texts of the input, written in this format.
fn written(format: &str, values: &[&str]) -> Option<String> {
    let variable = |(index, value): (usize, &&str)| Variable {
        name: format!("V{index}"),
        value: (*value).into(),
        sensitive: true,
    };
    let credentials = Credentials {
        issued_by: ci_creds::testing::credentials::IssuedBy::Read,
        role: None,
        path: "secret/x".to_owned(),
        detour: None,
        label: None,
        variables: values.iter().enumerate().map(variable).collect(),
        unsets: vec!["OLD".to_owned()],
        lease: None,
        life: None,
        outlives_token: true,
        external: None,
        files: Vec::new(),
    };
    let options = Options { profile: None, dotenv_limit: LIMIT };
    let bytes = (emit::find(format).unwrap().encode)(&[credentials], &options).ok()?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

/// The pairs that a reader should get.
fn given(values: &[&str]) -> Vec<(String, String)> {
    values.iter().enumerate().map(|(index, value)| (format!("V{index}"), (*value).to_owned())).collect()
}

/// GitLab reads a dotenv report as it was meant; what is refused is what it could not read.
pub fn dotenv(input: &[u8]) {
    let values: Vec<&str> = texts(input).collect();
    let expected = given(&values);
    match written("dotenv", &values) {
        Some(report) => {
            let read = gitlab::read(&report, LIMIT).unwrap();
            assert_eq!(read, expected.into_iter().collect());
        }
        // GitLab's documentation excludes blanks, although most come back; a control character is nobody's value.
        None if values.iter().any(|value| value.contains(|c: char| c.is_whitespace() || c.is_control())) => {}
        None => {
            let report: String = expected.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            assert_ne!(gitlab::read(&report, LIMIT), Ok(expected.into_iter().collect()), "refused in vain");
        }
    }
}

/// Shells, and readers of JSON, get what was given; only a NUL is refused.
pub fn shells(input: &[u8]) {
    let values: Vec<&str> = texts(input).collect();
    let expected = given(&values);
    let can_hold = !values.iter().any(|value| value.contains('\0'));
    for (format, read) in [("sh", sh as fn(&str) -> Vec<(String, String)>), ("fish", fish)] {
        let line = written(format, &values);
        assert_eq!(line.is_some(), can_hold, "{format}");
        if let Some(line) = line {
            assert_eq!(read(&line), expected, "{format}: {line}");
        }
    }
    let document: serde_json::Value = serde_json::from_str(&written("json", &values).unwrap()).unwrap();
    let variables = document["credentials"][0]["variables"].as_object().unwrap();
    let variables = variables.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    assert!(variables.eq(expected));
}

/// What `eval $(…)` sets: the text is split, nothing in it may be expanded, `eval` joins it by blanks and reads it.
/// The helpers stand for their characters; that the shells build them so is for tests/shells.rs, in real ones.
fn sh(text: &str) -> Vec<(String, String)> {
    let text = text.strip_suffix('\n').unwrap();
    let joined = text.split([' ', '\t', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    assert_eq!(joined, text.trim_start(), "splitting changes it");
    // Before the exports come the guard and what builds the helpers: the program's own text, with no value in it.
    let Some(start) = text.find("export V0=") else { return Vec::new() };
    let (exports, _) = text[start..].split_once(" && __ci_creds_ok=unset").unwrap();
    let statements = exports.split(" && ").map(|statement| statement.strip_prefix("export ").unwrap());
    statements
        .map(|statement| {
            assert!(
                !statement.contains(|c: char| c.is_ascii_control() || "*?[]{}~|&<>()#!,\\`".contains(c)),
                "{text}"
            );
            let (name, word) = statement.split_once('=').unwrap();
            (name.to_owned(), String::from_utf8(sh_word(word)).unwrap())
        })
        .collect()
}

/// `'abc'"$__ci_creds_040"`.
fn sh_word(mut word: &str) -> Vec<u8> {
    let mut value = Vec::new();
    while let Some(quote) = word.chars().next() {
        let (inside, rest) = word[1..].split_once(quote).unwrap();
        match quote {
            '\'' => value.extend_from_slice(inside.as_bytes()),
            '"' => {
                let codes = inside.split("$__ci_creds_").skip(1);
                value.extend(codes.map(|code| u8::from_str_radix(code, 8).unwrap()));
            }
            other => panic!("{other} outside of quotes"),
        }
        word = rest;
    }
    value
}

/// What fish sets: one line of `set -gx NAME 'it\'s'\x0a'more'; `.
fn fish(text: &str) -> Vec<(String, String)> {
    let text = text.strip_suffix('\n').unwrap();
    assert!(!text.contains(|c: char| c.is_ascii_control()));
    let mut rest = text.strip_prefix("set -e OLD; ").unwrap();
    let mut set = Vec::new();
    while let Some(statement) = rest.strip_prefix("set -gx ") {
        let (name, word) = statement.split_once(' ').unwrap();
        let (value, behind) = fish_word(word.as_bytes());
        set.push((name.to_owned(), String::from_utf8(value).unwrap()));
        rest = std::str::from_utf8(behind).unwrap().strip_prefix("; ").unwrap();
    }
    assert_eq!(rest, "true;");
    set
}

/// The value of a word, and what stands behind it.
fn fish_word(mut word: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut value, mut quoted) = (Vec::new(), false);
    loop {
        match (quoted, word) {
            (_, [b'\'', rest @ ..]) => (quoted, word) = (!quoted, rest),
            (true, [b'\\', byte @ (b'\'' | b'\\'), rest @ ..]) => {
                value.push(*byte);
                word = rest;
            }
            (false, [b'\\', b'x', high, low, rest @ ..]) => {
                let digits = [*high, *low];
                value.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                word = rest;
            }
            (true, [byte, rest @ ..]) => {
                value.push(*byte);
                word = rest;
            }
            (false, rest) => return (value, rest),
            (true, []) => panic!("an open quote"),
        }
    }
}
