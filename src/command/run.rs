//! `ci-creds … -- COMMAND`: obtains everything, notes what must be revoked, runs the command, renews meanwhile, and
//! revokes when the command has ended. It must return the command's own status.

use std::ffi::OsString;

use futures_util::future::{Either, join, select};

use super::issue::token_credentials;
use super::scan;
use crate::config::{Command, Config};
use crate::credentials::{self, Credentials};
use crate::duration::show;
use crate::emit::private;
use crate::env::Env;
use crate::error::{Code, Error};
use crate::exec::refresh::Endpoint;
use crate::exec::{self, Child, Signals};
use crate::ledger::Ledger;
use crate::ledger::state::Entry;
use crate::scan::Value;
use crate::session::refresh::{self, Reissuer};
use crate::session::renew::Renewer;
use crate::session::{self, Order, Session};
use crate::shutdown::{Relay, Shutdown};
use crate::vault::Vault;

mod veil;

use veil::Veil;

/// Runs the command; its status, as a shell has it.
pub(crate) async fn run(
    config: Config,
    command: &Command,
    env: &Env,
    shutdown: Shutdown,
) -> Result<u8, Error> {
    let entry = match &config.state_file {
        Some(place) => Some(Entry::new(place.clone(), &config.server, &shutdown).await?),
        None => None,
    };
    let vault = Vault::at(&config.server, shutdown.clone()).await?;
    let order = Order {
        login: config.login.clone(),
        requests: config.requests.clone(),
        look_up: true,
        dead_man: config.dead_man,
    };
    let mut ledger = Ledger::with(entry);
    if config.makes_files() {
        private::check(&config.file_folder, &config.job);
    }
    let mut session = session::obtain(&vault, &order, &mut ledger).await?;
    if let Some(hand_over) = &config.hand_over_token {
        session.credentials.push(token_credentials(&session.token, hand_over));
    }
    // While the command runs, signals are the command's. When it has ended, they hurry what is left to do.
    let (relay, after) = Shutdown::relayed();
    let scanning = after.clone();
    let after = vault.with_shutdown(after);
    let outcome = match private::make(&mut session.credentials, &config.file_folder, &mut ledger) {
        Ok(files) => {
            let run = Run { config: &config, command, env, order: &order, session: &session };
            run.carry_out(&vault, shutdown, (relay, &after), &mut ledger, files).await
        }
        Err(error) => Err(error.into()),
    };
    let ended = match outcome {
        Ok(ended) => ended,
        Err(error) => {
            ledger.revoke_all(&vault).await;
            return Err(error);
        }
    };
    // What the command wrote last arrives, and what it leaves behind is looked at, while its credentials are taken
    // back.
    let (_, found) = join(ledger.revoke_all(&after), look(&command.scan, ended.values, &scanning)).await;
    ended.rest.arrive();
    found.map(|()| ended.code).or_else(|error| match error {
        // The command's own exit code comes first, unless credentials were found that somebody must deal with.
        error if ended.code != 0 && error.code() != Code::Found => {
            tracing::warn!("{error}");
            Ok(ended.code)
        }
        error => Err(error),
    })
}

/// Looks for the credentials in what the command leaves behind.
async fn look(paths: &[OsString], values: Vec<Value>, shutdown: &Shutdown) -> Result<(), Error> {
    if paths.is_empty() || values.is_empty() {
        return Ok(());
    }
    scan::look(values, paths.to_vec(), shutdown).await
}

/// A command that has ended.
struct Ended {
    code: u8,
    /// Its last output, on its way.
    rest: exec::Rest,
    /// What it was given.
    values: Vec<Value>,
}

struct Run<'a> {
    config: &'a Config,
    command: &'a Command,
    env: &'a Env,
    order: &'a Order,
    session: &'a Session,
}

impl Run<'_> {
    async fn carry_out(
        &self,
        vault: &Vault,
        shutdown: Shutdown,
        (relay, after): (Relay, &Vault),
        ledger: &mut Ledger,
        files: private::Made,
    ) -> Result<Ended, Error> {
        ledger.handed_over(self.session.credentials.iter());
        ledger.write_down(&shutdown).await?;
        let fresh = self.refreshed();
        let endpoint = match fresh {
            Some(_) => Some(Endpoint::open().await.map_err(exec::Error::Setup)?),
            None => None,
        };
        let mut handed_over = self.session.credentials.clone();
        if let (Some(endpoint), Some(index)) = (&endpoint, fresh) {
            endpoint.replace(&mut handed_over[index]);
        }
        // The mask is made before anything is handed over, because a value that can't be masked is an error.
        let veil = Veil::new(self.command.mask, &[&self.session.credentials, &handed_over])?;
        files.write()?;
        let token_needed = fresh.is_some() && refresh::keeps_token(self.order);
        if self.session.token_is_idle() && !token_needed {
            ledger.end(&vault.without_cancellation(), &self.session.token.secret).await;
        }
        let environment = exec::environment(self.env, &handed_over, &self.command.withheld)?;
        let end = self.session.token.window.map(|window| format!("ends {} after this process", show(window)));
        credentials::summary(&self.session.credentials, &self.config.job, end.as_deref());
        let mut renewer = Renewer::new(self.session, &self.config.job, fresh, token_needed);
        // From here on signals are the command's; one that came before ends the run.
        let signals = Signals::listen()?;
        shutdown.check()?;
        let mut child =
            Child::start(&self.command.argv, self.env, &environment, veil.mask.as_ref(), signals)?;
        // The credentials are kept alive while the command deals with a request to stop.
        let source = fresh.and_then(|index| Reissuer::new(after, self.order, self.session, index, ledger));
        let serve = async {
            match (&endpoint, &source) {
                (Some(endpoint), Some(source)) => {
                    endpoint.serve(async || veil.hide(source.get().await?)).await
                }
                _ => std::future::pending().await,
            }
        };
        let mut helpers = Box::pin(join(renewer.run(after), serve));
        let code = match select(Box::pin(child.wait()), &mut helpers).await {
            Either::Left((code, _)) => code.map_err(exec::Error::Setup)?,
            Either::Right((never, _)) => match never.0 {},
        };
        relay.follow(&shutdown);
        let rest = child.ended();
        if let Some(source) = &source {
            select(Box::pin(source.settled()), &mut helpers).await;
        }
        drop(helpers);
        let values = if self.command.scan.is_empty() { Vec::new() } else { veil.values() };
        Ok(Ended { code, rest, values })
    }

    /// Which of the credentials the command asks for itself.
    fn refreshed(&self) -> Option<usize> {
        if !self.command.refresh {
            return None;
        }
        let found = self.session.credentials.iter().position(Credentials::refreshable);
        if found.is_none() {
            tracing::warn!("--refresh does nothing: there are no temporary AWS credentials");
        }
        found
    }
}
