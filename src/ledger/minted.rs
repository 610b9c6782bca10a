//! Keys that were made at Scaleway: each is deleted with its parent, which is read again where it is not at hand.

use super::Left;
use crate::cloud::scaleway::{self, Api};
use crate::credentials::Minted;
use crate::error::{Explain as _, chain};
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// Deletes one. `token` reads the parent; `at_cloud` tells all the time whether Scaleway is asked, or Vault.
pub(super) async fn delete(
    vault: &Vault,
    minted: &Minted,
    token: Option<&Secret>,
    at_cloud: &mut bool,
) -> Left {
    *at_cloud = false;
    // Scaleway has ended it, or will before anybody could.
    if minted.ends <= vault::now() {
        return Left::Nothing;
    }
    let (key, ends) = (&minted.key, minted.ends);
    let parent = match (&minted.parent, token) {
        (Some(parent), _) => parent.clone(),
        (None, None) => {
            tracing::warn!("the API key {key} was made with a token that is not here; it ends at {ends}");
            return Left::NoToken;
        }
        (None, Some(token)) => match read(vault, minted, token).await {
            Ok(parent) => parent,
            Err((left, reason)) => {
                tracing::warn!("the parent of the API key {key} can't be read ({reason}); it ends at {ends}");
                return left;
            }
        },
    };
    *at_cloud = true;
    let deleted = async {
        let api = Api::new(vault.client(), &minted.place, parent).map_err(scaleway::Error::from)?;
        api.delete(key).await
    };
    match deleted.await {
        Ok(()) => {
            tracing::debug!("deleted the API key {key}");
            Left::Nothing
        }
        Err(error) => {
            stays(minted, &chain(&error));
            match error.code() {
                crate::error::Code::Refused => Left::Refused,
                _ => Left::Cloud,
            }
        }
    }
}

/// Says that it is left.
pub(super) fn stays(minted: &Minted, why: &str) {
    tracing::warn!("the API key {} was not deleted ({why}); it ends at {}", minted.key, minted.ends);
}

async fn read(vault: &Vault, minted: &Minted, token: &Secret) -> Result<Secret, (Left, String)> {
    let answer = vault.issue(token, &minted.path, &[], false).await.map_err(|error| {
        let left = if error.refusal().is_some() { Left::Refused } else { Left::Unreachable };
        (left, chain(&error))
    })?;
    let data = answer.secret(&minted.path, None).ok().flatten();
    let value = |data: &vault::Data, name: &String| data.field(name).filter(|one| !one.is_absent())?.text();
    let secret = data.and_then(|data| minted.fields.iter().find_map(|name| value(data, name)));
    let secret = secret.map(|secret| Secret::from(secret.reveal().trim()));
    secret.ok_or_else(|| (Left::Refused, "the answer lacks its secret key".to_owned()))
}
