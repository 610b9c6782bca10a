//! The forms in which a secret may show up in a log: as it is, in base64, percent-encoded, escaped for JSON, shells,
//! Python or HTML, line by line. It must not make a form so short that it fits other text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

mod written;

use written::{controls, html, json, odd_json, percent, quoted};

/// What is shorter is no secret, and masking it would make holes in plain text. CI systems have the same limit.
pub(super) const SHORTEST: usize = 8;

/// A secret longer than this, in bytes, is a bundle or a document: it is looked for in fewer forms, because each form
/// costs memory.
pub(super) const LONG: usize = 4096;

/// A secret longer than this is looked for in fewer forms still.
const LONGER: usize = 32 * 1024;

/// How much memory the forms of long secrets may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Base64 of any width, wherever it begins, and JSON.
    Full,
    /// What all long secrets are looked for in, where several together need too much.
    Thrifty,
}

/// Every form of `secret` that is long enough.
pub(super) fn all(secret: &str, care: Care) -> Vec<Vec<u8>> {
    let mut forms = if secret.len() > LONG { of_long(secret, care) } else { of(secret) };
    if secret.contains(['\n', '\r']) && secret.len() <= LONG {
        forms.extend(lines(secret).flat_map(of));
        // A shell's `echo $KEY`, and most readers of files, drop what is around it.
        forms.extend(of(secret.trim()));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r']).map(str::trim).filter(|line| line.len() >= SHORTEST)
}

fn of(text: &str) -> Vec<Vec<u8>> {
    if text.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![text.as_bytes().to_vec()];
    forms.extend(base64(text.as_bytes()));
    forms.extend(percent(text));
    let json = json(text);
    // JSON as a string in JSON.
    forms.extend(json.iter().flat_map(|inner| written::json(inner)).map(String::into_bytes));
    forms.extend(json.into_iter().chain(odd_json(text)).map(String::into_bytes));
    forms.extend(quoted(text).into_iter().chain(html(text)).map(String::into_bytes));
    if !text.is_ascii() || text.contains(|char: char| char.is_ascii_control()) {
        forms.extend(controls(text).into_iter().map(String::into_bytes));
    }
    forms
}

/// Each line of it, and its base64 in the lines of `base64` (76 columns) and `openssl base64` (64). With care, each line
/// in JSON too, and base64 in lines of any width, wherever the secret begins in what is encoded.
fn of_long(text: &str, care: Care) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = lines(text).map(|line| line.as_bytes().to_vec()).collect();
    if care == Care::Full && text.len() <= LONGER {
        forms.extend(lines(text).flat_map(json).map(String::into_bytes));
        forms.extend(blocks(text.as_bytes()));
    }
    let encoded = STANDARD.encode(text);
    for columns in [76, 64] {
        forms.extend(encoded.as_bytes().chunks(columns).map(<[u8]>::to_vec));
    }
    forms
}

/// The base64 of a long secret in blocks of four groups, side by side: a quarter of the memory that pieces take. At the ends
/// of what is encoded, up to 15 characters are in no block.
fn blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
    const BLOCK: usize = 16;
    let mut forms = Vec::new();
    for before in 0..3 {
        let shifted = [&vec![0; before][..], bytes].concat();
        let start = (8 * before).div_ceil(6);
        let sure = 8 * shifted.len() / 6;
        let text = STANDARD_NO_PAD.encode(&shifted);
        let text = &text.as_bytes()[..sure.min(text.len())];
        for at in (0..text.len()).step_by(BLOCK) {
            let of = shifted.get(at / 4 * 3..).unwrap_or_default();
            if !is_frame(&of[..of.len().min(BLOCK / 4 * 3)]) {
                broken(text, at.max(start), (at + BLOCK).min(text.len()), &mut forms);
            }
        }
        for all in [&shifted[..], &[&shifted[..], b"\n"].concat()] {
            let text = STANDARD.encode(all);
            broken(text.as_bytes(), text.len().saturating_sub(BLOCK), text.len(), &mut forms);
        }
    }
    forms
}

/// Whether this is of the first or the last line of PEM alone, which is in every certificate: it is no secret.
fn is_frame(bytes: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_uppercase() || b"- \n".contains(byte);
    bytes.windows(3).any(|three| three == b"---") && bytes.iter().all(fits)
}

/// A part of base64, as it is and with a line break between two of its groups.
fn broken(text: &[u8], from: usize, to: usize, forms: &mut Vec<Vec<u8>>) {
    let Some(piece) = text.get(from..to) else { return };
    for split in (from + 1..to).filter(|at| at % 4 == 0).map(|at| at - from) {
        forms.push([&piece[..split], b"\n", &piece[split..]].concat());
    }
    forms.push(piece.to_vec());
}

/// Two groups of four characters each, from every group on, so that neither line breaks nor cuts matter. What stands
/// before a secret shifts its base64 by 0, 1 or 2 bytes. The first characters that also depend on it are left out.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let shifted = [&vec![0; before][..], bytes].concat();
        let start = (8 * before).div_ceil(6);
        // What depends on the secret alone, whatever follows it.
        let sure = 8 * shifted.len() / 6;
        let line = [&shifted[..], b"\n"].concat();
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.extend(pieces(&text.as_bytes()[..sure.min(text.len())], start, &shifted));
        }
        // At the end of what is encoded, with or without `=`, and before a newline (`echo`).
        for all in [&shifted, &line] {
            for text in [STANDARD.encode(all), URL_SAFE.encode(all), URL_SAFE_NO_PAD.encode(all)] {
                forms.extend(pieces(text.as_bytes(), start, &shifted));
            }
        }
    }
    forms
}

/// The pieces of the base64 `text` of `bytes` from `start` on; each also with a line break between its groups.
fn pieces(text: &[u8], start: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut add = |from, to| broken(text, from, to, &mut pieces);
    for group in (0..text.len()).step_by(4) {
        // The frame of PEM is in every certificate: it is no secret.
        let of = bytes.get(group / 4 * 3..).unwrap_or_default();
        if of[..of.len().min(6)].windows(3).any(|three| three == b"---") {
            continue;
        }
        let from = group.max(start);
        let to = (if from > group { group + 12 } else { group + 8 }).min(text.len());
        add(from, to);
    }
    if let Some(last) = text.len().checked_sub(SHORTEST).filter(|last| *last >= start) {
        add(last, text.len());
    }
    pieces
}
