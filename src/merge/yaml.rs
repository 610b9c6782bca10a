//! The configuration file of scw and of Scaleway's SDKs (scaleway-sdk-go `scw/config.go`): keys of the default profile,
//! and the others under `profiles`. Of YAML it understands what such a file is made of: maps of plain or quoted values
//! on one line, and comments. It must not guess what anything else means.

use super::lines::{Fault, Lines, indent, is_silent};
use super::{Form, Found, MARK};

/// scw's config.yaml.
pub(crate) static SCW: Form = Form {
    name: "scw-config",
    find,
    head: |profile| (profile != DEFAULT).then(|| format!("\"{profile}\":")),
    parent: Some("profiles: # added by ci-creds"),
    ends: |line, above| indent(line) <= above,
};

/// The profile whose keys stand at the top.
const DEFAULT: &str = "default";
/// Those keys. `send_telemetry` is there too in a file without a default profile.
const DEFAULTS: [&str; 8] = [
    "access_key",
    "secret_key",
    "api_url",
    "insecure",
    "default_organization_id",
    "default_project_id",
    "default_region",
    "default_zone",
];
/// How far a profile is indented where the file does not tell.
const USUAL: usize = 2;

fn find(lines: &Lines<'_>, profile: &str) -> Result<Found, Fault> {
    let mut found = Found { place: lines.count(), ..Found::default() };
    let mut map = Map::default();
    // The line of `profiles`, how far its profiles are indented, and whether the last one is the one that is looked
    // for.
    let (mut profiles, mut children, mut own) = (None, USUAL, false);
    let mut in_profiles = false;
    for (number, line) in lines.all().filter(|(_, line)| !is_silent(line, &['#'])) {
        let fault = |what| Fault { line: number, what };
        if line == "---" && map.is_new() {
            continue;
        }
        let entry = Entry::of(line).ok_or(fault("is not `key: value` on one line"))?;
        let depth = map.depth(&entry).ok_or(fault("is indented in a way that fits no line above"))?;
        match depth {
            0 => {
                (in_profiles, own) = (entry.key == "profiles", false);
                if in_profiles && (entry.has_value || profiles.replace(number).is_some()) {
                    return Err(fault("is another form of `profiles`, or a second one"));
                }
                if profile == DEFAULT && DEFAULTS.contains(&entry.key) {
                    extend(&mut found, number, lines);
                }
            }
            1 if in_profiles => {
                (children, own) = (entry.indent, entry.key == profile);
                if own {
                    found.at.push(number..number + 1);
                }
            }
            _ => {}
        }
        if let Some(at) = found.at.last_mut().filter(|_| own) {
            at.end = number + 1;
        }
    }
    if profile != DEFAULT {
        found.place = profiles.map_or(found.place, |number| number + 1);
        found.indents = (children, children + USUAL);
        found.needs_parent = profiles.is_none();
    }
    Ok(found)
}

/// One more line of the default profile, which begins with its comment.
fn extend(found: &mut Found, number: usize, lines: &Lines<'_>) {
    let above = number.checked_sub(1).filter(|above| lines.text(*above).starts_with(MARK));
    match found.at.last_mut() {
        Some(at) => at.end = number + 1,
        None => found.at.push(above.unwrap_or(number)..number + 1),
    }
}

/// How deep a line is, by the lines above it.
#[derive(Default)]
struct Map {
    /// The indentations of the maps that it is in.
    levels: Vec<usize>,
    /// Whether the last line has no value, so that a map may follow.
    is_open: bool,
}

impl Map {
    fn is_new(&self) -> bool {
        self.levels.is_empty()
    }

    fn depth(&mut self, entry: &Entry<'_>) -> Option<usize> {
        match self.levels.last() {
            None if entry.indent > 0 => return None,
            None => self.levels.push(0),
            Some(last) if entry.indent > *last && self.is_open => self.levels.push(entry.indent),
            Some(_) => {
                self.levels.retain(|level| *level <= entry.indent);
                self.levels.last().filter(|last| **last == entry.indent)?;
            }
        }
        self.is_open = !entry.has_value;
        Some(self.levels.len() - 1)
    }
}

/// A line `key: value`, or `key:`.
struct Entry<'a> {
    indent: usize,
    key: &'a str,
    has_value: bool,
}

impl<'a> Entry<'a> {
    fn of(line: &'a str) -> Option<Self> {
        if line.contains('\t') {
            return None;
        }
        let text = line.trim();
        let (key, rest) = match text.chars().next()? {
            quote @ ('"' | '\'') => {
                let (key, rest) = text.get(1..)?.split_once(quote)?;
                (key, rest.strip_prefix(':')?)
            }
            _ => text.split_once(": ").or_else(|| Some((text.strip_suffix(':')?, "")))?,
        };
        let value = rest.trim_start();
        let parted = rest.is_empty() || rest.starts_with(' ') || !text.starts_with(['"', '\'']);
        if !parted || !is_plain_key(key) {
            return None;
        }
        let has_value = !value.is_empty() && !value.starts_with('#');
        (!has_value || is_scalar(value)).then_some(Self { indent: indent(line), key, has_value })
    }
}

/// Whether a key means itself, in quotes and without.
fn is_plain_key(key: &str) -> bool {
    let plain = |char: char| char.is_alphanumeric() || "_+/=.,@~ -".contains(char);
    key.starts_with(|char: char| char.is_alphanumeric() || char == '_')
        && key.chars().all(plain)
        && !key.ends_with(' ')
}

/// Whether this is one value that ends with the line.
fn is_scalar(value: &str) -> bool {
    if let Some(quote) = value.chars().next().filter(|first| ['"', '\''].contains(first)) {
        let quoted = value.get(1..).and_then(|value| value.split_once(quote));
        return quoted.is_some_and(|(text, rest)| {
            let comment = rest.starts_with(' ') && rest.trim_start().starts_with('#');
            !text.contains('\\') && (rest.is_empty() || comment)
        });
    }
    let plain = value.split_once(" #").map_or(value, |(plain, _)| plain).trim_end();
    !plain.starts_with(|first| "{}[]|>&*!%@`?-:,#".contains(first))
        && !plain.contains(": ")
        && !plain.ends_with(':')
}
