//! No secret may be printed. Every secret of the tests contains the canary; every run is searched for it, and for
//! what looks like a live token, in each form that a secret could take on its way into a message.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use regex::Regex;

/// The mark in every secret: letters and digits only, which are legal in any token, key, password or claim.
pub const CANARY: &str = "cAnArY5ecReT";

/// A new secret that contains the canary.
pub fn secret() -> String {
    format!("{CANARY}{}", super::unique())
}

/// The first leak in a text, described for the failure message.
pub fn find(text: &str) -> Option<String> {
    let encoded = FORMS.iter().find(|(_, form)| text.contains(form.as_str()));
    let encoded = encoded.map(|(name, form)| format!("the canary, {name} (`{form}`)"));
    encoded.or_else(|| {
        let percent = PERCENT.is_match(text).then(|| "the canary, percent-encoded".to_owned());
        percent.or_else(|| {
            let live = LIVE.iter().find_map(|(name, shape)| Some((name, shape.find(text)?)));
            live.map(|(name, found)| format!("what looks like {name} (`{}`)", found.as_str()))
        })
    })
}

/// The canary as it looks inside other text, by the name of the encoding.
static FORMS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        ("raw".to_owned(), CANARY.to_owned()),
        ("in upper case".to_owned(), CANARY.to_uppercase()),
        ("in lower case".to_owned(), CANARY.to_lowercase()),
        ("reversed".to_owned(), CANARY.chars().rev().collect()),
        ("in hex".to_owned(), hex.to_uppercase()),
        ("in hex".to_owned(), hex),
    ];
    for (name, engine) in [("base64", STANDARD_NO_PAD), ("URL-safe base64", URL_SAFE_NO_PAD)] {
        for before in 0..3 {
            // What stands before and after the canary shares the first and the last character with it.
            let text = engine.encode([&vec![0; before], CANARY.as_bytes()].concat());
            let (start, end) = ((8 * before).div_ceil(6), 8 * (before + CANARY.len()) / 6);
            forms.push((format!("in {name} after 3n+{before} bytes"), text[start..end].to_owned()));
        }
    }
    forms
});

/// Each character of the canary either literal or percent-encoded.
static PERCENT: LazyLock<Regex> = LazyLock::new(|| {
    let character = |byte: u8| format!("(?:{}|(?i:%{byte:02x}))", char::from(byte));
    Regex::new(&CANARY.bytes().map(character).collect::<String>()).unwrap()
});

/// What no test can put a canary into, because the server makes it.
static LIVE: LazyLock<[(&str, Regex); 4]> = LazyLock::new(|| {
    let shape = |text: &str| Regex::new(text).unwrap();
    [
        ("a token of OpenBao", shape(r"\b[sbr]\.[A-Za-z0-9]{20,}")),
        ("a token of Vault", shape(r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}")),
        ("a generated password", shape(&format!("[{}]{{24}}", super::engine::PASSWORD_LETTERS))),
        ("a JWT", shape(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}")),
    ]
});
