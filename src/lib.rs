//! ci-creds logs in to Vault or OpenBao inside a GitLab CI job, exchanges the token for short-lived Exoscale, AWS or
//! Scaleway credentials, and hands them to the job.
//!
//! The rooms, each of which knows only those below it (`tests/architecture.rs` reads this list and checks the code
//! against it):
//!
//! ```text
//! testing      what the tests use of the rooms; nothing in `src/` uses it
//! command      one file per command: its story from top to bottom
//! doctor       the steps of a run and the roles of a login, looked at and explained
//! session      log in, gather what a login needs, issue: a transaction; renew and refresh
//! scan         the job's values looked for in what it leaves behind
//! config       flags and environment become what is to be done; it alone knows which wins
//! cli          what may be typed: clap, made from options and providers
//! emit         one file per format: credentials become bytes; its sink alone writes them
//! ledger       what must be taken back, in memory and as the state file
//! setup        what Vault must have for a run: a plan, and one writer per format
//! provider     one table per cloud: what is read, and which variables that becomes
//! exec         `-- COMMAND`: the process, its signals, the mask over its output
//! reference    the references that stand in variables
//! credentials  what was issued, and how long it lives
//! auth         one file per login: what it needs and what it sends; it does not touch the network
//! cloud        APIs that are not Vault's, such as a cloud's own; a cloud itself is a table in `provider`
//! vault        Vault's API in Vault's words
//! http         the one way out: TLS, proxy, redirects
//! merge        files of profiles that others write too: one is put in, and taken out again
//! input        what a value seems to be; the one reader of files and of standard input
//! shutdown     signals that ask this process to end
//! claims       the claims of an ID token, and what a role demands of them
//! ci           one table per CI system: what it tells of a job, and what messages advise there
//! private_file files that hold secrets: made for their owner alone, and opened with care
//! process      what the process does to itself
//! console      stderr
//! duration     durations, read and shown
//! env          the environment, read once, and the policy that it is under
//! policy       what the administrator of the machine allows: /etc/ci-creds/policy.toml
//! options      every option as a row: flag, variables, help
//! error        how a fault gets its exit code and its remedy
//! text         what others wrote, made safe to show
//! secret       a value that no message shows
//! ```
//!
//! Where something new goes. Each is one file with its `mod` line, and one entry in a list. CONTRIBUTING.md has the
//! recipes, with the tests and pages that belong to them.
//!
//! | new | file in | entry in |
//! |---|---|---|
//! | a cloud | `provider` | `PROVIDERS` |
//! | a login | `auth` | `METHODS` |
//! | an output format | `emit` | its `FORMATS` |
//! | a check of doctor | `doctor::run` | `CHECKS` |
//! | a CI system | `ci` | `SYSTEMS`; no other room may name a CI system or its variables |
//! | a form in which `setup` prints | `setup` | its `FORMATS` |
//! | an option | none | `options::rows` |

use std::ffi::OsString;

use emit::sink::Failure;
use error::{Code, Error};

mod auth;
mod ci;
mod claims;
mod cli;
mod cloud;
mod command;
mod config;
mod console;
mod credentials;
mod doctor;
mod duration;
mod emit;
pub mod env;
mod error;
mod exec;
mod http;
mod input;
mod ledger;
mod merge;
mod options;
mod policy;
mod private_file;
mod process;
mod provider;
mod reference;
mod scan;
mod secret;
mod session;
mod setup;
mod shutdown;
#[doc(hidden)]
pub mod testing;
mod text;
mod vault;

/// Runs one command line to its exit code.
pub fn run(arguments: &[OsString], env: &env::Env) -> u8 {
    process::harden();
    ci::start(env);
    if command::keep::is_requested(arguments) {
        return in_background();
    }
    console::set_colour(config::colour(arguments, env));
    let shell = guess_format(arguments, env).filter(|_| !cli::has_command(arguments));
    // Until the command line is parsed, only the format of the failure is known.
    let mut failure = Failure::new(shell, Vec::new());
    failure.print_on_panic();
    // Before anything else: a signal before this ends the process without output, and `eval` takes that for success.
    let started = Started::new();
    let mut doctor = None;
    let outcome = match cli::parse(arguments) {
        Ok(parsed) => {
            failure = if config::prints(&parsed, env) {
                Failure::new(shell, config::variables(&parsed, env))
            } else {
                Failure::default()
            };
            failure.print_on_panic();
            doctor = doctor_line(&parsed, arguments);
            started.map_err(Error::from).and_then(|started| carry_out(started, &parsed, env))
        }
        Err(error) if error.use_stderr() => {
            console::say(error.to_string().replace('\u{a0}', " ").trim_end());
            failure.print(Code::Usage as u8);
            return Code::Usage as u8;
        }
        Err(help) => {
            // Help is nothing to evaluate, and a full pipe would not take the statement either.
            failure = Failure::default();
            let text = help.to_string().replace('\u{a0}', " ");
            started.map_err(Error::from).and_then(|Started { runtime, shutdown }| {
                runtime.block_on(emit::sink::text_unless_stopped(text, &shutdown)).map(|()| 0)
            })
        }
    };
    // A refusal needs an explanation; the other codes say what to set, or to try again.
    let refused = outcome.as_ref().is_err_and(|error| error.code() == Code::Refused);
    let code = end(outcome, &failure);
    if let Some(line) = doctor.filter(|_| refused) {
        console::say(&line);
    }
    code
}

/// The process that --dead-man leaves behind. It reports nothing, because nobody reads it; what it can't revoke ends
/// by itself.
fn in_background() -> u8 {
    let outcome =
        Started::new().map(|Started { runtime, shutdown }| runtime.block_on(command::keep::run(shutdown)));
    u8::from(!matches!(outcome, Ok(true)))
}

/// The call of `doctor` for this run.
fn doctor_line(parsed: &cli::Parsed, arguments: &[OsString]) -> Option<String> {
    use cli::Verb::{Env, Login, Provider, Read};
    let walked = matches!(parsed.verb, Provider(_) | Login | Read(_) | Env);
    let other = match &parsed.verb {
        Provider(ask) => ask.role.as_deref().filter(|role| provider::find(role).is_some()),
        _ => None,
    };
    let other = other.map_or_else(String::new, |other| {
        format!("hint: {other} is taken for the role; another provider is asked for with --and {other}\n")
    });
    let call = cli::again::doctor(arguments);
    walked.then(|| format!("{other}hint: `{call}` looks at each step of this run"))
}

/// Ends a run: writes an error to stderr and, for a printing command, the statement that makes `eval` fail to stdout.
pub fn end(outcome: Result<u8, Error>, failure: &Failure) -> u8 {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            console::say(&error.to_string());
            failure.print(error.code() as u8);
            error.code() as u8
        }
    }
}

/// The runtime, and the listener for signals in it.
struct Started {
    runtime: tokio::runtime::Runtime,
    shutdown: shutdown::Shutdown,
}

impl Started {
    fn new() -> Result<Self, Broken> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Broken)?;
        let shutdown = runtime.block_on(async { shutdown::Shutdown::listen() }).map_err(Broken)?;
        Ok(Self { runtime, shutdown })
    }
}

fn carry_out(started: Started, parsed: &cli::Parsed, env: &env::Env) -> Result<u8, Error> {
    let Started { runtime, shutdown } = started;
    let mut env = env.clone();
    if !matches!(parsed.verb, cli::Verb::Completions(_)) {
        let (verbose, quiet) = config::verbosity(parsed, &env)?;
        console::start(verbose, quiet);
        env = env.under(policy::MachinePolicy::read()?);
        config::warn_of_unknown(&env);
    }
    let env = &env;
    let run = |config: config::Config| match config.command.clone() {
        Some(command) => runtime.block_on(command::run::run(config, &command, env, shutdown.clone())),
        None => runtime.block_on(command::issue::run(config, shutdown.clone())).map(|()| 0),
    };
    match &parsed.verb {
        cli::Verb::Provider(_) | cli::Verb::Read(_) | cli::Verb::Login => {
            run(config::Config::resolve(parsed, env)?)
        }
        cli::Verb::Env => match config::EnvRun::resolve(parsed, env)? {
            config::EnvRun::Asks(config) => run(*config),
            config::EnvRun::Unreferenced(unreferenced) => {
                runtime.block_on(command::env::run(*unreferenced, env))
            }
        },
        cli::Verb::Revoke => {
            runtime.block_on(command::revoke::run(config::Revoke::resolve(parsed, env)?, &shutdown))
        }
        cli::Verb::Scan(paths) => {
            let config = config::Scan::resolve(paths, parsed, env)?;
            runtime.block_on(command::scan::run(config, env, &shutdown))
        }
        cli::Verb::Status { json } => {
            let config = config::Revoke::resolve(parsed, env)?;
            runtime.block_on(command::status::run(config, *json, &shutdown)).map(|()| 0)
        }
        cli::Verb::Doctor(doctor) => {
            runtime.block_on(command::doctor::run(doctor, parsed, env, shutdown)).map(|()| 0)
        }
        cli::Verb::Setup(setup) => runtime.block_on(command::setup::run(setup, parsed, env, shutdown)),
        cli::Verb::Rotate if config::AccessRotation::is_meant(parsed, env)? => {
            let rotation = config::AccessRotation::resolve(parsed, env)?;
            runtime.block_on(command::rotate::access::run(rotation, shutdown)).map(|()| 0)
        }
        cli::Verb::Rotate => {
            let rotation = config::Rotation::resolve(parsed, env)?;
            runtime.block_on(command::rotate::run(rotation, shutdown)).map(|()| 0)
        }
        cli::Verb::Completions(shell) => {
            runtime.block_on(command::completions::run(*shell, &shutdown)).map(|()| 0)
        }
    }
}

/// The format that a command line names, which may be invalid: its `eval` must fail too.
fn guess_format(arguments: &[OsString], env: &env::Env) -> Option<&'static emit::Format> {
    let named = cli::glance(arguments, &options::FORMAT).or_else(|| {
        let variables = options::FORMAT.variables(None);
        variables.iter().find_map(|name| env.get(name).ok().flatten()).map(str::to_owned)
    });
    match named {
        Some(name) => emit::find(name.trim()).or(Some(emit::FORMATS[0])),
        None => Some(emit::implied()),
    }
}

/// The operating system refused a runtime or a signal handler.
#[derive(Debug, thiserror::Error)]
#[error("the process can't set itself up")]
struct Broken(#[source] std::io::Error);

impl error::Explain for Broken {
    fn code(&self) -> Code {
        Code::Bug
    }
}
