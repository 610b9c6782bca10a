//! The mask: cut anywhere, it gives what a look at the whole text gives.

use std::sync::Arc;

use ci_creds::testing::exec::mask::{Filter, MARK, Patterns, forms};
use ci_creds::testing::secret::Secret;

/// How long the writes are, two secrets, and what is written.
pub fn mask(input: &[u8]) {
    let mut parts = input.splitn(4, |byte| *byte == 255);
    let mut next = || parts.next().unwrap_or_default();
    let (cuts, one, other, text) = (next(), next(), next(), next());
    let secrets: Vec<Secret> =
        [one, other].iter().filter_map(|part| std::str::from_utf8(part).ok()).map(Secret::from).collect();
    let forms: Vec<Vec<u8>> = secrets.iter().flat_map(forms).collect();
    let Ok(Some(patterns)) = Patterns::of(secrets.iter()) else {
        assert!(forms.is_empty());
        return;
    };
    let (mut filter, mut out, mut rest) = (Filter::new(Arc::new(patterns)), Vec::new(), text);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().map_or(rest.len(), |cut| usize::from(*cut).clamp(1, rest.len()));
        filter.push(&rest[..cut], &mut out);
        rest = &rest[cut..];
    }
    filter.finish(&mut out);
    let (out, expected) = (String::from_utf8_lossy(&out), naive(&forms, text));
    assert_eq!(out, String::from_utf8_lossy(&expected));
}

/// Each byte of any occurrence is gone, each run of overlapping ones is one mark.
fn naive(forms: &[Vec<u8>], text: &[u8]) -> Vec<u8> {
    let (mut out, mut at, mut start) = (Vec::new(), 0, 0);
    while start < text.len() {
        let longest = |start: usize| {
            forms.iter().filter(|form| text[start..].starts_with(form)).map(Vec::len).max().unwrap_or(0)
        };
        let mut end = start + longest(start);
        if end == start {
            start += 1;
            continue;
        }
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(MARK);
        start += 1;
        while start < end {
            end = end.max(start + longest(start));
            start += 1;
        }
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}
