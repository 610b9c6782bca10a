//! What must be revoked or undone, and the one way of doing it: after a failed run, a signal, a token that nothing
//! depends on, a command that has ended, and for `revoke`. It must not issue anything.

use std::time::Duration;

use jiff::Timestamp;

use crate::credentials::{self, Credentials, External};
use crate::error::chain;
use crate::merge::Part;
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::vault;

mod external;
mod files;
mod items;
mod revoke;
pub(crate) mod state;

pub(crate) use files::Written;
pub(crate) use items::may_revoke;
use items::{By, Lease, Owned};
use state::{Entry, Sync};

/// What this run has issued, or one that ended before.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Tokens that the run's logins issued; revoking one revokes its leases.
    tokens: Vec<Owned>,
    /// Tokens of the run's logins that others have too: their leases are revoked one by one.
    shared: Vec<Secret>,
    /// Leases that don't end with a token of ours.
    leases: Vec<Lease>,
    /// Files with credentials.
    files: Vec<Written>,
    /// Profiles in files that have others too.
    parts: Vec<Part>,
    /// The variables with secrets that the job gets, for `scan`.
    names: Vec<String>,
    /// What steps made at clouds, and the token that reads the parent again.
    externals: Vec<(External, Option<Secret>)>,
    /// The line in the state file, where one was asked for.
    entry: Option<Entry>,
    /// Whether anything was taken back that had not ended.
    taken: bool,
}

/// What is left after revoking, by the worst case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// A lease whose token is not here.
    NoToken,
    /// Something that may not be reached as the state file says.
    NotAllowed,
    /// A file that can't be removed or edited.
    File,
    /// A lease that its token may not revoke.
    Refused,
    /// Something that this cloud could not be asked to undo.
    Cloud(&'static str),
    /// Something that Vault could not be asked for.
    Unreachable,
}

impl Left {
    /// Counts one more thing that stays, for this reason.
    fn stays(&mut self, other: Self) -> usize {
        *self = (*self).max(other);
        1
    }
}

impl Ledger {
    /// A ledger that is also written to the state file, from [`Ledger::write_down`] on.
    pub fn with(entry: Option<Entry>) -> Self {
        Self { entry, ..Self::default() }
    }

    /// A token that this run got by logging in.
    pub fn token(&mut self, token: &Secret, accessor: &str, ttl: Option<Duration>, batch: bool) {
        let ends = ttl.and_then(|ttl| vault::now().checked_add(ttl).ok());
        let (token, accessor) = (token.clone(), accessor.to_owned());
        self.tokens.push(Owned { token, accessor, ends, batch, counted: false });
    }

    /// The token is good for a limited number of requests.
    pub fn counted(&mut self, token: &Secret) {
        if let Some(owned) = self.index_of(token).and_then(|index| self.tokens.get_mut(index)) {
            owned.counted = true;
        }
    }

    /// A token that this run's login was given, and that others have too: it is left to its TTL.
    pub fn shared(&mut self, token: &Secret) {
        self.tokens.retain(|owned| owned.token.reveal() != token.reveal());
        self.shared.push(token.clone());
    }

    /// Notes what was issued with `token`. The leases of a given token or of a batch token are listed one by one,
    /// because revoking the token does not revoke them.
    pub fn issued(&mut self, token: &Secret, credentials: &Credentials) {
        self.externals.extend(credentials.external.clone().map(|one| (one, Some(token.clone()))));
        if let Some(lease) = &credentials.lease {
            self.leased(token, lease, credentials.life.map(|life| life.until));
        }
    }

    /// Notes a lease that was issued with `token`, even where its credentials could not be used.
    pub fn leased(&mut self, token: &Secret, lease: &credentials::Lease, ends: Option<Timestamp>) {
        if lease.shared {
            tracing::warn!(
                "{} came out of a cache on the way to Vault, so that others have it too: it is not revoked and ends with its \
                 TTL",
                lease.id
            );
            return;
        }
        let is_shared = self.shared.iter().any(|one| one.reveal() == token.reveal());
        let by = match self.index_of(token).and_then(|index| self.tokens.get(index)) {
            Some(owned) if !owned.batch => return,
            Some(_) => By::Batch(token.clone()),
            None if is_shared => By::Batch(token.clone()),
            None => By::Given(token.clone()),
        };
        self.leases.push(Lease { id: lease.id.clone(), ends, by });
    }

    /// Notes what the job is about to get: `scan` looks for the values of these variables, or for the content of the
    /// files they name.
    pub fn handed_over<'a>(&mut self, all: impl Iterator<Item = &'a Credentials>) {
        for one in all {
            let secret = one.variables.iter().filter(|variable| variable.sensitive);
            self.names.extend(secret.map(|variable| variable.name.clone()));
            self.names.extend(one.files.iter().map(|file| file.name.clone()));
        }
    }

    /// A file that credentials are about to be written to: it is removed with them.
    pub fn file(&mut self, file: Written) {
        self.files.push(file);
    }

    /// A profile that is about to be put into a file: it is taken out with the credentials.
    pub(crate) fn part(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// A token of this run lives longer than was known when it was issued.
    pub fn renewed(&mut self, token: &Secret, ends: Timestamp) {
        if let Some(owned) = self.index_of(token).and_then(|index| self.tokens.get_mut(index)) {
            owned.ends = Some(ends);
        }
    }

    /// Whether there is nothing to take back.
    pub fn is_empty(&self) -> bool {
        let no_files = self.files.is_empty() && self.parts.is_empty();
        self.tokens.is_empty() && self.leases.is_empty() && no_files && self.externals.is_empty()
    }

    /// Whether anything was taken back that had not ended.
    pub(crate) fn has_taken(&self) -> bool {
        self.taken
    }

    /// Whether its line in the state file would be empty.
    fn says_nothing(&self) -> bool {
        self.is_empty() && self.names.is_empty()
    }

    /// Whether this token is still to be revoked.
    pub fn lists(&self, token: &Secret) -> bool {
        self.index_of(token).is_some()
    }

    fn index_of(&self, token: &Secret) -> Option<usize> {
        self.tokens.iter().position(|owned| owned.token.reveal() == token.reveal())
    }

    /// Whether something was made at a cloud that has no lease.
    pub fn has_externals(&self) -> bool {
        !self.externals.is_empty()
    }

    /// Brings the line in the state file up to date, where one was asked for, before anything is handed over.
    pub async fn write_down(&mut self, shutdown: &Shutdown) -> Result<(), state::Error> {
        self.write(Sync::Yes, shutdown).await
    }

    /// The same as soon as there is something to take back, so that `revoke` finds it after this process was killed.
    pub async fn write_ahead(&mut self, shutdown: &Shutdown) -> Result<(), state::Error> {
        self.write(Sync::No, shutdown).await
    }

    async fn write(&mut self, sync: Sync, shutdown: &Shutdown) -> Result<(), state::Error> {
        let Some(entry) = &self.entry else { return Ok(()) };
        entry.replace(self, sync, shutdown).await
    }

    /// Writes what is left to the state file, for `revoke`. A warning says when that fails.
    async fn write_rest(&mut self, shutdown: &Shutdown) {
        if let Err(error) = self.write(Sync::Yes, &shutdown.without_cancellation()).await {
            tracing::warn!("{}", chain(&error));
        }
    }

    /// Its token was revoked, and what was issued has ended with it: its line in the state file goes.
    pub async fn has_ended(&mut self, shutdown: &Shutdown) {
        self.forget();
        self.write_rest(shutdown).await;
    }

    /// Forgets all of it, because the run has succeeded: it is left to its TTL, to the state file, or to the job.
    pub fn disarm(&mut self) {
        self.entry = None;
        self.forget();
    }

    fn forget(&mut self) {
        self.tokens.clear();
        self.shared.clear();
        self.leases.clear();
        self.files.clear();
        self.parts.clear();
        self.names.clear();
        self.externals.clear();
    }
}
