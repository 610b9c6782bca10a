//! The one way to send a request to Vault, and what its answer means. It must not show a secret: each is masked in what
//! the server says.

use reqwest::Url;

use super::ask::{headers, json};
use super::{Ask, Body, Envelope, Error, ServerErrors, Value, Vault, answer};
use crate::http::Call;

impl Vault {
    /// Sends the request: the only way to Vault.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Envelope, Error> {
        self.remember(&ask);
        tracing::debug!("{} {}", ask.method, ask.path);
        let answer = self.client.send(&self.call(&ask)?, answer::judge).await?;
        self.note_time(&answer);
        let envelope = self.understood(&ask.action, answer.status, &answer.body);
        let mut envelope = envelope.map_err(|error| lost(error, &ask, answer.status, &answer.body))?;
        envelope.cached = answer.cached;
        let warnings = envelope.warnings.as_deref().unwrap_or_default();
        for warning in answer::readable(warnings, &self.known.borrow()) {
            // A renewal's caller judges what was granted.
            if ask.creates {
                tracing::warn!("Vault says of {}: {warning}", ask.path)
            } else {
                tracing::debug!("Vault says of {}: {warning}", ask.path)
            }
        }
        Ok(envelope)
    }

    /// What is sent.
    pub(super) fn call(&self, ask: &Ask<'_>) -> Result<Call, Error> {
        Ok(Call {
            url: self.url(ask),
            headers: headers(ask)?,
            body: ask.body.as_ref().map(json),
            method: ask.method.clone(),
            creates: ask.creates,
            leases: ask.leases,
            spends: ask.spends,
        })
    }

    /// What an answer means: Vault's own errors decide where there are some, whatever the status.
    fn understood(&self, action: &str, status: u16, body: &[u8]) -> Result<Envelope, Error> {
        if status == 204 {
            return Ok(Envelope::default());
        }
        let Some(envelope) = answer::object::<Envelope>(body) else {
            return Err(self.no_answer(action, status, body));
        };
        let known = self.known.borrow();
        let texts = |all: &Option<Vec<_>>| answer::readable(all.as_deref().unwrap_or_default(), &known);
        let (errors, warnings) = (texts(&envelope.errors), texts(&envelope.warnings));
        let unable = |said| Error::Unable { action: action.to_owned(), status, said: ServerErrors(said) };
        match status {
            200..=299 if errors.is_empty() => Ok(envelope),
            _ if answer::is_behind(status, envelope.errors.as_deref()) => {
                Err(Error::Behind { action: action.to_owned() })
            }
            200..=299 | 400..=499 if envelope.errors.is_some() || envelope.warnings.is_some() => {
                let mut said = [errors, warnings].concat();
                if said.is_empty() {
                    said.push(format!("status {status}"));
                }
                Err(match status {
                    429 => unable(said),
                    _ => {
                        let by_policy = answer::is_by_policy(envelope.errors.as_deref().unwrap_or_default());
                        Error::Refused {
                            action: action.to_owned(),
                            status,
                            by_policy,
                            said: ServerErrors(said),
                        }
                    }
                })
            }
            404 if is_deleted(&envelope) => Err(Error::Refused {
                action: action.to_owned(),
                status,
                by_policy: false,
                said: ServerErrors(vec!["this version of the secret is deleted or destroyed".to_owned()]),
            }),
            500.. if envelope.errors.is_some() => Err(unable(errors)),
            _ => Err(self.no_answer(action, status, body)),
        }
    }

    pub(super) fn not_vault(&self, action: &str, what: &str) -> Error {
        Error::NotVault {
            action: action.to_owned(),
            host: self.client.peer(&self.base),
            lost: false,
            forbidden: false,
            said: ServerErrors(vec![what.to_owned()]),
        }
    }

    /// An answer that is not Vault's.
    pub(super) fn no_answer(&self, action: &str, status: u16, body: &[u8]) -> Error {
        match self.not_vault(action, &instead(status, body)) {
            Error::NotVault { action, host, lost, said, .. } => {
                Error::NotVault { action, host, lost, forbidden: status == 403, said }
            }
            error => error,
        }
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(ask.path.split('/'));
        }
        if !ask.query.is_empty() {
            let pairs = ask.query.iter().map(|(name, value)| (name, value.reveal()));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }

    fn remember(&self, ask: &Ask<'_>) {
        ask.token.iter().for_each(|secret| self.hide(secret));
        ask.body.iter().for_each(|body| self.remember_all(body));
    }

    fn remember_all(&self, body: &Body) {
        for (_, value) in &body.0 {
            match value {
                Value::Secret(secret) => self.hide(secret),
                Value::Plain(_) => {}
                Value::Nested(inside) => self.remember_all(inside),
            }
        }
    }
}

/// Marks a successful answer that can't be parsed as lost, where something may have been made: a broken number, a key
/// that stands twice, bytes that are not UTF-8, a truncated body. An HTML page is not Vault's, and loses nothing.
fn lost(error: Error, ask: &Ask<'_>, status: u16, body: &[u8]) -> Error {
    let for_people = body.trim_ascii_start().starts_with(b"<");
    match error {
        Error::NotVault { action, host, said, forbidden, .. } => {
            let lost = ask.creates && matches!(status, 200..=299) && !for_people;
            Error::NotVault { action, host, said, forbidden, lost }
        }
        error => error,
    }
}

/// KV version 2 answers for a deleted version with its metadata and without errors.
fn is_deleted(answer: &Envelope) -> bool {
    answer.data.as_ref().is_some_and(|data| data.field("metadata.version").is_some())
}

/// What came instead of an answer of Vault's; never the body itself.
fn instead(status: u16, body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    let kind = match start.first() {
        None => "nothing",
        Some(b'<') => "an HTML page",
        Some(b'{' | b'[') => "JSON of another kind",
        Some(_) => "something that is not JSON",
    };
    format!("status {status} with {kind}")
}
