//! `ci-creds setup`: prints what Vault needs for a run. It touches nothing.

use crate::cli::{Parsed, Setup};
use crate::config;
use crate::emit::sink;
use crate::env::Env;
use crate::error::Error;
use crate::setup::{self, Options};

/// Plans and prints.
pub(crate) fn run(setup: &Setup, parsed: &Parsed, env: &Env) -> Result<(), Error> {
    let order = config::setup::resolve(setup, parsed, env)?;
    let plan = setup::plan(&order);
    let format = setup::find(&setup.format).unwrap_or(setup::FORMATS[0]);
    let cli = if setup.cli == "bao" { "bao" } else { "vault" };
    Ok(sink::text(&(format.write)(&plan, &Options { cli }))?)
}
