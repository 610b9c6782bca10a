//! ci-creds logs in to Vault or OpenBao inside a GitLab CI job, exchanges the token for short-lived Exoscale, AWS or
//! Scaleway credentials, and hands them to the job.
//!
//! Data flows one way:
//!
//! ```text
//! cli, env → config → session (auth → vault → provider) → emit
//!                              http lies under vault
//! ```
//!
//! * [`cli`] is what may be typed, [`env`](mod@env) what is set; [`config`] alone knows which wins.
//! * [`auth`] and [`provider`] are tables: a login says what it needs and what it sends, a cloud says what it reads
//!   and which variables that becomes. Neither touches the network.
//! * [`session`] carries them out as a transaction; [`ledger`] knows what must be taken back when it fails.
//! * [`vault`] speaks Vault's API, [`http`] is the one way out.
//! * [`emit`] turns credentials into bytes, and writes them once.
//! * [`error`] is how a fault gets its exit code and its remedy.

use std::ffi::OsString;

use emit::sink::Failure;
use error::{Code, Error};

pub mod auth;
pub mod child;
pub mod claims;
pub mod cli;
pub mod command;
pub mod config;
pub mod console;
pub mod credentials;
pub mod duration;
pub mod emit;
pub mod env;
pub mod error;
pub mod http;
pub mod job;
pub mod ledger;
pub mod process;
pub mod provider;
pub mod secret;
pub mod session;
pub mod stop;
pub mod vault;

/// Runs one command line to its exit code.
pub fn run(arguments: &[OsString], env: &env::Env) -> u8 {
    process::harden();
    let shell = guess_format(arguments, env).filter(|_| !cli::has_command(arguments));
    let mut failure = Failure::new(shell, Vec::new());
    process::on_panic(&failure);
    let outcome = match cli::parse(arguments) {
        Ok(parsed) => {
            if !is_printing(&parsed) {
                failure = Failure::default();
            } else {
                failure = Failure::new(shell, config::variables(&parsed));
            }
            process::on_panic(&failure);
            carry_out(&parsed, env)
        }
        Err(error) if error.use_stderr() => {
            console::say(error.to_string().trim_end());
            failure.print(Code::Usage as u8);
            return Code::Usage as u8;
        }
        Err(help) => emit::sink::text(&help.to_string()).map(|()| 0).map_err(Error::from),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            console::say(&error.to_string());
            failure.print(error.code() as u8);
            error.code() as u8
        }
    }
}

/// Whether `eval` may be what reads our stdout.
fn is_printing(parsed: &cli::Parsed) -> bool {
    !matches!(parsed.verb, cli::Verb::Completions(_) | cli::Verb::Revoke)
        && parsed.command.is_empty()
        && parsed.flags.one("output").is_none()
}

fn carry_out(parsed: &cli::Parsed, env: &env::Env) -> Result<u8, Error> {
    if let cli::Verb::Completions(shell) = parsed.verb {
        command::completions::run(shell)?;
        return Ok(0);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Broken)?;
    runtime.block_on(async {
        let stop = stop::Stop::listen().map_err(Broken)?;
        let (verbose, quiet) = config::verbosity(parsed, env)?;
        console::start(verbose, quiet);
        if matches!(parsed.verb, cli::Verb::Revoke) {
            return command::revoke::run(config::Revoke::resolve(parsed, env)?, &stop).await;
        }
        let config = config::Config::resolve(parsed, env)?;
        match config.command.clone() {
            Some(command) => command::run::run(config, &command, env, stop).await,
            None => command::issue::run(config, stop).await.map(|()| 0),
        }
    })
}

/// The format of a command line that may not make sense: a tolerant look, so that a failing `eval` fails.
fn guess_format(arguments: &[OsString], env: &env::Env) -> Option<&'static emit::Format> {
    let mut words = arguments.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--");
    let mut named = None;
    while let Some(word) = words.next() {
        match word.strip_prefix("--format") {
            Some("") => named = words.next().map(|name| name.into_owned()),
            Some(rest) if rest.starts_with('=') => named = Some(rest[1..].to_owned()),
            _ => {}
        }
    }
    let named = named.or_else(|| env.get("CI_CREDS_FORMAT").ok().flatten().map(str::to_owned));
    match named {
        Some(name) => emit::find(name.trim()).or(Some(emit::FORMATS[0])),
        None => Some(emit::FORMATS[0]),
    }
}

/// The operating system did not give what every program gets.
#[derive(Debug, thiserror::Error)]
#[error("the process can't set itself up")]
struct Broken(#[source] std::io::Error);

impl error::Explain for Broken {
    fn code(&self) -> Code {
        Code::Bug
    }
}
