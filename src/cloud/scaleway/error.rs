//! Why a call of Scaleway's API failed (scaleway-sdk-go: `scw/errors.go`). It must not show the key.

use serde::Deserialize;

use crate::error::{Code, Explain};
use crate::http;

/// A request to Scaleway's IAM API that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request failed on the network.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Scaleway refused the request.
    #[error("Scaleway refused {action}")]
    Refused {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        #[source]
        said: ServerErrors,
    },
    /// Scaleway failed to answer.
    #[error("{}", match .status { 429 => format!("Scaleway put off {action}"), _ => format!("Scaleway could not carry out {action}") })]
    Unable {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        #[source]
        said: ServerErrors,
    },
    /// A key may have been made, but the answer with its name did not arrive.
    #[error("the answer of {host} about a new API key was lost: {cause}")]
    Lost {
        /// Host and port.
        host: String,
        /// How.
        cause: String,
    },
    /// The answer is not Scaleway's.
    #[error("{host} did not answer as Scaleway does")]
    NotScaleway {
        /// Host and port.
        host: String,
    },
    /// A key that would live longer than it should.
    #[error("Scaleway made the API key {key} without the end that was asked for")]
    Endless {
        /// Its name.
        key: String,
    },
    /// A new key that Scaleway does not accept.
    #[error("the new API key {key} is not accepted after {}", crate::duration::show(*.after))]
    Unknown {
        /// Its name.
        key: String,
        /// How long it was tried.
        after: std::time::Duration,
    },
}

/// Scaleway's words.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct ServerErrors {
    /// `permissions_denied`, `quotas_exceeded`, …
    pub kind: String,
    words: String,
}

impl ServerErrors {
    /// Out of an answer's body; `sanitize` makes text fit to print.
    pub fn of(body: &[u8], sanitize: impl Fn(&str) -> String) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Detail {
            argument_name: String,
            help_message: String,
            reason: String,
            resource: String,
            action: String,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Body {
            message: String,
            r#type: String,
            details: Vec<Detail>,
        }
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        let mut words = vec![body.message];
        words.push(body.r#type.clone());
        for detail in body.details {
            let parts =
                [detail.argument_name, detail.action, detail.resource, detail.reason, detail.help_message];
            words.push(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "));
        }
        words.retain(|part| !part.is_empty());
        if words.is_empty() {
            words.push("it gave no reason".to_owned());
        }
        Self { kind: body.r#type, words: sanitize(&words.join(": ")) }
    }
}

impl Error {
    /// Whether a key may have been made.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            // Also where a signal ended the wait for its answer.
            Self::Http(error) => error.is_lost(),
            _ => false,
        }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Http(error) => error.code(),
            Self::Refused { .. } => Code::Refused,
            _ => Code::Unreachable,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Http(error) => return error.hints(),
            Self::Refused { said, .. } if said.kind == "quotas_exceeded" => {
                "an organization can have 100 API keys: delete expired ones, as the scheduled job in docs/clouds.md does"
            }
            Self::Refused { status: 401, .. } => {
                "the secret_key in Vault must be that of the parent: is it deleted or expired?"
            }
            Self::Refused { status: 403, .. } => {
                "the parent's IAM policy needs the permission set IAMApplicationManager (or IAMManager)"
            }
            Self::Refused { status: 404, .. } => {
                "is --application-id (CI_CREDS_SCALEWAY_APPLICATION_ID) an application of the parent's organization?"
            }
            Self::Refused { .. } => "check --application-id, --project-id and --ttl",
            Self::NotScaleway { .. } => "is SCW_API_URL right? A proxy may answer in its place",
            Self::Unable { .. } | Self::Lost { .. } | Self::Unknown { .. } | Self::Endless { .. } => {
                "retry the job"
            }
        };
        vec![hint.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_kept() {
        let body = br#"{"type":"invalid_arguments","message":"validation error","details":[
            {"argument_name":"expires_at","reason":"constraint","help_message":"must be in the future"}]}"#;
        let said = ServerErrors::of(body, str::to_owned);
        assert_eq!(
            said.to_string(),
            "validation error: invalid_arguments: expires_at constraint must be in the future"
        );
        assert_eq!(ServerErrors::of(b"<html>", str::to_owned).to_string(), "it gave no reason");
    }
}
