//! References in variables: whatever a text is, it is one thing, and a reference that is written down again is the same.

use ci_creds::testing::reference::{Reference, Value, parse};

use super::texts;

/// The values of variables.
pub fn reference(input: &[u8]) {
    for text in texts(input) {
        match parse(text) {
            Ok(Value::Reference(reference)) => {
                assert!(!reference.field.is_empty() && !reference.path.is_empty());
                assert!(reference.path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                assert!(
                    !reference.path.contains(char::is_control) && !reference.field.contains(char::is_control)
                );
                assert_eq!(parse(&written(&reference)), Ok(Value::Reference(reference)));
            }
            // The escape of a text gives the text back.
            Ok(Value::Escaped(text)) => {
                let (scheme, rest) = text.split_once(':').unwrap();
                assert_eq!(parse(&format!("{scheme}::{rest}")), Ok(Value::Escaped(text.clone())));
            }
            Ok(Value::Plain | Value::Foreign(_)) => {}
            Err(fault) => {
                let start = text.trim_start();
                assert!(
                    ["vault:", "vault-file:", "ref+vault://"].iter().any(|one| start.starts_with(one)),
                    "{fault}"
                );
            }
        }
    }
}

/// The reference as a text.
fn written(reference: &Reference) -> String {
    let scheme = if reference.file { "vault-file:" } else { "vault:" };
    let pairs = reference
        .parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value.reveal())));
    let query = pairs.collect::<Vec<_>>().join("&");
    let path = reference.path.split('/').map(encoded).collect::<Vec<_>>().join("/");
    // A path that begins with v1/ has it twice here: one is taken off.
    format!(
        "{scheme}v1/{path}{}{query}#{}",
        if query.is_empty() { "" } else { "?" },
        encoded(&reference.field)
    )
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |done, byte| match byte {
        byte if byte.is_ascii_alphanumeric() => format!("{done}{}", char::from(byte)),
        byte => format!("{done}%{byte:02X}"),
    })
}
