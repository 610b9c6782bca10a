//! What the formats of one provider's tools share: which variable goes where, and what all of their parsers take for
//! plain text. It must not write a value that two parsers read differently.

use zeroize::Zeroizing;

use super::{Error, Format, Options, variables};
use crate::credentials::Credentials;

/// The profile that tools use when none is named.
pub(super) const DEFAULT: &str = "default";

/// Where a variable's value goes in a format.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    /// Under this key.
    Key(&'static str),
    /// It is not written: the format has it in another form, or its readers get it elsewhere.
    Elsewhere,
}

/// One line of a profile.
pub(super) struct Entry<'a> {
    pub(super) key: &'static str,
    pub(super) value: &'a str,
}

/// The values under the format's keys, each of them plain. A variable that the format does not know is an error.
pub(super) fn entries<'a>(
    all: &'a [Credentials],
    format: &'static Format,
    places: &[(&str, Slot)],
) -> Result<Vec<Entry<'a>>, Error> {
    let mut entries = Vec::new();
    for variable in variables(all) {
        let place = places.iter().find(|(name, _)| *name == variable.name).map(|(_, place)| *place);
        let value = variable.value.reveal();
        match place {
            None => {
                return Err(Error::NoPlace { variable: variable.name.clone(), format: format.name });
            }
            Some(Slot::Elsewhere) => {}
            Some(Slot::Key(_)) if !is_plain(value) => {
                let what = match value {
                    "" => "nothing in it",
                    _ => "characters that its readers do not all take as they are",
                };
                let (variable, what) = (variable.name.clone(), what.to_owned());
                return Err(Error::Value { variable, format: format.name, what });
            }
            Some(Slot::Key(key)) => entries.push(Entry { key, value }),
        }
    }
    Ok(entries)
}

/// The profile's name, which the same parsers must take.
pub(super) fn name<'a>(options: &'a Options, format: &'static Format) -> Result<&'a str, Error> {
    let name = options.profile();
    // INI's readers take what stands in [DEFAULT] for a part of every profile.
    if is_plain(name) && name != "DEFAULT" {
        Ok(name)
    } else {
        Err(Error::ProfileName { format: format.name })
    }
}

/// One line for each entry, with this between key and value, and behind the value.
pub(super) fn lines(entries: &[Entry<'_>], around: [&str; 2]) -> Zeroizing<String> {
    let [between, after] = around;
    let mut text = Zeroizing::new(String::with_capacity(room_for(entries)));
    for entry in entries {
        for part in [entry.key, between, entry.value, after, "\n"] {
            text.push_str(part);
        }
    }
    text
}

/// At least as many bytes as the entries take with what stands around them.
pub(super) fn room_for(entries: &[Entry<'_>]) -> usize {
    entries.iter().map(|entry| entry.key.len() + entry.value.len() + "\": \"\",\n".len()).sum()
}

/// Whether INI, YAML and JSON readers alike take this as it is. Keys, tokens, IDs and regions are made of nothing
/// else; a `#`, `;`, quote, backslash, `%` or blank means something to one of them.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+/=.,:@~-".contains(&byte))
}
