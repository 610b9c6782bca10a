//! The values that make the round trips.

/// How many values share one eval, so that a shell is started for hundreds of thousands of them.
const BATCH: usize = 500;

/// Values of a batch, each for one variable.
pub(super) type Batch = Vec<String>;

/// Each of these has broken some quoting, in some shell.
const SPECIMENS: &[&str] = &[
    "",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "a\n",
    "\na",
    "a  b",
    " a ",
    "a\n\n",
    "\\",
    "\\\\",
    "a\\",
    "\\n",
    "\\012",
    "\\x",
    "a\\b",
    "'",
    "''",
    "'\\''",
    "\"",
    "\"'\"",
    "$",
    "$$",
    "$HOME",
    "${HOME}",
    "$(id)",
    "`id`",
    "$'a'",
    "$((1))",
    "*",
    "?",
    "[a]",
    "[!a]",
    "[",
    "]",
    "**",
    ".*",
    "@(a|b)",
    "!(a)",
    "+(a)",
    "?(a)",
    "*(a)",
    "~(N)a",
    "{a,b}",
    "{a..c}",
    "{a",
    "a}",
    "{,}",
    "~",
    "~root",
    "=ls",
    "#",
    "# a",
    "a #b",
    ";",
    "; exit 9",
    "a;b",
    "&",
    "a & b",
    "|",
    "a|b",
    ",",
    "a,b",
    "<a",
    ">a",
    "(a)",
    "!",
    "!!",
    "^a^b",
    "-n",
    "-e a",
    "--",
    "%",
    "%s",
    "%%d",
    "a=b",
    "export",
    "V0=x",
    "__ci_creds_b",
    "$__ci_creds_012",
    "\u{1}",
    "\u{7f}",
    "\u{1}\u{7f}",
    "\u{7}",
    "\u{1b}[31m",
    "\u{85}",
    "\u{a0}a",
    "\u{3000}",
    "ä",
    "€",
    "😀",
    "a\u{301}",
    "\u{fffd}",
    "\u{feff}a",
    "\u{2028}",
    "\u{ef80}",
    "\u{f600}",
    "\u{fdd0}",
    "\u{e000}",
    "x' ; exit 9 ; '",
    "\"; exit 9; \"",
    "'\"'\"'",
    "{\"a\": [1, 2], \"b\": \"c\\n\"}",
];

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgk2x0\n\
                   Zm9vYmFyL2Jhei8rKys9PT09PT09PT09PT09PT09PT09PT0=\n-----END PRIVATE KEY-----\n";

/// The specimens one by one, each in an eval of its own, and the long values. zsh takes a time that grows with the
/// square of the references in one word: seconds for 64 KB of nothing but them, which is not a secret's shape.
pub(super) fn alone(longest_odd: usize) -> Vec<Batch> {
    let odd: String = ascii().cycle().take(longest_odd).collect();
    let mut values: Vec<String> = SPECIMENS.iter().map(|&value| value.to_owned()).collect();
    values.extend([PEM.to_owned(), PEM.repeat(420), "A/+=".repeat(16_384), "ä".repeat(32_768), odd]);
    values.into_iter().map(|value| vec![value]).collect()
}

/// The specimens, all ASCII characters at each place of a value, and all pairs of those that are not alphanumeric.
pub(super) fn ascii_and_pairs() -> Vec<Batch> {
    let mut values: Vec<String> = SPECIMENS.iter().map(|&value| value.to_owned()).collect();
    values.push(PEM.to_owned());
    values.push(ascii().collect());
    for c in ascii() {
        values.extend([
            format!("{c}"),
            format!("{c}a"),
            format!("a{c}"),
            format!("a{c}b"),
            format!("{c}{c}{c}"),
        ]);
    }
    let odd = || ascii().filter(|c| !c.is_ascii_alphanumeric());
    for first in odd() {
        values.extend(odd().map(|second| format!("a{first}{second}b")));
    }
    batches(values, BATCH)
}

/// Every character that there is, `length` of them a value.
pub(super) fn unicode(length: usize) -> Vec<Batch> {
    let all: Vec<char> = ('\u{1}'..=char::MAX).collect();
    batches(all.chunks(length).map(|chunk| chunk.iter().collect()).collect(), 150_000 / length)
}

/// Values made of what shells look for, the same for the same seed.
pub(super) fn random(count: usize, seed: u64) -> Vec<Batch> {
    let mut random = Random(seed);
    batches((0..count).map(|_| odd(&mut random)).collect(), BATCH)
}

/// A value made of what shells look for.
pub(super) fn odd(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        " ",
        "  ",
        "\n",
        "\t",
        "\r",
        "\\",
        "'",
        "\"",
        "$",
        "`",
        "*",
        "?",
        "[",
        "]",
        "{",
        "}",
        ",",
        "..",
        "(",
        ")",
        "|",
        "&",
        ";",
        "<",
        ">",
        "#",
        "~",
        "!",
        "^",
        "=",
        "%",
        ":",
        "@",
        "+",
        "-",
        "/",
        "a",
        "b",
        "0",
        "é",
        "€",
        "\u{3000}",
        "😀",
        "\u{1}",
        "\u{7f}",
        "\u{1b}",
        "export",
        "V0='",
        "__ci_creds_b",
        "a b",
        "{a,b}",
        "[a-z]",
        "$'",
        "\\012",
    ];
    let length = random.below(16);
    (0..length).map(|_| PIECES[random.below(PIECES.len())]).collect()
}

/// xorshift64*: small, and the same on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let Self(state) = self;
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// Every ASCII character but NUL, which no environment can hold.
fn ascii() -> impl Iterator<Item = char> + Clone {
    '\u{1}'..='\u{7f}'
}

fn batches(values: Vec<String>, size: usize) -> Vec<Batch> {
    values.chunks(size).map(<[String]>::to_vec).collect()
}

/// Files in the directory where the evals run: names that match globs, and names that look like parts of the text.
pub(super) const HOSTILE: &[&str] = &[
    "a",
    "b",
    "ab",
    "a b",
    " ",
    "*",
    "?",
    "[a]",
    "x",
    "-n",
    "-e",
    "--",
    "'",
    "\"",
    "\\",
    "{a,b}",
    "~",
    "=ls",
    "$(id)",
    "`id`",
    ".hidden",
    ";",
    "#",
    "eval",
    "export",
    "unset",
    "for",
    "esac;",
    "done;",
    "exit",
    "(exit",
    "(exit 9)",
    "V0=",
    "V0=''",
    "V0='';",
    "V0='x';",
    "V0=x",
    "__ci_creds_b",
    "__ci_creds_b=''",
    "__ci_creds_b='';",
    "'$')",
    "'')",
    "__ci_creds_b=${__ci_creds_b%",
    "$__ci_creds_012",
    "V0='a'\"$__ci_creds_040\"'b';",
    "\n",
    "\t",
    "\u{1}",
    "é",
    "|",
];

/// Directories there, each with the file `';`: with it, `'\/';` is the path of something.
pub(super) const HOSTILE_DIRECTORIES: &[&str] = &["__ci_creds_b='", "__ci_creds_b='\\"];
