//! ID tokens and roles: whatever they say, what is shown is one line, and nobody's name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ci_creds::testing::claims::Claims;
use ci_creds::testing::claims::change::change;
use ci_creds::testing::claims::demands::{Extent, evaluate};
use ci_creds::testing::claims::role::Role;
use ci_creds::testing::secret::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::texts;

/// A token or its claims, a role, and its mount's configuration.
pub fn claims(input: &[u8]) {
    let mut texts = texts(input);
    let mut next = || texts.next().unwrap_or_default();
    let (text, role, config) = (next(), next(), next());
    if let Some(claims) = Claims::from_line(text) {
        let _ = claims.line(None);
    }
    let token = if text.trim_start().starts_with('{') {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(text))
    } else {
        text.to_owned()
    };
    let Ok(claims) = Claims::of(&Secret::new(token)) else { return };
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let _ = claims.check(now);
    let object = |text| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    shows_nobody(&claims, &object(text));

    let role = Role { role: object(role), config: object(config) };
    for extent in [Extent::Whole, Extent::Timeless, Extent::Shown] {
        let rows = evaluate(&role, &claims, extent, now);
        let _ = change(&role, &claims, &rows);
    }
}

fn shows_nobody(claims: &Claims, open: &Map<String, Value>) {
    let private = ["user_email", "user_identities"];
    let rest: Map<_, _> = open.clone().into_iter().filter(|(name, _)| !private.contains(&&**name)).collect();
    // Both by way of text, which changes the last digit of a number.
    let [whole, rest] =
        [open.clone(), rest].map(|claims| Claims::from_json(&Value::Object(claims).to_string()));
    let (whole, rest) = (whole.unwrap(), rest.unwrap());
    for named in [None, Some("user_email"), Some("/user_identities/0/extern_uid"), Some("iat")] {
        let line = claims.line(named);
        assert!(!line.contains(char::is_control), "{line:?}");
        if !open.is_empty() {
            assert_eq!(whole.line(named), rest.line(named));
        }
    }
    // What a failed job printed is read at the desk as it was. No name that GitLab knows has an equals sign in it, and
    // of several blanks in a row one is kept.
    let line = claims.line(None);
    let has = |what: &str| open.values().any(|value| value.to_string().contains(what));
    let plain = line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/.,:= -".contains(&byte));
    if plain && !["=", "  ", "hint:", "error:", "\" ", " \""].into_iter().any(has) {
        let read = Claims::from_line(&line).map(|claims| claims.line(None)).unwrap_or_default();
        assert_eq!(read, line);
    }
}
