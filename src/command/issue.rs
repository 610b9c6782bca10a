//! `ci-creds PROVIDER`, `read` and `login`: obtain everything, encode, revoke a token that nothing needs, write once.
//! When a step fails, it must not keep what was issued until then.

use crate::config::{Config, HandOver};
use crate::credentials::{self, Credentials, DeadMan, IssuedBy, Variable};
use crate::duration::show;
use crate::emit::sink::{self, Target};
use crate::emit::{Output, masking, private};
use crate::error::Error;
use crate::exec::background;
use crate::exec::shell::Shell;
use crate::ledger::Ledger;
use crate::ledger::state::Entry;
use crate::secret::Secret;
use crate::session::{self, Order, Token, keeper};
use crate::shutdown::Shutdown;
use crate::vault::Vault;

/// Hands the credentials over, or leaves nothing behind.
pub(crate) async fn run(config: Config, shutdown: Shutdown) -> Result<(), Error> {
    let token = config.hand_over_token.iter().map(|_| "login");
    config.output.format.fits(config.requests.iter().map(|request| request.origin.name()).chain(token))?;
    sink::check(&config.output, &config.job)?;
    let keeps_files = config.makes_files() && config.state_file.is_none();
    let (shell, dead_man) = watched(config.dead_man, &config.output)?;
    let makes_files = config.makes_files();
    let server = config.server;
    let vault = Vault::at(&server, shutdown.clone()).await?;
    let order = Order { login: config.login, requests: config.requests, look_up: false, dead_man };
    let entry = match config.state_file {
        Some(place) => Some(Entry::new(place, &server, &shutdown).await?),
        None => None,
    };
    let mut ledger = Ledger::with(entry);
    if makes_files {
        private::check(&config.file_folder, &config.job);
    }
    let mut session = session::obtain(&vault, &order, &mut ledger).await?;
    if let Some(hand_over) = &config.hand_over_token {
        session.credentials.push(token_credentials(&session.token, hand_over));
    }
    let outcome = async {
        let files = private::make(&mut session.credentials, &config.file_folder, &mut ledger)?;
        let content = config.output.encode(&session.credentials, &config.job)?;
        let target = Target::make(&config.output, content, &mut ledger)?;
        ledger.handed_over(session.credentials.iter());
        ledger.write_down(&shutdown).await?;
        files.write()?;
        if session.token_is_idle() {
            ledger.end(&vault.without_cancellation(), &session.token.secret).await;
        }
        let shell = shell.filter(|_| !session.token_is_idle());
        let keeper = keeper::start(&server, &session.token, shell, config.job.deadline).await?;
        // The last moment at which a signal can still mean that nothing was handed over.
        shutdown.check()?;
        target.write(&shutdown).await?;
        Ok::<_, Error>(keeper)
    };
    let keeper = match outcome.await {
        Ok(keeper) => keeper,
        Err(error) => {
            ledger.revoke_all(&vault).await;
            return Err(error);
        }
    };
    ledger.disarm();
    let window = session.token.window.filter(|_| keeper.is_some());
    if let Some(keeper) = keeper {
        keeper.go().await;
    }
    let end = window.map(|window| format!("ends with this shell, {} later at most", show(window)));
    credentials::summary(&session.credentials, &config.job, end.as_deref());
    if keeps_files {
        tracing::warn!(
            "nobody removes the file again: add --state-file auto and `ci-creds revoke`, or use `-- COMMAND`"
        );
    }
    masking::advice(&session.credentials).iter().for_each(|line| tracing::debug!("{line}"));
    Ok(())
}

/// Finds the shell with which the credentials must end, where --dead-man asks for that. It is looked for before
/// anything is issued.
fn watched(
    dead_man: Option<DeadMan>,
    output: &Output,
) -> Result<(Option<Shell>, Option<DeadMan>), background::Error> {
    let Some(dead_man) = dead_man else { return Ok((None, None)) };
    match Shell::find(output.file.is_none()) {
        Ok(shell) => Ok((Some(shell), Some(dead_man))),
        Err(error) if dead_man.best_effort => {
            tracing::warn!(
                "--dead-man does not hold: the shell that this is printed for can't be watched: {error}"
            );
            Ok((None, None))
        }
        Err(error) => Err(background::Error::NoShell(error)),
    }
}

/// The Vault token as the job gets it: later calls of `vault`, `bao`, Terraform and ci-creds use it.
pub(super) fn token_credentials(token: &Token, hand_over: &HandOver) -> Credentials {
    let mut variables =
        vec![Variable { name: "VAULT_TOKEN".to_owned(), value: token.secret.clone(), sensitive: true }];
    let plain = [
        ("VAULT_AUTH_METHOD", Some("token")),
        ("VAULT_ADDR", hand_over.address.as_deref()),
        ("VAULT_NAMESPACE", hand_over.namespace.as_deref()),
    ];
    let plain = plain.into_iter().filter_map(|(name, value)| Some((name, value?)));
    variables.extend(plain.map(|(name, value)| Variable {
        name: name.to_owned(),
        value: Secret::from(value),
        sensitive: false,
    }));
    // `bao` takes each BAO_X before its VAULT_X.
    let hiding = variables.iter().map(|variable| variable.name.replace("VAULT_", "BAO_"));
    let unsets = hiding.chain(["VAULT_SECRET_ID".to_owned(), "BAO_SECRET_ID".to_owned()]).collect();
    let all = Credentials::of(IssuedBy::Login, "auth/token", variables);
    Credentials { unsets, life: token.life, outlives_token: false, ..all }
}
