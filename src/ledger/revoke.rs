//! Takes back what the ledger lists: files, external things, leases, then tokens. It must not issue anything.

use std::time::Duration;

use super::{Ledger, Left, external};
use crate::error::chain;
use crate::merge::Fate;
use crate::secret::Secret;
use crate::shutdown::{Shutdown, TAKING_BACK};
use crate::vault::Vault;

/// How many at the head of each list were tried, could not be taken back, and were named in a warning.
#[derive(Default)]
struct Tried {
    externals: usize,
    leases: usize,
    tokens: usize,
    /// The cloud that is asked now; `None` where it is Vault.
    asking: Option<&'static str>,
}

impl Ledger {
    /// Revokes what is listed. What can't be revoked is named in a warning and stays listed.
    pub async fn revoke_all(&mut self, vault: &Vault) -> Left {
        self.revoke_all_within(TAKING_BACK, vault).await
    }

    /// The same, in less time.
    pub async fn revoke_all_within(&mut self, limit: Duration, vault: &Vault) -> Left {
        let vault = vault.without_cancellation();
        let mut tried = Tried::default();
        let outcome = vault.shutdown().within(limit, self.revoke_each(&vault, &mut tried)).await;
        let left = outcome.unwrap_or_else(|| {
            self.name_rest(&tried, &given_up(vault.shutdown()));
            tried.asking.map_or(Left::Unreachable, Left::Cloud)
        });
        self.write_rest(vault.shutdown()).await;
        left
    }

    /// Removes the files, where there is no server to ask for anything else.
    pub async fn take_back_files(&mut self, shutdown: &Shutdown) -> Left {
        self.names.clear();
        let left = self.remove_files(shutdown).await;
        self.write_rest(shutdown).await;
        left
    }

    /// Revokes one token of this run, which nothing needs any longer.
    pub async fn end(&mut self, vault: &Vault, token: &Secret) {
        let Some(index) = self.index_of(token) else { return };
        match vault.shutdown().within(TAKING_BACK, self.tokens[index].revoke(vault, &mut self.taken)).await {
            Some(Left::Nothing) => drop(self.tokens.remove(index)),
            // A warning has named it; or the run is ending, and takes back all that is listed.
            Some(_) => {}
            None if vault.shutdown().is_requested() => {}
            None => self.tokens[index].stays(&given_up(vault.shutdown())),
        }
        self.write_rest(vault.shutdown()).await;
    }

    async fn revoke_each(&mut self, vault: &Vault, tried: &mut Tried) -> Left {
        // What is taken back is not looked for any longer.
        self.names.clear();
        let mut left = self.remove_files(vault.shutdown()).await;
        while let Some((one, token)) = self.externals.get(tried.externals) {
            match external::undo(vault, one, token.as_ref(), &mut tried.asking, &mut self.taken).await {
                Left::Nothing => drop(self.externals.remove(tried.externals)),
                other => tried.externals += left.stays(other),
            }
        }
        tried.asking = None;
        // `revoke` can try again, and needs the token to read their parents.
        if !self.externals.is_empty() && self.entry.is_some() {
            return left;
        }
        while let Some(lease) = self.leases.get(tried.leases) {
            match lease.revoke(vault, &mut self.taken).await {
                Left::Nothing => drop(self.leases.remove(tried.leases)),
                other => tried.leases += left.stays(other),
            }
        }
        while let Some(owned) = self.tokens.get(tried.tokens) {
            match owned.revoke(vault, &mut self.taken).await {
                Left::Nothing => drop(self.tokens.remove(tried.tokens)),
                other => tried.tokens += left.stays(other),
            }
        }
        left
    }

    /// Warns of what there was no time for.
    fn name_rest(&self, tried: &Tried, why: &str) {
        self.externals.iter().skip(tried.externals).for_each(|(one, _)| external::stays(one, why));
        self.leases.iter().skip(tried.leases).for_each(|lease| lease.stays(why));
        self.tokens.iter().skip(tried.tokens).for_each(|owned| owned.stays(why));
    }

    async fn remove_files(&mut self, shutdown: &Shutdown) -> Left {
        let mut left = Left::Nothing;
        let taken = &mut self.taken;
        self.files.retain(|file| match (file.is_there(), file.remove()) {
            (was_there, Ok(Fate::Gone)) => {
                *taken |= was_there;
                false
            }
            (_, Ok(Fate::Another)) => {
                let place = crate::input::path(file.place());
                tracing::warn!("{place} is not what ci-creds wrote there, and stays");
                false
            }
            (_, Err(error)) => {
                tracing::warn!("{} could not be removed: {error}", crate::input::path(file.place()));
                left = Left::File;
                true
            }
        });
        for part in std::mem::take(&mut self.parts) {
            let was_there = part.is_there();
            match part.take_out(shutdown).await {
                Ok(Fate::Gone) => self.taken |= was_there,
                Ok(Fate::Another) => {
                    tracing::warn!("{} is not what ci-creds wrote there, and stays", part.shown());
                }
                Err(error) => {
                    tracing::warn!("{} could not be taken out: {}", part.shown(), chain(&error));
                    left = Left::File;
                    self.parts.push(part);
                }
            }
        }
        left
    }
}

fn given_up(shutdown: &Shutdown) -> String {
    if shutdown.is_requested() {
        "no time was left for it after the stop".to_owned()
    } else {
        format!("taking back was given up after {} s", TAKING_BACK.as_secs())
    }
}
