//! `ci-creds env` where no variable holds a reference: a warning, and success, so that every job can share one
//! before_script. It must not ask Vault: with references, `env` is a run like any other.

use crate::config::Unreferenced;
use crate::credentials::{Credentials, IssuedBy, Variable};
use crate::emit::sink::{self, Target};
use crate::env::Env;
use crate::error::Error;
use crate::exec::{self, Child, Signals};
use crate::ledger::Ledger;
use crate::secret::Secret;
use crate::shutdown::Shutdown;

/// Hands over what needs no Vault, or runs the command with it; returns the exit code.
pub(crate) async fn run(run: Unreferenced, env: &Env) -> Result<u8, Error> {
    tracing::warn!("no variable holds a reference such as vault:PATH#FIELD: nothing is read from Vault");
    let credentials: Vec<_> = (!run.escaped.is_empty()).then(|| unescaped(run.escaped)).into_iter().collect();
    let Some(command) = run.command else {
        if !credentials.is_empty() {
            sink::check(&run.output, &run.job)?;
            let content = run.output.encode(&credentials, &run.job)?;
            Target::make(&run.output, content, &mut Ledger::default())?.write(&Shutdown::never()).await?;
        }
        return Ok(0);
    };
    let environment = exec::environment(env, &credentials, &command.withheld)?;
    let mut child = Child::start(&command.argv, env, &environment, None, Signals::listen()?)?;
    Ok(child.wait().await.map_err(exec::Error::Setup)?)
}

fn unescaped(escaped: Vec<(String, String)>) -> Credentials {
    let variable =
        |(name, text): (String, String)| Variable { name, value: Secret::new(text), sensitive: false };
    Credentials::of(IssuedBy::Env, "", escaped.into_iter().map(variable).collect())
}
