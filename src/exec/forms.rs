//! The forms in which a secret may show up in a log, but for base64: as it is, percent-encoded, escaped for JSON,
//! shells, Python or HTML; and line by line. It must not make a form so short that it fits other text.
//!
//! No form is stored. A form is a part of a secret and a way to write it: text is compared with it letter by letter.

use std::ops::Range;

mod kept;
mod levels;
mod piece;
mod secrets;
mod written;

pub(super) use levels::{LEVELS, Level};
pub(super) use secrets::Secrets;

use kept::Kept;
use piece::{FIRST, LAST, Piece};
use written::{AS_IS, Letter, depends_on_neighbours, is_for_controls, write};

/// What is shorter is no secret, and masking it would make holes in plain text. CI systems have the same limit.
pub(super) const SHORTEST: usize = 8;

/// The lines of a secret longer than this, in bytes, are looked for in fewer ways where they stand alone.
const LONG: usize = 4096;

/// A longer text is looked for in pieces: so much is compared at once, and hidden if it stands alone.
const PIECE: usize = 256;

/// Every written form of the secrets.
pub(super) struct Forms {
    /// The first eight bytes of forms, in order; the first is the highest.
    heads: Vec<u64>,
    /// For each head, where its pieces begin in `pieces`; and the end of the last ones.
    firsts: Vec<u32>,
    pieces: Vec<Piece>,
    kept: Kept,
}

/// A form that begins at a place.
pub(super) struct Found {
    /// A byte of its secret.
    pub(super) at: u32,
    /// How long it is in the text.
    pub(super) length: usize,
    /// Whether it ends its secret, or a line of it. Of base64: whether it goes on to the secret's end.
    pub(super) is_last: bool,
}

impl Forms {
    /// `None` if it takes more than `most` bytes.
    pub(super) fn new(secrets: &Secrets, level: &Level, most: usize) -> Option<Self> {
        let mut all: Vec<(u64, Piece)> = Vec::new();
        for secret in secrets.ranges() {
            let text = &secrets.text[secret.clone()];
            add(secrets, secret.clone(), level.whole.clone(), &mut all);
            if text.contains(['\n', '\r']) {
                add(secrets, secrets.trimmed(&secret), level.whole.clone(), &mut all);
                for line in secrets.lines(&secret) {
                    add(secrets, line, level.lines(text.len()), &mut all);
                }
            }
            if size_of::<(u64, Piece)>() * all.len() > most {
                return None;
            }
        }
        let bytes = |piece: &Piece| piece.bytes(&secrets.text);
        let order = |(head, piece): &(u64, Piece)| (*head, piece.way, piece.edges);
        all.sort_unstable_by(|one, other| {
            let order = order(one).cmp(&order(other)).then_with(|| bytes(&one.1).cmp(bytes(&other.1)));
            order.then(one.1.at.cmp(&other.1.at))
        });
        // What a secret repeats.
        all.dedup_by(|other, one| {
            order(one) == order(other)
                && bytes(&one.1) == bytes(&other.1)
                && secrets.owner(one.1.at) == secrets.owner(other.1.at)
        });
        let count = all.chunk_by(|one, other| one.0 == other.0).count();
        let (mut heads, mut firsts) = (Vec::with_capacity(count), Vec::with_capacity(count + 1));
        let mut first = 0;
        for chunk in all.chunk_by(|one, other| one.0 == other.0) {
            heads.extend(chunk.first().map(|(head, _)| *head));
            firsts.push(first);
            first += u32::try_from(chunk.len()).ok()?;
        }
        firsts.push(first);
        let pieces = all.iter().map(|(_, piece)| *piece).collect();
        Some(Self { heads, firsts, pieces, kept: Kept::of(&secrets.text) })
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<u64>() * self.heads.capacity()
            + size_of::<u32>() * self.firsts.capacity()
            + size_of::<Piece>() * self.pieces.capacity()
            + self.kept.memory()
    }

    pub(super) fn heads(&self) -> impl ExactSizeIterator<Item = [u8; SHORTEST]> {
        self.heads.iter().map(|head| head.to_be_bytes())
    }

    /// Calls `visit` with each form that `text` begins with. Returns whether more of them may, if the text goes on.
    pub(super) fn look(&self, secrets: &Secrets, text: &[u8], mut visit: impl FnMut(Found)) -> bool {
        let mut head = [0; SHORTEST];
        let length = text.len().min(SHORTEST);
        head[..length].copy_from_slice(&text[..length]);
        let head = u64::from_be_bytes(head);
        let at = self.heads.partition_point(|other| *other < head);
        let Some(found) = self.heads.get(at) else { return false };
        if length < SHORTEST {
            return (head ^ found).leading_zeros() as usize >= 8 * length;
        }
        if *found != head {
            return false;
        }
        let pieces = &self.pieces[self.firsts[at] as usize..self.firsts[at + 1] as usize];
        piece::find(pieces, &self.kept, &secrets.text, text, |piece, length| {
            visit(Found { at: piece.at, length, is_last: piece.edges & LAST != 0 });
        })
    }

    /// Each form as it is written.
    pub(super) fn all(&self, secrets: &Secrets) -> Vec<Vec<u8>> {
        let written = |piece: &Piece| {
            let mut out = Vec::new();
            piece.written(&secrets.text, |letter| {
                out.extend_from_slice(letter.as_bytes());
                true
            });
            out
        };
        self.pieces.iter().map(written).collect()
    }
}

/// Two ways for which this is the same write the same, if these are the only letters but those of ASCII.
fn difference(way: u8, first: Option<char>, letters: &[char]) -> String {
    let mut out = String::new();
    if let Some(char) = first {
        write(way, &Letter { before: None, char, after: Some('a') }, &mut out);
    }
    for &char in letters {
        out.push('\0');
        write(way, &Letter { before: Some('a'), char, after: Some('a') }, &mut out);
        if depends_on_neighbours(way) && (char.is_ascii_control() || char == '\'') {
            out.push(char::from(way));
        }
    }
    out
}

/// Adds the pieces of a part of the secrets, in all of these ways that differ. Neighbours have one letter in common.
fn add(secrets: &Secrets, text: Range<usize>, ways: Range<u8>, all: &mut Vec<(u64, Piece)>) {
    if text.len() < SHORTEST {
        return;
    }
    let whole = &secrets.text[text.clone()];
    let is_plain = whole.is_ascii() && !whole.contains(|char: char| char.is_ascii_control());
    let mut at = text.start;
    loop {
        let is_last = text.end - at <= 2 * PIECE;
        let end = if is_last { text.end } else { secrets.text.ceil_char_boundary(at + PIECE) };
        let edges = if at == text.start { FIRST } else { 0 } | if is_last { LAST } else { 0 };
        let part = &secrets.text[at..end];
        let mut letters: Vec<char> = part.chars().filter(|char| !char.is_ascii_alphanumeric()).collect();
        letters.sort_unstable();
        letters.dedup();
        let first = part.chars().next().filter(|_| edges & FIRST != 0);
        let mut seen: Vec<String> = Vec::new();
        for way in ways.clone() {
            if way != AS_IS && (letters.is_empty() || is_plain && is_for_controls(way)) {
                continue;
            }
            let (Ok(start), Ok(length)) = (u32::try_from(at), u16::try_from(part.len())) else { continue };
            let piece = Piece { at: start, length, way, edges };
            let difference = difference(way, first, &letters);
            if !seen.contains(&difference) {
                all.push((piece.head(&secrets.text), piece));
                seen.push(difference);
            }
        }
        if is_last {
            return;
        }
        at = end - part.chars().next_back().map_or(0, char::len_utf8);
    }
}
