//! `ci-creds rotate --gitlab-access-token`: GitLab's access token takes a new value, and is stored where the old one
//! is.
//!
//! GitLab ends the old value at once, so that the new one must not be lost. In this order: look at the place, prove
//! that it can be written (GitLab by writing the old value once more, Vault by the policy), rotate, store, read back.

use tokio::time::sleep;

use super::error::Fault;
use super::{PAUSE, may_write, token};
use crate::cloud::gitlab::{AccessToken, Gitlab, Variable, VariableRef};
use crate::config::{AccessRotation, Kept};
use crate::error::{Error, chain};
use crate::http::Client;
use crate::ledger::Ledger;
use crate::secret::Secret;
use crate::session::{self, Order};
use crate::shutdown::Shutdown;
use crate::vault::{self, Vault};

/// How often the new token is stored: it is in no other place.
const STORES: usize = 6;

/// Rotates, or leaves all as it was, or says what is lost.
pub(crate) async fn run(rotation: AccessRotation, shutdown: Shutdown) -> Result<(), Error> {
    let (login, request) = match &rotation.kept {
        Kept::Vault { login, request } => (login, request),
        Kept::Variable { place, given } => {
            let token = token::given(given, &shutdown).await?;
            let gitlab = client(&rotation, &token, &shutdown).await?;
            let (place, current) = (place.clone(), gitlab.variable(place).await?);
            return rotate(&rotation, &gitlab, &token, &Target::Variable { place, current }, &shutdown).await;
        }
    };
    let vault = Vault::at(&rotation.server, shutdown.clone()).await?;
    let requests = vec![(**request).clone()];
    let order = Order { login: (**login).clone(), requests, look_up: false, dead_man: None };
    let mut ledger = Ledger::default();
    let session = session::obtain(&vault, &order, &mut ledger).await?;
    let outcome = async {
        let token = token::read(&session)?;
        let gitlab = client(&rotation, &token, &shutdown).await?;
        let path = session.credentials.first().map(|one| one.path.clone()).unwrap_or_default();
        let field = request.fields.first().map(|field| field.name.clone()).unwrap_or_default();
        let by = session.token.secret.clone();
        let kv = vault.mount_of(&by, &path).await?.kv_version;
        let kv = kv.ok_or_else(|| Fault::NotKept { place: path.clone(), why: "is not of the KV engine" })?;
        let target = Target::Kv(Kv { vault: vault.without_cancellation(), by, path, field, kv });
        rotate(&rotation, &gitlab, &token, &target, &shutdown).await
    };
    let outcome = outcome.await;
    ledger.revoke_all(&vault).await;
    outcome
}

async fn client(rotation: &AccessRotation, token: &Secret, shutdown: &Shutdown) -> Result<Gitlab, Error> {
    let client = Client::late(rotation.gitlab.http.clone(), shutdown.clone()).await?;
    Ok(Gitlab::new(client, rotation.gitlab.base.clone(), token.clone()))
}

/// Where the access token is kept.
enum Target {
    Variable { place: VariableRef, current: Variable },
    Kv(Kv),
}

/// A secret with one field.
struct Kv {
    vault: Vault,
    by: Secret,
    path: String,
    field: String,
    kv: u32,
}

async fn rotate(
    rotation: &AccessRotation,
    gitlab: &Gitlab,
    old: &Secret,
    target: &Target,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let before = gitlab.myself().await?;
    target.holds(old).await?;
    if rotation.dry_run {
        tracing::info!("the access token {} would be rotated, into {}", before.named(), target.name());
        tracing::info!("nothing was changed (--dry-run)");
        return Ok(());
    }
    target.prove(gitlab, old).await?;
    shutdown.check()?;
    // From here on a stop does not interrupt: what follows is short, and must not be left half done.
    let gitlab = gitlab.without_cancellation();
    let new = made(&gitlab, &before, &expiry(rotation)).await?;
    let value = new.token.clone().ok_or_else(|| Fault::LostAccess {
        name: new.named(),
        cause: "the answer holds no token".to_owned(),
    })?;
    store(target, &gitlab.by(value.clone()), &value, &new).await?;
    tracing::info!("{} holds the new access token {}; the old one has ended", target.name(), new.named());
    Ok(())
}

/// The day of the end, as GitLab takes it.
fn expiry(rotation: &AccessRotation) -> String {
    let end = vault::now().checked_add(rotation.ttl).unwrap_or(jiff::Timestamp::MAX);
    end.strftime("%Y-%m-%d").to_string()
}

/// Rotates once. Where the answer is lost, the old token tells whether it took place.
async fn made(gitlab: &Gitlab, before: &AccessToken, expires_at: &str) -> Result<AccessToken, Error> {
    let error = match gitlab.rotate_myself(expires_at).await {
        Ok(new) => return Ok(new),
        Err(error) if error.never_ran() => return Err(error.into()),
        Err(error) => error,
    };
    sleep(PAUSE).await;
    if gitlab.myself().await.is_ok() {
        tracing::warn!("the access token {} is as it was", before.named());
        return Err(error.into());
    }
    Err(Fault::LostAccess { name: before.named(), cause: chain(&error) }.into())
}

/// Stores the new token, and does not give up soon.
async fn store(target: &Target, gitlab: &Gitlab, value: &Secret, new: &AccessToken) -> Result<(), Error> {
    let mut cause = String::new();
    for _ in 0..STORES {
        match target.store(gitlab, value).await {
            Ok(()) => return Ok(()),
            Err(error) => cause = error,
        }
        tracing::warn!("the new access token is not in {} yet: {cause}", target.name());
        sleep(PAUSE).await;
    }
    Err(Fault::NotStored { place: target.name(), cause, new: new.named() }.into())
}

impl Target {
    fn name(&self) -> String {
        match self {
            Self::Variable { place, .. } => place.to_string(),
            Self::Kv(kv) => kv.path.clone(),
        }
    }

    /// Whether this is where the token is kept: anything else would be overwritten.
    async fn holds(&self, old: &Secret) -> Result<(), Error> {
        let not = |why| Fault::NotKept { place: self.name(), why };
        match self {
            // What is hidden can't be looked at.
            Self::Variable { current, .. } if current.hidden || current.holds(old) => Ok(()),
            Self::Variable { .. } => {
                Err(not("holds another value than the access token that is used").into())
            }
            Self::Kv(kv) => {
                let kept = kv.vault.kept(&kv.by, &kv.path, kv.kv, &kv.field).await?;
                kept.ok_or_else(|| not("has other fields too, which a write would have to repeat"))?;
                let may = vault_may(kv).await?;
                if !may {
                    return Err(Fault::MayNotStore { path: kv.path.clone() }.into());
                }
                Ok(())
            }
        }
    }

    /// Whether it can be written: tried with the old value, where nothing else tells.
    async fn prove(&self, gitlab: &Gitlab, old: &Secret) -> Result<(), Error> {
        if let Self::Variable { place, current } = self {
            gitlab.set(place, current, old).await?;
        }
        Ok(())
    }

    async fn store(&self, gitlab: &Gitlab, new: &Secret) -> Result<(), String> {
        let other = || "it was read back with another value".to_owned();
        match self {
            Self::Variable { place, current } => {
                let written = gitlab.set(place, current, new).await.map_err(|error| chain(&error))?;
                let back = if current.hidden {
                    written
                } else {
                    gitlab.variable(place).await.map_err(|error| chain(&error))?
                };
                if current.hidden || back.holds(new) { Ok(()) } else { Err(other()) }
            }
            Self::Kv(kv) => {
                let read = async || {
                    let kept = kv.vault.kept(&kv.by, &kv.path, kv.kv, &kv.field).await;
                    kept.map_err(|error| chain(&error))?.ok_or_else(|| "it has other fields now".to_owned())
                };
                let kept = read().await?;
                if kept.value.reveal() == new.reveal() {
                    return Ok(());
                }
                let written = kv.vault.keep(&kv.by, &kv.path, &kept, &kv.field, new).await;
                written.map_err(|error| chain(&error))?;
                if read().await?.value.reveal() == new.reveal() { Ok(()) } else { Err(other()) }
            }
        }
    }
}

async fn vault_may(kv: &Kv) -> Result<bool, Error> {
    let granted = kv.vault.capabilities(&kv.by, &[&kv.path]).await?;
    Ok(granted.first().is_some_and(|granted| may_write(granted)))
}
