//! `ci-creds revoke`: revokes what the state file lists, line by line. It must not fail when done twice: a missing
//! file, an ended token, a lease that is gone are success. What can't be revoked now stays in the file.
//!
//! In a job only this job's lines are used (see [`state`]). Servers are asked side by side, and the lines of one in
//! turn, so that one that does not answer holds up no other; all of it ends after [`TAKING_BACK`].

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::time::{Instant, timeout};

use crate::config::Revoke;
use crate::error::{Code, Explain, chain};
use crate::ledger::state::{self, Content, Entry, Record, StateFile};
use crate::ledger::{Ledger, Left, may_revoke};
use crate::shutdown::{Shutdown, TAKING_BACK};
use crate::vault;

/// How many servers are asked at a time: so many that do not answer hold up no other.
const SERVERS: usize = 64;

/// Why something is not revoked.
#[derive(Debug, thiserror::Error)]
#[error("not everything in {} was taken back: {}", crate::input::path(&place.path), self.kind().1)]
struct Error {
    place: StateFile,
    left: Left,
}

impl Error {
    /// The code, why, and what to do.
    fn kind(&self) -> (Code, String, String) {
        let silent = |who| {
            let hint =
                format!("run `ci-creds revoke` again when {who} answers; what is left is still in the file");
            (Code::Unreachable, format!("{who} could not be reached, or not used"), hint)
        };
        match self.left {
            Left::Unreachable => silent("Vault"),
            Left::Cloud(title) => silent(title),
            Left::NoToken => (
                Code::Environment,
                "some leases were read with a token that is not here".to_owned(),
                "set VAULT_TOKEN to the token that the job used, or VAULT_AUTH_METHOD=agent where an agent logs in, and \
                 VAULT_ADDR to its server"
                    .to_owned(),
            ),
            Left::NotAllowed => (
                Code::Environment,
                "some of it can't or may not be reached as the file says".to_owned(),
                "the warnings say why; VAULT_ADDR and VAULT_CACERT, set now, count where a line's own CA can't be used"
                    .to_owned(),
            ),
            Left::File => (
                Code::Output,
                "a file could not be edited or removed".to_owned(),
                "the warnings say why: mend it, and run `ci-creds revoke` again; what is left is still in the file"
                    .to_owned(),
            ),
            Left::Refused | Left::Nothing => {
                (Code::Refused, "Vault refused some of it".to_owned(), may_revoke())
            }
        }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        self.kind().0
    }

    fn hints(&self) -> Vec<String> {
        vec![self.kind().2, "--best-effort makes this a warning".to_owned()]
    }
}

/// What became of the lines.
struct Done {
    /// What is left, by the worst case.
    left: Left,
    /// Of how many lines something was taken back.
    taken: usize,
    /// Of how many there was nothing left to take back.
    ended: usize,
}

impl Default for Done {
    fn default() -> Self {
        Self { left: Left::Nothing, taken: 0, ended: 0 }
    }
}

impl Done {
    fn and(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            taken: self.taken + other.taken,
            ended: self.ended + other.ended,
        }
    }
}

/// Revokes; 0, unless something could not be revoked.
pub(crate) async fn run(config: Revoke, shutdown: &Shutdown) -> Result<u8, crate::error::Error> {
    let content = config.place.read(shutdown).await?;
    let damaged = sweep(&config.place, &content, shutdown).await;
    let Content { records, others, .. } = content;
    let until = Instant::now() + TAKING_BACK;
    let work = by_address(records).into_iter().map(|lines| one_server(&config, lines, until, shutdown));
    let done =
        iter(work).buffer_unordered(SERVERS).fold(Done::default(), async |all, one| all.and(one)).await;
    shutdown.check()?;
    let left = done.left;
    let incomplete = (left != Left::Nothing).then(|| Error { place: config.place.clone(), left });
    match (damaged, incomplete) {
        (None, None) => {
            tell(&done, others, &config.place);
            Ok(0)
        }
        // What is left can still be revoked, so that it is reported last and gives the exit code.
        (damaged, incomplete) if config.best_effort => {
            damaged.iter().for_each(|error| tracing::warn!("{error}"));
            incomplete.iter().for_each(|error| tracing::warn!("{error}"));
            Ok(0)
        }
        (damaged, Some(error)) => {
            damaged.iter().for_each(|error| tracing::warn!("{error}"));
            Err(error.into())
        }
        (Some(damaged), None) => Err(damaged.into()),
    }
}

fn tell(done: &Done, others: usize, place: &StateFile) {
    let path = crate::input::path(&place.path);
    match (done.taken, done.ended, others) {
        (0, 0, 1..) => tracing::info!(
            "revoke: nothing to take back: {path} lists only what other jobs were given (lines: {others})"
        ),
        (0, 0, 0) => {
            tracing::info!("revoke: nothing to take back: {path} is not there, or lists nothing");
        }
        (0, _, _) => tracing::info!("revoke: nothing to take back: what {path} listed had ended"),
        (1, _, _) => tracing::info!("revoke: took back what one run was given"),
        (count, _, _) => tracing::info!("revoke: took back what {count} runs were given"),
    }
}

/// Removes old lines of other jobs and damaged ones; the error names the first damaged one.
async fn sweep(place: &StateFile, content: &Content, shutdown: &Shutdown) -> Option<state::Error> {
    let kept = match place.sweep(content, shutdown).await {
        Ok(kept) => kept,
        Err(error) => {
            tracing::warn!("{}", chain(&error));
            None
        }
    };
    match content.old {
        0 => {}
        count => tracing::info!("revoke: dropped {count} lines of other jobs, more than a day old"),
    }
    let line = content.first_damaged?;
    Some(state::Error::Damaged { path: place.path.clone(), line, kept })
}

/// The lines of each server, in the order of the file.
fn by_address(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut all: Vec<Vec<Record>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for record in records {
        let index = *known.entry(record.address().to_owned()).or_insert(all.len());
        match all.get_mut(index) {
            Some(lines) => lines.push(record),
            None => all.push(vec![record]),
        }
    }
    all
}

/// Revokes the lines of one server. A server that did not answer is not asked again.
async fn one_server(config: &Revoke, records: Vec<Record>, until: Instant, shutdown: &Shutdown) -> Done {
    let (mut all, mut down) = (Done::default(), false);
    for record in records {
        let rest = until.saturating_duration_since(Instant::now());
        if down || shutdown.is_requested() || rest.is_zero() {
            return all.and(Done { left: Left::Unreachable, ..Done::default() });
        }
        let done = line(config, record, rest, shutdown).await;
        down = done.left == Left::Unreachable;
        all = all.and(done);
    }
    all
}

/// One line.
async fn line(config: &Revoke, record: Record, rest: Duration, shutdown: &Shutdown) -> Done {
    let mut ledger = Ledger::with(Some(Entry::of(config.place.clone(), &record)));
    let lists = !record.is_only_names();
    let left = take_back(config, record, &mut ledger, rest, shutdown).await;
    let taken = ledger.has_taken();
    let ended = lists && !taken && left == Left::Nothing;
    Done { left, taken: taken.into(), ended: ended.into() }
}

async fn take_back(
    config: &Revoke,
    record: Record,
    ledger: &mut Ledger,
    rest: Duration,
    shutdown: &Shutdown,
) -> Left {
    let address = record.address().to_owned();
    if let Some(ended) = record.ended(vault::now()) {
        tracing::warn!("what a run was given by {address} ended at {ended}: its line is dropped");
        record.fill_files(ledger);
        return ledger.take_back_files(shutdown).await;
    }
    // It may name a file that never ends.
    let (why, left) = match timeout(rest, record.reach(&config.now, |_| (), shutdown.clone())).await {
        Ok(Ok((vault, way))) => {
            record.fill(ledger, &way, &config.now);
            return ledger.revoke_all_within(rest, &vault.without_cancellation()).await;
        }
        Ok(Err(why)) => (why, Left::NotAllowed),
        Err(_) => ("its certificates were not read in time".to_owned(), Left::Unreachable),
    };
    tracing::warn!("{address} is not asked to take anything back: {why}");
    left
}
