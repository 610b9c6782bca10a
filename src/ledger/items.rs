//! Tokens and leases: how each is revoked, and what is said of one that stays. It must not revoke a token that was
//! given.

use jiff::Timestamp;

use super::Left;
use crate::error::chain;
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// The policy that a token needs to revoke leases.
pub(crate) fn may_revoke() -> String {
    format!("the token's policy must have: {}", vault::policy("sys/leases/revoke", "update"))
}

/// A token that a login of ours issued.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) token: Secret,
    pub(super) accessor: String,
    pub(super) ends: Option<Timestamp>,
    pub(super) batch: bool,
    /// Whether it is good for a limited number of requests.
    pub(super) counted: bool,
}

/// A lease that does not end with a token of ours.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) id: String,
    pub(super) ends: Option<Timestamp>,
    pub(super) by: By,
}

/// Which token revokes a lease.
#[derive(Debug)]
pub(super) enum By {
    /// The one that it was read with: the user's.
    Given(Secret),
    /// A token of ours that is not revoked itself: a batch token, or one that others have too.
    Batch(Secret),
    /// The user's, which the state file does not hold.
    Unknown,
}

impl Lease {
    /// Revokes it, unless it has ended; `taken` becomes true if it was revoked.
    pub(super) async fn revoke(&self, vault: &Vault, taken: &mut bool) -> Left {
        let has_ended = || self.ends.is_some_and(|ends| ends < vault::now());
        let (id, end) = (&self.id, end_of(self.ends));
        let (By::Given(token) | By::Batch(token)) = &self.by else {
            if has_ended() {
                return Left::Nothing;
            }
            tracing::warn!("{id} was read with a token that is not here; it ends with {end}");
            return Left::NoToken;
        };
        match vault.revoke_lease(token, id).await {
            Ok(()) => {
                tracing::debug!("revoked {id}");
                *taken = true;
                Left::Nothing
            }
            Err(error) if error.refusal().is_some() => {
                if has_ended() {
                    return Left::Nothing;
                }
                let policy = if error.is_by_policy() { format!("; {}", may_revoke()) } else { String::new() };
                tracing::warn!("{id} can't be revoked and ends with {end}: {}{policy}", chain(&error));
                Left::Refused
            }
            Err(error) => {
                self.stays(&chain(&error));
                Left::Unreachable
            }
        }
    }

    /// Warns that it stays.
    pub(super) fn stays(&self, why: &str) {
        tracing::warn!("{} was not revoked ({why}); it ends with {}", self.id, end_of(self.ends));
    }
}

impl Owned {
    /// Revokes it, and what depends on it; `taken` becomes true if it was revoked.
    pub(super) async fn revoke(&self, vault: &Vault, taken: &mut bool) -> Left {
        let accessor = &self.accessor;
        match vault.revoke_self(&self.token).await {
            Ok(()) => {
                tracing::debug!("revoked the token with the accessor {accessor}");
                *taken = true;
                Left::Nothing
            }
            Err(error) if error.is_by_policy() && !self.batch => {
                tracing::warn!(
                    "the token with accessor {accessor} can't be revoked and ends with {}: its policies lack {}",
                    end_of(self.ends),
                    vault::policy("auth/token/revoke-self", "update")
                );
                Left::Refused
            }
            // It has ended already, or it is a batch token, which only its TTL ends.
            Err(error) if error.refusal().is_some() => {
                tracing::debug!(
                    "the token {accessor} can't be revoked and ends with its TTL: {}",
                    chain(&error)
                );
                Left::Nothing
            }
            Err(error) => {
                self.stays(&chain(&error));
                Left::Unreachable
            }
        }
    }

    /// Warns that it stays.
    pub(super) fn stays(&self, why: &str) {
        let (accessor, end) = (&self.accessor, end_of(self.ends));
        tracing::warn!("the token with accessor {accessor} was not revoked ({why}); it ends with {end}");
    }
}

fn end_of(ends: Option<Timestamp>) -> String {
    ends.map_or_else(|| "its TTL".to_owned(), |ends| format!("its TTL, at {ends}"))
}
