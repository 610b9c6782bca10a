//! The mask, in the simplest way: every place of the text is compared with everything.

/// What must come out: each byte of any occurrence is gone, each run of overlapping ones is one mark.
pub(super) fn masked(written: &[Vec<u8>], secrets: &[&str], text: &[u8]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> =
        secrets.iter().filter(|secret| secret.len() >= 8).flat_map(|secret| base64(secret)).collect();
    let (mut out, mut shown, mut end) = (Vec::new(), 0, 0);
    for start in 0..text.len() {
        let rest = &text[start..];
        let form = written.iter().filter(|form| rest.starts_with(form)).map(Vec::len).max().unwrap_or(0);
        let window = window(rest);
        let common =
            |part: &Vec<u8>| part.iter().zip(&window).take_while(|(one, other)| **one == other.0).count();
        let part =
            parts.iter().map(common).max().filter(|count| *count >= 8).map_or(0, |count| window[count - 1].1);
        let length = form.max(part);
        if length > 0 {
            if start >= end {
                out.extend_from_slice(&text[shown..start]);
                out.extend_from_slice(b"[MASKED]");
            }
            end = end.max(start + length);
            shown = end;
        }
    }
    out.extend_from_slice(&text[shown..]);
    out
}

/// The next characters of base64, and where they end; in one alphabet, with line breaks and blanks between them: one in
/// the first eight.
fn window(text: &[u8]) -> Vec<(u8, usize)> {
    let (mut all, mut at, mut breaks, mut alphabet) = (Vec::new(), 0, 0, "");
    while all.len() < 16 {
        let is_break = |line_end: &[u8]| !all.is_empty() && text[at..].starts_with(line_end);
        let skipped = if is_break(b"\n") { 1 } else { 2 * usize::from(is_break(b"\r\n")) };
        breaks += usize::from(skipped > 0);
        at += skipped;
        if skipped > 0 {
            at += text[at..].iter().take(24).take_while(|byte| b" \t".contains(byte)).count();
        }
        let Some(&byte) = text.get(at).filter(|_| all.len() >= 8 || breaks < 2) else { break };
        let of = ["+/", "-_"].into_iter().find(|alphabet| alphabet.contains(char::from(byte))).unwrap_or("");
        let is_other = !of.is_empty() && !alphabet.is_empty() && of != alphabet;
        if is_other || of.is_empty() && byte != b'=' && !byte.is_ascii_alphanumeric() {
            break;
        }
        alphabet = if of.is_empty() { alphabet } else { of };
        at += 1;
        all.push((
            if byte == b'-' {
                b'+'
            } else if byte == b'_' {
                b'/'
            } else {
                byte
            },
            at,
        ));
    }
    all
}

/// Parts of base64 of a secret: from each group on, and at its ends.
fn base64(secret: &str) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let bytes = [secret.as_bytes(), b"\n"].concat();
    let frames: Vec<(usize, usize)> = lines(secret)
        .into_iter()
        .filter(|(start, end)| {
            let line = &secret[*start..*end];
            let begins = line.starts_with("-----BEGIN ") || line.starts_with("-----END ");
            line.len() < 64 && begins && line.ends_with("-----")
        })
        .collect();
    let is_shown = |from: usize, to: usize| {
        frames.iter().all(|(start, end)| {
            let inside = *start <= from && to <= *end;
            let common = bytes.get(from.max(*start)..to.min(*end)).unwrap_or_default();
            !inside && !common.windows(3).any(|three| three == b"---")
        })
    };
    for at in 0..bytes.len().saturating_sub(5) {
        if is_shown(at, at + 6) {
            let rest = &bytes[at..bytes.len().min(at + 9)];
            let all = encode(rest);
            parts.push(all[..(8 * rest.len() / 6).min(11)].to_vec());
        }
    }
    let trimmed = secret.trim();
    let start = secret.len() - secret.trim_start().len();
    let mut texts = vec![(0, secret.len()), (start, start + trimmed.len())];
    if secret.len() <= 4096 && secret.contains(['\n', '\r']) {
        texts.extend(lines(secret));
    }
    for (start, end) in texts {
        ends(secret.as_bytes(), start, end, &is_shown, &mut parts);
    }
    parts
}

fn lines(secret: &str) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for line in secret.split(['\n', '\r']).map(str::trim).filter(|line| line.len() >= 8) {
        let start = line.as_ptr() as usize - secret.as_ptr() as usize;
        all.push((start, start + line.len()));
    }
    all
}

fn ends(
    secret: &[u8],
    start: usize,
    end: usize,
    is_shown: &impl Fn(usize, usize) -> bool,
    parts: &mut Vec<Vec<u8>>,
) {
    let text = &secret[start..end];
    if text.len() < 8 {
        return;
    }
    for before in 0..3 {
        let first = [0, 2, 3][before];
        let shifted = [&[0; 2][..before], text].concat();
        if before > 0 && is_shown(start, start + 8) {
            parts.push(encode(&shifted)[first..(8 * shifted.len() / 6).min(first + 12)].to_vec());
        }
        for behind in ["", "\n"] {
            let shifted = [&shifted[..], behind.as_bytes()].concat();
            let all = encode(&shifted);
            let from = all.len().saturating_sub(16).max(first);
            if all.len() - from >= 8 && is_shown(start + (from / 4 * 3).saturating_sub(before), end) {
                parts.push(all[from..].to_vec());
            }
        }
    }
}

/// With padding.
fn encode(bytes: &[u8]) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let character = |six: &[u8]| {
        let value = (0..6).fold(0, |value, bit| value * 2 + usize::from(six.get(bit).copied().unwrap_or(0)));
        letters[value]
    };
    let mut all: Vec<u8> = bits.chunks(6).map(character).collect();
    all.resize(all.len().div_ceil(4) * 4, b'=');
    all
}
