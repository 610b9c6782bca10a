//! A secret as programs write it into text: quoted for a shell, escaped for Python, HTML or JSON, percent-encoded.

/// As shells and Python write a string that can be read back, without the quotes around it.
pub(super) fn quoted(text: &str) -> Vec<String> {
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
    let lines = |text: String| text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
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
        lines(escaped(&|_, char| "\\'".contains(char))),
        lines(escaped(&|_, char| char == '\\')),
    ]
}

/// The quoted forms of a text with control characters or letters beyond ASCII, without the quotes around it.
pub(super) fn controls(text: &str) -> Vec<String> {
    let octal = |char: char| format!("\\{:03o}", u32::from(char));
    let hex = |char: char| format!("\\x{:02x}", u32::from(char));
    // ESC is `\C-[` in zsh, DEL is `\C-?`.
    let caret = |char: char| format!("\\C-{}", char::from_u32(u32::from(char) ^ 0x40).unwrap_or(char));
    let backslash = |char: char| format!("\\{char}");
    let apart = |char: char| format!("$'{}'", named(char).unwrap_or_else(|| octal(char)));
    let special = |char| " '\"\\|&;()<>!{}*[]?^$`#~=".contains(char);
    vec![
        // `$'…'` of bash, ksh93, mksh and zsh.
        each(text, |char| "\\'".contains(char).then(|| backslash(char)), |char| escape(char, octal)),
        each(text, |char| "\\'".contains(char).then(|| backslash(char)), |char| escape(char, hex)),
        each(
            text,
            |char| match char {
                '\'' => Some("\\047".to_owned()),
                _ => (char == '\\').then(|| backslash(char)),
            },
            |char| escape(char, octal),
        ),
        each(
            text,
            |char| "\\'".contains(char).then(|| backslash(char)),
            |char| named(char).unwrap_or_else(|| caret(char)),
        ),
        // bash's, where the locale has no such letters.
        each(
            text,
            |char| match char {
                '\'' | '\\' => Some(backslash(char)),
                _ if char.is_ascii() => None,
                _ => {
                    Some(char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")).collect())
                }
            },
            |char| escape(char, octal),
        ),
        // Python's repr in either kind of quotes.
        each(text, |char| "\\'".contains(char).then(|| backslash(char)), |char| pythons(char, hex)),
        each(text, |char| (char == '\\').then(|| backslash(char)), |char| pythons(char, hex)),
        // `printf %q`: of zsh, and of mksh and coreutils.
        each(text, |char| special(char).then(|| backslash(char)), apart),
        each(text, |char| (char == '\'').then(|| "'\\''".to_owned()), |char| format!("'{}'", apart(char)))
            .replace("'''$'", "")
            .replace("'''\\''", "'\\''")
            .replace("\\'''$'", "\\'$'"),
        each(text, |char| (char == '\'').then(|| "'\\''".to_owned()), |char| format!("'{}'", apart(char))),
    ]
}

/// `text` with some of its characters replaced, and all control characters.
fn each(text: &str, other: impl Fn(char) -> Option<String>, control: impl Fn(char) -> String) -> String {
    let of = |char: char| {
        if char.is_ascii_control() { control(char) } else { other(char).unwrap_or_else(|| char.to_string()) }
    };
    text.chars().map(of).collect()
}

/// The escapes that shells have letters for.
fn named(char: char) -> Option<String> {
    let letter = match char {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        _ => return None,
    };
    Some(format!("\\{letter}"))
}

/// The same with `\E`.
fn escape(char: char, other: impl Fn(char) -> String) -> String {
    if char == '\u{1b}' { "\\E".to_owned() } else { named(char).unwrap_or_else(|| other(char)) }
}

/// Python has letters for three alone.
fn pythons(char: char, other: impl Fn(char) -> String) -> String {
    if "\t\n\r".contains(char) { named(char).unwrap_or_default() } else { other(char) }
}

/// As Go, Python, PHP and simpler encoders write it into HTML and XML.
pub(super) fn html(text: &str) -> Vec<String> {
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
pub(super) fn percent(text: &str) -> Vec<Vec<u8>> {
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

/// The inside of a JSON string, as encoders write it.
pub(super) fn json(text: &str) -> Vec<String> {
    let ascii = escaped(text, "", true, false);
    vec![
        escaped(text, "", false, false),
        // Python, and PHP.
        ascii.clone(),
        ascii.replace('/', "\\/"),
        // Go.
        escaped(text, "<>&", false, false),
    ]
}

/// The same, by encoders that are seldom met: `\u002f` in small letters or capitals, Gson's, .NET's, and PHP's JSON_HEX.
pub(super) fn odd_json(text: &str) -> Vec<String> {
    vec![
        escaped(text, "", true, true),
        escaped(text, "/", true, false),
        escaped(text, "/", true, true),
        escaped(text, "<>&'=", false, false),
        escaped(text, "\"&'+<>`", true, true),
        escaped(text, "\"&'<>", true, true).replace('/', "\\/"),
    ]
}

/// JSON with `\u…` for what must have it and for `more`; in ASCII alone or not, in capitals or not.
fn escaped(text: &str, more: &str, ascii: bool, capitals: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        let short = match char {
            _ if more.contains(char) => None,
            '"' | '\\' => Some(char),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            _ => None,
        };
        if let Some(short) = short {
            out.extend(['\\', short]);
        } else if char < ' ' || more.contains(char) || (ascii && !(' '..='~').contains(&char)) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out += &if capitals { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
            }
        } else {
            out.push(char);
        }
    }
    out
}
