//! Words of a server, made fit to print.

use crate::secret::Secret;

/// Server text is cut to this many characters.
pub const LONGEST_TEXT: usize = 300;

/// `text` on one line, without control characters and without the secrets that were sent, and not too long.
pub fn tidy(text: &str, known: &[Secret]) -> String {
    let mut text: String = text.chars().filter(|char| !char.is_control() && !is_invisible(*char)).collect();
    for secret in known.iter().map(Secret::reveal).filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "[secret]");
    }
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Characters that turn a text round, or that can't be seen.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
