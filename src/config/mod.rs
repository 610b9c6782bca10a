//! Decides what to do: flags and environment become a [`Config`]. No other module may know which of them wins. It must
//! not do I/O beyond a look for ~/.vault-token.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::auth::Login;
use crate::ci::Job;
use crate::cli::{Ask, Parsed, Verb};
use crate::credentials::DeadMan;
use crate::emit::{self, Format, Output};
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
mod error;
mod login;
mod lookup;
mod names;
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
pub use error::Error;
pub(crate) use references::foreign;
pub(crate) use revoke::{Revoke, Scan};
pub use rotate::Error as RotationError;
pub(crate) use rotate::{AccessRotation, GitlabToken, Given, Kept, Rotation};
pub(crate) use sources::{Setting, sources};
pub(crate) use unknown::warn_of_unknown;

use lookup::Lookup;
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
    /// Whether all of it ends with the process that renews it.
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

/// `-- COMMAND`.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// Whether secrets in its output are replaced.
    pub mask: bool,
    /// Whether it asks for its AWS credentials, and gets fresh ones.
    pub refresh: bool,
    /// The variables that this run logs in with, beside those of the table of options: the command does not get them.
    pub withheld: Vec<String>,
    /// Where its credentials are looked for when it has ended.
    pub scan: Vec<OsString>,
}

/// What a job needs beside the token, because it came from flags.
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

/// `env` where no variable holds a reference: nothing is asked of Vault, and nothing that reaches it is needed.
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

/// The variables that a run may set or unset: known before the rest is, for a failure.
pub(crate) fn variables(parsed: &Parsed, env: &Env) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let asks = std::iter::once(match &parsed.verb {
        Verb::Provider(ask) => Some(ask),
        _ => None,
    });
    let asks = asks.chain(parsed.and.iter().map(Option::as_ref)).flatten();
    for (number, Ask { provider, .. }) in asks.enumerate() {
        names.extend(provider.variables());
        let flags_count = number == 0 && matches!(parsed.verb, Verb::Provider(_));
        let lookup = Lookup { flags: &parsed.flags, env, provider: Some(provider.name), flags_count };
        let steps = steps::wanted(provider, &lookup).unwrap_or_default();
        names.extend(steps.into_iter().flat_map(|step| step.access).map(|&name| name.to_owned()));
    }
    if let Verb::Read(paths) = &parsed.verb {
        names.extend(paths.iter().flat_map(|one| &one.names).filter_map(|pair| names::name_of(pair)));
    }
    if matches!(parsed.verb, Verb::Env) {
        names.extend(references::variables(&Lookup::of(parsed, env)));
    }
    if hands_over(parsed) {
        names.extend(["VAULT_TOKEN", "BAO_TOKEN"].map(str::to_owned));
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    names
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

/// --output; `-` is standard output, as elsewhere.
fn file(lookup: &Lookup<'_>) -> Result<Option<PathBuf>, Error> {
    let found = lookup.text(&options::OUTPUT_FILE)?;
    if let Some(empty) = found.as_ref().filter(|found| found.value.trim().is_empty()) {
        let (source_name, by_flag) = (empty.source.clone(), empty.by_flag);
        return Err(Error::Value {
            source_name,
            wanted: "the path of a file: is its variable set?",
            by_flag,
        });
    }
    Ok(found.filter(|found| found.value != "-").map(|found| found.value.into()))
}

/// Whether stdout is where the credentials of this command line would go, so that an `eval` may read it.
pub(crate) fn prints(parsed: &Parsed, env: &Env) -> bool {
    if let Verb::Setup(setup) = &parsed.verb {
        // Its output is meant for a shell.
        return setup.format == "sh" && !setup.check;
    }
    let lookup = Lookup::of(parsed, env);
    let is_dry_run = matches!(&parsed.verb, Verb::Doctor(doctor) if doctor.dry_run);
    // A variable that can't be read is an error later on; until then, assume that stdout is evaluated.
    let never = matches!(
        parsed.verb,
        Verb::Completions(_)
            | Verb::Doctor(_)
            | Verb::Revoke
            | Verb::Scan(_)
            | Verb::Status { .. }
            | Verb::Rotate
    );
    (is_dry_run || !never) && parsed.command.is_empty() && file(&lookup).ok().flatten().is_none()
}

/// --dead-man.
fn dead_man(lookup: &Lookup<'_>) -> Result<Option<DeadMan>, Error> {
    let best_effort = lookup.switch(&options::DEAD_MAN_BEST_EFFORT)?;
    let window = lookup.window(&options::DEAD_MAN)?;
    Ok(window.map(|window| DeadMan { window, best_effort }))
}

fn command(parsed: &Parsed, lookup: &Lookup<'_>) -> Result<Option<Command>, Error> {
    let refresh = lookup.switch(&options::REFRESH)?;
    let scan = lookup.list(&options::SCAN)?.into_iter().map(OsString::from).collect();
    if parsed.command.is_empty() {
        let flag = [&options::REFRESH, &options::NO_MASK, &options::SCAN]
            .into_iter()
            .find(|flag| parsed.flags.one(flag).is_some());
        return flag.map_or(Ok(None), |flag| Err(Error::WithoutCommand(flag.name)));
    }
    // Where the variables of a whole project say how to print, this call does not print.
    if let Some(flag) = [&options::FORMAT, &options::OUTPUT_FILE, &options::MERGE, &options::SHOW]
        .into_iter()
        .find(|flag| parsed.flags.one(flag).is_some())
    {
        return Err(Error::WithCommand(flag.name));
    }
    for option in [&options::SECRET_ID_FILE, &options::WRAPPED_SECRET_ID_FILE, &options::ID_TOKEN_FILE] {
        if let Some(found) = lookup.text(option)?.filter(|found| found.value == "-") {
            return Err(Error::StdinTaken { source_name: found.source });
        }
    }
    Ok(Some(Command {
        argv: parsed.command.clone(),
        mask: !lookup.switch(&options::NO_MASK)?,
        refresh,
        withheld: lookup
            .text(&options::ID_TOKEN_ENV)?
            .map(|found| found.value.trim().to_owned())
            .into_iter()
            .collect(),
        scan,
    }))
}

/// --merge. Its variable may be that of a whole project, and counts where there is a file to merge into.
fn merge(lookup: &Lookup<'_>, format: &Format, has_file: bool) -> Result<bool, Error> {
    let is_flag = |option| lookup.flags_count && lookup.flags.one(option).is_some();
    let merge = lookup.switch(&options::MERGE)?;
    if merge && is_flag(&options::MERGE) {
        if format.merge.is_none() {
            return Err(Error::Merge("takes --format aws-credentials or scw-config"));
        }
        if !has_file {
            return Err(Error::Merge("takes --output FILE: the file that the profile is put into"));
        }
        if is_flag(&options::FORCE) && lookup.switch(&options::FORCE)? {
            return Err(Error::Merge("leaves the rest of the file as it is, and --force replaces all of it"));
        }
    }
    Ok(merge && format.merge.is_some() && has_file)
}

fn output(parsed: &Parsed, lookup: &Lookup<'_>) -> Result<Output, Error> {
    let named = lookup.text(&options::FORMAT)?;
    let chosen = named.is_some();
    let format = match named {
        None => emit::FORMATS[0],
        Some(found) => emit::find(found.value.trim())
            .ok_or(Error::Format { source_name: found.source, by_flag: found.by_flag })?,
    };
    let file = file(lookup)?;
    let merge = parsed.command.is_empty() && merge(lookup, format, file.is_some())?;
    Ok(Output {
        format,
        chosen,
        options: emit::Options {
            profile: lookup.text(&options::PROFILE)?.map(|found| found.value),
            dotenv_limit: lookup.number(&options::DOTENV_LIMIT)?.unwrap_or(20),
        },
        file,
        force: lookup.switch(&options::FORCE)?,
        merge,
        show: lookup.switch(&options::SHOW)?,
    })
}
