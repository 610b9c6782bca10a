//! A key of the job's own, made at Scaleway with a parent that came out of Vault. Like any request that creates
//! something: it succeeds, or nothing is left behind.

use std::time::Duration;

use jiff::SignedDuration;

use super::Error;
use crate::cloud::scaleway::{self, Api, Key, Order};
use crate::credentials::{Credentials, Minted};
use crate::ledger;
use crate::provider::{Mint, Request};
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// After a lost answer: time for Scaleway to end what it is at.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a new key may take until all of Scaleway knows it.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
/// The longest description that Scaleway takes.
const LONGEST_DESCRIPTION: usize = 200;

/// Replaces the parent in `parent` by a key that was made with it.
pub(super) async fn key(
    vault: &Vault,
    request: &Request,
    mint: &Mint,
    parent: Credentials,
) -> Result<Credentials, Error> {
    let secret = request.value(&parent, "secret_key").cloned().unwrap_or_else(|| Secret::from(""));
    let api = Api::new(vault.client(), &mint.place, secret.clone()).map_err(scaleway::Error::from)?;
    let project = mint.project(request, &parent);
    let key = create(vault, &api, mint, project).await?;
    let usable = async {
        let end = key.end().ok_or_else(|| scaleway::Error::Endless { key: key.access_key.clone() })?;
        until_known(&api, &key).await?;
        Ok(end)
    };
    let end = match usable.await {
        Ok(end) => end,
        Err(error) => {
            delete(vault, &api, &key.access_key).await;
            return Err(Error::Scaleway(error));
        }
    };
    let minted = Minted {
        key: key.access_key.clone(),
        parent: Some(secret),
        path: parent.path.clone(),
        fields: request.names_of("secret_key"),
        place: mint.place.clone(),
        ends: end,
    };
    let child = mint.adopt(request, parent, &key, end, vault::now());
    Ok(Credentials { minted: Some(minted), ..child })
}

/// One key, and no second one: after a lost answer whatever it made is deleted before it is tried once more.
async fn create(
    vault: &Vault,
    api: &Api,
    mint: &Mint,
    project: Option<&str>,
) -> Result<Key, scaleway::Error> {
    let mut attempt = 1;
    loop {
        let description = describe(&mint.purpose);
        let ttl = SignedDuration::try_from(mint.ttl).unwrap_or(SignedDuration::from_mins(15));
        let order = Order {
            application_id: &mint.application_id,
            description: &description,
            expires_at: vault::now().saturating_add(ttl).unwrap_or(jiff::Timestamp::MAX).to_string(),
            default_project_id: project,
        };
        let error = match api.create(&order).await {
            Err(error) if error.is_lost() => error,
            outcome => return outcome,
        };
        if !vault.stop().is_asked() {
            tokio::time::sleep(SETTLE).await;
        }
        let clean = forget(vault, api, mint, &description).await;
        if !clean || attempt == 2 {
            return Err(error);
        }
        tracing::warn!("{error}; what it may have made is deleted, and it is tried once more");
        attempt += 1;
    }
}

/// Deletes what a lost request may have made; whether that is certain.
async fn forget(vault: &Vault, api: &Api, mint: &Mint, description: &str) -> bool {
    let api = api.unstoppable();
    let outcome = async {
        for key in api.find(&mint.application_id, description).await? {
            api.delete(&key).await?;
            tracing::debug!("deleted {key}");
        }
        Ok::<_, scaleway::Error>(())
    };
    if let Err(why) = in_time(vault, outcome).await {
        let ttl = crate::duration::show(mint.ttl);
        tracing::warn!(
            "an API key described as `{description}` may be left at Scaleway; it ends within {ttl} by itself ({why})"
        );
        return false;
    }
    true
}

/// Deletes one key whatever happens to this process; warns where that fails.
async fn delete(vault: &Vault, api: &Api, key: &str) {
    if let Err(why) = in_time(vault, api.unstoppable().delete(key)).await {
        tracing::warn!("the API key {key} was not deleted and ends by itself: {why}");
    }
}

/// The outcome of taking back, which hurries after a stop; or why it failed.
async fn in_time<T>(
    vault: &Vault,
    work: impl Future<Output = Result<T, scaleway::Error>>,
) -> Result<T, String> {
    match vault.stop().within(ledger::LIMIT, work).await {
        Some(outcome) => outcome.map_err(|error| crate::error::chain(&error)),
        None => Err("no time was left for it".to_owned()),
    }
}

/// Scaleway's parts learn of a new key one after the other.
async fn until_known(api: &Api, key: &Key) -> Result<(), scaleway::Error> {
    let poll = async {
        let mut pause = Duration::from_millis(100);
        while !api.knows(key).await? {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        Ok(())
    };
    let unknown = || scaleway::Error::Unknown { key: key.access_key.clone(), after: KNOWN_WITHIN };
    tokio::time::timeout(KNOWN_WITHIN, poll).await.unwrap_or_else(|_| Err(unknown()))
}

/// Names the job, and cannot be mistaken for another key's.
fn describe(purpose: &str) -> String {
    // Unique is enough: that it can be found again, not that nobody guesses it.
    let nonce = crate::process::random().unwrap_or_default().chars().take(16).collect::<String>();
    let room = LONGEST_DESCRIPTION - nonce.len() - 3;
    let purpose: String = purpose.chars().take(room).collect();
    format!("{purpose} ({nonce})")
}
