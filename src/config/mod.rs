//! What is to be done, decided: flags and environment become a [`Config`], and every value knows its precedence
//! here and nowhere else. No I/O beyond a look for ~/.vault-token.

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::Login;
use crate::cli::{Ask, Parsed, Verb};
use crate::emit::{self, Format};
use crate::env::Env;
use crate::job::Job;
use crate::provider::Request;

mod error;
mod login;
mod lookup;
mod names;
mod requests;
mod server;
mod sources;

pub use error::Error;
pub use lookup::boolean;
pub use server::{Server, UNSUPPORTED, USUAL_VARIABLES, VARIABLES_ONLY};
pub use sources::{Source, sources};

use lookup::Lookup;

/// Everything that a run needs to know.
#[derive(Debug)]
pub struct Config {
    /// How to reach Vault.
    pub server: Server,
    /// How to log in.
    pub login: Login,
    /// What to issue, in order.
    pub requests: Vec<Request>,
    /// Whether the Vault token itself is handed over, and what goes along with it.
    pub hand_over_token: Option<HandOver>,
    /// What the credentials must last.
    pub min_ttl: Option<Duration>,
    /// Where they go.
    pub output: Output,
    /// The job.
    pub job: Job,
}

/// What a job needs beside the token, because it came from flags.
#[derive(Debug, Clone, Default)]
pub struct HandOver {
    /// VAULT_ADDR.
    pub address: Option<String>,
    /// VAULT_NAMESPACE.
    pub namespace: Option<String>,
}

/// How credentials are handed over.
#[derive(Debug, Clone)]
pub struct Output {
    /// The form.
    pub format: &'static Format,
    /// What the form can be told.
    pub options: emit::Options,
    /// The file, or stdout.
    pub file: Option<PathBuf>,
    /// Whether an existing profile file may be replaced.
    pub force: bool,
    /// Whether the user wants to see secrets.
    pub show: bool,
    /// Whether the summary is left out.
    pub quiet: bool,
}

impl Config {
    /// Puts flags and environment together.
    pub fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup { flags: &parsed.flags, env, provider: None, flags_count: true };
        let job = Job::of(env);
        let output = output(&lookup)?;
        let (requests, min_ttl) = requests::all(parsed, &lookup)?;
        let server = server::server(&lookup, job.in_ci)?;
        let engine_role = requests.iter().find_map(|request| request.role.as_deref());
        let login = login::login(&lookup, engine_role, job.in_ci)?;
        let hand_over_token = match hands_over(parsed) {
            true => Some(hand_over(&lookup, &server)?),
            false => None,
        };
        Ok(Self { server, login, requests, hand_over_token, min_ttl, output, job })
    }
}

/// What doctor needs at the desk: a server, the operator's token, and the ID token to hold against a role.
#[derive(Debug)]
pub struct Desk {
    /// How to reach Vault.
    pub server: Server,
    /// The token that looks.
    pub operator: Login,
    /// The ID token of a job, where one is given.
    pub id_token: Option<crate::auth::Ingredient>,
}

impl Desk {
    /// Puts flags and environment together.
    pub fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup { flags: &parsed.flags, env, provider: None, flags_count: true };
        let in_ci = Job::of(env).in_ci;
        let server = server::server(&lookup, in_ci)?;
        let (operator, id_token) = login::desk(&lookup, in_ci)?;
        Ok(Self { server, operator, id_token })
    }
}

/// The variables that a run may set or unset: known from the command line alone, for a failure before the rest is.
pub fn variables(parsed: &Parsed) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let asks = std::iter::once(match &parsed.verb {
        Verb::Provider(ask) => Some(ask),
        _ => None,
    });
    let asks = asks.chain(parsed.and.iter().map(Option::as_ref)).flatten();
    names.extend(asks.flat_map(|Ask { provider, .. }| provider.variables()));
    if let Verb::Read { names: pairs, .. } = &parsed.verb {
        names.extend(pairs.iter().filter_map(|pair| names::name_of(pair)));
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
pub fn verbosity(parsed: &Parsed, env: &Env) -> Result<(usize, bool), Error> {
    let lookup = Lookup { flags: &parsed.flags, env, provider: None, flags_count: true };
    Ok((parsed.flags.all("verbose").len(), lookup.switch("quiet")?))
}

fn hands_over(parsed: &Parsed) -> bool {
    matches!(parsed.verb, Verb::Login) || parsed.and.iter().any(Option::is_none)
}

fn hand_over(lookup: &Lookup<'_>, server: &Server) -> Result<HandOver, Error> {
    let by_flag = |name| Ok::<_, Error>(lookup.text(name)?.filter(|found| found.by_flag));
    Ok(HandOver {
        address: by_flag("addr")?.map(|found| found.value),
        namespace: by_flag("namespace")?.and_then(|_| server.namespace.clone()),
    })
}

/// --output; `-` is standard output, as elsewhere.
fn file(lookup: &Lookup<'_>) -> Result<Option<PathBuf>, Error> {
    Ok(lookup.text("output")?.filter(|found| found.value != "-").map(|found| found.value.into()))
}

/// Whether stdout is where the credentials of this command line would go, so that an `eval` may read it.
pub fn prints(parsed: &Parsed, env: &Env) -> bool {
    let lookup = Lookup { flags: &parsed.flags, env, provider: None, flags_count: true };
    // A variable that can't be read is an error to come; until then, the safe guess is that somebody evaluates.
    !matches!(parsed.verb, Verb::Completions(_) | Verb::Doctor(_)) && file(&lookup).ok().flatten().is_none()
}

fn output(lookup: &Lookup<'_>) -> Result<Output, Error> {
    let format = match lookup.text("format")? {
        None => emit::FORMATS[0],
        Some(found) => emit::find(found.value.trim())
            .ok_or(Error::Format { source_name: found.source, by_flag: found.by_flag })?,
    };
    Ok(Output {
        format,
        options: emit::Options {
            profile: lookup.text("profile")?.map(|found| found.value),
            dotenv_limit: lookup.number("dotenv-limit")?.unwrap_or(20),
        },
        file: file(lookup)?,
        force: lookup.switch("force")?,
        show: lookup.switch("show")?,
        quiet: lookup.switch("quiet")?,
    })
}
