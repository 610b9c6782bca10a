//! The mask: a filter for a command's output that replaces each secret by `[MASKED]`, however it is split across
//! writes. A byte that can't be part of a secret is passed on at once; one that may be is held until it is clear.
//!
//! Overlapping occurrences are one: every byte that belongs to any occurrence is replaced, so that what comes out
//! does not depend on how the input was cut.

use std::sync::Arc;

use super::ahead::Ahead;
use super::encoded::{self, Encoded};
use super::forms::{self, Forms, Found, LEVELS, Level, Secrets};
use super::grams::{Grams, Kind};
use super::held::Held;
use crate::error::{Code, Explain};
use crate::secret::Secret;

/// What takes the place of a secret.
pub const MARK: &[u8] = b"[MASKED]";

/// How much memory the mask may take.
const MOST: usize = 64 << 20;

/// How many times the size of the secrets that may be.
const TIMES: usize = 16;
/// What may come on top of that: for tables that make it fast, and because a short secret has as many forms as a long one.
const FIXED: usize = 1 << 20;

/// The secrets need more memory than the mask has.
#[derive(Debug, thiserror::Error)]
#[error("{0} bytes of secrets are too many for the mask of the command's output")]
pub struct TooLarge(usize);

impl Explain for TooLarge {
    fn code(&self) -> Code {
        Code::Output
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "read only the fields that the command needs".to_owned(),
            "if the command prints none of them, use --no-mask".to_owned(),
        ]
    }
}

/// Whether a value is too short to be masked.
pub(crate) fn is_too_short(secret: &Secret) -> bool {
    (1..forms::SHORTEST).contains(&secret.reveal().len())
}

/// What to look for.
pub struct Patterns {
    secrets: Secrets,
    forms: Forms,
    encoded: Encoded,
    /// What both may begin with.
    grams: Grams,
}

/// A form of a secret, or a part of its base64.
pub(super) struct Occurrence {
    /// Whose it is, by its place in what [`Patterns::of`] was given.
    pub(super) secret: usize,
    pub(super) length: usize,
    /// Whether it is base64.
    pub(super) is_encoded: bool,
    /// Whether it is the last piece of a form, or goes on to the end of its secret.
    pub(super) is_last: bool,
}

impl Patterns {
    /// Everything that these secrets may look like in a log; `None` if there is nothing to look for.
    pub fn of<'a>(secrets: impl Iterator<Item = &'a Secret> + Clone) -> Result<Option<Self>, TooLarge> {
        let texts = secrets.map(Secret::reveal);
        let size = texts.clone().map(str::len).sum();
        Self::within(texts)
            .ok_or(TooLarge(size))
            .map(|patterns| Some(patterns).filter(|all| !all.secrets.is_empty()))
    }

    /// In as many ways as there is memory for; `None` if there is not enough.
    fn within<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        let secrets = Secrets::new(texts, MOST)?;
        let most = MOST.min(TIMES * secrets.text.len() + FIXED);
        let (forms, encoded, count) = LEVELS.iter().find_map(|level| Self::parts(&secrets, level, most))?;
        let mut grams = Grams::new(count);
        forms.heads().for_each(|head| grams.add(Kind::Written, &head));
        encoded.heads(&secrets, |head| grams.add(Kind::Encoded, &head));
        Some(Self { secrets, forms, encoded, grams })
    }

    /// What is looked for, and how many grams and heads that has; `None` if it takes more memory than `most`.
    fn parts(secrets: &Secrets, level: &Level, most: usize) -> Option<(Forms, Encoded, usize)> {
        // Of base64 there is a number for each byte, and a head; and in three alignments, four grams for three bytes.
        let size = secrets.text.len();
        let count = |forms: usize| 5 * size + 6 * forms;
        most.checked_sub(secrets.memory() + size_of::<u32>() * size + Grams::size(count(0)))?;
        let encoded = Encoded::new(secrets, level);
        let most = most.checked_sub(secrets.memory() + encoded.memory())?;
        let forms = Forms::new(secrets, level, most)?;
        let count = count(forms.heads().len());
        (forms.memory() + Grams::size(count) <= most).then_some((forms, encoded, count))
    }

    /// How many bytes it takes.
    #[doc(hidden)]
    pub fn memory(&self) -> usize {
        self.secrets.memory() + self.forms.memory() + self.encoded.memory() + self.grams.memory()
    }

    /// Every written form, for the fuzzers and tests, which compare the filter with a simple one.
    #[doc(hidden)]
    pub fn written(&self) -> Vec<Vec<u8>> {
        self.forms.all(&self.secrets)
    }

    /// Calls `visit` with the occurrences in `text` and where they begin, in order: with all of them, or with as many as
    /// make up the same parts of the text. Returns where it stopped: what begins there may go on behind the text, unless
    /// that is all.
    pub(super) fn each(
        &self,
        text: &[u8],
        is_all: bool,
        wants_each: bool,
        mut visit: impl FnMut(usize, &Occurrence),
    ) -> usize {
        let (mut at, mut ahead, mut run) = (0, Ahead::of(&self.grams), 0);
        let mut found = Vec::new();
        loop {
            // Inside a long run of base64, more base64 adds nothing.
            let in_run = at < run;
            at = if in_run { self.grams.find(&[Kind::Written], text, at, run) } else { ahead.next(text, at) };
            if in_run && at == run {
                continue;
            }
            let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) else { return text.len() };
            found.clear();
            let mut place = None;
            let mut add = |one: Found, is_encoded| {
                let Found { at, length, is_last } = one;
                place = place.or(Some(at).filter(|_| is_encoded && length >= encoded::PART));
                found.push(Occurrence { secret: self.secrets.owner(at), length, is_encoded, is_last });
            };
            let may_be = |kind| rest.first_chunk().is_none_or(|head| self.grams.has_head(kind, head));
            let is_broken =
                || memchr::memchr2(b'\n', b'\r', &rest[..rest.len().min(forms::SHORTEST)]).is_some();
            let mut is_open =
                may_be(Kind::Written) && self.forms.look(&self.secrets, rest, |one| add(one, false));
            if !in_run && (may_be(Kind::Encoded) || is_broken()) {
                is_open |= self.encoded.look(&self.secrets, rest, |one| add(one, true));
            }
            if is_open && !is_all {
                return at;
            }
            found.iter().for_each(|one| visit(at, one));
            if !wants_each && let Some(place) = place {
                let length = Encoded::run(&self.secrets, place, rest);
                if length > encoded::LONGEST {
                    visit(at, &Occurrence { secret: 0, length, is_encoded: true, is_last: false });
                    run = at + length - encoded::LONGEST;
                }
            }
            at += 1;
        }
    }
}

/// The filter of one stream.
pub struct Filter {
    patterns: Arc<Patterns>,
    /// What may be the beginning of an occurrence.
    held: Held,
    /// How much of what is held, and of what follows, is dealt with: it belongs to an occurrence.
    done: usize,
}

/// How much of a text is to be decided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Up to where an occurrence may go on.
    Open,
    /// Up to the end of the last occurrence.
    Found,
    /// All of it.
    End,
}

impl Filter {
    /// At the beginning of a stream.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns, held: Held::default(), done: 0 }
    }

    /// Takes the next bytes of the stream, and appends to `out` what is clear of secrets.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.held);
        held.push(bytes, |text| self.decide(text, Until::Open, out));
        self.held = held;
    }

    /// Looks at what is held.
    fn again(&mut self, until: Until, out: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.held);
        held.again(|text| self.decide(text, until, out));
        self.held = held;
    }

    /// Passes on what is clear at the beginning of `text`. Returns how much of it is decided.
    fn decide(&mut self, text: &[u8], until: Until, out: &mut Vec<u8>) -> usize {
        let mut done = self.done;
        let mut count = self.patterns.each(text, until != Until::Open, false, |start, found| {
            if start >= done {
                out.extend_from_slice(&text[done..start]);
                out.extend_from_slice(MARK);
            }
            done = done.max(start + found.length);
        });
        if until == Until::Found {
            count = 0;
        } else if done < count {
            out.extend_from_slice(&text[done..count]);
            done = count;
        }
        self.done = done - count;
        count
    }

    /// The end of the stream: what was held is no secret.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.again(Until::End, out);
        self.done = 0;
    }

    /// Other secrets from here on.
    pub fn switch(&mut self, patterns: &Arc<Patterns>, out: &mut Vec<u8>) {
        if !Arc::ptr_eq(&self.patterns, patterns) {
            self.again(Until::Found, out);
            self.patterns = Arc::clone(patterns);
            self.again(Until::Open, out);
        }
    }
}

#[cfg(test)]
mod tests;
