//! The forms in which a secret may show up in a log: as it is, in base64, percent-encoded, escaped for JSON, shells,
//! Python or HTML, line by line. It must not make a form so short that it fits other text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// What is shorter is no secret, and masking it would make holes in plain text. CI systems have the same limit.
pub(super) const SHORTEST: usize = 8;

/// A secret longer than this, in bytes, is a bundle or a document: it is looked for in fewer forms, because each form
/// costs memory.
pub(super) const LONG: usize = 4096;

/// Every form of `secret` that is long enough.
pub(super) fn all(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = if secret.len() > LONG { of_long(secret) } else { of(secret) };
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
    forms.extend(json.iter().flat_map(|inner| self::json(inner)).map(String::into_bytes));
    forms.extend(json.into_iter().map(String::into_bytes));
    forms.extend(quoted(text).into_iter().chain(html(text)).map(String::into_bytes));
    forms
}

/// Each line of it, and its base64 in the lines of `base64` (76 columns) and `openssl base64` (64).
fn of_long(text: &str) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = lines(text).map(|line| line.as_bytes().to_vec()).collect();
    let encoded = STANDARD.encode(text);
    for columns in [76, 64] {
        forms.extend(encoded.as_bytes().chunks(columns).map(<[u8]>::to_vec));
    }
    forms
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
    let mut add = |from: usize, to: usize| {
        let Some(piece) = text.get(from..to) else { return };
        for split in (from + 1..to).filter(|at| at % 4 == 0).map(|at| at - from) {
            pieces.push([&piece[..split], b"\n", &piece[split..]].concat());
        }
        pieces.push(piece.to_vec());
    };
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

/// As shells and Python write a string that can be read back, without the quotes around it.
fn quoted(text: &str) -> Vec<String> {
    let escaped = |special: &dyn Fn(usize, char) -> bool| {
        let mut out = String::new();
        for (index, char) in text.chars().enumerate() {
            if special(index, char) {
                out.push('\\');
            }
            out.push(char);
        }
        out
    };
    let special = |char| " '\"\\|&;()<>!{}*[]?^$`,".contains(char);
    let controls = |text: String| text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    vec![
        // bash's `printf %q`, and zsh's.
        escaped(&|index, char| special(char) || (index == 0 && "#~".contains(char))),
        escaped(&|_, char| special(char) && char != ','),
        escaped(&|_, char| special(char) && char != ',' || "#~=".contains(char)),
        // bash's `declare -p` and `export -p`.
        escaped(&|_, char| "$`\"\\".contains(char)),
        // Single quotes: `set`, `${NAME@Q}`, and dash.
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        // `$'…'` of shells; Python's repr in either kind of quotes.
        controls(escaped(&|_, char| "\\'".contains(char))),
        controls(escaped(&|_, char| char == '\\')),
    ]
}

/// As Go, Python, PHP and simpler encoders write it into HTML and XML.
fn html(text: &str) -> Vec<String> {
    let basic = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms: Vec<String> = [
        ("&#34;", "&#39;"),
        ("&quot;", "&#x27;"),
        ("&quot;", "&#039;"),
        ("&quot;", "&#39;"),
        ("&quot;", "&apos;"),
    ]
    .iter()
    .map(|(double, single)| basic.replace('"', double).replace('\'', single))
    .collect();
    forms.push(forms[0].replace('+', "&#43;"));
    forms.push(basic.replace('"', "&quot;"));
    forms.push(basic);
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
fn json(text: &str) -> Vec<String> {
    let plain = serde_json::to_string(text).unwrap_or_default();
    let plain = plain.strip_prefix('"').unwrap_or(&plain);
    let plain = plain.strip_suffix('"').unwrap_or(plain);
    let ascii: String = plain
        .chars()
        .map(|char| {
            if char.is_ascii() {
                char.to_string()
            } else {
                char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
        })
        .collect();
    let php = ascii.replace('/', "\\/");
    let go = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    [plain.to_owned(), ascii, php, go].into()
}
