//! `ci-creds revoke`: take back what the state file lists, line by line. Done twice it does nothing: a missing file,
//! a token that has ended, a lease that is gone are success. What can't be taken back now stays in the file.

use std::collections::HashSet;

use crate::config::Revoke;
use crate::error::{Code, Explain};
use crate::ledger::state::{self, Entry, Place, Record};
use crate::ledger::{Ledger, Left, may_revoke};
use crate::secret::Secret;
use crate::stop::Stop;
use crate::vault::Vault;

/// Why something is left.
#[derive(Debug, thiserror::Error)]
#[error("not everything in {} was taken back: {}", place.path.display(), self.kind().1)]
struct Error {
    place: Place,
    left: Left,
}

impl Error {
    /// The code, why, and what to do.
    fn kind(&self) -> (Code, &'static str, String) {
        let again = |who| {
            format!("run `ci-creds revoke` again when {who} answers; what is left is still in the file")
        };
        match self.left {
            Left::Unreachable => {
                (Code::Unreachable, "Vault could not be reached, or not used", again("Vault"))
            }
            Left::Cloud => {
                (Code::Unreachable, "Scaleway could not be reached, or not used", again("Scaleway"))
            }
            Left::NoToken => (
                Code::Environment,
                "some leases were read with a token that is not here",
                "set VAULT_TOKEN to the token that the job used".to_owned(),
            ),
            Left::Refused | Left::Nothing => {
                (Code::Refused, "Vault, or the system, refused some of it", may_revoke())
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

/// Takes back; 0, unless something is left.
pub async fn run(config: Revoke, stop: &Stop) -> Result<u8, crate::error::Error> {
    let content = config.place.read()?;
    let (mut left, mut down) = (Left::Nothing, HashSet::new());
    let count = content.records.len();
    for record in content.records {
        stop.check()?;
        left = left.max(line(&config, record, stop, &mut down).await);
    }
    if let Some(line) = content.damaged {
        return Err(state::Error::Damaged { path: config.place.path, line }.into());
    }
    if left == Left::Nothing {
        match count {
            0 => tracing::info!(
                "revoke: nothing to take back: {} is not there, or lists nothing",
                config.place.path.display()
            ),
            1 => tracing::info!("revoke: took back what one run was given"),
            _ => tracing::info!("revoke: took back what {count} runs were given"),
        }
        return Ok(0);
    }
    let error = Error { place: config.place, left };
    if config.best_effort {
        tracing::warn!("{error}");
        return Ok(0);
    }
    Err(error.into())
}

/// One line. A Vault that did not answer is not asked again for the next one.
async fn line(config: &Revoke, record: Record, stop: &Stop, down: &mut HashSet<String>) -> Left {
    let server = record.server();
    let address = server.address.to_string();
    if down.contains(&address) {
        return Left::Unreachable;
    }
    let mut ledger = Ledger::with(Some(Entry::of(config.place.clone(), &record)));
    let given: Option<&Secret> = config.token.as_ref();
    record.fill(&mut ledger, given);
    let left = match Vault::at(&server, stop.unheeded()) {
        Ok(vault) => ledger.take_back(&vault).await,
        Err(error) => {
            tracing::warn!("{address} can't be used: {error}");
            Left::Unreachable
        }
    };
    if left == Left::Unreachable {
        down.insert(address);
    }
    left
}
