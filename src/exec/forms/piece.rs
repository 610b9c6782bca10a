//! A part of a secret in one way to write it, and whether a text goes on with it. It must not know where to look.

use std::ops::Range;

use super::SHORTEST;
use super::kept::Kept;
use super::written::{AS_IS, Letter, depends_on_neighbours, write};

/// So many pieces are compared one by one.
const FEW: usize = 16;

/// A part of a text, and a way to write it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: u32,
    pub(super) length: u16,
    pub(super) way: u8,
    pub(super) edges: u8,
}

/// The piece begins its text.
pub(super) const FIRST: u8 = 1;
/// The piece ends its text.
pub(super) const LAST: u8 = 2;

/// How a text goes on with a piece.
enum Fit {
    No,
    /// The text ends before the piece does.
    Open,
    /// It does, for so many bytes.
    Whole(usize),
}

impl Piece {
    pub(super) fn part(&self) -> Range<usize> {
        self.at as usize..self.at as usize + usize::from(self.length)
    }

    /// The part of the text, as bytes.
    pub(super) fn bytes<'a>(&self, all: &'a str) -> &'a [u8] {
        &all.as_bytes()[self.part()]
    }

    /// Calls `each` with what is written for each letter, until it returns false.
    pub(super) fn written(&self, all: &str, mut each: impl FnMut(&str) -> bool) {
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
    pub(super) fn head(&self, all: &str) -> u64 {
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
            let piece = self.bytes(all);
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

/// Calls `visit` with each of these pieces that `text` goes on with, and how long it is there. Their heads are the same;
/// those of one way, with the same edges, are in the order of their bytes. Returns whether more of them may fit, if the
/// text goes on.
pub(super) fn find(
    pieces: &[Piece],
    kept: &Kept,
    all: &str,
    text: &[u8],
    mut visit: impl FnMut(&Piece, usize),
) -> bool {
    let (mut open, mut out) = (false, String::new());
    for alike in pieces.chunk_by(|one, other| (one.way, one.edges) == (other.way, other.edges)) {
        let is_together = alike.first().is_some_and(|piece| !depends_on_neighbours(piece.way));
        if is_together && alike.len() > FEW {
            open |= narrow(alike, all, text, &mut out, &mut visit);
            continue;
        }
        for piece in alike {
            match piece.fits(kept, all, text, &mut out) {
                Fit::No => {}
                Fit::Open => open = true,
                Fit::Whole(length) => visit(piece, length),
            }
        }
    }
    open
}

/// The same for many pieces of one way: letter by letter, with those that have the same letters so far. One by one, the
/// lines of a document that begin alike would take a time that grows with the square of their number.
fn narrow(
    pieces: &[Piece],
    all: &str,
    text: &[u8],
    out: &mut String,
    visit: &mut impl FnMut(&Piece, usize),
) -> bool {
    let mut open = false;
    let mut rest = vec![(pieces, 0, 0)];
    while let Some((mut pieces, place, at)) = rest.pop() {
        // What ends here is before what goes on.
        while let Some((piece, others)) = pieces.split_first()
            && usize::from(piece.length) == place
        {
            visit(piece, at);
            pieces = others;
        }
        while let Some(piece) = pieces.first() {
            let Some(char) = all[piece.part()][place..].chars().next() else { break };
            let count = pieces.partition_point(|other| {
                let letter = all[other.part()].get(place..).and_then(|rest| rest.chars().next());
                letter == Some(char)
            });
            let is_first = place == 0 && piece.edges & FIRST != 0;
            out.clear();
            write(
                piece.way,
                &Letter { before: Some('a').filter(|_| !is_first), char, after: Some('a') },
                out,
            );
            let there = &text[at..];
            if there.starts_with(out.as_bytes()) {
                rest.push((&pieces[..count], place + char.len_utf8(), at + out.len()));
            } else if out.as_bytes().starts_with(there) {
                open = true;
            }
            pieces = &pieces[count..];
        }
    }
    open
}
