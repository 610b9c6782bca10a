//! `--dead-man`: the login's token lives only as long as somebody renews it, and takes along what hangs on it. Vault
//! alone ends it: nothing has to run for that, and its clock is the one that counts.
//!
//! renew-self with an increment makes a token's life shorter as well as longer (seen on OpenBao 2.7 and Vault 1.21); a
//! periodic token gets its period whatever is asked for.

use std::time::Duration;

use tokio::time::sleep;

use super::{Error, Token};
use crate::credentials::{Credentials, DeadMan, IssuedBy};
use crate::duration::{granted, show};
use crate::error::chain;
use crate::secret::Secret;
use crate::vault::Vault;

impl DeadMan {
    /// Cuts the life of a token that a login has just given.
    pub(super) async fn cut(&self, vault: &Vault, token: &mut Token) -> Result<(), Error> {
        let hindrance = match token {
            Token { given: true, secret, .. } if secret.reveal().is_empty() => {
                Some("it is the agent's, and others use it")
            }
            Token { given: true, .. } => Some("it was given in VAULT_TOKEN, and others may use it"),
            Token { batch: true, .. } => Some("it is a batch token"),
            Token { counted: true, .. } => Some("it is good for a number of requests only"),
            Token { renewable: false, .. } => Some("it is not renewable"),
            _ => None,
        };
        if let Some(why) = hindrance {
            return self.unbounded("the token", why);
        }
        let life = granted(vault.renew_self(&token.secret, self.window.as_secs()).await?.lease_duration);
        // To the second, and one more.
        if life > self.window + Duration::from_secs(1) {
            return self
                .unbounded("the token", "it is periodic: the period of its role is what a renewal gives");
        }
        token.window = Some(self.window);
        Ok(())
    }

    /// Whether everything that was issued ends with the token.
    pub(super) fn check(&self, all: &[Credentials]) -> Result<(), Error> {
        // What was no reference is the job's own.
        for one in all.iter().filter(|one| one.outlives_token && one.issued_by != IssuedBy::Env) {
            let what = format!("what {} gave", one.path);
            let why = match (&one.external, one.life) {
                (Some(_), _) => "the cloud ends it only at its own time: --ttl says when",
                (None, Some(_)) => "it does not end with the token",
                (None, None) => "it is not issued for this job, and does not end with it",
            };
            self.unbounded(&what, why)?;
        }
        Ok(())
    }

    fn unbounded(&self, what: &str, why: &'static str) -> Result<(), Error> {
        if self.best_effort {
            tracing::warn!("--dead-man does not hold for {what}: {why}");
            return Ok(());
        }
        Err(Error::Unbounded { what: what.to_owned(), why })
    }
}

/// Keeps a token alive while engines are asked, which may take longer than its window.
pub(super) async fn keep(
    vault: &Vault,
    token: &Secret,
    window: Option<Duration>,
) -> std::convert::Infallible {
    let Some(window) = window else { return std::future::pending().await };
    loop {
        sleep(window / 3).await;
        if let Err(error) = vault.renew_self(token, window.as_secs()).await {
            tracing::debug!("the token could not be renewed for {}: {}", show(window), chain(&error));
        }
    }
}
