//! Which letters each way leaves as they are, so that a text can be compared with most of a form byte by byte.

use super::written::{COUNT, Letter, depends_on_neighbours, write};

/// For each way, a bit for each letter of ASCII.
pub(super) struct Kept(Vec<[u64; 2]>);

impl Kept {
    /// For the letters of this text.
    pub(super) fn of(text: &str) -> Self {
        let mut letters = [false; 128];
        for byte in text.bytes().filter(u8::is_ascii) {
            letters[usize::from(byte)] = true;
        }
        let letters: Vec<u8> = (0..128).filter(|byte| letters[usize::from(*byte)]).collect();
        let bits = |way| {
            letters.iter().filter(|byte| is_kept(way, char::from(**byte))).fold([0; 2], |mut bits, byte| {
                bits[usize::from(byte / 64)] |= 1 << (byte % 64);
                bits
            })
        };
        Self((0..COUNT).map(bits).collect())
    }

    #[inline(always)]
    pub(super) fn has(&self, way: u8, byte: u8) -> bool {
        let bits = self.0.get(usize::from(way)).and_then(|bits| bits.get(usize::from(byte / 64)));
        bits.is_some_and(|bits| bits >> (byte % 64) & 1 == 1)
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<[u64; 2]>() * self.0.capacity()
    }
}

/// Whether a way leaves this letter as it is, whatever stands beside it.
fn is_kept(way: u8, char: char) -> bool {
    let mut out = String::new();
    // A shell quotes some only where a word begins.
    for before in [None, Some('a')] {
        write(way, &Letter { before, char, after: Some('a') }, &mut out);
    }
    out.chars().eq([char; 2]) && !(depends_on_neighbours(way) && char == '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_kept_beside_any_letter() {
        let ascii: String = (0..128_u8).map(char::from).collect();
        let kept = Kept::of(&ascii);
        let beside =
            [None, Some('a'), Some(' '), Some('#'), Some('\''), Some('\n'), Some('\u{1b}'), Some('\u{e9}')];
        for way in 0..COUNT {
            assert!(kept.has(way, b'a') && kept.has(way, b'7'));
            for char in ascii.chars().filter(|char| kept.has(way, *char as u8)) {
                for before in beside {
                    for after in beside {
                        let mut out = String::new();
                        write(way, &Letter { before, char, after }, &mut out);
                        assert_eq!(out, char.to_string(), "{way}: {before:?}, {after:?}");
                    }
                }
            }
        }
    }
}
