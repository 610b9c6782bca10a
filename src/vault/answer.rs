//! Vault's answers: the envelope, what a status means for a retry, and its error texts, made safe to print. It must not
//! decide what a command does next.

use std::time::Duration;

use serde::Deserialize;

use super::Data;
use crate::http::{Answer, Call, Judgement};
use crate::secret::Secret;
use crate::text::{Text, is_visible, sanitize};

/// What every answer is wrapped in (Vault's `sdk/logical/response_util.go`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Envelope {
    /// Empty where there is no lease.
    #[serde(deserialize_with = "printable")]
    pub lease_id: Option<String>,
    /// Whether the lease can be extended.
    #[serde(deserialize_with = "or_default")]
    pub renewable: bool,
    /// In seconds. KV version 1 puts the secret's own `ttl` here, whatever it is.
    #[serde(deserialize_with = "seconds")]
    pub lease_duration: u64,
    /// What was read.
    pub data: Option<Data>,
    /// The answer of a login.
    pub auth: Option<Auth>,
    /// The wrapped answer, where wrapping was asked for; nothing else is set then.
    pub wrap_info: Option<Wrapped>,
    /// Remarks, such as a TTL that was capped.
    pub warnings: Option<Vec<String>>,
    /// What went wrong; also empty.
    pub errors: Option<Vec<String>>,
    /// For an answer out of a cache, which others get as well: how long it lay there.
    #[serde(skip)]
    pub cached: Option<Duration>,
}

/// An answer that is kept inside a token.
#[derive(Debug, Deserialize)]
pub struct Wrapped {
    /// The wrapping token.
    pub token: Secret,
}

/// A token, just issued or renewed.
#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    /// The token.
    pub client_token: Secret,
    /// Its public handle.
    #[serde(default)]
    pub accessor: Text,
    /// `service` or `batch`.
    #[serde(default)]
    pub token_type: Text,
    /// In seconds; 0 for a token that never ends.
    #[serde(default, deserialize_with = "seconds")]
    pub lease_duration: u64,
    /// Whether it can be extended.
    #[serde(default, deserialize_with = "or_default")]
    pub renewable: bool,
    /// How many requests it is good for; 0 for any number.
    #[serde(default, deserialize_with = "or_default")]
    pub num_uses: u64,
    /// Set instead of a token while Vault waits for a second factor (vault: `sdk/logical/auth.go`).
    #[serde(default)]
    pub mfa_requirement: Option<serde::de::IgnoredAny>,
    /// Whether it came out of a cache, so that others have it too: how long it lay there.
    #[serde(skip)]
    pub cached: Option<Duration>,
}

/// A name for messages and requests, as Vault wrote it.
fn printable<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    if text.as_ref().is_none_or(|text| text.chars().all(is_visible)) {
        Ok(text)
    } else {
        Err(serde::de::Error::custom("a character that no line has"))
    }
}

/// Whole seconds. Less than 0 is what KV version 1 makes of a secret's own `ttl`: it is no life.
fn seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let raw = Option::<&serde_json::value::RawValue>::deserialize(from)?.map_or("0", |raw| raw.get());
    let seconds = raw.strip_prefix('-').unwrap_or(raw).parse::<u64>();
    let seconds = seconds.map_err(|_| serde::de::Error::custom("not a number of seconds"))?;
    Ok(if raw.starts_with('-') { 0 } else { seconds })
}

fn or_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// Texts of a cluster that changes its leader, by which a server says that it did not carry the request out
/// (openbao 2.7.2, a raft cluster while its leader dies).
const NOT_RUN: &[&str] = &["local node not active but active cluster node not found"];

/// What Vault Enterprise says to a request that asks to be forwarded, unless its configuration allows that
/// (`allow_forwarding_via_header`; vault: `http/handler.go`, forwardBasedOnHeaders). The request did not run.
const UNFORWARDED: &[&str] = &["forwarding via header X-Vault-Inconsistent"];

/// Texts of a node that lost the lead while it was at it, or that passed the request on to one that did: it may have
/// run (openbao `http/handler.go`, `vault/request_handling.go`).
const INTERRUPTED: &[&str] = &[
    "no active Vault instance found",
    "no active OpenBao instance found",
    "node is not the leader",
    "leadership lost",
    "leadership transfer",
    "raft is already shutdown",
    "context canceled",
    "Vault is shutting down",
];

/// Whether an answer is one, and whether the request can be repeated (vault: `sdk/logical/response_util.go`; its API
/// documentation: HTTP status codes).
pub fn judge(call: &Call, answer: &Answer) -> Judgement {
    let own = errors_of(&answer.body);
    // The whole text of a node whose core was interrupted, as by a change of the leader; engines name their faults.
    let internal = own.iter().flatten().any(|error| is_internal(error));
    let says =
        |texts: &[&str]| own.iter().flatten().any(|error| texts.iter().any(|text| error.contains(text)));
    match (answer.status, &own) {
        (400, _) if says(UNFORWARDED) => Judgement::Unforwarded,
        (status, _) if is_behind(status, own.as_deref()) => Judgement::Soon,
        (412 | 429, _) => Judgement::Again,
        // Measured: the node may have passed it on to a leader that died after it had used the secret_id up.
        (500..=599, _) if says(NOT_RUN) && call.spends => Judgement::Lost("the cluster has no leader"),
        (500..=599, _) if says(NOT_RUN) => Judgement::Again,
        (500..=599, _) if internal || says(INTERRUPTED) => {
            if call.creates {
                Judgement::Lost("the node stopped working on it")
            } else {
                Judgement::Again
            }
        }
        (502 | 503, Some(_)) => Judgement::Again,
        (500..=599, Some(_)) => Judgement::Final,
        (500..=599, None) if call.creates => Judgement::Foreign,
        (502..=504, None) => Judgement::Again,
        (200..=299, _) if call.creates && is_cut(&answer.body) => Judgement::Lost("it was cut off"),
        _ => Judgement::Final,
    }
}

/// Whether a standby has not caught up with what this client has seen (vault: 412; openbao `internal/http/index.go`:
/// 429 with no error in its list, where a rate limit has a text).
pub(super) fn is_behind(status: u16, errors: Option<&[String]>) -> bool {
    status == 412 || (status == 429 && errors.is_some_and(<[String]>::is_empty))
}

fn is_internal(error: &str) -> bool {
    let text = error.trim().trim_start_matches("1 error occurred:").trim().trim_start_matches("* ");
    text == "internal error"
}

/// Whether a body began as Vault's do, and ended too early: without a length the network does not notice.
fn is_cut(body: &[u8]) -> bool {
    let ends_early = |body: &[u8]| {
        serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|error| error.is_eof())
    };
    // serde_json calls `-`, `1.` and `1e` at the end of a body wrong numbers, and not early ends.
    let with_a_digit = || zeroize::Zeroizing::new([body, b"0"].concat());
    body.first() == Some(&b'{') && (ends_early(body) || ends_early(&with_a_digit()))
}

/// Vault's list of errors; `None` if the answer is not Vault's.
pub(super) fn errors_of(body: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    object::<Errors>(body).map(|answer| answer.errors)
}

/// What a body says, if it is a JSON object of this form: serde would also take a list for a struct.
pub(super) fn object<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    let body = Some(body).filter(|body| body.trim_ascii_start().starts_with(b"{"));
    serde_json::from_slice(body?).ok()
}

/// Whether a policy caused these errors. A token that has ended is refused without the counter, and by Vault with
/// one more error (vault and openbao: `vault/request_handling.go`).
pub(super) fn is_by_policy(errors: &[String]) -> bool {
    errors.iter().any(|error| error.starts_with("1 error occurred:") && error.contains("permission denied"))
}

/// The most lines of a server that are shown, so that it can't fill the job's log.
const LINES: usize = 20;

/// Error texts for people: one line each, without control characters, known secrets and go-multierror's bullets.
pub fn readable(texts: &[String], known: &[Secret]) -> Vec<String> {
    let mut lines = Vec::new();
    for text in texts {
        // Secrets first: what is taken off here may be the beginning of one.
        let parts = text.lines().map(|line| sanitize(line, known));
        let parts = parts.map(|line| line.trim().trim_start_matches("* ").trim().to_owned());
        lines.extend(parts.filter(|part| !part.is_empty() && !is_counter(part)));
    }
    lines.dedup();
    if let Some(more) = lines.len().checked_sub(LINES).filter(|more| *more > 0) {
        lines.truncate(LINES);
        lines.push(format!("… and {more} more"));
    }
    lines
}

fn is_counter(part: &str) -> bool {
    part.ends_with("errors occurred:") || part.ends_with("error occurred:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_fit_to_print() {
        let known = [Secret::from("s.CANARY")];
        let texts = ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n".to_owned()];
        assert_eq!(readable(&texts, &known), ["permission denied", "invalid token"]);
        let texts = ["\u{1b}[31mtoken s.CANARY\u{7} is bad".to_owned()];
        assert_eq!(readable(&texts, &known), ["[31mtoken [secret] is bad"]);
        let long = readable(&["é".repeat(1000)], &known);
        assert_eq!(long[0].chars().count(), 301);
    }

    #[test]
    fn a_server_that_talks_does_not_fill_the_log() {
        let texts: Vec<_> = (0..1000).map(|number| format!("no {number}")).collect();
        let lines = readable(&texts, &[]);
        assert_eq!((lines.len(), lines[LINES].as_str()), (LINES + 1, "… and 980 more"));
    }

    #[test]
    fn names_are_printable() {
        let lease = |id: &str| serde_json::from_value::<Envelope>(serde_json::json!({"lease_id": id}));
        assert!(
            lease("aws/creds/ci/abc").is_ok()
                && lease("aws\r\nerror: no").is_err()
                && lease("aws\u{202e}").is_err()
        );
    }

    #[test]
    fn only_a_cut_body_is_cut() {
        for cut in [&br#"{"data":{"api_key":"EXO"#[..], b"{", br#"{"a":-"#, br#"{"a":1."#, br#"{"a":[2e"#] {
            assert!(is_cut(cut));
        }
        for whole in [&b"{}"[..], b"", b"<html>", br#"{"a":1} x"#, b"null", b"{\xff}"] {
            assert!(!is_cut(whole));
        }
    }

    #[test]
    fn a_list_is_somebody_elses() {
        assert_eq!(errors_of(br#" {"errors":["no"]}"#), Some(vec!["no".to_owned()]));
        assert_eq!(errors_of(br#"[["no"]]"#), None);
    }

    #[test]
    fn null_is_nothing() {
        let envelope: Envelope =
            serde_json::from_str(r#"{"lease_id":null,"renewable":null,"lease_duration":null,"data":null}"#)
                .unwrap();
        assert!(envelope.data.is_none() && envelope.lease_duration == 0);
    }
}
