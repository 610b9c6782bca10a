//! Tells when a value that is meant to be a path, a name or an address is something else: a CI variable of the wrong type
//! puts a key where its path belongs, and a message that shows the path would then show the key. It must not take for a
//! secret what people name a path, a role or a host.

use std::fmt;
use std::path::Path;

use super::known;
use super::words::{self, Before, words};
use crate::ci;
use crate::text;

/// The longest text that is shown: names and typed paths are shorter.
const LONGEST_NAME: usize = 200;

/// What a value seems to be, where a path, a name or an address belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seems {
    /// `-----BEGIN … PRIVATE KEY-----`
    Key,
    /// Other PEM, plain or in base64.
    Pem,
    /// A key or a certificate in DER, in base64 on one line.
    Der,
    /// A JWT.
    Jwt,
    /// A token of Vault's or OpenBao's.
    VaultToken,
    /// A token of the CI system with this name.
    CiToken(&'static str),
    /// What this says: a key or a token that shows by its form whose it is.
    Known(&'static str),
    /// As role_ids, secret_ids and Scaleway's keys are.
    Uuid,
    /// A JSON object.
    Json,
    /// More than one line, or characters that no line has.
    Lines,
    /// More than a name's length.
    Long,
}

impl fmt::Display for Seems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CiToken(system) => return write!(f, "a {system} token"),
            Self::Known(what) => what,
            Self::Key => "a private key",
            Self::Pem => "PEM text",
            Self::Der => "a key or a certificate itself (DER in base64)",
            Self::Jwt => "a JWT",
            Self::VaultToken => "a Vault token",
            Self::Uuid => "a UUID, as secret_ids are",
            Self::Json => "JSON",
            Self::Lines => "text of several lines or with control characters",
            Self::Long => "text of more than 200 characters",
        })
    }
}

const QUOTES: [char; 3] = ['"', '\'', '`'];
/// Prefixes of Vault's and OpenBao's tokens: service, batch and recovery tokens, new and old (vault:
/// `sdk/helper/consts/token_consts.go`).
const VAULT: &[&str] = &["hvs.", "hvb.", "hvr.", "s.", "b.", "r."];

/// What `text` seems to be, if it can't be a path, a name or an address.
pub(crate) fn seems(text: &str) -> Option<Seems> {
    let text = text.trim();
    if text.contains("-----BEGIN") || text.contains("LS0tLS1CRUdJTi") {
        return Some(if text.contains("PRIVATE KEY-----") { Seems::Key } else { Seems::Pem });
    }
    if !text.chars().all(text::is_visible) {
        return Some(Seems::Lines);
    }
    if text.trim_start_matches(QUOTES).starts_with("{\"") {
        return Some(Seems::Json);
    }
    if let Some(found) = words(text).find_map(|(before, from_here)| begins_with(from_here, before)) {
        return Some(found);
    }
    // Elsewhere in a path or an address, a UUID is a name.
    if text.rsplit(QUOTES).flat_map(|part| part.rsplit(['=', ' '])).any(is_uuid) {
        return Some(Seems::Uuid);
    }
    (text.chars().count() > LONGEST_NAME).then_some(Seems::Long)
}

/// What a secret that `text` begins with is.
fn begins_with(text: &str, before: Before) -> Option<Seems> {
    let word = words::token(text);
    let of = |prefixes: &[&str], least| prefixes.iter().any(|prefix| is_token(word, prefix, least, before));
    if is_jwt(word) {
        return Some(Seems::Jwt);
    }
    if of(VAULT, 20) {
        return Some(Seems::VaultToken);
    }
    if let Some(system) = ci::SYSTEMS.iter().copied().find(|system| of(system.token_prefixes, 16)) {
        return Some(Seems::CiToken(system.name));
    }
    if let Some(what) = known::find(text, before) {
        return Some(Seems::Known(what));
    }
    is_der(words::base64(text), before).then_some(Seems::Der)
}

/// `text`, if it looks like a path, a name or an address; else what it seems to be.
pub(crate) fn shown(text: &str) -> String {
    match seems(text) {
        None => text.to_owned(),
        Some(what) => format!("({what}; not shown)"),
    }
}

/// `path` for a message.
pub(crate) fn path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// The variable that `text` names and nothing else, as in `$VAULT_TOKEN_PROD` and `${VAULT_TOKEN_PROD}`: a CI system
/// leaves that where the variable is not defined.
pub(crate) fn unexpanded(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let fits = |char: char| char == '_' || char.is_ascii_alphanumeric();
    let is_name = name.starts_with(|char: char| !char.is_ascii_digit()) && name.chars().all(fits);
    (is_name && name.len() <= LONGEST_NAME).then_some(name)
}

fn is_jwt(text: &str) -> bool {
    let part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
    // The shortest header, `{"alg":""}`, has 14 letters.
    let header = text.split('.').next().unwrap_or_default();
    text.starts_with("eyJ") && header.len() >= 14 && text.contains('.') && text.split('.').all(part)
}

/// In a path, people give names that begin as tokens do.
fn is_token(word: &str, prefix: &str, least: usize, before: Before) -> bool {
    let rest = word.strip_prefix(prefix).unwrap_or_default();
    rest.len() >= least && (before == Before::Gap || words::is_mixed(rest))
}

/// Whether `word` is the base64 of DER: of a SEQUENCE (0x30 and its length), as keys and certificates are. A path in
/// capitals may begin in the same way, but is not mixed as base64 is.
fn is_der(word: &str, before: Before) -> bool {
    // The shortest private key has 64. As a part of a path, less is no key.
    let least = if before == Before::Slash { 60 } else { 40 };
    let is_sequence = word.starts_with('M') && matches!(word.as_bytes().get(1), Some(b'A'..=b'P'));
    let is_random = words::is_mixed(word)
        && words::changes(word) * 4 >= word.len()
        && word.matches('/').count() * 16 <= word.len();
    word.len() >= least && is_sequence && is_random
}

/// `8e9d0b7c-0000-4000-8000-000000000000`
pub(crate) fn is_uuid(text: &str) -> bool {
    let shape = |(at, char): (usize, char)| match at {
        8 | 13 | 18 | 23 => char == '-',
        _ => char.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.chars().enumerate().all(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that open nothing, as `openssl pkcs8 -topk8 -outform DER | base64 -w0` prints them.
    const EC: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfMehefPms/mtV79uV3LRGtPSCHmlw9qctBa8obAu28Kh\
        RANCAARBaSNxmldVdEfiNXUrHNzN4NFfk/AHfSJyOEXEe5L4Jadti8hv98CPISBy2/O0y4Z2q8m6XUNCMORxUOiCcYkD";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIKdJZlpN42DBuw6bhIm4pbMCCW7e2X+VBP0hHcQtYfvq";

    #[test]
    fn content_is_told_from_names() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\n";
        let long = "x".repeat(201);
        for (text, expected) in [
            (key, Seems::Key),
            ("-----BEGIN CERTIFICATE-----\nMIIEvQ", Seems::Pem),
            ("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1J", Seems::Pem),
            ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", Seems::Jwt),
            ("hvs.CAESIJk3bXl0b2tlbnRva2Vu", Seems::VaultToken),
            ("s.0123456789abcdefghijABCD", Seems::VaultToken),
            ("s.0123456789abcdefghijABCD.nsid1\n", Seems::VaultToken),
            ("glpat-0123456789abcdefghij", Seems::CiToken("GitLab")),
            ("AKIAIOSFODNN7EXAMPLE\n", Seems::Known("an AWS access key")),
            (EC, Seems::Der),
            (ED25519, Seems::Der),
            ("auth/jwt/role/MC4CAQAwBQYDK2VwBCIEIKdJZlpN42DBuw6bhIm4pbMCCW7e2X+VBP0hHcQtYfvq", Seems::Der),
            ("KEY=MC4CAQAwBQYDK2VwBCIEIKdJZlpN42DBuw6bhIm4pbMCCW7e2X+VBP0hHcQtYfvq", Seems::Der),
            ("\"hvs.CAESIJk3bXl0b2tlbnRva2Vu\"", Seems::VaultToken),
            ("VAULT_TOKEN=hvs.CAESIJk3bXl0b2tlbnRva2Vu", Seems::VaultToken),
            ("X-Vault-Token: s.0123456789abcdefghijABCD", Seems::VaultToken),
            ("https://vault.example.com/v1/hvs.CAESIJk3bXl0b2tlbnRva2Vu", Seems::VaultToken),
            ("Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", Seems::Jwt),
            ("https://example.com/?jwt=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln&x", Seems::Jwt),
            ("https://oauth2:glpat-0123456789abcdefghij@gitlab.com/a.git", Seems::CiToken("GitLab")),
            ("export AWS_ACCESS_KEY_ID='AKIAIOSFODNN7EXAMPLE'", Seems::Known("an AWS access key")),
            ("key=je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY;", Seems::Known("an AWS secret key")),
            ("https://ghp_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5@github.com/a", Seems::Known("a GitHub token")),
            ("8E9d0b7c-0000-4000-8000-0000000000aF", Seems::Uuid),
            ("'8E9d0b7c-0000-4000-8000-0000000000aF'", Seems::Uuid),
            ("VAULT_SECRET_ID=8E9d0b7c-0000-4000-8000-0000000000aF", Seems::Uuid),
            ("'{\"type\":\"service_account\"}'", Seems::Json),
            ("{\"type\":\"service_account\"}", Seems::Json),
            ("a\nb", Seems::Lines),
            ("a\u{202e}b", Seems::Lines),
            (&long, Seems::Long),
        ] {
            assert_eq!(seems(text), Some(expected), "{text}");
            assert!(!shown(text).contains(text.trim()), "{text}");
        }
        for name in [
            "/builds/group/project.tmp/VAULT_CLIENT_KEY",
            "https://vault.example.com:8200",
            "web-pipeline",
            "auth/team/jwt",
            "s.conf",
            "arn:aws:iam::123456789012:role/ci",
            "./8e9d0b7c-0000-4000-8000-000000000000",
            "größe",
            "{role}/creds",
            "https://s.static-content-of-the-company.example.com/eyJ.html",
            "https://vault.example.com:8200/v1/team/s.conf",
            "auth/s.web-application-production/role/ci",
            "/builds/gldt-web-application-team/project",
            "kv/sk_live_paymentsproduction/db",
            "kv/npm_publish-role-for-team-web-application-production",
            "channels/xoxb-notifications-production-web",
            "MAIN/applications/web/production/database/credentials",
            "MDM/Team1/WebApp2/Production3/Database4/Password5",
            "MEDIATEAMROLEFORALLTHEPROJECTSOFTHECOMPANY",
            "MySQLReadOnlyRoleOfTheSiteTeamInProduction",
            "NAME=/builds/aB3dE5fG7/0/team/project.tmp/KEY",
            "arn:aws:kms:eu-west-1:1:key/8e9d0b7c-0000-4000-8000-000000000000",
        ] {
            assert_eq!(seems(name), None, "{name}");
            assert_eq!(shown(name), name);
        }
    }
}
