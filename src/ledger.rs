//! Things that must be taken back, and the one way of taking them back: for a run that fails, for a process that is
//! stopped, and for a token that nothing depends on.

use std::time::Duration;

use crate::credentials::Credentials;
use crate::error::Explain as _;
use crate::secret::Secret;
use crate::vault::Vault;

/// What this run has issued.
#[derive(Debug, Default)]
pub struct Ledger {
    /// A token that this run logged in for; its leases go with it.
    token: Option<Owned>,
    /// Leases on a token that was given.
    leases: Vec<(Secret, String)>,
}

#[derive(Debug)]
struct Owned {
    token: Secret,
    accessor: String,
    ttl: Option<Duration>,
    batch: bool,
}

impl Ledger {
    /// A token that this run got by logging in.
    pub fn token(&mut self, token: &Secret, accessor: &str, ttl: Option<Duration>, batch: bool) {
        self.token = Some(Owned { token: token.clone(), accessor: accessor.to_owned(), ttl, batch });
    }

    /// What was issued with `token`, which was given: its leases do not go with a token of ours.
    pub fn issued(&mut self, token: &Secret, credentials: &Credentials) {
        if let Some(lease) = &credentials.lease
            && self.token.as_ref().is_none_or(|owned| owned.batch)
        {
            self.leases.push((token.clone(), lease.id.clone()));
        }
    }

    /// Takes back what is listed. What can't be is named in a warning: it ends with its TTL.
    pub async fn take_back(&mut self, vault: &Vault) {
        let limit = vault.patience();
        let vault = vault.unstoppable();
        if tokio::time::timeout(limit, self.take_back_all(&vault)).await.is_err() {
            tracing::warn!(
                "taking back took longer than {} s; what is left ends with its TTL",
                limit.as_secs()
            );
        }
    }

    async fn take_back_all(&mut self, vault: &Vault) {
        for (token, lease) in std::mem::take(&mut self.leases) {
            match vault.revoke_lease(&token, &lease).await {
                Ok(()) => tracing::debug!("revoked {lease}"),
                Err(error) => tracing::warn!("{lease} could not be revoked and ends with its TTL: {error}"),
            }
        }
        let Some(owned) = self.token.take() else { return };
        match vault.revoke_self(&owned.token).await {
            Ok(()) => tracing::debug!("revoked the token {}", owned.accessor),
            // Batch tokens, and policies without revoke-self: the TTL is the end.
            Err(error) if error.refusal().is_some() => {
                tracing::debug!(
                    "the token {} can't be revoked and ends with its TTL: {error}",
                    owned.accessor
                );
            }
            Err(error) => {
                let end = owned.ttl.map_or_else(
                    || "its TTL".to_owned(),
                    |ttl| format!("its TTL of {}", crate::duration::show(ttl)),
                );
                let code = error.code();
                tracing::warn!(
                    "the token with accessor {} was not revoked ({error}, {code:?}); it ends with {end}",
                    owned.accessor
                );
            }
        }
    }

    /// Leaves all of it to its TTL, or to the job: the run has succeeded.
    pub fn hand_over(&mut self) {
        self.token = None;
        self.leases.clear();
    }
}
