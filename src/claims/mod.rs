//! What an ID token says, for messages and early checks. It must not check the signature, which is Vault's to check.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::ci;
use crate::secret::Secret;
use crate::text::Text;
use times::Span;

pub(crate) mod change;
pub(crate) mod demands;
pub(crate) mod entry;
mod lookup;
pub(crate) mod role;
mod times;

/// The claims of a token.
#[derive(Debug, Clone)]
pub struct Claims(Map<String, Value>);

/// The text before the claims in a message.
pub(crate) const MARK: &str = "this token says:";

/// Whether a claim is personal data, also through a pointer into it.
pub(crate) fn is_private(name: &str) -> bool {
    let first = name.strip_prefix('/').map_or(name, |pointer| pointer.split('/').next().unwrap_or_default());
    ci::is_private_claim(first)
}

/// Whether a failed job prints this claim unasked.
fn is_shown(name: &str) -> bool {
    ci::is_shown_claim(name)
}

/// Why a token can't work, whatever the role says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not three parts of base64, or no JSON in them.
    #[error("it is not a JWT")]
    NotAJwt,
    /// `exp` is in the past.
    #[error("it expired {} ago", crate::duration::life(std::time::Duration::from_secs(*.0)))]
    Expired(u64),
    /// `nbf` is in the future.
    #[error("it is not valid for another {}", crate::duration::life(std::time::Duration::from_secs(*.0)))]
    NotYet(u64),
}

impl Claims {
    /// Decodes a token without verifying it.
    pub fn of(token: &Secret) -> Result<Self, Unusable> {
        jsonwebtoken::dangerous::insecure_decode_claims(token.reveal())
            .map(Self)
            .map_err(|_| Unusable::NotAJwt)
    }

    /// Whether Vault can accept the token at `now`, as far as its times tell, by the leeways of a role that sets none.
    pub fn check(&self, now: Timestamp) -> Result<(), Unusable> {
        let Some(span) = Span::of(self, |_| 0) else { return Ok(()) };
        let now = now.as_second();
        if span.is_over(now) {
            return Err(Unusable::Expired(now.abs_diff(span.end)));
        }
        match [span.start, span.issued].into_iter().find(|moment| span.is_ahead(*moment, now)) {
            Some(moment) => Err(Unusable::NotYet(moment.abs_diff(now))),
            None => Ok(()),
        }
    }

    /// Whether this is meant as JSON, and not as the path of its file.
    pub fn is_json(text: &str) -> bool {
        text.trim_start().starts_with(['{', '[', '"'])
    }

    /// Claims that a person wrote down.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    /// Whether this is the line of a job, and not the path of its log.
    pub fn is_line(text: &str) -> bool {
        Self::from_line(text).is_some()
    }

    /// The claims that a failed job printed: what [`Claims::line`] made, wherever it stands in `text`.
    pub fn from_line(text: &str) -> Option<Self> {
        let line = text.split_once(MARK).map_or(text, |(_, line)| line);
        // The text may go on with a step that doctor did not reach, which begins with a dash. A dash in an
        // environment's name is not at the beginning of a line.
        let line = line.split_once("\n- ").map_or(line, |(line, _)| line);
        let mut found: Vec<(&str, String)> = Vec::new();
        for word in line.split_whitespace() {
            // The claims are over: a hint, a source or doctor's next step begins here.
            if ["hint:", "error:", "→", "✗", "✓", "!"].contains(&word) || word.starts_with('(') {
                break;
            }
            match word.split_once('=') {
                // The line was shortened.
                _ if ["…", "..."].contains(&word) => {}
                Some((name, value))
                    if name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_/".contains(&byte)) =>
                {
                    found.push((name, value.to_owned()));
                }
                // A value with a blank in it, such as an environment's name.
                _ => {
                    let (_, value) = found.last_mut()?;
                    *value = format!("{value} {word}");
                }
            }
        }
        let claim = |(name, value): (&str, String)| {
            let list = || value.split(',').map(Value::from).collect::<Vec<_>>().into();
            let value = if name == "aud" { list() } else { Value::String(value) };
            (name.to_owned(), value)
        };
        Some(Self(found.into_iter().map(claim).collect())).filter(|claims| !claims.0.is_empty())
    }

    /// The claim that Vault takes for this name, which may be a JSON pointer.
    pub fn get(&self, name: &str) -> Option<&Value> {
        lookup::find(&self.0, name)
    }

    /// The claim of this very name.
    pub fn exact(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// One claim as people read it.
    fn show(&self, name: &str) -> Option<String> {
        let text = lookup::text(self.0.get(name).or_else(|| self.get(name))?);
        Some(Text::new(&text).chars().take(120).collect())
    }

    /// One claim, unless it is personal data.
    pub fn shown(&self, name: &str) -> Option<String> {
        self.show(name).filter(|_| !is_private(name))
    }

    /// `project_id=22 ref=dev …`, with the claim that an error names.
    pub fn line(&self, named: Option<&str>) -> String {
        let names = ci::shown_claims().into_iter().chain(named.into_iter().filter(|name| !is_shown(name)));
        let shown: Vec<_> = names.filter_map(|name| Some(format!("{name}={}", self.shown(name)?))).collect();
        shown.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_expired_long_ago_is_told_in_days() {
        assert_eq!(Unusable::Expired(26_653 * 3600).to_string(), "it expired 1111 days ago");
    }

    fn claims(json: &str) -> Claims {
        Claims(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_printed_line_ends_where_something_else_begins() {
        let read = |text: &str| Claims::from_line(text).map(|claims| claims.line(None));
        let alone = "project_id=22 ref=dev iss=https://gitlab.example.com";
        for behind in [
            "",
            " …",
            " (VAULT_ID_TOKEN)\n✓ login          Vault accepts the JWT login",
            " (VAULT_ID_TOKEN)\n- then           not reached: token, policy",
            "\n- then           not reached: token, policy",
            "\n                 → the role's bound_claims must contain ref=main",
            "\nhint: the role's bound_claims must contain ref=main",
            "\n✗ login          Vault refused",
        ] {
            let text = format!("✓ id-token       this token says: {alone}{behind}");
            assert_eq!(read(&text).as_deref(), Some(alone), "{text}");
        }
        assert_eq!(read("ref=dev … environment=a - b").as_deref(), Some("ref=dev environment=a - b"));
        assert_eq!(read("…"), None);
    }

    #[test]
    fn people_are_not_shown() {
        let claims =
            claims(r#"{"ref":"dev","user_email":"CANARY","user_identities":["CANARY"],"sha":"abc"}"#);
        assert_eq!(claims.line(Some("user_email")), "ref=dev");
        assert_eq!(claims.line(Some("sha")), "ref=dev sha=abc");
    }

    #[test]
    fn times_are_checked_with_vaults_leeway() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (token, expected) in [
            (r#"{"exp":999940}"#, Ok(())),
            (r#"{"exp":999939}"#, Err(Unusable::Expired(61))),
            (r#"{"nbf":1000060,"exp":2000000}"#, Ok(())),
            (r#"{"nbf":1000061,"exp":2000000}"#, Err(Unusable::NotYet(61))),
            (r#"{"iat":1000061,"nbf":1,"exp":2000000}"#, Err(Unusable::NotYet(61))),
            // Where there is no exp, 150 s count instead.
            (r#"{"iat":999790}"#, Ok(())),
            (r#"{"iat":999789}"#, Err(Unusable::Expired(61))),
            (r#"{}"#, Ok(())),
        ] {
            assert_eq!(claims(token).check(now), expected, "{token}");
        }
        assert!(Claims::of(&Secret::from("not.a.jwt")).is_err());
    }
}
