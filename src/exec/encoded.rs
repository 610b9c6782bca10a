//! Base64 of the secrets: of any length, in either alphabet, in lines of seven characters and more, wherever a secret
//! begins in what is encoded, and parts of it.
//!
//! Four characters are three bytes. What stands before a secret shifts it by 0, 1 or 2 bytes, so that a group of four
//! may begin at any byte of it. Two groups are six bytes. These are looked up in the secrets, so that nothing that is
//! encoded has to be stored, but for the first and last characters, which depend on what stands beside the secret.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::forms::{Found, Level, SHORTEST, Secrets};

mod reader;

pub(super) use reader::is_blank;
use reader::{Reader, Window};

/// A part of base64 is looked at from a group on up to the third character behind two groups, where the next part
/// begins.
pub(super) const PART: usize = SHORTEST + 3;
/// The same in bytes.
const BYTES: usize = 9;
/// How many characters are kept of an end.
const END: usize = 16;
/// How many equal parts are told of at most, in either direction.
const EQUAL: usize = 64;

/// How many blanks may stand before a line of base64.
pub(super) const INDENT: usize = 24;
/// How many bytes a line break takes at most, with those blanks.
const BREAK: usize = 2 + INDENT;

/// How many bytes of text two groups take at most: there may be a line break between their characters.
pub(super) const HEAD: usize = SHORTEST + BREAK;

/// How many bytes of text an occurrence takes at most in lines that are not shorter than two groups.
pub(super) const LONGEST: usize = END + 3 * BREAK;

/// What to look for in base64.
pub(super) struct Encoded {
    /// Places in the secrets, in the order of the bytes there.
    index: Vec<u32>,
    /// In order.
    ends: Vec<End>,
}

/// How the base64 of a text begins where its first byte shares a character with what is before it, or how it ends.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct End {
    characters: [u8; END],
    length: u8,
    /// A byte of the secret.
    at: u32,
}

impl End {
    fn characters(&self) -> &[u8] {
        &self.characters[..usize::from(self.length)]
    }
}

impl Encoded {
    pub(super) fn new(secrets: &Secrets, level: &Level) -> Self {
        let bytes = secrets.text.as_bytes();
        let mut index = Vec::with_capacity(bytes.len());
        let mut ends = Vec::new();
        for secret in secrets.ranges() {
            let frames: Vec<Range<usize>> =
                secrets.lines(&secret).filter(|line| is_frame(&bytes[line.clone()])).collect();
            let is_shown = |place: Range<usize>| {
                let first = frames.partition_point(|frame| frame.end <= place.start);
                let mut near = frames[first..].iter().take_while(|frame| frame.start < place.end);
                near.all(|frame| !is_of_frame(bytes, frame, &place))
            };
            // With the line break behind it.
            let starts = secret.start..(secret.end + 2).saturating_sub(6);
            let places = starts.filter(|at| is_shown(*at..at + 6));
            index.extend(places.filter_map(|at| u32::try_from(at).ok()));
            let mut add = |text: &Range<usize>| add(bytes, text, is_shown, &mut ends);
            add(&secret);
            let trimmed = secrets.trimmed(&secret);
            if trimmed != secret {
                add(&trimmed);
            }
            if level.has_line_ends(secret.len()) {
                for line in secrets.lines(&secret).filter(|line| *line != secret && *line != trimmed) {
                    add(&line);
                }
            }
        }
        index.sort_unstable_by_key(|at| key(bytes, *at));
        index.dedup_by(|other, one| {
            // What a secret repeats, but not at its end.
            key(bytes, *other) == key(bytes, *one)
                && secrets.owner(*other) == secrets.owner(*one)
                && [*other, *one].iter().all(|at| *at as usize + BYTES <= secrets.end(*at))
        });
        ends.sort_unstable();
        ends.dedup();
        ends.shrink_to_fit();
        Self { index, ends }
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<u32>() * self.index.capacity() + size_of::<End>() * self.ends.capacity()
    }

    /// Calls `visit` with what two groups may look like.
    pub(super) fn heads(&self, secrets: &Secrets, mut visit: impl FnMut([u8; SHORTEST])) {
        let mut add = |mut head: [u8; SHORTEST]| {
            visit(head);
            if head.contains(&b'+') || head.contains(&b'/') {
                for byte in &mut head {
                    *byte = match byte {
                        b'+' => b'-',
                        b'/' => b'_',
                        _ => *byte,
                    };
                }
                visit(head);
            }
        };
        for at in &self.index {
            let key = key(secrets.text.as_bytes(), *at);
            let mut head = [0; SHORTEST];
            for (place, byte) in (1..).zip(&mut head) {
                *byte = ALPHABET[(key >> (8 * BYTES - 6 * place)) as usize & 63];
            }
            add(head);
        }
        self.ends.iter().filter_map(|end| end.characters.first_chunk()).for_each(|head| add(*head));
    }

    /// Calls `visit` with each part of base64 that `text` begins with. Returns whether there may be more of it, if the
    /// text goes on.
    pub(super) fn look(&self, secrets: &Secrets, text: &[u8], mut visit: impl FnMut(Found)) -> bool {
        let window = Window::read(text);
        if window.count == 0 {
            return false;
        }
        let mut open = false;
        let mut found = |at, common: usize, length: usize, is_last| {
            open |= common == window.count && length > common;
            if common >= SHORTEST {
                visit(Found { at, length: usize::from(window.ends[common - 1]), is_last });
            }
        };
        self.parts(secrets, &window, &mut found);
        let characters = &window.characters[..window.count];
        let middle = self.ends.partition_point(|end| end.characters() < characters);
        let mut one = |end: &End| {
            let common = common(end.characters(), characters);
            let fits = common >= SHORTEST.min(window.count);
            if fits {
                found(end.at, common, end.characters().len(), false);
            }
            fits
        };
        self.ends[middle..].iter().take(EQUAL).all(&mut one);
        self.ends[..middle].iter().rev().take(EQUAL).all(&mut one);
        open && window.is_cut
    }

    /// How far `text` goes on with the base64 of the secret at `at`, in bytes: all of it is in parts that overlap, each
    /// of which is found where it begins. So it ends before what may be a frame, and where lines are short.
    pub(super) fn run(secrets: &Secrets, at: u32, text: &[u8]) -> usize {
        let secret = &secrets.text.as_bytes()[at as usize..secrets.end(at)];
        if 8 * secret.len() / 6 <= LONGEST {
            return 0;
        }
        let (mut reader, mut length, mut line) = (Reader::new(text), 0, SHORTEST);
        for three in secret.chunks_exact(3) {
            if three.windows(2).any(|two| two == b"--") {
                break;
            }
            let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            for shift in [18, 12, 6, 0] {
                let same = reader.next() == Some(ALPHABET[bits >> shift & 63]);
                let is_behind_break = reader.at > length + 1;
                if !same || is_behind_break && line < SHORTEST {
                    return length;
                }
                line = if is_behind_break { 1 } else { line + 1 };
                length = reader.at;
            }
        }
        length
    }

    /// The same for the inside of the secrets: calls `found` with a place, how many characters are the same, and how many
    /// would be at most.
    fn parts(&self, secrets: &Secrets, window: &Window, found: &mut impl FnMut(u32, usize, usize, bool)) {
        let bytes = secrets.text.as_bytes();
        let (mut sought, mut count) = (0_u128, 0);
        for character in window.characters[..window.count.min(PART)].iter() {
            let Some(value) = value(*character) else { break };
            count += 1;
            sought |= u128::from(value) << (8 * BYTES - 6 * count);
        }
        // Less than that was seen to be no base64.
        if count < SHORTEST.min(window.count) {
            return;
        }
        let middle = self.index.partition_point(|at| key(bytes, *at) < sought);
        let mut one = |at: &u32| {
            let difference = (key(bytes, *at) ^ sought) << (128 - 8 * BYTES);
            let common = (difference.leading_zeros() as usize / 6).min(count);
            let there = (8 * (secrets.end(*at) - *at as usize) / 6).min(PART);
            let fits = common >= SHORTEST.min(count);
            if fits {
                found(*at, common.min(there), there, secrets.ends_within(*at, common));
            }
            fits
        };
        self.index[middle..].iter().take(EQUAL).all(&mut one);
        self.index[..middle].iter().rev().take(EQUAL).all(&mut one);
    }
}

/// The bytes at a place, as a number.
fn key(bytes: &[u8], at: u32) -> u128 {
    let rest = bytes.get(at as usize..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<16>() {
        return u128::from_be_bytes(*bytes) >> (128 - 8 * BYTES);
    }
    let mut key = [0; 16];
    let length = rest.len().min(BYTES);
    key[..length].copy_from_slice(&rest[..length]);
    u128::from_be_bytes(key) >> (128 - 8 * BYTES)
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Whether a line is the first or the last one of PEM, which is in every certificate: it is no secret.
fn is_frame(line: &[u8]) -> bool {
    let begins = line.starts_with(b"-----BEGIN ") || line.starts_with(b"-----END ");
    line.len() < 64 && begins && line.ends_with(b"-----")
}

/// Whether a place is in such a line, or has its dashes in common with it.
fn is_of_frame(bytes: &[u8], frame: &Range<usize>, place: &Range<usize>) -> bool {
    let common = &bytes[frame.start.max(place.start)..frame.end.min(place.end)];
    common.len() == place.len() || common.windows(3).any(|three| three == b"---")
}

/// Adds the base64 of both ends of a text, but for what is not shown.
fn add(bytes: &[u8], text: &Range<usize>, is_shown: impl Fn(Range<usize>) -> bool, ends: &mut Vec<End>) {
    let Ok(at) = u32::try_from(text.start) else { return };
    if text.len() < SHORTEST {
        return;
    }
    let mut push = |characters: &[u8]| {
        let mut end = End { characters: [0; END], length: characters.len() as u8, at };
        end.characters[..characters.len()].copy_from_slice(characters);
        ends.push(end);
    };
    for before in 0..3 {
        let first = &bytes[text.start..text.end.min(text.start + END)];
        let shifted = [&[0; 2][..before], first].concat();
        let start = (8 * before).div_ceil(6);
        let sure = 8 * shifted.len() / 6;
        if before > 0 && is_shown(text.start..text.start + SHORTEST) {
            let text = STANDARD.encode(&shifted);
            push(&text.as_bytes()[start..sure.min(start + END - 4)]);
        }
        for behind in ["", "\n"] {
            // From a group on, so that what is left out does not matter.
            let skipped = text.len().saturating_sub(2 * END) / 3 * 3;
            let rest = &bytes[text.start + skipped..text.end];
            let shifted = [&[0; 2][..before], rest, behind.as_bytes()].concat();
            let start = if skipped == 0 { start } else { 4 };
            let encoded = STANDARD.encode(&shifted);
            let from = encoded.len().saturating_sub(END).max(start);
            let first = text.start + skipped + (from / 4 * 3).saturating_sub(before);
            if encoded.len() - from >= SHORTEST && is_shown(first..text.end) {
                push(&encoded.as_bytes()[from..]);
            }
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn value(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
