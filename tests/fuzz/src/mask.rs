//! The mask: cut anywhere, it gives what a look at the whole text gives.

use std::sync::Arc;

use ci_creds::testing::exec::mask::{Filter, Patterns};
use ci_creds::testing::secret::Secret;

use super::naive;

/// How long the writes are, two secrets, and what is written.
pub fn mask(input: &[u8]) {
    let mut parts = input.splitn(4, |byte| *byte == 255);
    let mut next = || parts.next().unwrap_or_default();
    let (cuts, one, other, text) = (next(), next(), next(), next());
    let secrets: Vec<Secret> =
        [one, other].iter().filter_map(|part| std::str::from_utf8(part).ok()).map(Secret::from).collect();
    let Ok(Some(patterns)) = Patterns::of(secrets.iter()) else {
        assert!(secrets.iter().all(|secret| secret.reveal().len() < 8));
        return;
    };
    let texts: Vec<&str> = secrets.iter().map(Secret::reveal).collect();
    let expected = naive::masked(&patterns.written(), &texts, text);
    let (mut filter, mut out, mut rest) = (Filter::new(Arc::new(patterns)), Vec::new(), text);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().map_or(rest.len(), |cut| usize::from(*cut).clamp(1, rest.len()));
        filter.push(&rest[..cut], &mut out);
        rest = &rest[cut..];
    }
    filter.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
}
