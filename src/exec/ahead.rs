//! Goes through a text to the places where a secret may begin. Base64 may have a line break in its first two groups, so
//! that a search for these eight characters alone would not find it.

use super::encoded::{HEAD, INDENT, is_blank};
use super::forms::SHORTEST;
use super::grams::{Grams, Kind};

/// What was seen of a text beforehand.
pub(super) struct Ahead<'a> {
    grams: &'a Grams,
    /// The next place where a head may begin.
    head: Option<usize>,
    /// The next one before it where base64 may begin that has a line break in its head.
    broken: Option<usize>,
}

impl<'a> Ahead<'a> {
    /// At the beginning of a text.
    pub(super) fn of(grams: &'a Grams) -> Self {
        Self { grams, head: None, broken: None }
    }

    /// The next place from `from` on where an occurrence may begin. Where so little follows that it may not be whole,
    /// each place is one.
    pub(super) fn next(&mut self, text: &[u8], from: usize) -> usize {
        let last = text.len().saturating_sub(HEAD - 1);
        if from >= last {
            return from;
        }
        let head = match self.head {
            Some(head) if head >= from => head,
            _ => self.grams.find(&[Kind::Written, Kind::Encoded], text, from, last),
        };
        let broken = match self.broken {
            Some(broken) if broken >= from => broken,
            _ => self.broken(text, from, head),
        };
        (self.head, self.broken) = (Some(head), Some(broken));
        broken.min(head)
    }

    /// The first of these places where base64 may begin that has a line break in its head; `to` if there is none.
    fn broken(&self, text: &[u8], from: usize, to: usize) -> usize {
        let next = |line| text.get(line..to + SHORTEST).and_then(|rest| memchr::memchr(b'\n', rest));
        let mut line = from;
        while let Some(distance) = next(line) {
            line += distance;
            if let Some(start) = self.broken_at(text, from, line).filter(|start| *start < to) {
                return start;
            }
            line += 1;
        }
        to
    }

    /// The first place from `from` on where it may begin, if its head has the line break at `line`.
    fn broken_at(&self, text: &[u8], from: usize, line: usize) -> Option<usize> {
        let end = if line > 0 && text.get(line - 1) == Some(&b'\r') { line - 1 } else { line };
        let behind = text.get(line + 1..)?;
        let blanks = behind.iter().take(INDENT).take_while(|byte| is_blank(**byte)).count();
        let behind = &behind[blanks..];
        // Of eight characters, three stand before the line break and one behind it, or six stand behind it.
        let before = end.checked_sub(3).and_then(|start| text.get(start..end)?.first_chunk::<3>());
        let before = before.zip(behind.first());
        let most_before = before.is_some_and(|(&[a, b, c], &d)| self.grams.has([a, b, c, d]));
        let most_behind = || behind.get(2..)?.first_chunk().map(|gram| self.grams.has(*gram));
        if !most_before && most_behind() != Some(true) {
            return None;
        }
        let start = from.max(end.saturating_sub(SHORTEST - 1));
        (start..end).find(|&at| {
            let (one, other) = (&text[at..end], &behind[..behind.len().min(SHORTEST - (end - at))]);
            let mut head = [0; SHORTEST];
            head[..one.len()].copy_from_slice(one);
            head[one.len()..one.len() + other.len()].copy_from_slice(other);
            self.grams.has_head(Kind::Encoded, &head)
        })
    }
}
