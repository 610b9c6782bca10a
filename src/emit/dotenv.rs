//! `dotenv`: GitLab's `artifacts:reports:dotenv`, `NAME=value` lines that later jobs get as variables.
//!
//! GitLab reads a line as `^(.*?)=(.*)$`, strips both sides, and expands the value when a job starts: there is no
//! quoting and no escape, an empty line or a comment fails the whole upload. So a value that would come back as
//! something else is refused here, and never altered. GitLab's limits are kept too: it would refuse the report
//! after the job has succeeded, when the credentials are already issued.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::{Error, Format, Options, variables};
use crate::credentials::{Credentials, Variable};

/// `--format dotenv`.
pub(super) static DOTENV: Format = Format {
    name: "dotenv",
    about: "variables for later jobs, by artifacts:reports:dotenv. The report is an artifact that people can \
            download: add `artifacts: {access: none}`, and prefer a call of ci-creds in the later job",
    provider: None,
    merge: None,
    encode,
    failure: None,
};

/// The first size that GitLab refuses.
const SIZE_LIMIT: usize = 5 * 1024;
/// The length of the longest name that GitLab takes.
const NAME_LIMIT: usize = 255;

fn encode(all: &[Credentials], options: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let variables = variables(all);
    if let Some(beyond) = variables.get(options.dotenv_limit) {
        let (count, limit) = (variables.len(), options.dotenv_limit);
        return Err(Error::DotenvCount { count, limit, variable: beyond.name.clone() });
    }
    let mut seen = HashSet::new();
    for variable in &variables {
        check(variable)?;
        if !seen.insert(&variable.name) {
            return Err(Error::DotenvTwice { variable: variable.name.clone() });
        }
    }
    let size = variables.iter().map(|variable| variable.name.len() + variable.value.reveal().len() + 2).sum();
    let longest = variables.iter().max_by_key(|variable| variable.value.reveal().len());
    if let Some(longest) = longest.filter(|_| size >= SIZE_LIMIT) {
        return Err(Error::DotenvSize { size, limit: SIZE_LIMIT, variable: longest.name.clone() });
    }
    let mut report = Zeroizing::new(Vec::with_capacity(size));
    for variable in variables {
        for part in [variable.name.as_str(), "=", variable.value.reveal(), "\n"] {
            report.extend_from_slice(part.as_bytes());
        }
    }
    Ok(report)
}

/// Whether GitLab takes the name, and gives the value back as it is.
fn check(variable: &Variable) -> Result<(), Error> {
    let name = &variable.name;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(plain) {
        return Err(Error::DotenvName { variable: name.clone() });
    }
    match trouble(variable.value.reveal()) {
        None => Ok(()),
        Some(what) => {
            Err(Error::Value { variable: name.clone(), format: DOTENV.name, what: what.to_owned() })
        }
    }
}

/// What GitLab would change in a value. Quotes, `#`, `=`, non-ASCII and an empty value stay as they are.
fn trouble(value: &str) -> Option<&'static str> {
    if value.contains(['\n', '\r']) {
        Some("a line break")
    } else if value.chars().any(char::is_control) {
        Some("a control character")
    } else if value.chars().any(char::is_whitespace) {
        // GitLab strips blanks at both ends, and its documentation excludes them in between.
        Some("a blank")
    } else if value.contains('$') {
        Some("a $, which GitLab expands")
    } else if has_percent_reference(value) {
        Some("a %name%, which GitLab expands")
    } else {
        None
    }
}

/// Whether something between two percent signs is a name: `%2F%` is not.
fn has_percent_reference(value: &str) -> bool {
    let mut between = value.split('%').skip(1).peekable();
    while let Some(part) = between.next() {
        // What follows the last sign has no second one.
        if between.peek().is_some() && is_name(part) {
            return true;
        }
    }
    false
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
#[path = "../../tests/fuzz/src/gitlab.rs"]
mod gitlab;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{seeded, written};
    use super::*;
    use crate::error::Explain as _;

    fn refused(value: &str) -> String {
        written(&DOTENV, &[("A", value)], &[], 20).unwrap_err().to_string()
    }

    #[test]
    fn an_aws_triple_passes() {
        let token = "IQoJb3JpZ2luX2VjE/+=".repeat(52);
        let set = [
            ("AWS_ACCESS_KEY_ID", "ASIAXXXXXXXXXXXXXXXX"),
            ("AWS_SECRET_ACCESS_KEY", "abc/def+ghi="),
            ("AWS_SESSION_TOKEN", token.as_str()),
        ];
        let report = written(&DOTENV, &set, &["AWS_PROFILE"], 20).unwrap();
        let read = gitlab::read(&report, 20).unwrap();
        assert_eq!(read.len(), 3);
        assert!(set.iter().all(|(name, value)| read[*name] == *value));
    }

    #[test]
    fn what_would_come_back_otherwise_is_refused() {
        assert_eq!(refused("a\nb"), "A can't be written as dotenv: its value has a line break");
        for value in ["a b", " a", "a\t", "a\0", "a\r", "\u{85}", "$a", "a$", "${a}", "%a%", "1%%_a1%"] {
            assert!(refused(value).starts_with("A can't be written as dotenv: its value has "), "{value:?}");
        }
        for value in ["", "'a'", "\"a\"", "a=b#c", "%2F%20", "%", "%%", "ä€", "a%b"] {
            let report = written(&DOTENV, &[("A", value)], &[], 20).unwrap();
            assert_eq!(gitlab::read(&report, 20).unwrap()["A"], value);
        }
    }

    #[test]
    fn limits_are_gitlabs() {
        let exactly = |size: usize| written(&DOTENV, &[("A", &"x".repeat(size - 3))], &[], 20);
        assert_eq!(gitlab::read(&exactly(5119).unwrap(), 20).unwrap().len(), 1);
        let error = exactly(5120).unwrap_err();
        let text = "the credentials can't be written as dotenv: 5120 bytes, GitLab takes less than 5120; \
                    the longest is A";
        assert_eq!(error.to_string(), text);
        assert!(error.hints()[0].contains("fewer providers"));

        let error = written(&DOTENV, &[("A", "1"), ("B", "2"), ("C", "3")], &[], 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "3 variables can't be written as dotenv: the limit is 2, and C exceeds it"
        );
        assert!(error.hints()[0].contains("--dotenv-limit"));
        let error = written(&DOTENV, &[("A", "1"), ("A", "1")], &[], 20).unwrap_err();
        assert_eq!(error.to_string(), "A can't be written as dotenv: it is set twice");
        let named = |length: usize| written(&DOTENV, &[(&"A".repeat(length), "1")], &[], 20);
        assert!(named(255).is_ok() && named(256).is_err());
    }

    proptest! {
        #![proptest_config(seeded())]

        #[test]
        fn gitlab_reads_what_was_given(
            values in proptest::collection::vec(
                prop_oneof!["[ -~]{0,12}", "[a%$_{}=\\s#'\"]{0,6}", "\\PC{0,6}", "[A-Za-z0-9+/=]{1,1200}"], 0..6),
            limit in 3_usize..7,
        ) {
            let names: Vec<String> = (0..values.len()).map(|i| format!("V{i}")).collect();
            let set: Vec<(&str, &str)> = names.iter().zip(&values).map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let given = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            match written(&DOTENV, &set, &[], limit) {
                Ok(report) => prop_assert_eq!(gitlab::read(&report, limit), Ok(given)),
                // What is refused could not have come back, blanks apart: GitLab's documentation excludes those.
                Err(_) if values.iter().any(|value| value.contains(char::is_whitespace)) => {}
                Err(error) => {
                    let report: String = set.iter().map(|(n, v)| format!("{n}={v}\n")).collect();
                    prop_assert_ne!(gitlab::read(&report, limit), Ok(given), "{}", error);
                }
            }
        }
    }
}
