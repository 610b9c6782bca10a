//! GitLab's reader of dotenv reports, written from its own code: ParseDotenvArtifactService, Ci::HasVariable and
//! ExpandVariables, with every referenced variable absent.

use std::collections::BTreeMap;

/// What GitLab takes from a report of at most `limit` variables.
pub(crate) fn read(report: &str, limit: usize) -> Result<BTreeMap<String, String>, &'static str> {
    if report.len() >= 5120 {
        return Err("Dotenv Artifact Too Big");
    }
    let report = report.strip_prefix('\u{feff}').unwrap_or(report);
    let mut variables = BTreeMap::new();
    for line in report.split_inclusive('\n') {
        let (key, value) = line.strip_suffix('\n').unwrap_or(line).split_once('=').ok_or("Invalid Format")?;
        let key = ruby_strip(key);
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return Err("Validation failed");
        }
        variables.insert(key.to_owned(), expanded(ruby_strip(value)));
    }
    if variables.len() > limit { Err("Dotenv files cannot have more variables") } else { Ok(variables) }
}

/// `String#strip`: ASCII white space at both ends, and NUL.
fn ruby_strip(text: &str) -> &str {
    text.trim_matches(['\0', '\t', '\n', '\x0b', '\x0c', '\r', ' '])
}

/// `$name`, `${name}` and `%name%` become empty; a runner then also takes `$` with any other character.
fn expanded(value: &str) -> String {
    let name_length = |text: &str| {
        let starts = text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
        let length = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        if starts { length } else { 0 }
    };
    let mut read = String::new();
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        let length = name_length(after);
        rest = match first {
            '$' if after.starts_with('{') => after.split_once('}').map_or("", |(_, rest)| rest),
            '$' if length == 0 => after.get(1..).unwrap_or(""),
            '$' => &after[length..],
            '%' if length > 0 && after[length..].starts_with('%') => &after[length + 1..],
            _ => {
                read.push(first);
                after
            }
        };
    }
    read
}
