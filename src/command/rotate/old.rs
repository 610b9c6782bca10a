//! Ends the token that was in the variable. It must not end it at once, because running jobs still use it.

use std::time::Duration;

use super::error::Fault;
use super::life;
use crate::duration::show;
use crate::error::Error;
use crate::secret::Secret;
use crate::vault::{TokenInfo, Vault};

/// A TTL may be a little longer than what was asked for: Vault counts from its own clock, and rounds.
const SLACK: Duration = Duration::from_secs(5);

/// What is known of it.
pub(super) enum Old {
    /// It is alive.
    Alive {
        /// The token.
        secret: Secret,
        /// As it was before the rotation.
        info: TokenInfo,
    },
    /// Vault does not know it, or it may not even look itself up.
    Refused(Secret),
    /// The variable is hidden, and this job does not have it.
    Unknown,
}

impl Old {
    pub(super) async fn look(vault: &Vault, value: Option<&Secret>) -> Result<Self, Error> {
        let Some(value) = value.map(|value| Secret::from(value.reveal().trim())) else {
            return Ok(Self::Unknown);
        };
        match vault.lookup_self(&value).await {
            Ok(info) => Ok(Self::Alive { secret: value, info }),
            Err(error) if error.refusal().is_some() => Ok(Self::Refused(value)),
            Err(error) => Err(error.into()),
        }
    }

    /// For messages: its handle and its end.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Alive { info, .. } => named(info),
            Self::Refused(_) => "no token that Vault knows".to_owned(),
            Self::Unknown => "not known to this job".to_owned(),
        }
    }

    /// For --dry-run.
    pub(super) fn plan(&self, grace: Duration) -> String {
        match self {
            Self::Alive { info, .. } if grace.is_zero() => {
                format!("the old token ({}) would be revoked", named(info))
            }
            Self::Alive { info, .. } if info.periodic || !info.renewable => {
                format!("the old token ({}) would be left to its end: it can't be shortened", named(info))
            }
            Self::Alive { info, .. } => {
                format!("the old token ({}) would end after {} at the latest", named(info), show(grace))
            }
            Self::Refused(_) => "the variable holds no token that Vault knows".to_owned(),
            Self::Unknown => "the old token would be left to its end: the variable is hidden, and this job does not have it"
                .to_owned(),
        }
    }

    /// Leaves it `grace`, or nothing.
    pub(super) async fn end(self, vault: &Vault, grace: Duration) -> Result<(), Error> {
        match self {
            Self::Unknown => {
                tracing::warn!(
                    "the old token is left to its end: the variable is hidden, and this job does not have it"
                );
                Ok(())
            }
            Self::Refused(secret) => {
                if grace.is_zero() {
                    // Without the policy `default` it may still be alive.
                    let _ = vault.revoke_self(&secret).await;
                }
                tracing::warn!(
                    "the variable held no token that Vault knows: it had ended, or lacks the policy `default`"
                );
                Ok(())
            }
            Self::Alive { secret, info } if grace.is_zero() => revoke(vault, &secret, &info).await,
            Self::Alive { secret, info } => shorten(vault, &secret, &info, grace).await,
        }
    }
}

fn named(info: &TokenInfo) -> String {
    format!("accessor {}, {}", info.accessor, life(info))
}

async fn revoke(vault: &Vault, secret: &Secret, info: &TokenInfo) -> Result<(), Error> {
    let fault = |cause: String| Fault::OldLives { old: named(info), cause };
    match vault.revoke_self(secret).await {
        Ok(()) => {}
        // An earlier attempt may have got through, although its answer did not come.
        Err(error) if error.refusal().is_some() => match vault.lookup_self(secret).await {
            Err(gone) if gone.refusal().is_some() => {}
            _ => return Err(fault(error.to_string()).into()),
        },
        Err(error) => return Err(fault(error.to_string()).into()),
    }
    tracing::info!("the old one (accessor {}) is revoked", info.accessor);
    Ok(())
}

async fn shorten(vault: &Vault, secret: &Secret, info: &TokenInfo, grace: Duration) -> Result<(), Error> {
    let short = |info: &TokenInfo| info.ttl.is_some_and(|ttl| ttl <= grace + SLACK);
    let left = |info: &TokenInfo, why: &str| {
        tracing::warn!("the old one ({}) is left to its end: {why}; --grace 0 would revoke it", named(info));
    };
    if short(info) {
        tracing::info!("the old one ({}) ends by itself", named(info));
        return Ok(());
    }
    if info.periodic || !info.renewable {
        left(info, if info.periodic { "it is periodic" } else { "it is not renewable" });
        return Ok(());
    }
    let fault = |cause: String| Fault::OldLives { old: named(info), cause };
    match vault.renew_self(secret, grace.as_secs()).await {
        Ok(_) => {}
        Err(error) if error.refusal().is_some() => {
            left(info, &error.to_string());
            return Ok(());
        }
        Err(error) => return Err(fault(error.to_string()).into()),
    }
    // A period that came from a token role shows only now.
    let now = vault.lookup_self(secret).await.map_err(|error| fault(error.to_string()))?;
    if short(&now) {
        tracing::info!("the old one ({}) goes on for jobs that have it", named(&now))
    } else {
        left(&now, "renewing it did not shorten it, so its token role has a period")
    }
    Ok(())
}
