//! References: what stands in a variable where a secret will be, such as `vault:secret/app#token`. It parses text and
//! must not read variables or ask anybody. No message shows the text, which may be something else than a reference.

use crate::input::{self, Seems};
use crate::secret::Secret;

/// The longest reference, in bytes: a request's line must have room for it.
const LONGEST: usize = 4096;

/// How references begin, and whether the value goes into a file.
const SCHEMES: &[(&str, bool)] = &[("vault:", false), ("vault-file:", true)];

/// The form that vals has for the same: `ref+vault://PATH#/FIELD`.
const VALS: &str = "ref+vault://";

/// How the references of other tools begin. They are left as they are.
const FOREIGN: &[&str] = &[
    "ref+",
    "op://",
    "awssm://",
    "awssecret://",
    "awsssm://",
    "azurekeyvault://",
    "bws://",
    "doppler://",
    "gcpsm://",
    "gopass://",
    "keyring://",
    ">>vault:",
    "gcp:secretmanager:",
    "arn:aws:secretsmanager:",
    "arn:aws:ssm:",
    "bao:",
    // What to-be-continuous' vault-secrets-provider resolves.
    "@url@",
];

/// What the value of a variable is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing that begins like a reference.
    Plain,
    /// A text whose beginning is escaped, without the escape: `vault::8200` stands for `vault:8200`.
    Escaped(String),
    /// A reference of another tool, by how it begins.
    Foreign(&'static str),
    /// A reference.
    Reference(Reference),
}

/// Where a value is: a field of the answer of a path.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The path, mount included, without slashes at its ends.
    pub path: String,
    /// Sent along in the query, sorted by name. A KV version 2 secret's version is one of them.
    pub parameters: Vec<(String, Secret)>,
    /// The field of the answer, as in `read NAME=FIELD`.
    pub field: String,
    /// Whether the value goes into a file, and the variable gets the file's path.
    pub file: bool,
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_answer(other) && self.field == other.field && self.file == other.file
    }
}

impl Eq for Reference {}

impl Reference {
    /// Whether both are fields of one answer. They are then read by one request, so that the halves of a key pair
    /// belong together.
    pub fn is_same_answer(&self, other: &Self) -> bool {
        let pairs = |one: &Self| -> Vec<(String, String)> {
            one.parameters.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect()
        };
        self.path == other.path && pairs(self) == pairs(other)
    }
}

/// Why a text that begins like a reference is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `vault:secret/app`.
    #[error("it has no #FIELD")]
    NoField,
    /// `vault:#token`.
    #[error("it has no path")]
    NoPath,
    /// `vault:secret//app#token`, `vault:secret/../app#token`.
    #[error("its path has a part that is empty, . or ..")]
    Path,
    /// `vault:secret/app#`.
    #[error("its field is empty")]
    EmptyField,
    /// `vault:secret/app#a#b`, `…#token#0`.
    #[error("what follows the second # is not the number of a version (a # in a field's name is %23)")]
    Version,
    /// `vault:secret/app?version=2#token#3`.
    #[error("it names a version twice")]
    TwoVersions,
    /// `vault:secret/app?ttl#token`.
    #[error("what follows the ? is not KEY=VALUE, joined by &")]
    Parameter,
    /// `ref+vault://secret/app?address=…#/token`.
    #[error("its parameters are settings of vals, which come from VAULT_… variables here")]
    ValsParameter,
    /// `vault:secret/app#100%`.
    #[error("a % is not followed by two hexadecimal digits (a % itself is %25)")]
    Percent,
    /// A line break in the middle.
    #[error("it has a control character inside")]
    Control,
    /// `vault:hvs.CAESI…#token`.
    #[error("a token, a key or the like stands where its path or field belongs")]
    Secret,
    /// Longer than any path.
    #[error("it is longer than 4096 bytes")]
    TooLong,
}

/// What the whole value of a variable is.
///
/// # Errors
/// The text begins like a reference and is not valid. It is not passed on as it is, because a program would take it
/// for the secret.
pub fn parse(value: &str) -> Result<Value, Fault> {
    let value = value.trim();
    if let Some(rest) = value.strip_prefix(VALS) {
        return vals(rest).map(Value::Reference);
    }
    for (scheme, file) in SCHEMES {
        let Some(rest) = value.strip_prefix(scheme) else { continue };
        return match rest.strip_prefix(':') {
            Some(text) => Ok(Value::Escaped(format!("{scheme}{text}"))),
            None => reference(rest, *file).map(Value::Reference),
        };
    }
    let foreign = FOREIGN.iter().find(|start| value.starts_with(**start));
    Ok(foreign.map_or(Value::Plain, |start| Value::Foreign(start)))
}

/// `PATH[?KEY=VALUE…]#FIELD[#VERSION]`.
fn reference(text: &str, file: bool) -> Result<Reference, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::Control);
    }
    let (place, field) = text.split_once('#').ok_or(Fault::NoField)?;
    let (field, version) = match field.split_once('#') {
        Some((field, version)) => (field, Some(version)),
        None => (field, None),
    };
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let path = path.trim_start_matches('/');
    let path = decoded(path.strip_prefix("v1/").unwrap_or(path).trim_matches('/'))?;
    if path.is_empty() {
        return Err(Fault::NoPath);
    }
    // Vault answers a path that is not normal with a redirect.
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Fault::Path);
    }
    let mut parameters = Vec::new();
    for pair in query.split('&').filter(|_| !query.is_empty()) {
        let (name, value) =
            pair.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(Fault::Parameter)?;
        parameters.push((decoded(name)?, Secret::new(decoded(value)?)));
    }
    if let Some(version) = version {
        let number = version.parse::<u64>().ok().filter(|number| *number > 0).ok_or(Fault::Version)?;
        if parameters.iter().any(|(name, _)| name == "version") {
            return Err(Fault::TwoVersions);
        }
        parameters.push(("version".to_owned(), Secret::new(number.to_string())));
    }
    parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
    let field = decoded(field)?;
    if field.is_empty() {
        return Err(Fault::EmptyField);
    }
    // It would be sent to Vault, and shown.
    let holds = |text| input::seems(text).is_some_and(|seems| !matches!(seems, Seems::Uuid | Seems::Long));
    if holds(&path) || holds(&field) {
        return Err(Fault::Secret);
    }
    Ok(Reference { path, parameters, field, file })
}

/// `PATH#/FIELD`, as vals has it.
fn vals(text: &str) -> Result<Reference, Fault> {
    let (place, field) = text.split_once('#').ok_or(Fault::NoField)?;
    let reference = reference(&format!("{place}#{}", field.strip_prefix('/').unwrap_or(field)), false)?;
    if reference.parameters.iter().all(|(name, _)| name == "version") {
        Ok(reference)
    } else {
        Err(Fault::ValsParameter)
    }
}

/// The text with each `%XX` replaced by the byte that it stands for.
fn decoded(text: &str) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or(Fault::Percent)?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    let text = String::from_utf8(bytes).map_err(|_| Fault::Percent)?;
    if text.chars().any(char::is_control) { Err(Fault::Control) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(path: &str, parameters: &[(&str, &str)], field: &str, file: bool) -> Value {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value)));
        let (path, field) = (path.to_owned(), field.to_owned());
        Value::Reference(Reference { path, parameters: parameters.collect(), field, file })
    }

    #[test]
    fn references_are_read() {
        for (text, value) in [
            ("vault:web-db/creds/web#username", wanted("web-db/creds/web", &[], "username", false)),
            ("vault-file:secret/kube#config", wanted("secret/kube", &[], "config", true)),
            ("vault:/v1/secret/data/app/#api.key", wanted("secret/data/app", &[], "api.key", false)),
            ("vault:v1/secret/app#a\n", wanted("secret/app", &[], "a", false)),
            ("vault:secret/app#a#12", wanted("secret/app", &[("version", "12")], "a", false)),
            ("vault:secret/app?version=2#a", wanted("secret/app", &[("version", "2")], "a", false)),
            (
                "vault:aws/sts/web?ttl=15m&role_arn=arn%3Aaws#access_key",
                wanted("aws/sts/web", &[("role_arn", "arn:aws"), ("ttl", "15m")], "access_key", false),
            ),
            ("vault:secret/a%3Fb%23c#x%23y", wanted("secret/a?b#c", &[], "x#y", false)),
            ("ref+vault://secret/app#/token", wanted("secret/app", &[], "token", false)),
            ("vault://secret/app#token", wanted("secret/app", &[], "token", false)),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_a_fault() {
        for (text, fault) in [
            ("vault:secret/app", Fault::NoField),
            ("vault:8200", Fault::NoField),
            ("vault:", Fault::NoField),
            ("vault:#token", Fault::NoPath),
            ("vault:/v1/#token", Fault::NoPath),
            ("vault:secret//app#token", Fault::Path),
            ("vault:secret/../app#token", Fault::Path),
            ("vault:%2Fsecret#token", Fault::Path),
            ("vault:secret/app#", Fault::EmptyField),
            ("vault-file:secret/app##2", Fault::EmptyField),
            ("vault:secret/app#a#b", Fault::Version),
            ("vault:secret/app#a#0", Fault::Version),
            ("vault:secret/app#a#-1", Fault::Version),
            ("vault:secret/app#a#1#2", Fault::Version),
            ("vault:secret/app?version=2#a#3", Fault::TwoVersions),
            ("vault:secret/app?ttl#a", Fault::Parameter),
            ("vault:secret/app?=x#a", Fault::Parameter),
            ("vault:secret/app#100%", Fault::Percent),
            ("vault:secret/app#%zz", Fault::Percent),
            ("vault:secret/app#%ff", Fault::Percent),
            ("vault:secret/app#%0a", Fault::Control),
            ("vault:secret/app#%C2%85", Fault::Control),
            ("vault:secret/a\npp#a", Fault::Control),
            ("ref+vault://secret/app?address=https://x#/a", Fault::ValsParameter),
            ("ref+vault://secret/app", Fault::NoField),
            ("vault:hvs.CAESIJ1rq0kZkXbW3uQmhvs.CAESIJ1rq0kZkXbW3uQm#a", Fault::Secret),
            ("vault:secret/app#hvs.CAESIJ1rq0kZkXbW3uQmhvs.CAESIJ1rq0kZkXbW3uQm", Fault::Secret),
            (&format!("vault:secret/{}#a", "a".repeat(5000)), Fault::TooLong),
        ] {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_reference() {
        assert_eq!(parse("vault::8200"), Ok(Value::Escaped("vault:8200".to_owned())));
        assert_eq!(parse("vault-file::x"), Ok(Value::Escaped("vault-file:x".to_owned())));
        assert_eq!(parse("op://team/item/field"), Ok(Value::Foreign("op://")));
        assert_eq!(parse("ref+awssecrets://x"), Ok(Value::Foreign("ref+")));
        for text in
            ["", "postgres://vault:secret@db", "VAULT:x#y", "vaults:x#y", "https://vault:8200", "a vault:x#y"]
        {
            assert_eq!(parse(text), Ok(Value::Plain), "{text}");
        }
    }

    #[test]
    fn one_answer_for_one_path_and_version() {
        let get = |text| match parse(text) {
            Ok(Value::Reference(reference)) => reference,
            other => panic!("{text}: {other:?}"),
        };
        assert!(get("vault:a/b?x=1&y=2#c").is_same_answer(&get("vault:a/b?y=2&x=1#d")));
        assert!(!get("vault:a/b#c#1").is_same_answer(&get("vault:a/b#c#2")));
        assert!(!get("vault:a/b#c").is_same_answer(&get("vault:a/b#c#2")));
        assert!(get("vault:a/b#c#2").is_same_answer(&get("vault:a/b?version=2#c")));
    }
}
