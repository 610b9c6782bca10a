//! The access token of a project, a group or a person, as it looks after itself (GitLab
//! `lib/api/personal_access_tokens/self_information.rb`, `self_rotation.rb`, from 16.10 on). A rotation ends the old
//! token at once. GitLab takes an ended token that rotates again for stolen, and ends the new one too: it is never
//! sent twice.
//!
//! The tokens of projects and groups are personal ones of a bot, and
//! `app/services/personal_access_tokens/rotate_service.rb` keeps the bot a member. GitLab also documents
//! `/projects/:id/access_tokens/self/rotate` for them (`doc/api/project_access_tokens.md`, "Self-rotate"), which
//! needs the project's number and takes no one else's token. Either takes the scope `api`, or `self_rotate` where the
//! version has it.

use reqwest::{Method, Url};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Error, Gitlab};
use crate::secret::Secret;
use crate::text::Text;

/// An access token, as GitLab tells of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AccessToken {
    /// Its number.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: Text,
    /// The day on which it ends.
    pub expires_at: Option<Text>,
    /// The token itself: only where it was just made.
    pub token: Option<Secret>,
}

impl AccessToken {
    /// For messages.
    pub(crate) fn named(&self) -> String {
        let end =
            self.expires_at.as_ref().map_or_else(|| "no expiry".to_owned(), |end| format!("until {end}"));
        format!("{} (number {}, {end})", self.name, self.id)
    }
}

impl Gitlab {
    /// The same instance, asked by another token.
    pub(crate) fn by(&self, token: Secret) -> Self {
        Self { client: self.client.without_cancellation(), base: self.base.clone(), token }
    }

    /// `GET /personal_access_tokens/self`, for tokens of projects and groups as well.
    pub(crate) async fn myself(&self) -> Result<AccessToken, Error> {
        let answer = self.send(Method::GET, self.of_token(&[]), None).await?;
        self.understand("the look at the access token".to_owned(), &answer, &[])
    }

    /// `POST /personal_access_tokens/self/rotate`: a new token that ends on this day; the old one has ended.
    pub(crate) async fn rotate_myself(&self, expires_at: &str) -> Result<AccessToken, Error> {
        let body = Zeroizing::new(serde_json::json!({ "expires_at": expires_at }).to_string().into_bytes());
        let answer = self.send(Method::POST, self.of_token(&["rotate"]), Some(body)).await?;
        self.understand("the rotation of the access token".to_owned(), &answer, &[])
    }

    fn of_token(&self, more: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["personal_access_tokens", "self"]).extend(more);
        }
        url
    }
}
