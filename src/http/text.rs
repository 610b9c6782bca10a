//! Words of a server, made fit to print.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// Server text is cut to this many characters.
pub const LONGEST_TEXT: usize = 300;

/// `text` on one line, without control characters and without the secrets that were sent, and not too long.
pub fn tidy(text: &str, known: &[Secret]) -> String {
    let mut text = visible(text);
    // A secret of several lines may be said back line by line, as one, or escaped; and where one secret is the
    // beginning of another, the whole of it has to go.
    let lines = known.iter().flat_map(|secret| secret.reveal().lines());
    let mut lines: Vec<_> = lines.map(|line| Zeroizing::new(visible(line).trim().to_owned())).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.len()));
    for line in lines.iter().filter(|line| line.len() >= 4) {
        text = text.replace(line.as_str(), "[secret]");
    }
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn visible(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() && !is_invisible(*char)).collect()
}

/// Characters that turn a text round, or that can't be seen.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_several_lines_is_hidden_line_by_line() {
        let known =
            [Secret::from("-----BEGIN KEY-----\n  MIIEvQ\n-----END KEY-----\n"), Secret::from("MIIE")];
        let escaped = tidy(r#"no key: "-----BEGIN KEY-----\n  MIIEvQ\n-----END KEY-----\n""#, &known);
        assert_eq!(escaped, r#"no key: "[secret]\n  [secret]\n[secret]\n""#);
        assert_eq!(tidy("MIIEvQ\n-----END KEY-----", &known), "[secret][secret]");
    }
}
