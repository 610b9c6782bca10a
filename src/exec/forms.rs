//! The forms in which a secret may show up in a log, but for base64: as it is, percent-encoded, escaped for JSON,
//! shells, Python or HTML; and line by line. It must not make a form so short that it fits other text.
//!
//! No form is stored. A form is a part of a secret and a way to write it: text is compared with it letter by letter.

use std::ops::Range;

mod kept;
mod levels;
mod secrets;
mod written;

pub(super) use levels::{LEVELS, Level};
pub(super) use secrets::Secrets;

use kept::Kept;
use written::{AS_IS, Letter, depends_on_neighbours, is_for_controls, write};

/// What is shorter is no secret, and masking it would make holes in plain text. CI systems have the same limit.
pub(super) const SHORTEST: usize = 8;

/// The lines of a secret longer than this, in bytes, are looked for in fewer ways where they stand alone.
const LONG: usize = 4096;

/// A longer text is looked for in pieces: so much is compared at once, and hidden if it stands alone.
const PIECE: usize = 256;

/// A part of a text, and a way to write it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece {
    at: u32,
    length: u16,
    way: u8,
    edges: u8,
}

/// The piece begins its text.
const FIRST: u8 = 1;
/// The piece ends its text.
const LAST: u8 = 2;

/// How a text goes on with a piece.
enum Fit {
    No,
    /// The text ends before the piece does.
    Open,
    /// It does, for so many bytes.
    Whole(usize),
}

impl Piece {
    fn part(&self) -> Range<usize> {
        self.at as usize..self.at as usize + usize::from(self.length)
    }

    /// Calls `each` with what is written for each letter, until it returns false.
    fn written(&self, all: &str, mut each: impl FnMut(&str) -> bool) {
        let part = self.part();
        let mut before = (self.edges & FIRST == 0).then(|| all[..part.start].chars().next_back()).flatten();
        let behind = (self.edges & LAST == 0).then(|| all[part.end..].chars().next()).flatten();
        let mut letters = all[part].chars().peekable();
        let mut out = String::new();
        while let Some(char) = letters.next() {
            out.clear();
            write(self.way, &Letter { before, char, after: letters.peek().copied().or(behind) }, &mut out);
            if !each(&out) {
                return;
            }
            before = Some(char);
        }
    }

    /// The first bytes of what is written, as a number.
    fn head(&self, all: &str) -> u64 {
        let mut head = Vec::with_capacity(2 * SHORTEST);
        self.written(all, |letter| {
            head.extend_from_slice(letter.as_bytes());
            head.len() < SHORTEST
        });
        head.resize(SHORTEST, 0);
        u64::from_be_bytes(head.try_into().unwrap_or_default())
    }

    fn fits(&self, kept: &Kept, all: &str, text: &[u8], out: &mut String) -> Fit {
        if self.way == AS_IS {
            let piece = &all.as_bytes()[self.part()];
            return match text.get(..piece.len()) {
                Some(text) if text == piece => Fit::Whole(piece.len()),
                None if piece.starts_with(text) => Fit::Open,
                _ => Fit::No,
            };
        }
        let part = self.part();
        let (mut at, mut place) = (0, part.start);
        while let Some(&byte) = all.as_bytes()[..part.end].get(place) {
            if kept.has(self.way, byte) {
                match text.get(at) {
                    Some(there) if *there == byte => (at, place) = (at + 1, place + 1),
                    Some(_) => return Fit::No,
                    None => return Fit::Open,
                }
                continue;
            }
            let mut letters = all[place..].chars();
            let Some(char) = letters.next() else { return Fit::No };
            let is_first = self.edges & FIRST != 0 && place == part.start;
            let is_last = self.edges & LAST != 0 && place + char.len_utf8() == part.end;
            let before = all[..place].chars().next_back().filter(|_| !is_first);
            let letter = Letter { before, char, after: letters.next().filter(|_| !is_last) };
            out.clear();
            write(self.way, &letter, out);
            let rest = &text[at..];
            if !rest.starts_with(out.as_bytes()) {
                return if out.as_bytes().starts_with(rest) { Fit::Open } else { Fit::No };
            }
            (at, place) = (at + out.len(), place + char.len_utf8());
        }
        Fit::Whole(at)
    }
}

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
        let bytes = |piece: &Piece| &secrets.text.as_bytes()[piece.part()];
        let order = |(head, piece): &(u64, Piece)| (*head, piece.way, piece.length, piece.edges);
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
        let (mut open, mut out) = (false, String::new());
        for piece in &self.pieces[self.firsts[at] as usize..self.firsts[at + 1] as usize] {
            match piece.fits(&self.kept, &secrets.text, text, &mut out) {
                Fit::No => {}
                Fit::Open => open = true,
                Fit::Whole(length) => {
                    visit(Found { at: piece.at, length, is_last: piece.edges & LAST != 0 });
                }
            }
        }
        open
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
