//! Reads base64 out of a text: in either alphabet, in lines that may be indented. It must not know what is looked for.

use super::{END, INDENT};
use crate::exec::forms::SHORTEST;

/// Whether a line may be indented by it.
pub(in crate::exec) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Reads base64 in lines, in the usual alphabet.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    /// Where the last character ended.
    pub(super) at: usize,
    count: usize,
    /// Whether the text has the other alphabet, once that is known.
    is_url_safe: Option<bool>,
    has_break: bool,
    /// Whether the text has ended.
    is_cut: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, count: 0, is_url_safe: None, has_break: false, is_cut: false }
    }

    /// The next character; `None` where there is none, and from there on.
    pub(super) fn next(&mut self) -> Option<u8> {
        let mut at = self.at;
        let mut byte = self.byte(at)?;
        if byte == b'\n' || byte == b'\r' {
            // One in the first two groups, and none before them.
            if self.count == 0 || self.count < SHORTEST && self.has_break {
                return None;
            }
            if byte == b'\r' {
                at += 1;
                byte = self.byte(at)?;
            }
            if byte != b'\n' {
                return None;
            }
            at += 1;
            byte = self.byte(at)?;
            let end = at + INDENT;
            while is_blank(byte) && at < end {
                at += 1;
                byte = self.byte(at)?;
            }
            self.has_break = true;
        }
        let (character, is_url_safe) = match byte {
            b'+' | b'/' => (byte, Some(false)),
            b'-' => (b'+', Some(true)),
            b'_' => (b'/', Some(true)),
            b'=' => (byte, None),
            _ if byte.is_ascii_alphanumeric() => (byte, None),
            _ => return None,
        };
        if is_url_safe.is_some() {
            if self.is_url_safe.is_some_and(|before| Some(before) != is_url_safe) {
                return None;
            }
            self.is_url_safe = is_url_safe;
        }
        self.at = at + 1;
        self.count += 1;
        Some(character)
    }

    fn byte(&mut self, at: usize) -> Option<u8> {
        let byte = self.text.get(at).copied();
        self.is_cut |= byte.is_none();
        byte
    }
}

/// The base64 that a text begins with.
pub(super) struct Window {
    pub(super) characters: [u8; END],
    /// For each character, where it ends in the text.
    pub(super) ends: [u8; END],
    pub(super) count: usize,
    /// Whether the text ends here.
    pub(super) is_cut: bool,
}

impl Window {
    pub(super) fn read(text: &[u8]) -> Self {
        let mut window = Self { characters: [0; END], ends: [0; END], count: 0, is_cut: false };
        let mut reader = Reader::new(text);
        while window.count < END
            && let Some(character) = reader.next()
        {
            window.characters[window.count] = character;
            window.ends[window.count] = reader.at as u8;
            window.count += 1;
        }
        window.is_cut = reader.is_cut;
        window
    }
}
