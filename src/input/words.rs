//! The words of a text, where a secret in it may begin: a token stands behind a quote, behind `Bearer ` or behind
//! `NAME=` as often as alone. It must not judge what a word is.

/// What is before a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing, a blank, a quote, `=`, `:` and what else is in no token.
    Gap,
    /// A slash: the word may be a part of a path, which people name.
    Slash,
}

/// The text from the beginning of each word on.
pub(super) fn words(text: &str) -> impl Iterator<Item = (Before, &str)> {
    let mut last = None;
    text.char_indices().filter_map(move |(at, char)| {
        let before = match last.replace(char) {
            None => Before::Gap,
            Some('/') => Before::Slash,
            Some('_' | '-' | '.' | '+') => return None,
            Some(last) if last.is_alphanumeric() => return None,
            Some(_) => Before::Gap,
        };
        Some((before, text.get(at..)?))
    })
}

/// The first characters of `text` that a token may be made of.
pub(super) fn token(text: &str) -> &str {
    leading(text, |byte| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte)).trim_end_matches('.')
}

/// The base64 that `text` begins with; empty, if it goes on as a name does.
pub(super) fn base64(text: &str) -> &str {
    let word = leading(text, |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let goes_on = text.get(word.len()..).is_some_and(|rest| rest.starts_with(['-', '_', '.']));
    if goes_on { "" } else { word }
}

fn leading(text: &str, fits: impl Fn(u8) -> bool) -> &str {
    let length = text.bytes().take_while(|byte| fits(*byte)).count();
    text.get(..length).unwrap_or_default()
}

/// Whether capitals, small letters and digits are in it, as in what was drawn at random.
pub(super) fn is_mixed(text: &str) -> bool {
    let has = |fits: fn(&u8) -> bool| text.bytes().any(|byte| fits(&byte));
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

/// How often a letter of one kind is beside one of another.
pub(super) fn changes(text: &str) -> usize {
    let kind = |byte: u8| (byte.is_ascii_lowercase(), byte.is_ascii_uppercase(), byte.is_ascii_digit());
    let letters: Vec<_> = text.bytes().filter(u8::is_ascii_alphanumeric).map(kind).collect();
    letters.windows(2).filter(|pair| matches!(pair, [one, other] if one != other)).count()
}
