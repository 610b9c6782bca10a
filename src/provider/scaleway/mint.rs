//! `--mint`: makes a key for the job at Scaleway, with a parent key that came from Vault. It must not leave a key
//! behind when it fails.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::steps::{Api, Context, Externals, Failed, Need, Step};
use super::{APPLICATION_ID, NAME, PROJECT_ID};
use crate::cloud::scaleway::{self, Error, Key, Order};
use crate::credentials::{Credentials, External, Life};
use crate::http::Endpoint;
use crate::secret::Secret;
use crate::shutdown;
use crate::text::Text;
use crate::vault::{self, Vault};

/// The pause after a lost answer, in which Scaleway ends its request.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a new key may take until all of Scaleway knows it.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
/// The longest description that Scaleway takes.
const LONGEST_DESCRIPTION: usize = 200;
/// How long a key lives by default.
const TTL: Duration = Duration::from_secs(15 * 60);

/// What Scaleway's own tools take for their API (scaleway-sdk-go: `scw/env.go`).
static API: Api = Api {
    variable: "SCW_API_URL",
    example: "https://api.scaleway.com",
    usual: |_| Some("https://api.scaleway.com".to_owned()),
    patience: None,
};

pub(super) static STEP: Step = Step {
    switch: "--mint",
    needs: &[Need {
        opt: &APPLICATION_ID,
        what: "the IAM application that the job's key belongs to",
        found: "it is a UUID in Scaleway's console",
    }],
    api: Some(&API),
    makes: true,
    apply: |context, parent| Box::pin(async { key(context, parent).await.map_err(Failed::new) }),
    ..Step::NOTHING
};

pub(super) static EXTERNALS: Externals = Externals {
    what: "API key",
    api: &API,
    undo: |client, external, parent| {
        Box::pin(async move {
            let api = scaleway::Api::new(client, &external.endpoint, parent).await;
            api.map_err(Error::from).map_err(Failed::new)?.delete(&external.id).await.map_err(Failed::new)
        })
    },
};

/// The key that is to be made.
struct Mint<'a> {
    /// The application that the key belongs to.
    application_id: &'a str,
    /// How long Scaleway lets it live.
    ttl: Duration,
    /// Which job it is for: the beginning of its description.
    purpose: &'a str,
}

/// Replaces the parent by a key that was made with it.
async fn key(context: &Context<'_>, parent: Credentials) -> Result<Credentials, Error> {
    let Context { vault, request, settled } = context;
    // `config` has set both for each step that needs them.
    let Some(endpoint) = &settled.endpoint else { return Ok(parent) };
    let mint = Mint {
        application_id: settled.option(&APPLICATION_ID).unwrap_or_default(),
        ttl: settled.ttl.unwrap_or(TTL),
        purpose: &settled.purpose,
    };
    let secret = request.value(&parent, "secret_key").cloned().unwrap_or_else(|| Secret::from(""));
    let api = scaleway::Api::new(vault.client(), endpoint, secret.clone()).await?;
    let beside = || Some(request.value(&parent, "project_id")?.reveal());
    let project = settled.option(&PROJECT_ID).or_else(beside);
    let key = create(vault, &api, &mint, project).await?;
    let usable = async {
        let end = key.end().ok_or_else(|| Error::Endless { key: key.access_key.clone() })?;
        until_known(&api, &key).await?;
        Ok(end)
    };
    let end = match usable.await {
        Ok(end) => end,
        Err(error) => {
            delete(vault, &api, &key.access_key).await;
            return Err(error);
        }
    };
    Ok(child(context, endpoint, parent, secret, &key, end))
}

/// The parent's credentials with everything that gives access replaced by the new key's.
fn child(
    context: &Context<'_>,
    endpoint: &Endpoint,
    parent: Credentials,
    secret: Secret,
    key: &Key,
    end: Timestamp,
) -> Credentials {
    let Context { request, settled, .. } = context;
    let mut child = parent;
    request.replace(&mut child, "access_key", Secret::from(key.access_key.as_str()));
    request.replace(&mut child, "secret_key", key.secret_key.clone());
    if let Some(project) = settled.option(&PROJECT_ID) {
        request.replace(&mut child, "project_id", Secret::from(project));
    }
    let now = vault::now();
    child.label = Some(Text::new(&key.access_key));
    child.life = Duration::try_from(end.duration_since(now)).ok().and_then(|ttl| Life::new(ttl, now));
    child.external = Some(External {
        cloud: NAME,
        id: key.access_key.clone(),
        ends: end,
        endpoint: endpoint.clone(),
        parent: Some(secret),
        path: child.path.clone(),
        fields: request.names_of("secret_key"),
    });
    child
}

/// Makes one key. After a lost answer, a key that it may have made is deleted before the one further attempt.
async fn create(
    vault: &Vault,
    api: &scaleway::Api,
    mint: &Mint<'_>,
    project: Option<&str>,
) -> Result<Key, Error> {
    let mut attempt = 1;
    loop {
        let description = describe(mint.purpose);
        let ttl = SignedDuration::try_from(mint.ttl).unwrap_or(SignedDuration::from_mins(15));
        let order = Order {
            application_id: mint.application_id,
            description: &description,
            expires_at: vault::now().saturating_add(ttl).unwrap_or(jiff::Timestamp::MAX).to_string(),
            default_project_id: project,
        };
        let error = match api.create(&order).await {
            Err(error) if error.is_lost() => error,
            outcome => return outcome,
        };
        if !vault.shutdown().is_requested() {
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

/// Deletes what a lost request may have made. True if it is certain that nothing is left.
async fn forget(vault: &Vault, api: &scaleway::Api, mint: &Mint<'_>, description: &str) -> bool {
    let api = api.without_cancellation();
    let outcome = async {
        for key in api.find(mint.application_id, description).await? {
            api.delete(&key).await?;
            tracing::debug!("deleted {key}");
        }
        Ok::<_, Error>(())
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
async fn delete(vault: &Vault, api: &scaleway::Api, key: &str) {
    if let Err(why) = in_time(vault, api.without_cancellation().delete(key)).await {
        tracing::warn!("the API key {key} was not deleted and ends by itself: {why}");
    }
}

/// The outcome of taking back, which hurries after a stop; or why it failed.
async fn in_time<T>(vault: &Vault, work: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match vault.shutdown().within(shutdown::TAKING_BACK, work).await {
        Some(outcome) => outcome.map_err(|error| crate::error::chain(&error)),
        None => Err("no time was left for it".to_owned()),
    }
}

/// Scaleway's parts learn of a new key one after the other.
async fn until_known(api: &scaleway::Api, key: &Key) -> Result<(), Error> {
    let poll = async {
        let mut pause = Duration::from_millis(100);
        while !api.knows(key).await? {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        Ok(())
    };
    let unknown = || Error::Unknown { key: key.access_key.clone(), after: KNOWN_WITHIN };
    tokio::time::timeout(KNOWN_WITHIN, poll).await.unwrap_or_else(|_| Err(unknown()))
}

/// Names the job, and cannot be mistaken for another key's.
fn describe(purpose: &str) -> String {
    // It must be unique, so that the key can be found again; it need not be secret.
    let nonce = crate::process::random().unwrap_or_default().chars().take(16).collect::<String>();
    let room = LONGEST_DESCRIPTION - nonce.len() - 3;
    let purpose: String = purpose.chars().take(room).collect();
    format!("{purpose} ({nonce})")
}
