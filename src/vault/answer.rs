//! Vault's answers: the envelope, what a status means for a retry, and its error texts, made fit to print.

use serde::Deserialize;

use super::Data;
use crate::http::{self, Answer, Call, Verdict, tidy};
use crate::secret::Secret;

/// What every answer is wrapped in (Vault's `sdk/logical/response_util.go`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Envelope {
    /// Empty where there is no lease.
    pub lease_id: Option<String>,
    /// Whether the lease can be extended.
    #[serde(deserialize_with = "or_default")]
    pub renewable: bool,
    /// In seconds.
    #[serde(deserialize_with = "or_default")]
    pub lease_duration: u64,
    /// What was read.
    pub data: Option<Data>,
    /// The answer of a login.
    pub auth: Option<Auth>,
    /// Remarks, such as a TTL that was capped.
    pub warnings: Option<Vec<String>>,
    /// What went wrong; also empty.
    pub errors: Option<Vec<String>>,
}

/// A token, just issued or renewed.
#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    /// The token.
    pub client_token: Secret,
    /// Its public handle.
    #[serde(default)]
    pub accessor: String,
    /// `service` or `batch`.
    #[serde(default)]
    pub token_type: String,
    /// In seconds; 0 for a token that never ends.
    #[serde(default)]
    pub lease_duration: u64,
    /// Whether it can be extended.
    #[serde(default)]
    pub renewable: bool,
    /// How many requests it is good for; 0 for any number.
    #[serde(default, deserialize_with = "or_default")]
    pub num_uses: u64,
}

fn or_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// OpenBao, while a cluster has no leader: the request was not carried out.
const NO_LEADER: &str = "local node not active but active cluster node not found";

/// Whether an answer is one, and whether the request can be repeated (wire.md: status codes).
pub(super) fn judge(call: &Call, answer: &Answer) -> Verdict {
    let own = errors_of(&answer.body);
    match (answer.status, own) {
        (412 | 429, _) => Verdict::Again,
        (502 | 503, Some(_)) => Verdict::Again,
        (500, Some(errors)) if errors.iter().any(|error| error.contains(NO_LEADER)) => Verdict::Again,
        (500..=599, Some(_)) => Verdict::Final,
        (500..=599, None) if call.creates => Verdict::Lost,
        (502..=504, None) => Verdict::Again,
        _ => Verdict::Final,
    }
}

/// Vault's list of errors; `None` if somebody else answered.
pub(super) fn errors_of(body: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    serde_json::from_slice::<Errors>(body).ok().map(|answer| answer.errors)
}

/// Error texts for people: without control characters, known secrets and go-multierror's bullets. All of them
/// together are hardly longer than the longest single one may be.
pub(super) fn readable(texts: &[String], known: &[Secret]) -> Vec<String> {
    let lines = texts.iter().flat_map(|text| text.lines());
    let lines = lines.map(|line| line.trim().trim_start_matches("* ").trim());
    let mut room = http::LONGEST_TEXT;
    let mut readable: Vec<String> = Vec::new();
    for line in lines.filter(|line| !line.is_empty() && !is_counter(line)) {
        let line = tidy(line, known);
        if room == 0 {
            readable.push("…".to_owned());
            break;
        }
        room = room.saturating_sub(line.chars().count());
        readable.push(line);
    }
    readable.dedup();
    readable
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
    fn null_is_nothing() {
        let envelope: Envelope =
            serde_json::from_str(r#"{"lease_id":null,"renewable":null,"lease_duration":null,"data":null}"#)
                .unwrap();
        assert!(envelope.data.is_none() && envelope.lease_duration == 0);
    }
}
