//! `ci-creds … -- COMMAND`: obtain everything, note what is to be taken back, run the command with it, and take it
//! back when the command has ended, whatever happened. The status is the command's.

use super::issue::token_credentials;
use crate::child::mask::Patterns;
use crate::child::{self, Child, Mask, Signals};
use crate::config::{Command, Config};
use crate::console;
use crate::credentials::Credentials;
use crate::emit::private;
use crate::env::Env;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::ledger::state::Entry;
use crate::session::{self, Order};
use crate::stop::Stop;
use crate::vault::Vault;

/// Runs the command; its status, as a shell has it.
pub async fn run(config: Config, command: &Command, env: &Env, stop: Stop) -> Result<u8, Error> {
    let entry = config.state_file.clone().map(|place| Entry::new(place, &config.server)).transpose()?;
    let vault = Vault::at(&config.server, stop.clone())?;
    let order =
        Order { login: config.login.clone(), requests: config.requests.clone(), min_ttl: config.min_ttl };
    let mut ledger = Ledger::with(entry);
    let mut session = session::obtain(&vault, &order, &mut ledger).await?;
    if let Some(hand_over) = &config.hand_over_token {
        session.credentials.push(token_credentials(&session.token, hand_over));
    }
    let outcome = match private::name(&mut session.credentials, &config.file_folder, &mut ledger) {
        Ok(()) => carry_out(&config, command, env, &stop, &vault, &session, &mut ledger).await,
        Err(error) => Err(error.into()),
    };
    // What the command wrote last arrives while its credentials are taken back.
    let (outcome, rest) = match outcome {
        Ok((code, rest)) => (Ok(code), Some(rest)),
        Err(error) => (Err(error), None),
    };
    ledger.take_back(&vault).await;
    if let Some(rest) = rest {
        rest.arrive();
    }
    outcome
}

async fn carry_out(
    config: &Config,
    command: &Command,
    env: &Env,
    stop: &Stop,
    vault: &Vault,
    session: &session::Session,
    ledger: &mut Ledger,
) -> Result<(u8, child::Rest), Error> {
    ledger.write_down()?;
    private::write(&session.credentials)?;
    if session.token_is_idle() {
        ledger.end(&vault.unstoppable(), &session.token.secret).await;
    }
    let environment = child::environment(env, &session.credentials, command.id_token.as_deref())?;
    let mask = match command.mask {
        true => mask(&session.credentials),
        false => None,
    };
    // From here on signals are the command's; one that came before ends the run.
    let signals = Signals::listen()?;
    stop.check()?;
    let mut child = Child::start(&command.argv, environment, mask.as_ref(), signals)?;
    console::summary(&session.credentials, &config.job);
    let code = child.wait().await.map_err(child::Error::Setup)?;
    Ok((code, child.ended()))
}

/// The mask for all that gives access by itself.
fn mask(all: &[Credentials]) -> Option<Mask> {
    let variables = all.iter().flat_map(|one| &one.variables).filter(|variable| variable.sensitive);
    let files = all.iter().flat_map(|one| &one.files).map(|file| &file.content);
    Patterns::of(variables.map(|variable| &variable.value).chain(files)).map(Mask::new)
}
