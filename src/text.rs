//! Text from others: a server's words, a claim, a name in a certificate. It is made safe where it is parsed, so that it
//! can't forge a line of a log, move a cursor, or hide text. It must not decide what is shown.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Foreign text is cut to this many characters.
pub const LONGEST_TEXT: usize = 300;

/// Text from others, on one line, visible, and at most [`LONGEST_TEXT`] characters long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Makes `text` safe.
    pub fn new(text: &str) -> Self {
        Self(cut(visible(text)))
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `null` is empty.
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(|text| Self::new(&text)).unwrap_or_default())
    }
}

/// `text` on one line, without control characters and without the secrets that were sent, and not too long.
pub(crate) fn sanitize(text: &str, known: &[Secret]) -> String {
    let mut text = visible(text);
    // A secret of several lines may be said back line by line, as one, or escaped; and where one secret is the
    // beginning of another, the whole of it has to go.
    let lines = known.iter().flat_map(|secret| secret.reveal().lines());
    let mut lines: Vec<_> = lines.map(|line| Zeroizing::new(visible(line).trim().to_owned())).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.len()));
    for line in lines.iter().filter(|line| line.len() >= 4) {
        text = text.replace(line.as_str(), "[secret]");
    }
    cut(text)
}

/// `text` with a blank for each character that has no place on a line: for a whole message of ours, whose parts may
/// be a path or a name that somebody chose.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if is_visible(char) { char } else { ' ' }).collect()
}

/// The one of `known` that is nearest to `name`, if no more than `far` letters differ.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>, far: usize) -> Option<&'a str> {
    let all = known.map(|one| (strsim::damerau_levenshtein(name, one), one));
    all.min_by_key(|(far, _)| *far).filter(|(distance, _)| *distance <= far).map(|(_, one)| one)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a character takes its place on a line, and does nothing else: no control or format character (Unicode's
/// categories Cc and Cf), no line or paragraph separator, no blank that looks like nothing, no tag and no variation
/// selector.
pub(crate) fn is_visible(char: char) -> bool {
    !char.is_control()
        && !matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn visible(text: &str) -> String {
    text.chars().filter(|char| is_visible(*char)).collect()
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_several_lines_is_hidden_line_by_line() {
        let known =
            [Secret::from("-----BEGIN KEY-----\n  MIIEvQ\n-----END KEY-----\n"), Secret::from("MIIE")];
        let escaped = sanitize(r#"no key: "-----BEGIN KEY-----\n  MIIEvQ\n-----END KEY-----\n""#, &known);
        assert_eq!(escaped, r#"no key: "[secret]\n  [secret]\n[secret]\n""#);
        assert_eq!(sanitize("MIIEvQ\n-----END KEY-----", &known), "[secret][secret]");
    }

    #[test]
    fn foreign_text_forges_nothing() {
        let text = Text::new("a\r\nerror: \u{1b}[31mno\u{202e}b\u{61c}\u{2066}\u{feff}\u{e0041}");
        assert_eq!(text.as_str(), "aerror: [31mnob");
        assert_eq!(Text::new("größe ✓ 日本").as_str(), "größe ✓ 日本");
        assert_eq!(Text::new(&"é".repeat(1000)).chars().count(), LONGEST_TEXT + 1);
        assert_eq!(one_line("a\nb\u{202e}c"), "a b c");
        let parsed: Vec<Text> = serde_json::from_str(r#"["a\u202eb", null]"#).unwrap();
        assert_eq!(parsed, [Text::new("ab"), Text::default()]);
    }
}
