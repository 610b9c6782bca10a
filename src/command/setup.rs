//! `ci-creds setup`: prints what Vault needs for a run. It touches nothing.

use crate::cli::{Parsed, Setup};
use crate::config;
use crate::emit::sink;
use crate::env::Env;
use crate::error::Error;
use crate::setup::{self, Options, Plan};

/// Plans and prints.
pub(crate) fn run(setup: &Setup, parsed: &Parsed, env: &Env) -> Result<(), Error> {
    let order = config::setup::resolve(setup, parsed, env)?;
    let plan = setup::plan(&order);
    prove(&plan)?;
    let format = setup::find(&setup.format).unwrap_or(setup::FORMATS[0]);
    let cli = if setup.cli == "bao" { "bao" } else { "vault" };
    Ok(sink::text(&(format.write)(&plan, &Options { cli }))?)
}

/// Nothing is printed that would keep out the job that it is for; whom else it lets in is said.
fn prove(plan: &Plan) -> Result<(), config::setup::Error> {
    if let Some(own) = plan.proof.first().filter(|own| !own.enters) {
        return Err(config::setup::Error::Unproven { claims: own.kept_out_by.join(", ") });
    }
    for entry in plan.proof.iter().skip(1).filter(|entry| entry.enters) {
        tracing::warn!(
            "this also lets in {}: name the jobs more narrowly, or see that it is meant",
            entry.job
        );
    }
    Ok(())
}
