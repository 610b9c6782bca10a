//! Finds whole secrets in a stream, in any form that the mask knows. The mask hides each piece that may be a part of a
//! secret, which does no harm; a find must not be told unless its pieces make up the whole secret.

use std::sync::Arc;

use super::forms;
use super::held::Held;
use super::mask::{Occurrence, Patterns, TooLarge};
use crate::secret::Secret;

/// How far the pieces of a secret of several lines may be apart: line numbers, indentation, quotes.
const GAP_OF_LINES: u64 = 64;

/// What to look for.
pub(crate) struct Sought {
    patterns: Arc<Patterns>,
    measures: Arc<Vec<Measure>>,
}

/// When the pieces of a secret are the secret.
struct Measure {
    /// Written pieces that are as long as this together, up to the last one, are the whole: no form is shorter than the
    /// secret itself.
    whole: u64,
    is_of_lines: bool,
    /// From the first to the last of the pieces, in bytes without blanks and line breaks.
    span: u64,
    gap: u64,
}

impl Measure {
    /// Of a secret of several lines, one half will do: lines may be left out, and the frame of a key is everybody's.
    fn of(secret: &Secret) -> Self {
        let text = secret.reveal().trim();
        let length = text.len() as u64;
        if text.contains(['\n', '\r']) {
            Self {
                whole: length,
                is_of_lines: true,
                span: shown(text.as_bytes()).div_ceil(2),
                gap: GAP_OF_LINES,
            }
        } else {
            // The pieces are base64's: the characters that depend on the secret alone, wherever it begins.
            let characters = (0..3).map(|before| 8 * (length + before) / 6 - (8 * before).div_ceil(6));
            let span = characters.min().unwrap_or(length);
            Self { whole: length, is_of_lines: false, span, gap: 0 }
        }
    }
}

impl Sought {
    /// These secrets; `None` if all are shorter than [`forms::SHORTEST`].
    pub(crate) fn new(secrets: &[Secret]) -> Result<Option<Self>, TooLarge> {
        let measures = Arc::new(secrets.iter().map(Measure::of).collect());
        let patterns = Patterns::of(secrets.iter())?;
        Ok(patterns.map(|patterns| Self { patterns: Arc::new(patterns), measures }))
    }

    /// The patterns, to mask what is shown.
    pub(crate) fn patterns(&self) -> Arc<Patterns> {
        Arc::clone(&self.patterns)
    }

    /// At the beginning of a stream.
    pub(crate) fn finder(&self) -> Finder {
        Finder {
            patterns: Arc::clone(&self.patterns),
            measures: Arc::clone(&self.measures),
            held: Held::default(),
            offset: 0,
            lines: 0,
            runs: Vec::new(),
        }
    }
}

/// A secret in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Find {
    /// By its place in what [`Sought::new`] was given.
    pub(crate) secret: usize,
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    /// In which line, from 1.
    pub(crate) line: u64,
}

/// Pieces of a secret, one behind the other.
#[derive(Clone, Copy)]
struct Run {
    find: Find,
    end: u64,
    /// Without blanks and line breaks.
    span: u64,
    told: bool,
}

/// The search in one stream.
pub(crate) struct Finder {
    patterns: Arc<Patterns>,
    measures: Arc<Vec<Measure>>,
    /// What may be the beginning of an occurrence.
    held: Held,
    /// How many bytes, and line breaks, were before what is held.
    offset: u64,
    lines: u64,
    /// The last run of each secret that was seen.
    runs: Vec<Run>,
}

impl Finder {
    /// Takes the next bytes of the stream, and tells what they complete. A find may be told only by the next bytes, or by
    /// [`Finder::finish`].
    pub(crate) fn push(&mut self, bytes: &[u8], mut tell: impl FnMut(Find)) {
        let mut held = std::mem::take(&mut self.held);
        held.push(bytes, |text| self.look(text, false, &mut tell));
        self.held = held;
    }

    /// The end of the stream.
    pub(crate) fn finish(&mut self, mut tell: impl FnMut(Find)) {
        let mut held = std::mem::take(&mut self.held);
        held.again(|text| self.look(text, true, &mut tell));
        self.held = held;
    }

    /// Returns how much of `text` is decided.
    fn look(&mut self, text: &[u8], is_all: bool, tell: &mut impl FnMut(Find)) -> usize {
        let patterns = Arc::clone(&self.patterns);
        let mut counted = 0;
        let count = patterns.each(text, is_all, true, |start, piece| {
            self.lines += breaks(text.get(counted..start));
            counted = start;
            self.extend(text, start, piece, tell);
        });
        self.lines += breaks(text.get(counted..count));
        self.offset += count as u64;
        count
    }

    /// Takes a piece of `text` at `start`.
    fn extend(&mut self, text: &[u8], start: usize, piece: &Occurrence, tell: &mut impl FnMut(Find)) {
        let Some(measure) = self.measures.get(piece.secret) else { return };
        let find = Find { secret: piece.secret, offset: self.offset + start as u64, line: self.lines + 1 };
        let end = find.offset + piece.length as u64;
        let new = Run { find, end: find.offset, span: 0, told: false };
        let index = self.runs.iter().position(|run| run.find.secret == find.secret).unwrap_or_else(|| {
            self.runs.push(new);
            self.runs.len() - 1
        });
        let Some(run) = self.runs.get_mut(index) else { return };
        if find.offset > run.end + measure.gap {
            *run = new;
        }
        if end > run.end {
            // What is between two pieces counts, also where it was let go.
            let from = usize::try_from(run.end.saturating_sub(self.offset)).unwrap_or(start);
            run.span += self.offset.saturating_sub(run.end) + shown(&text[from..start + piece.length]);
            run.end = end;
        }
        let is_form = !piece.is_encoded && piece.is_last && run.end - run.find.offset >= measure.whole;
        // Base64 of a secret without its last character is as long in some alignments.
        let may_be_parts = piece.is_encoded && piece.is_last || measure.is_of_lines;
        if (is_form || may_be_parts && run.span >= measure.span) && !run.told {
            run.told = true;
            tell(run.find);
        }
    }
}

/// How many bytes are neither blanks nor line breaks.
fn shown(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| !b" \t\r\n".contains(byte)).count() as u64
}

fn breaks(bytes: Option<&[u8]>) -> u64 {
    memchr::memchr_iter(b'\n', bytes.unwrap_or_default()).count() as u64
}

/// Whether a secret is too short to be looked for.
pub(crate) fn is_too_short(secret: &Secret) -> bool {
    secret.reveal().len() < forms::SHORTEST
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    fn finds(secrets: &[&str], text: &[u8], cut: usize) -> Vec<Find> {
        let secrets: Vec<Secret> = secrets.iter().map(|&text| text.into()).collect();
        let mut finder = Sought::new(&secrets).unwrap().unwrap().finder();
        let mut all = Vec::new();
        for part in text.chunks(cut) {
            finder.push(part, |find| all.push(find));
        }
        finder.finish(|find| all.push(find));
        all
    }

    const SECRET: &str = "s3cr/t+K\"ey?~>---x&wVgQ";

    #[test]
    fn every_form_is_found_once_wherever_it_is_cut() {
        let secret = crate::secret::Secret::from(SECRET);
        let whole = Patterns::of([secret].iter()).unwrap().unwrap().written().into_iter();
        let base64 = ["", "u", "us", "usr"].iter().flat_map(|before| {
            let text = format!("{before}{SECRET}: and more");
            [
                STANDARD.encode(&text),
                URL_SAFE_NO_PAD.encode(&text),
                STANDARD.encode(format!("{before}{SECRET}")),
            ]
        });
        for form in whole.chain(base64.map(String::into_bytes)) {
            let text = [b"\n\n0123456789 ", &form[..], b" and\n more"].concat();
            for cut in [1, 7, 13, 1000] {
                let found = finds(&["another-secret", SECRET], &text, cut);
                assert_eq!(found.len(), 1, "{}", String::from_utf8_lossy(&text));
                assert_eq!((found[0].secret, found[0].line), (1, 3));
                assert!((12..=17).contains(&found[0].offset), "{found:?}");
            }
        }
    }

    /// `base64` breaks its lines after each 19th group: anywhere in a secret. YAML indents them.
    #[test]
    fn a_line_break_in_base64_hides_nothing() {
        let wrapped = |before: usize, line_end: &str| {
            let text = STANDARD.encode(format!("{}{SECRET}: and more", "x".repeat(before)));
            text.as_bytes().chunks(76).map(<[u8]>::to_vec).collect::<Vec<_>>().join(line_end.as_bytes())
        };
        for line_end in ["\n", "\r\n", "\n      ", "\r\n\t"] {
            let is_missed = |before: &usize| finds(&[SECRET], &wrapped(*before, line_end), 50).len() != 1;
            let missed: Vec<usize> = (20..60).filter(is_missed).collect();
            assert_eq!(missed, [0; 0], "{line_end:?}");
        }
    }

    /// Two tokens of one kind begin alike, also in base64, and keys have the same frame.
    #[test]
    fn what_others_have_as_well_is_no_find() {
        let (ours, other) = ("hvs.CAESIJ1rq0kZkXbW3uQm", "hvs.CAESIJ1rq0kOtherOther");
        for text in [other.to_owned(), STANDARD.encode(other), STANDARD.encode(&ours[..20])] {
            assert_eq!(finds(&[ours], text.repeat(3).as_bytes(), 5), [], "{text}");
        }
        // The end of a token in short lines: blanks between them do not make it whole.
        let end = STANDARD.encode(&ours[9..]);
        let lines: Vec<&[u8]> = end.as_bytes().chunks(8).collect();
        assert_eq!(finds(&[ours], &lines.join(&b"\n            "[..]), 5), []);
        let key =
            |middle: &str| format!("-----BEGIN PRIVATE KEY-----\n{middle}\n-----END PRIVATE KEY-----\n");
        let body = |middle: &str| key(&format!("MIIEvQIBADANBgkqhkiG\n{}", middle.repeat(6)));
        let (key, another) = (body("QnkUdRLbQ7Zzx8tq0aTgk2Lf\n"), body("7dHq2MsEoPplW1c4Bn5yRzVu\n"));
        for text in [another.clone(), STANDARD.encode(&another), serde_json::to_string(&another).unwrap()] {
            assert_eq!(finds(&[&key], text.as_bytes(), 5), [], "{text}");
        }
        let indented = key.replace('\n', "\n      ");
        for text in [key.clone(), STANDARD.encode(&key), serde_json::to_string(&key).unwrap(), indented] {
            assert_eq!(finds(&[&key], text.as_bytes(), 5).len(), 1, "{text}");
        }
    }

    /// A piece that two secrets share counts for each of them.
    #[test]
    fn secrets_that_begin_alike_are_both_found() {
        let (one, two) = ("hvs.CAESIJ1rq0kZkXbW3uQm", "hvs.CAESIJ1rq0kOtherOther");
        let text = format!("{}\n{}", STANDARD.encode(one), STANDARD.encode(two));
        let found: Vec<usize> =
            finds(&[one, two], text.as_bytes(), 9).iter().map(|find| find.secret).collect();
        assert_eq!(found, [0, 1]);
    }
}
