//! A secret as programs write it into text: quoted for a shell, escaped for Python, HTML or JSON, percent-encoded. Each
//! way writes letter by letter, so that no form has to be stored: text is compared with what a way writes.

/// A letter, and what stands beside it.
pub(super) struct Letter {
    pub(super) before: Option<char>,
    pub(super) char: char,
    pub(super) after: Option<char>,
}

/// Appends what a program makes of a letter. ASCII letters and digits stay what they are in every way.
type Way = fn(&Letter, &mut String);

/// How many ways there are.
pub(crate) const COUNT: u8 = (SIMPLE.len() + JSON.len() * JSON.len()) as u8;

/// The way that leaves everything as it is.
pub(crate) const AS_IS: u8 = 0;

/// The ways that a single line of a long document is looked for in.
pub(crate) const BASIC: std::ops::Range<u8> = AS_IS..(1 + JSON.len()) as u8;

/// Which ways differ from others only for control characters, or letters beyond ASCII.
pub(super) fn is_for_controls(way: u8) -> bool {
    (SIMPLE.len() - CONTROLS..SIMPLE.len()).contains(&usize::from(way))
}

/// Whether a way writes control characters and quotes by what is beside them.
pub(super) fn depends_on_neighbours(way: u8) -> bool {
    usize::from(way) == SIMPLE.len() - 2
}

/// Appends `letter` as `way` writes it.
pub(super) fn write(way: u8, letter: &Letter, out: &mut String) {
    if letter.char.is_ascii_alphanumeric() {
        out.push(letter.char);
        return;
    }
    let way = usize::from(way);
    if let Some(write) = SIMPLE.get(way) {
        write(letter, out);
        return;
    }
    // JSON as a string in JSON.
    let way = way - SIMPLE.len();
    let mut inner = String::new();
    JSON[way / JSON.len() % JSON.len()].write(letter.char, &mut inner);
    for char in inner.chars() {
        JSON[way % JSON.len()].write(char, out);
    }
}

/// How many of the last of [`SIMPLE`] are for control characters.
const CONTROLS: usize = 10;

const SIMPLE: [Way; 55] = [
    |letter, out| out.push(letter.char),
    // JSON, as common encoders write it, and others that are seldom met.
    |letter, out| JSON[0].write(letter.char, out),
    |letter, out| JSON[1].write(letter.char, out),
    |letter, out| JSON[2].write(letter.char, out),
    |letter, out| JSON[3].write(letter.char, out),
    |letter, out| ODD_JSON[0].write(letter.char, out),
    |letter, out| ODD_JSON[1].write(letter.char, out),
    |letter, out| ODD_JSON[2].write(letter.char, out),
    |letter, out| ODD_JSON[3].write(letter.char, out),
    |letter, out| ODD_JSON[4].write(letter.char, out),
    |letter, out| ODD_JSON[5].write(letter.char, out),
    // RFC 3986, with what common encoders leave as it is: none, `/` (Python), `!'()*` (JavaScript), and + for a blank
    // (forms); in capitals or not.
    |letter, out| percent(letter.char, "", "%20", true, out),
    |letter, out| percent(letter.char, "", "%20", false, out),
    |letter, out| percent(letter.char, "/", "%20", true, out),
    |letter, out| percent(letter.char, "/", "%20", false, out),
    |letter, out| percent(letter.char, "!'()*", "%20", true, out),
    |letter, out| percent(letter.char, "!'()*", "%20", false, out),
    |letter, out| percent(letter.char, "*", "+", true, out),
    |letter, out| percent(letter.char, "*", "+", false, out),
    // The parts of an address, as Go writes them (user's password, path), and JavaScript's `encodeURI`.
    |letter, out| percent(letter.char, "$&+,;=", "%20", true, out),
    |letter, out| percent(letter.char, "$&+=:@", "%20", true, out),
    |letter, out| percent(letter.char, "!'()*;,/?:@&=+$#", "%20", true, out),
    // SQL and YAML double a single quote, CSV and Pascal a double one.
    |letter, out| or(letter.char, (letter.char == '\'').then_some("''"), out),
    |letter, out| or(letter.char, (letter.char == '"').then_some("\"\""), out),
    // bash's `printf %q`, and zsh's.
    |letter, out| {
        let special = QUOTED.contains(letter.char) || (letter.before.is_none() && "#~".contains(letter.char));
        backslash(letter.char, special, out);
    },
    |letter, out| backslash(letter.char, letter.char != ',' && QUOTED.contains(letter.char), out),
    |letter, out| {
        let special = letter.char != ',' && QUOTED.contains(letter.char) || "#~=".contains(letter.char);
        backslash(letter.char, special, out);
    },
    // bash's `declare -p` and `export -p`.
    |letter, out| backslash(letter.char, "$`\"\\".contains(letter.char), out),
    // Single quotes: `set`, `${NAME@Q}`, and dash.
    |letter, out| or(letter.char, (letter.char == '\'').then_some("'\\''"), out),
    |letter, out| or(letter.char, (letter.char == '\'').then_some("'\"'\"'"), out),
    // `$'…'` of shells; Python's repr in either kind of quotes.
    |letter, out| lines(letter.char, "\\'", out),
    |letter, out| lines(letter.char, "\\", out),
    // As Go, Python, PHP and simpler encoders write it into HTML and XML.
    |letter, out| html(letter.char, "", "&#34;", "&#39;", out),
    |letter, out| html(letter.char, "", "&quot;", "&#x27;", out),
    |letter, out| html(letter.char, "", "&quot;", "&#039;", out),
    |letter, out| html(letter.char, "", "&quot;", "&#39;", out),
    |letter, out| html(letter.char, "", "&quot;", "&apos;", out),
    |letter, out| match letter.char {
        '+' => out.push_str("&#43;"),
        char => html(char, "", "&#34;", "&#39;", out),
    },
    |letter, out| html(letter.char, "", "&quot;", "'", out),
    |letter, out| html(letter.char, "", "\"", "'", out),
    // With more letters as numbers: mustache.js, now and before 2.2; Handlebars; OWASP's encoder; .NET.
    |letter, out| html(letter.char, "/`=", "&quot;", "&#39;", out),
    |letter, out| html(letter.char, "/", "&quot;", "&#39;", out),
    |letter, out| html(letter.char, "`=", "&quot;", "&#x27;", out),
    |letter, out| html(letter.char, "/", "&quot;", "&#x27;", out),
    |letter, out| html(letter.char, "+`", "&quot;", "&#x27;", out),
    // From here on for control characters: `$'…'` of bash, ksh93, mksh and zsh.
    |letter, out| match letter.char {
        char if char.is_ascii_control() => escape(char, octal, out),
        char => backslash(char, "\\'".contains(char), out),
    },
    |letter, out| match letter.char {
        char if char.is_ascii_control() => escape(char, hex, out),
        char => backslash(char, "\\'".contains(char), out),
    },
    |letter, out| match letter.char {
        char if char.is_ascii_control() => escape(char, octal, out),
        '\'' => out.push_str("\\047"),
        char => backslash(char, char == '\\', out),
    },
    |letter, out| match letter.char {
        // ESC is `\C-[` in zsh, DEL is `\C-?`.
        char if char.is_ascii_control() => named(char, caret, out),
        char => backslash(char, "\\'".contains(char), out),
    },
    // bash's, where the locale has no such letters.
    |letter, out| match letter.char {
        char if char.is_ascii_control() => escape(char, octal, out),
        char if !char.is_ascii() => {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                *out += &format!("\\{byte:03o}");
            }
        }
        char => backslash(char, "\\'".contains(char), out),
    },
    // Python's repr in either kind of quotes.
    |letter, out| pythons(letter.char, "\\'", out),
    |letter, out| pythons(letter.char, "\\", out),
    // `printf %q`: of zsh, and of mksh and coreutils.
    |letter, out| match letter.char {
        char if char.is_ascii_control() => {
            out.push_str("$'");
            named(char, octal, out);
            out.push('\'');
        }
        char => backslash(char, (char != ',' && QUOTED.contains(char)) || "#~=".contains(char), out),
    },
    |letter, out| match letter.char {
        char if char.is_ascii_control() => {
            out.push_str(match letter.before {
                Some(before) if before.is_ascii_control() => "",
                Some('\'') => "$'",
                _ => "'$'",
            });
            named(char, octal, out);
            out.push_str(match letter.after {
                None | Some('\'') => "",
                Some(after) if after.is_ascii_control() => "",
                Some(_) => "''",
            });
        }
        '\'' if letter.after.is_some_and(|after| after.is_ascii_control()) => out.push_str("'\\'"),
        char => or(char, (char == '\'').then_some("'\\''"), out),
    },
    |letter, out| match letter.char {
        char if char.is_ascii_control() => {
            out.push_str("'$'");
            named(char, octal, out);
            out.push_str("''");
        }
        char => or(char, (char == '\'').then_some("'\\''"), out),
    },
];

/// What shells quote.
const QUOTED: &str = " '\"\\|&;()<>!{}*[]?^$`,";

fn backslash(char: char, special: bool, out: &mut String) {
    if special {
        out.push('\\');
    }
    out.push(char);
}

fn or(char: char, other: Option<&str>, out: &mut String) {
    match other {
        Some(other) => out.push_str(other),
        None => out.push(char),
    }
}

fn lines(char: char, special: &str, out: &mut String) {
    match char {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => backslash(char, special.contains(char), out),
    }
}

fn octal(char: char, out: &mut String) {
    *out += &format!("\\{:03o}", u32::from(char));
}

fn hex(char: char, out: &mut String) {
    *out += &format!("\\x{:02x}", u32::from(char));
}

fn caret(char: char, out: &mut String) {
    out.push_str("\\C-");
    out.push(char::from_u32(u32::from(char) ^ 0x40).unwrap_or(char));
}

/// The escapes that shells have letters for.
fn named(char: char, other: fn(char, &mut String), out: &mut String) {
    let letter = match char {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        _ => return other(char, out),
    };
    out.extend(['\\', letter]);
}

/// The same with `\E`.
fn escape(char: char, other: fn(char, &mut String), out: &mut String) {
    if char == '\u{1b}' { out.push_str("\\E") } else { named(char, other, out) }
}

/// Python has letters for three alone.
fn pythons(char: char, special: &str, out: &mut String) {
    if char.is_ascii_control() && !"\t\n\r".contains(char) {
        hex(char, out);
    } else {
        lines(char, special, out);
    }
}

/// With `more` as numbers.
fn html(char: char, more: &str, double: &str, single: &str, out: &mut String) {
    match char {
        _ if more.contains(char) => *out += &format!("&#x{:02X};", u32::from(char)),
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str(double),
        '\'' => out.push_str(single),
        _ => out.push(char),
    }
}

fn percent(char: char, kept: &str, blank: &str, upper: bool, out: &mut String) {
    if char == ' ' {
        out.push_str(blank);
    } else if "-._~".contains(char) || kept.contains(char) {
        out.push(char);
    } else {
        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
            *out += &if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        }
    }
}

/// The inside of a JSON string: with `\u…` for what must have it and for `more`.
struct Json {
    more: &'static str,
    /// Whether all else is in ASCII.
    ascii: bool,
    capitals: bool,
    /// Whether `/` is `\/`.
    slash: bool,
}

/// As encoders write it: most; Python; PHP; Go.
const JSON: [Json; 4] = [
    Json { more: "", ascii: false, capitals: false, slash: false },
    Json { more: "", ascii: true, capitals: false, slash: false },
    Json { more: "", ascii: true, capitals: false, slash: true },
    Json { more: "<>&", ascii: false, capitals: false, slash: false },
];

/// By encoders that are seldom met: `\u002f` in small letters or capitals, Gson's, .NET's, and PHP's JSON_HEX.
const ODD_JSON: [Json; 6] = [
    Json { more: "", ascii: true, capitals: true, slash: false },
    Json { more: "/", ascii: true, capitals: false, slash: false },
    Json { more: "/", ascii: true, capitals: true, slash: false },
    Json { more: "<>&'=", ascii: false, capitals: false, slash: false },
    Json { more: "\"&'+<>`", ascii: true, capitals: true, slash: false },
    Json { more: "\"&'<>", ascii: true, capitals: true, slash: true },
];

impl Json {
    fn write(&self, char: char, out: &mut String) {
        let more = self.more.contains(char);
        let short = match char {
            _ if more => None,
            '"' | '\\' => Some(char),
            '/' if self.slash => Some(char),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            _ => None,
        };
        if let Some(short) = short {
            out.extend(['\\', short]);
        } else if char < ' ' || more || (self.ascii && !(' '..='~').contains(&char)) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                *out += &if self.capitals { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
            }
        } else {
            out.push(char);
        }
    }
}
