//! What a secret may look like in a log: as it is, in base64, percent-encoded, escaped for JSON, line by line.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is shorter is no secret, and would tear holes into plain text. GitLab's own limit.
pub(super) const SHORTEST: usize = 8;

/// Every form of `secret` that is long enough.
pub(super) fn all(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = of(secret);
    if secret.contains(['\n', '\r']) {
        let lines = secret.split(['\n', '\r']).map(str::trim);
        forms.extend(lines.filter(|line| line.len() >= SHORTEST).flat_map(of));
        // A shell's `echo $KEY`, and most readers of files, drop what is around it.
        forms.extend(of(secret.trim()));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn of(text: &str) -> Vec<Vec<u8>> {
    if text.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![text.as_bytes().to_vec()];
    forms.extend(base64(text.as_bytes()));
    forms.extend(percent(text));
    forms.extend(json(text));
    forms
}

/// What stands before a secret shifts its base64 by 0, 1 or 2 bytes. The characters at both ends that also depend on
/// what is around it are left out.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let shifted = [&vec![0; before][..], bytes].concat();
        let (start, end) = ((8 * before).div_ceil(6), 8 * shifted.len() / 6);
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.extend(text.get(start..end).map(|text| text.as_bytes().to_vec()));
        }
    }
    forms
}

/// RFC 3986, with what common encoders leave as it is: none, `/` (Python), `!'()*` (JavaScript), and + for a blank
/// (forms).
fn percent(text: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for (kept, blank) in [("", "%20"), ("/", "%20"), ("!'()*", "%20"), ("*", "+")] {
        for upper in [true, false] {
            let mut form = Vec::new();
            for byte in text.bytes() {
                match byte {
                    b' ' => form.extend_from_slice(blank.as_bytes()),
                    _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => form.push(byte),
                    _ if kept.as_bytes().contains(&byte) => form.push(byte),
                    _ if upper => form.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                    _ => form.extend_from_slice(format!("%{byte:02x}").as_bytes()),
                }
            }
            forms.push(form);
        }
    }
    forms
}

/// The inside of a JSON string: plain, in ASCII alone (Python), with `\/` (PHP), and with Go's `\u003c`.
fn json(text: &str) -> Vec<Vec<u8>> {
    let plain = serde_json::to_string(text).unwrap_or_default();
    let plain = plain.strip_prefix('"').unwrap_or(&plain);
    let plain = plain.strip_suffix('"').unwrap_or(plain);
    let ascii: String = plain
        .chars()
        .map(|char| match char.is_ascii() {
            true => char.to_string(),
            false => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect();
    let php = ascii.replace('/', "\\/");
    let go = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    [plain.to_owned(), ascii, php, go].map(String::into_bytes).into()
}
