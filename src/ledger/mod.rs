//! Things that must be taken back, and the one way of taking them back: for a run that fails, for a process that is
//! stopped, for a token that nothing depends on, for a command that has ended, and for `revoke`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::credentials::{self, Credentials, Minted};
use crate::secret::Secret;
use crate::vault::{self, Vault};

mod minted;
pub mod state;

use state::Entry;

/// What this run has issued, or one that ended before.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Tokens that the run logged in for; their leases go with them.
    tokens: Vec<Owned>,
    /// Leases that no token of ours takes along.
    leases: Vec<Lease>,
    /// Files with credentials.
    files: Vec<PathBuf>,
    /// Keys that were made at Scaleway, and the token that reads their parents again.
    minted: Vec<(Minted, Option<Secret>)>,
    /// The line in the state file, where one was asked for.
    entry: Option<Entry>,
}

#[derive(Debug)]
struct Owned {
    token: Secret,
    accessor: String,
    ends: Option<Timestamp>,
    batch: bool,
}

#[derive(Debug)]
struct Lease {
    id: String,
    ends: Option<Timestamp>,
    by: By,
}

/// Which token revokes a lease.
#[derive(Debug)]
enum By {
    /// The one that it was read with: the user's.
    Given(Secret),
    /// A batch token of ours, which can't be revoked itself.
    Batch(Secret),
    /// The user's, which the state file does not hold.
    Unknown,
}

/// What is left after taking back; the worst of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// A lease whose token is not here.
    NoToken,
    /// A lease that its token may not revoke, or a file that can't be removed.
    Refused,
    /// Something that Vault could not be asked for.
    Unreachable,
}

impl Ledger {
    /// One whose content is also a line of a state file, from [`Ledger::write_down`] on.
    pub fn with(entry: Option<Entry>) -> Self {
        Self { entry, ..Self::default() }
    }

    /// A token that this run got by logging in.
    pub fn token(&mut self, token: &Secret, accessor: &str, ttl: Option<Duration>, batch: bool) {
        let ends = ttl.and_then(|ttl| vault::now().checked_add(ttl).ok());
        self.tokens.push(Owned { token: token.clone(), accessor: accessor.to_owned(), ends, batch });
    }

    /// What was issued with `token`: the leases of a given one, or of a batch token, do not go with it.
    pub fn issued(&mut self, token: &Secret, credentials: &Credentials) {
        self.minted.extend(credentials.minted.clone().map(|minted| (minted, Some(token.clone()))));
        if let Some(lease) = &credentials.lease {
            self.leased(token, lease, credentials.life.map(|life| life.until));
        }
    }

    /// A lease that `token` was given, whatever became of what it stands for.
    pub fn leased(&mut self, token: &Secret, lease: &credentials::Lease, ends: Option<Timestamp>) {
        let owned = self.tokens.iter().find(|owned| owned.token.reveal() == token.reveal());
        let by = match owned {
            Some(owned) if !owned.batch => return,
            Some(_) => By::Batch(token.clone()),
            None => By::Given(token.clone()),
        };
        self.leases.push(Lease { id: lease.id.clone(), ends, by });
    }

    /// A file that credentials are about to be written to: it is removed with them.
    pub fn file(&mut self, path: PathBuf) {
        self.files.push(path);
    }

    /// The file of [`Ledger::file`] was not written after all: what is there now is not ours.
    pub fn not_written(&mut self, path: &Path) {
        self.files.retain(|listed| listed != path);
    }

    /// Whether there is nothing to take back.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.leases.is_empty() && self.files.is_empty() && self.minted.is_empty()
    }

    /// Whether a key was made that has no lease.
    pub fn has_minted(&self) -> bool {
        !self.minted.is_empty()
    }

    /// Brings the line in the state file up to date, where one was asked for.
    pub fn write_down(&mut self) -> Result<(), state::Error> {
        let Some(entry) = &self.entry else { return Ok(()) };
        entry.replace(self)
    }

    /// Takes back what is listed. What can't be is named in a warning, and stays listed.
    pub async fn take_back(&mut self, vault: &Vault) -> Left {
        let limit = vault.patience();
        let vault = vault.unstoppable();
        let left = tokio::time::timeout(limit, self.take_back_all(&vault)).await;
        let left = left.unwrap_or_else(|_| {
            tracing::warn!(
                "taking back took longer than {} s; what is left ends with its TTL",
                limit.as_secs()
            );
            Left::Unreachable
        });
        if let Err(error) = self.write_down() {
            tracing::warn!("{error}");
        }
        left
    }

    /// Revokes one token of this run, which nothing needs any longer.
    pub async fn end(&mut self, vault: &Vault, token: &Secret) {
        let Some(index) = self.tokens.iter().position(|owned| owned.token.reveal() == token.reveal()) else {
            return;
        };
        if let Ok(Left::Nothing) =
            tokio::time::timeout(vault.patience(), end(vault, &self.tokens[index])).await
        {
            self.tokens.remove(index);
        }
        if let Err(error) = self.write_down() {
            tracing::warn!("{error}");
        }
    }

    async fn take_back_all(&mut self, vault: &Vault) -> Left {
        let mut left = self.remove_files();
        self.delete_minted(vault, &mut left).await;
        // The parents that are still needed are read with the token: `revoke` can try again.
        if !self.minted.is_empty() && self.entry.is_some() {
            return left;
        }
        let mut index = 0;
        while let Some(lease) = self.leases.get(index) {
            match revoke(vault, lease).await {
                Left::Nothing => drop(self.leases.remove(index)),
                other => {
                    left = left.max(other);
                    index += 1;
                }
            }
        }
        index = 0;
        while let Some(owned) = self.tokens.get(index) {
            match end(vault, owned).await {
                Left::Nothing => drop(self.tokens.remove(index)),
                other => {
                    left = left.max(other);
                    index += 1;
                }
            }
        }
        left
    }

    async fn delete_minted(&mut self, vault: &Vault, left: &mut Left) {
        let mut index = 0;
        while let Some((minted, token)) = self.minted.get(index) {
            match minted::delete(vault, minted, token.as_ref()).await {
                Left::Nothing => drop(self.minted.remove(index)),
                other => {
                    *left = (*left).max(other);
                    index += 1;
                }
            }
        }
    }

    fn remove_files(&mut self) -> Left {
        let mut left = Left::Nothing;
        self.files.retain(|path| {
            // A link in its place is removed itself, never what it leads to.
            let outcome = std::fs::remove_file(path);
            let gone = outcome.or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            });
            if let Err(error) = &gone {
                tracing::warn!("{} could not be removed: {error}", path.display());
                left = Left::Refused;
            }
            gone.is_err()
        });
        left
    }

    /// Leaves all of it to its TTL, to the state file, or to the job: the run has succeeded.
    pub fn hand_over(&mut self) {
        self.entry = None;
        self.tokens.clear();
        self.leases.clear();
        self.files.clear();
        self.minted.clear();
    }
}

async fn revoke(vault: &Vault, lease: &Lease) -> Left {
    let end = end_of(lease.ends);
    let (By::Given(token) | By::Batch(token)) = &lease.by else {
        if lease.ends.is_some_and(|ends| ends < vault::now()) {
            return Left::Nothing;
        }
        tracing::warn!("{} was read with a token that is not here; it ends with {end}", lease.id);
        return Left::NoToken;
    };
    match vault.revoke_lease(token, &lease.id).await {
        Ok(()) => {
            tracing::debug!("revoked {}", lease.id);
            Left::Nothing
        }
        Err(error) if error.refusal().is_some() => {
            if lease.ends.is_some_and(|ends| ends < vault::now()) {
                return Left::Nothing;
            }
            tracing::warn!("{} can't be revoked and ends with {end}: {error}", lease.id);
            Left::Refused
        }
        Err(error) => {
            tracing::warn!("{} was not revoked ({error}); it ends with {end}", lease.id);
            Left::Unreachable
        }
    }
}

async fn end(vault: &Vault, owned: &Owned) -> Left {
    let accessor = &owned.accessor;
    match vault.revoke_self(&owned.token).await {
        Ok(()) => {
            tracing::debug!("revoked the token {accessor}");
            Left::Nothing
        }
        Err(error) if error.is_by_policy() && !owned.batch => {
            tracing::warn!(
                "the token with accessor {accessor} can't be revoked and ends with {}: its policies lack \
                 path \"auth/token/revoke-self\" {{ capabilities = [\"update\"] }}",
                end_of(owned.ends)
            );
            Left::Refused
        }
        // It has ended already; or it is a batch token: the TTL is the end.
        Err(error) if error.refusal().is_some() => {
            tracing::debug!("the token {accessor} can't be revoked and ends with its TTL: {error}");
            Left::Nothing
        }
        Err(error) => {
            tracing::warn!(
                "the token with accessor {accessor} was not revoked ({error}); it ends with {}",
                end_of(owned.ends)
            );
            Left::Unreachable
        }
    }
}

fn end_of(ends: Option<Timestamp>) -> String {
    ends.map_or_else(|| "its TTL".to_owned(), |ends| format!("its TTL, at {ends}"))
}
