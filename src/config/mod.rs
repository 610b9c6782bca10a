//! Decides what to do: flags and environment become a [`Config`]. No other module may know which of them wins. It must
//! not do I/O beyond a look for ~/.vault-token.

use std::path::PathBuf;

use crate::auth::Login;
use crate::ci::Job;
use crate::cli::{Parsed, Verb};
use crate::credentials::DeadMan;
use crate::emit::Output;
use crate::env::Env;
use crate::input::Input;
use crate::ledger::state;
use crate::options;
use crate::provider::{Form, Request};
use crate::vault::Server;

mod address;
pub(crate) mod again;
mod aws;
mod colour;
mod command;
mod dangerous;
mod error;
mod failure;
mod login;
mod lookup;
mod names;
mod output;
mod references;
mod requests;
mod revoke;
mod rotate;
mod server;
pub(crate) mod setup;
mod sources;
mod steps;
mod unknown;

pub(crate) use colour::colour;
pub(crate) use command::Command;
pub use error::Error;
pub(crate) use failure::{prints, variables};
pub(crate) use references::foreign;
pub(crate) use revoke::{Revoke, Scan};
pub use rotate::Error as RotationError;
pub(crate) use rotate::{AccessRotation, GitlabToken, Given, Kept, Rotation};
pub(crate) use sources::{Setting, sources};
pub(crate) use unknown::warn_of_unknown;

use command::command;
use lookup::Lookup;
use output::output;
use references::References;
use revoke::{file_folder, state_file};

/// Everything that a run needs to know.
#[derive(Debug)]
pub(crate) struct Config {
    /// How to reach Vault.
    pub server: Server,
    /// How to log in.
    pub login: Login,
    /// What to issue, in order.
    pub requests: Vec<Request>,
    /// Whether the Vault token itself is handed over, and what goes along with it.
    pub hand_over_token: Option<HandOver>,
    /// Where the credentials go.
    pub output: Output,
    /// The command that gets them, instead of stdout.
    pub command: Option<Command>,
    /// The state file.
    pub state_file: Option<state::StateFile>,
    /// Where the files of `read NAME=@FIELD` go.
    pub file_folder: PathBuf,
    /// --dead-man: whether all of it ends when nobody renews the token.
    pub dead_man: Option<DeadMan>,
    /// The job.
    pub job: Job,
}

impl Config {
    /// Whether a value goes into a file of its own.
    pub(crate) fn makes_files(&self) -> bool {
        self.requests.iter().flat_map(|request| &request.fields).any(|field| field.form != Form::Text)
    }
}

/// Settings that came from flags, which a job needs beside the token.
#[derive(Debug, Clone, Default)]
pub(crate) struct HandOver {
    /// VAULT_ADDR.
    pub address: Option<String>,
    /// VAULT_NAMESPACE.
    pub namespace: Option<String>,
}

impl Config {
    /// Puts flags and environment together.
    pub(crate) fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let references = references::all(parsed, &Lookup::of(parsed, env))?;
        Self::with(parsed, env, references)
    }

    fn with(parsed: &Parsed, env: &Env, references: References) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let job = Job::of(env);
        let output = output(parsed, &lookup)?;
        let requests = requests::all(parsed, references, &lookup, &job)?;
        let server = server::server(&lookup, job.in_ci)?;
        let engine_role = requests.iter().find_map(|request| request.role.as_deref());
        let login = login::login(&lookup, engine_role, &job)?;
        let mut command = command(parsed, &lookup)?;
        let takes_stdin =
            |request: &Request| request.from_files.iter().any(|(_, from)| *from == Input::Stdin);
        if command.is_some() && requests.iter().any(takes_stdin) {
            return Err(Error::StdinTaken { source_name: "--data".to_owned() });
        }
        let state_file = state_file(&lookup, &job)?;
        let file_folder = file_folder(&lookup, state_file.as_ref(), &job)?;
        if hands_over(parsed) && login.method.elsewhere {
            return Err(Error::AgentsToken);
        }
        let hand_over_token = if hands_over(parsed) { Some(hand_over(&lookup, &server)?) } else { None };
        // A command that gets the token reaches Vault by the same certificate.
        let reaches_vault = hand_over_token.is_some() && login.method.name == "cert";
        if let Some(command) = command.as_mut().filter(|_| !reaches_vault) {
            command.withheld.extend(login.variables());
        }
        Ok(Self {
            server,
            login,
            requests,
            hand_over_token,
            output,
            command,
            state_file,
            file_folder,
            dead_man: dead_man(&lookup)?,
            job,
        })
    }
}

/// A run of `env` in which no variable holds a reference: it does not ask Vault, and needs no address.
#[derive(Debug)]
pub(crate) struct Unreferenced {
    /// Variables whose escape is taken off.
    pub(crate) escaped: Vec<(String, String)>,
    /// Where the credentials go.
    pub(crate) output: Output,
    /// The command that gets them, instead of stdout.
    pub(crate) command: Option<Command>,
    /// The job.
    pub(crate) job: Job,
}

/// What a run of `env` has to do.
#[derive(Debug)]
pub(crate) enum EnvRun {
    /// Some variables hold references.
    Asks(Box<Config>),
    /// No variable holds a reference, and no other provider is asked.
    Unreferenced(Box<Unreferenced>),
}

impl EnvRun {
    /// Puts flags and environment together.
    pub(crate) fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let references = references::all(parsed, &lookup)?;
        if !references.is_empty() || !parsed.and.is_empty() {
            return Ok(Self::Asks(Config::with(parsed, env, references)?.into()));
        }
        let (output, command, job) = (output(parsed, &lookup)?, command(parsed, &lookup)?, Job::of(env));
        let nothing = Unreferenced { escaped: references.escaped, output, command, job };
        Ok(Self::Unreferenced(nothing.into()))
    }
}

/// What a look at a role needs: a server, the operator's token, and the ID token to compare with the role.
#[derive(Debug)]
pub(crate) struct RoleCheck {
    /// How to reach Vault.
    pub server: Server,
    /// The operator's token.
    pub operator: Login,
    /// The ID token of a job, where one is given.
    pub id_token: Option<crate::auth::LoginParameter>,
}

impl RoleCheck {
    /// Puts flags and environment together.
    pub(crate) fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let job = Job::of(env);
        let server = server::server(&lookup, job.in_ci)?;
        let (operator, id_token) = login::for_role_check(&lookup, &job)?;
        Ok(Self { server, operator, id_token })
    }
}

/// -v and -q, for the log.
pub(crate) fn verbosity(parsed: &Parsed, env: &Env) -> Result<(usize, bool), Error> {
    let lookup = Lookup::of(parsed, env);
    colour::check(&lookup)?;
    Ok((parsed.flags.all(&options::VERBOSE).len(), lookup.switch(&options::QUIET)?))
}

fn hands_over(parsed: &Parsed) -> bool {
    matches!(parsed.verb, Verb::Login) || parsed.and.iter().any(Option::is_none)
}

fn hand_over(lookup: &Lookup<'_>, server: &Server) -> Result<HandOver, Error> {
    let by_flag = |option| Ok::<_, Error>(lookup.text(option)?.filter(|found| found.by_flag));
    Ok(HandOver {
        address: by_flag(&options::ADDR)?.map(|found| found.value),
        namespace: by_flag(&options::NAMESPACE)?.and_then(|_| server.namespace.clone()),
    })
}

/// --dead-man.
fn dead_man(lookup: &Lookup<'_>) -> Result<Option<DeadMan>, Error> {
    let best_effort = lookup.switch(&options::DEAD_MAN_BEST_EFFORT)?;
    let window = lookup.window(&options::DEAD_MAN)?;
    Ok(window.map(|window| DeadMan { window, best_effort }))
}
