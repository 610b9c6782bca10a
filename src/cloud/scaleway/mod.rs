//! Scaleway's IAM API, as far as a job's own key needs it: make a key, wait until all of Scaleway knows it, find it
//! again, delete it (scaleway-sdk-go: `api/iam/v1alpha1/iam_sdk.go`, `scw/errors.go`). It must not decide when.

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::http::{self, Answer, Call, Client, Endpoint, Judgement};
use crate::secret::Secret;
use crate::text::sanitize;

mod error;

pub use error::{Error, ServerErrors};

/// The API, with the key that may manage other keys.
pub(crate) struct Api {
    client: Client,
    url: Url,
    parent: Secret,
}

/// A key that is to be made.
#[derive(Debug, Serialize)]
pub(crate) struct Order<'a> {
    /// The application that it belongs to.
    pub application_id: &'a str,
    /// At most 200 characters; by it the key can be found again.
    pub description: &'a str,
    /// When Scaleway ends it, in RFC 3339.
    pub expires_at: String,
    /// The project that Object Storage uses it for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_project_id: Option<&'a str>,
}

/// A key that was made.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Key {
    /// Its name, which is no secret.
    pub access_key: String,
    /// The secret, which Scaleway tells only once.
    pub secret_key: Secret,
    expires_at: Option<String>,
}

impl Key {
    /// The end. Without one the key would never end.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.expires_at.as_ref()?.parse().ok()
    }
}

impl Api {
    /// Nothing is sent yet. `near` is any client: the same signals end the new one's requests.
    pub(crate) async fn new(near: &Client, endpoint: &Endpoint, parent: Secret) -> Result<Self, http::Error> {
        let client = near.sibling(endpoint.settings.clone()).await?;
        Ok(Self { client, url: endpoint.url.clone(), parent })
    }

    /// The same, for deleting keys: a signal does not end its requests.
    pub(crate) fn without_cancellation(&self) -> Self {
        Self {
            client: self.client.without_cancellation(),
            url: self.url.clone(),
            parent: self.parent.clone(),
        }
    }

    /// Makes a key. After [`Error::Lost`] there may be one: look for it by its description.
    pub(crate) async fn create(&self, order: &Order<'_>) -> Result<Key, Error> {
        let action = "to create an API key";
        // Strings and a time into memory: this can't fail.
        let body = Zeroizing::new(serde_json::to_vec(order).unwrap_or_default());
        let call = Call { body: Some(body), ..self.call(Method::POST, &[], &self.parent)? };
        let call = Call { creates: true, ..call };
        let lost = |cause: String| Error::Lost { host: http::host(&self.url), cause };
        let answer = match self.client.send(&call, judge).await {
            Ok(answer) if answer.status >= 500 => return Err(lost(format!("status {}", answer.status))),
            Ok(answer) => self.accepted(action, answer)?,
            Err(http::Error::Lost { cause, .. }) => return Err(lost(cause)),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&answer.body).map_err(|_| lost("it is not a key".to_owned()))
    }

    /// Deletes a key; success where it does not exist.
    pub(crate) async fn delete(&self, access_key: &str) -> Result<(), Error> {
        let answer =
            self.client.send(&self.call(Method::DELETE, &[access_key], &self.parent)?, judge).await?;
        match answer.status {
            404 => Ok(()),
            _ => self.accepted(&format!("to delete the API key {access_key}"), answer).map(drop),
        }
    }

    /// The keys of this application with exactly this description.
    pub(crate) async fn find(&self, application_id: &str, description: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct ListedKey {
            access_key: String,
            #[serde(default)]
            description: String,
            #[serde(default)]
            application_id: Option<String>,
        }
        #[derive(Deserialize)]
        struct List {
            api_keys: Vec<ListedKey>,
        }
        let mut call = self.call(Method::GET, &[], &self.parent)?;
        call.url.query_pairs_mut().extend_pairs([
            ("bearer_id", application_id),
            ("description", description),
            ("order_by", "created_at_desc"),
            ("page_size", "100"),
        ]);
        let answer = self.client.send(&call, judge).await?;
        let answer = self.accepted("to list API keys", answer)?;
        let list: List = serde_json::from_slice(&answer.body)
            .map_err(|_| Error::NotScaleway { host: http::host(&self.url) })?;
        // The filter of the server is looser than equality; another job's key must never be meant.
        let same = |key: &ListedKey| {
            key.description == description && key.application_id.as_deref() == Some(application_id)
        };
        Ok(list.api_keys.into_iter().filter(same).map(|key| key.access_key).collect())
    }

    /// Whether Scaleway knows the key already: what it is not allowed to do does not matter.
    pub(crate) async fn knows(&self, key: &Key) -> Result<bool, Error> {
        let call = self.call(Method::GET, &[&key.access_key], &key.secret_key)?;
        let answer = self.client.send(&call, judge).await?;
        match answer.status {
            401 => Ok(false),
            500.. | 429 => self.accepted("to look at the new API key", answer).map(|_| true),
            _ => Ok(true),
        }
    }

    fn call(&self, method: Method, below: &[&str], token: &Secret) -> Result<Call, http::Error> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["iam", "v1alpha1", "api-keys"]).extend(below);
        }
        let mut headers = HeaderMap::new();
        let token = http::secret_header(token, "Scaleway's secret key, as Vault gave it,")?;
        headers.insert(HeaderName::from_static("x-auth-token"), token);
        Ok(Call::new(method, url, headers))
    }

    fn accepted(&self, action: &str, answer: Answer) -> Result<Answer, Error> {
        match answer.status {
            200..=299 => Ok(answer),
            status => {
                let said =
                    ServerErrors::of(&answer.body, |text| sanitize(text, std::slice::from_ref(&self.parent)));
                let action = action.to_owned();
                Err(match status {
                    429 | 500.. => Error::Unable { action, status, said },
                    400..=499 => Error::Refused { action, status, said },
                    _ => Error::NotScaleway { host: http::host(&self.url) },
                })
            }
        }
    }
}

/// Whether the request can be sent again. After a 5xx, a key may have been made: the caller deals with that.
fn judge(call: &Call, answer: &Answer) -> Judgement {
    match answer.status {
        429 => Judgement::Again,
        500.. if !call.creates => Judgement::Again,
        _ => Judgement::Final,
    }
}
