//! GitLab's API for CI/CD variables of projects and groups (GitLab `lib/api/ci/variables.rb`,
//! `lib/api/group_variables.rb`). It must not decide what a variable is set to.

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Url};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::{self, Answer, Call, Client, Judgement};
use crate::secret::Secret;
use crate::vault::readable;

mod access;
mod error;

pub(crate) use access::AccessToken;
pub use error::Error;

/// A GitLab instance, with an access token.
pub(crate) struct Gitlab {
    client: Client,
    /// With the path prefix of the instance, and `/api/v4`.
    base: Url,
    token: Secret,
}

/// The owner of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A project: its number or path.
    Project(String),
    /// A group: its number or path.
    Group(String),
}

/// Which variable is meant.
#[derive(Debug, Clone)]
pub(crate) struct VariableRef {
    /// The project or group.
    pub owner: Owner,
    /// The variable's name.
    pub key: String,
    /// Its environment scope, where several variables have this name.
    pub scope: Option<String>,
}

impl std::fmt::Display for VariableRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.owner {
            Owner::Project(id) => write!(f, "{} of project {id}", self.key)?,
            Owner::Group(id) => write!(f, "{} of group {id}", self.key)?,
        }
        self.scope.as_ref().map_or(Ok(()), |scope| write!(f, " (scope {scope})"))
    }
}

/// A variable as GitLab tells it (`lib/api/entities/ci/variable.rb`). Older versions know fewer attributes.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Variable {
    /// Absent when the variable is hidden.
    pub value: Option<Secret>,
    /// `env_var` or `file`.
    pub variable_type: Option<String>,
    /// Only for protected refs.
    pub protected: Option<bool>,
    /// Masked in logs; then only some characters are allowed.
    pub masked: Option<bool>,
    /// Masked, and never shown again.
    #[serde(default)]
    pub hidden: bool,
    /// Whether `$` is not expanded.
    pub raw: Option<bool>,
    /// `*` or an environment.
    pub environment_scope: Option<String>,
}

impl Variable {
    /// Whether it is known to hold `value`.
    pub(crate) fn holds(&self, value: &Secret) -> bool {
        self.value.as_ref().is_some_and(|held| held.reveal() == value.reveal())
    }
}

impl Gitlab {
    /// Nothing is sent yet.
    pub(crate) fn new(client: Client, base: Url, token: Secret) -> Self {
        Self { client, base, token }
    }

    /// The same instance, for work that a signal must not interrupt.
    pub(crate) fn without_cancellation(&self) -> Self {
        Self {
            client: self.client.without_cancellation(),
            base: self.base.clone(),
            token: self.token.clone(),
        }
    }

    /// `GET …/variables/:key`.
    pub(crate) async fn variable(&self, place: &VariableRef) -> Result<Variable, Error> {
        let answer = self.send(Method::GET, self.url(place, place.scope.as_deref()), None).await?;
        self.understand(format!("the read of {place}"), &answer, &[])
    }

    /// `PUT …/variables/:key`: another value, everything else as it is in `current`.
    pub(crate) async fn set(
        &self,
        place: &VariableRef,
        current: &Variable,
        value: &Secret,
    ) -> Result<Variable, Error> {
        // Without a filter, GitLab changes any one of a group's variables of this name.
        let scope = current.environment_scope.as_deref().or(place.scope.as_deref());
        let body = body(current, value);
        let answer = self.send(Method::PUT, self.url(place, scope), Some(body)).await?;
        self.understand(format!("the change of {place}"), &answer, std::slice::from_ref(value))
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Answer, http::Error> {
        tracing::debug!("{method} {}", url.path());
        let mut headers = HeaderMap::new();
        let token = http::secret_header(&self.token, "the access token of GitLab")?;
        headers.insert(HeaderName::from_static("private-token"), token);
        let creates = body.is_some();
        self.client.send(&Call { body, creates, ..Call::new(method, url, headers) }, judge).await
    }

    fn understand<T: serde::de::DeserializeOwned>(
        &self,
        action: String,
        answer: &Answer,
        known: &[Secret],
    ) -> Result<T, Error> {
        let host = || http::host(&self.base);
        let status = answer.status;
        if matches!(status, 200..=299) {
            return serde_json::from_slice(&answer.body).map_err(|_| Error::NotGitlab {
                action,
                host: host(),
                status,
            });
        }
        let Some(texts) = messages(&answer.body) else {
            return Err(match status {
                401 | 403 => Error::Refused { action, status, said: format!("status {status}") },
                // GitLab's rate limit may answer in plain text.
                429 | 500.. => Error::Unable { action, status, said: format!("status {status}") },
                _ => Error::NotGitlab { action, host: host(), status },
            });
        };
        let mut known = known.to_vec();
        known.push(self.token.clone());
        let said = readable(&texts, &known).join("; ");
        Err(match status {
            429 | 500.. => Error::Unable { action, status, said },
            _ => Error::Refused { action, status, said },
        })
    }

    fn url(&self, place: &VariableRef, scope: Option<&str>) -> Url {
        let mut url = self.base.clone();
        let (kind, id) = match &place.owner {
            Owner::Project(id) => ("projects", id),
            Owner::Group(id) => ("groups", id),
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend([kind, id, "variables", &place.key]);
        }
        if let Some(scope) = scope {
            url.query_pairs_mut().append_pair("filter[environment_scope]", scope);
        }
        url
    }
}

/// A change may be repeated without harm, but whether it happened decides what goes next: 5xx goes to the caller.
fn judge(call: &Call, answer: &Answer) -> Judgement {
    match answer.status {
        429 => Judgement::Again,
        502..=504 if !call.creates => Judgement::Again,
        _ => Judgement::Final,
    }
}

/// `{"message": "404 Variable Not Found"}`, `{"message": {"value": ["is invalid"]}}`, `{"error": "…"}`.
fn messages(body: &[u8]) -> Option<Vec<String>> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let texts = ["message", "error", "error_description"].into_iter().filter_map(|name| {
        let text = answer.get(name)?;
        Some(text.as_str().map_or_else(|| text.to_string(), str::to_owned))
    });
    Some(texts.collect::<Vec<_>>()).filter(|texts| !texts.is_empty())
}

fn body(current: &Variable, value: &Secret) -> Zeroizing<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Change<'a> {
        value: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        variable_type: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        protected: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        masked: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw: Option<bool>,
    }
    let change = Change {
        value: value.reveal(),
        variable_type: current.variable_type.as_deref(),
        protected: current.protected,
        masked: current.masked,
        raw: current.raw,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    // Strings and booleans into memory: this can't fail.
    let _ = serde_json::to_writer(&mut *bytes, &change);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_gitlab() {
        let read = |text: &str| messages(text.as_bytes()).map(|texts| texts.join("|"));
        assert_eq!(
            read(r#"{"message":"404 Variable Not Found"}"#).as_deref(),
            Some("404 Variable Not Found")
        );
        assert_eq!(
            read(r#"{"message":{"value":["is invalid"]}}"#).as_deref(),
            Some(r#"{"value":["is invalid"]}"#)
        );
        assert_eq!(
            read(r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges"}"#)
                .as_deref(),
            Some("insufficient_scope|The request requires higher privileges")
        );
        assert_eq!(read("<html>"), None);
        assert_eq!(read("{}"), None);
    }
}
