//! The mask: a filter for a command's output that replaces each secret by `[MASKED]`, however it is split across
//! writes. A byte that can't be part of a secret is passed on at once; one that may be is held until it is clear.
//!
//! Overlapping occurrences are one: every byte that belongs to any occurrence is replaced, so that what comes out
//! does not depend on how the input was cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind, packed};

use super::forms::{self, Care};
use crate::error::{Code, Explain};
use crate::secret::Secret;

/// What takes the place of a secret.
pub const MARK: &[u8] = b"[MASKED]";

/// How much of each form is looked for in bulk: none is shorter.
const HEAD: usize = forms::SHORTEST;

/// How long all forms may be together, in bytes. A byte costs about 60 bytes of memory while the filter is built: this
/// is 64 MiB.
const MOST: usize = 1 << 20;

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

/// Whether a value is so long that fewer of its forms are masked.
pub(crate) fn is_long(secret: &Secret) -> bool {
    secret.reveal().len() > forms::LONG
}

/// Every form of a secret, for the fuzzers, which compare the filter with a simple one.
#[doc(hidden)]
pub fn forms(secret: &Secret) -> Vec<Vec<u8>> {
    forms::all(secret.reveal(), Care::Full)
}

/// What to look for.
pub struct Patterns {
    /// Finds where an occurrence may begin.
    heads: Heads,
    /// Walks byte by byte from there on.
    walk: NFA,
    start: StateID,
    /// For each state of `walk`, how many bytes before it are the beginning of an occurrence.
    depth: Vec<u32>,
    /// The secrets that each form belongs to, by its number in `walk`.
    owners: Vec<Owners>,
}

/// The secrets that may look like one form.
pub(super) struct Owners {
    /// By their places in what [`Patterns::of`] was given.
    pub(super) secrets: Vec<usize>,
    /// How many line breaks the form has.
    pub(super) breaks: u64,
}

/// An occurrence of one form.
pub(super) struct Occurrence<'a> {
    pub(super) length: usize,
    pub(super) owners: &'a Owners,
}

/// The first bytes of all forms, in bulk: by vector instructions where the processor has them and the forms are few
/// (gigabytes a second), else by what they end in.
enum Heads {
    Packed(packed::Searcher),
    Blocks(Blocks),
}

impl Heads {
    fn new(forms: &Forms) -> Self {
        let heads: BTreeSet<[u8; HEAD]> =
            forms.keys().filter_map(|form| form.first_chunk()).copied().collect();
        let packed = packed::Config::new().only_teddy(true).builder().extend(&heads).build();
        packed.map_or_else(|| Self::Blocks(Blocks::new(heads)), Self::Packed)
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Packed(packed) => packed.find(text).map(|found| found.start()),
            Self::Blocks(blocks) => blocks.find(text),
        }
    }
}

/// Thousands of heads, as a key of several lines has them. A look at a block of three bytes tells how far the next head
/// is at least, mostly six bytes (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994). An automaton of
/// so many heads looks at each byte, in a table that no cache holds.
struct Blocks {
    /// By the hash of a block that ends at a place: how much further a head may end at the earliest.
    skips: Vec<u8>,
    /// In order.
    heads: Vec<[u8; HEAD]>,
}

impl Blocks {
    const BLOCK: usize = 3;
    /// 256 KiB: a few thousand heads fill a tenth of it.
    const HASH_BITS: u32 = 18;

    fn new(heads: BTreeSet<[u8; HEAD]>) -> Self {
        // No head has this block: the next one may begin with the last two bytes of it.
        let mut skips = vec![HEAD as u8 - 2; 1 << Self::HASH_BITS];
        for head in &heads {
            for (block, skip) in head.windows(Self::BLOCK).rev().zip(0..) {
                let known = &mut skips[Self::hash(block)];
                *known = skip.min(*known);
            }
        }
        Self { skips, heads: heads.into_iter().collect() }
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        let mut end = HEAD;
        while let Some(place) = text.get(end - HEAD..end) {
            match self.skips[Self::hash(&place[HEAD - Self::BLOCK..])] {
                0 if self.heads.binary_search_by(|head| head[..].cmp(place)).is_ok() => {
                    return Some(end - HEAD);
                }
                0 => end += 1,
                skip => end += usize::from(skip),
            }
        }
        None
    }

    /// Below the length of `skips`.
    fn hash(block: &[u8]) -> usize {
        let number = block.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        (number.wrapping_mul(0x9E37_79B1) >> (u32::BITS - Self::HASH_BITS)) as usize
    }
}

/// All forms, each with the places of the secrets that may look like it.
type Forms = BTreeMap<Vec<u8>, Vec<usize>>;

impl Patterns {
    /// Everything that these secrets may look like in a log; `None` if there is nothing to look for.
    pub fn of<'a>(secrets: impl Iterator<Item = &'a Secret> + Clone) -> Result<Option<Self>, TooLarge> {
        let full = Self::with(secrets.clone(), Care::Full);
        if full.is_ok() { full } else { Self::with(secrets, Care::Thrifty) }
    }

    fn with<'a>(
        secrets: impl Iterator<Item = &'a Secret> + Clone,
        care: Care,
    ) -> Result<Option<Self>, TooLarge> {
        let size = secrets.clone().map(|secret| secret.reveal().len()).sum();
        let (mut forms, mut length) = (Forms::new(), 0);
        for (place, secret) in secrets.enumerate() {
            // Before the forms are made: they are longer than the secret.
            if secret.reveal().len() > MOST {
                return Err(TooLarge(size));
            }
            for form in forms::all(secret.reveal(), care) {
                let bytes = form.len();
                let owners = forms.entry(form).or_default();
                length += if owners.is_empty() { bytes } else { 0 };
                owners.push(place);
                if length > MOST {
                    return Err(TooLarge(size));
                }
            }
        }
        if forms.is_empty() {
            return Ok(None);
        }
        Self::built(forms).map(Some).ok_or(TooLarge(size))
    }

    /// `None` for more states than 2³¹.
    fn built(forms: Forms) -> Option<Self> {
        let heads = Heads::new(&forms);
        let walk = NFA::builder().match_kind(MatchKind::Standard).build(forms.keys()).ok()?;
        let start = walk.start_state(Anchored::No).ok()?;
        let mut depth = Vec::new();
        for form in forms.keys() {
            let mut state = start;
            for (index, &byte) in form.iter().enumerate() {
                state = walk.next_state(Anchored::No, state, byte);
                let slot = state.as_usize();
                if depth.len() <= slot {
                    depth.resize(slot + 1, 0);
                }
                depth[slot] = u32::try_from(index + 1).unwrap_or(u32::MAX);
            }
        }
        let breaks = |form: &[u8]| memchr::memchr_iter(b'\n', form).count() as u64;
        let owners =
            forms.into_iter().map(|(form, secrets)| Owners { secrets, breaks: breaks(&form) }).collect();
        Some(Self { heads, walk, start, depth, owners })
    }

    /// Before anything was read.
    pub(super) fn start(&self) -> StateID {
        self.start
    }

    /// The state after one more byte.
    pub(super) fn next(&self, state: StateID, byte: u8) -> StateID {
        self.walk.next_state(Anchored::No, state, byte)
    }

    /// All occurrences that end in `state`.
    pub(super) fn occurrences(&self, state: StateID) -> impl Iterator<Item = Occurrence<'_>> {
        let count = if self.walk.is_match(state) { self.walk.match_len(state) } else { 0 };
        (0..count).filter_map(move |index| {
            let pattern = self.walk.match_pattern(state, index);
            let length = self.walk.pattern_len(pattern);
            Some(Occurrence { length, owners: self.owners.get(pattern.as_usize())? })
        })
    }

    /// How many bytes before `state` may be the beginning of an occurrence.
    pub(super) fn depth(&self, state: StateID) -> usize {
        self.depth.get(state.as_usize()).map_or(0, |depth| *depth as usize)
    }

    /// How many bytes of `rest` are clear at once; `None` where the byte by byte way is to be taken.
    pub(super) fn clear(&self, rest: &[u8]) -> Option<usize> {
        // What begins before this point shows its head inside `rest`.
        let seen = rest.len().checked_sub(HEAD - 1)?;
        let first = self.heads.find(rest).unwrap_or(seen);
        Some(first.min(seen)).filter(|clear| *clear > 0)
    }

    /// The longest occurrence that ends in `state`, in bytes; 0 if none does.
    fn ends(&self, state: StateID) -> usize {
        self.occurrences(state).map(|occurrence| occurrence.length).max().unwrap_or(0)
    }
}

/// The filter of one stream.
pub struct Filter {
    patterns: Arc<Patterns>,
    state: StateID,
    /// What may be the beginning of an occurrence: as long as the state is deep.
    held: Vec<u8>,
    /// Which parts of it are to be replaced in any case, in order and apart.
    found: Vec<Hit>,
}

/// A part of what is held that belongs to occurrences.
struct Hit {
    start: usize,
    end: usize,
    /// Whether its `[MASKED]` is written already.
    marked: bool,
}

impl Filter {
    /// At the beginning of a stream.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Self { state: patterns.start, patterns, held: Vec::new(), found: Vec::new() }
    }

    /// Takes the next bytes of the stream, and appends to `out` what is clear of secrets.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let patterns = Arc::clone(&self.patterns);
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            if self.held.is_empty()
                && let Some(clear) = patterns.clear(rest)
            {
                out.extend_from_slice(&rest[..clear]);
                self.state = patterns.start;
                rest = &rest[clear..];
                continue;
            }
            self.step(&patterns, byte, out);
            rest = behind;
        }
    }

    fn step(&mut self, patterns: &Patterns, byte: u8, out: &mut Vec<u8>) {
        self.held.push(byte);
        self.state = patterns.next(self.state, byte);
        let end = self.held.len();
        let length = patterns.ends(self.state);
        if length > 0 {
            let mut new = Hit { start: end.saturating_sub(length), end, marked: false };
            while let Some(last) = self.found.pop_if(|last| last.end > new.start) {
                new.start = new.start.min(last.start);
                new.marked |= last.marked;
            }
            self.found.push(new);
        }
        self.release(end.saturating_sub(patterns.depth(self.state)), out);
    }

    /// Lets go of the first `count` bytes that are held.
    fn release(&mut self, count: usize, out: &mut Vec<u8>) {
        if count == 0 {
            return;
        }
        let mut at = 0;
        for found in &mut self.found {
            if found.start < count {
                out.extend_from_slice(&self.held[at..found.start]);
                if !found.marked {
                    out.extend_from_slice(MARK);
                }
                found.marked = true;
                at = found.end.min(count);
            }
            found.start = found.start.saturating_sub(count);
            found.end = found.end.saturating_sub(count);
        }
        out.extend_from_slice(&self.held[at..count]);
        self.found.retain(|found| found.end > 0);
        self.held.drain(..count);
    }

    /// The end of the stream: what was held is no secret.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(self.held.len(), out);
        self.state = self.patterns.start;
    }

    /// Other secrets from here on.
    pub fn switch(&mut self, patterns: &Arc<Patterns>, out: &mut Vec<u8>) {
        if !Arc::ptr_eq(&self.patterns, patterns) {
            self.release(self.found.last().map_or(0, |last| last.end), out);
            let held = std::mem::take(&mut self.held);
            *self = Self::new(Arc::clone(patterns));
            self.push(&held, out);
        }
    }
}

#[cfg(test)]
mod tests;
