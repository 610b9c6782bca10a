//! What `setup` is asked for: the requests of a run, found as the run finds them, and who may do it. It must not ask
//! Vault.

use super::lookup::Lookup;
use super::{hands_over, references, requests};
use crate::auth;
use crate::ci::{self, Job, PATH_CLAIMS, PathClaim};
use crate::cli::{Parsed, Setup, Verb, again};
use crate::env::Env;
use crate::options;
use crate::provider::Request;
use crate::setup::{self, Order};
pub use error::Error;
use who::who;

mod error;
mod who;

/// How long a login's token lives where nothing else is said.
const TOKEN_TTL: std::time::Duration = std::time::Duration::from_secs(900);

/// Puts flags and environment together.
pub(crate) fn resolve(setup: &Setup, parsed: &Parsed, env: &Env) -> Result<Order, Error> {
    let (and, flags, command) = (parsed.and.clone(), parsed.flags.clone(), parsed.command.clone());
    let run = Parsed { verb: (*setup.run).clone(), and, command, flags };
    let lookup = Lookup::of(&run, env);
    let references = references::all(&run, &lookup)?;
    // The run happens in a job, whatever this is.
    let requests = requests::all(&run, references, &lookup, &Job::default())?;
    let claim = group_claim(setup, &requests)?;
    for request in &requests {
        let path = claim.map_or(request.read.path.to_string(), |claim| claim.filled(&request.read.path, "1"));
        named("the path", &path)?;
    }
    let text = |option| Ok::<_, Error>(lookup.text(option)?.map(|found| found.value.trim().to_owned()));
    let trimmed = |option| text(option).map(|found| found.map(|name| name.trim_matches('/').to_owned()));
    let (namespace, own) = (trimmed(&options::NAMESPACE)?, trimmed(&options::AUTH_NAMESPACE)?);
    let below = below(namespace.as_deref(), own.as_deref())?;
    let method = text(&options::AUTH)?;
    let method = auth::find(method.as_deref().unwrap_or("jwt"));
    let method = method.ok_or(Error::Login { login: "that --auth names" })?;
    let login = setup::login(method.name).ok_or(Error::Login { login: method.name })?;
    let mount = super::login::mount(&lookup)?.unwrap_or_else(|| method.name.to_owned());
    named("the mount", &mount)?;
    let role = role(text(&options::AUTH_ROLE)?, &requests)?;
    // A process that is killed before it has cut the token's life then leaves one that ends with the window as well.
    let dead_man = lookup.window(&options::DEAD_MAN)?;
    let token_ttl = match &setup.token_ttl {
        Some(text) => crate::duration::parse(text).filter(|ttl| !ttl.is_zero()),
        None => dead_man.or(Some(TOKEN_TTL)),
    };
    let token_ttl =
        token_ttl.ok_or(Error::Odd { option: "--token-ttl", why: "is no duration such as 15m" })?;
    let variables = [
        ("VAULT_ADDR", text(&options::ADDR)?),
        ("VAULT_NAMESPACE", namespace.clone()),
        ("CI_CREDS_AUTH_NAMESPACE", own.clone().filter(|_| !below.is_empty())),
    ];
    let variables = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Order {
        variables: variables.collect(),
        call: again::run(&run),
        hands_over: hands_over(&run),
        allowed: setup.allowed.iter().map(|one| allowed(one)).collect::<Result<_, _>>()?,
        takes_kv_version: !matches!(run.verb, Verb::Env),
        has_window: dead_man.is_some(),
        refreshes: !run.command.is_empty() && lookup.switch(&options::REFRESH)?,
        runs_command: !run.command.is_empty(),
        requests,
        login,
        mount,
        role,
        engine_namespace: namespace.clone(),
        namespace: own.or(namespace),
        below,
        token_ttl: token_ttl.as_secs(),
        claim,
        who: who(login.name, setup, &lookup)?,
    })
}

/// The claim that stands in the run's paths.
fn group_claim(setup: &Setup, requests: &[Request]) -> Result<Option<&'static PathClaim>, Error> {
    let Some(name) = &setup.group_claim else { return Ok(None) };
    let wrong = |why| Error::GroupClaim { claim: crate::input::shown(name), why };
    let claim = PATH_CLAIMS.iter().find(|claim| claim.name == name);
    let claim = claim.ok_or_else(|| wrong("it is not a number that nobody can choose"))?;
    let needs_list = setup.projects.is_empty();
    if needs_list && !claim.templated {
        return Err(wrong("it has a /, and OpenBao refuses a path that is filled in with /, + or *"));
    }
    if needs_list && setup.groups.is_empty() {
        return Err(wrong("it needs --group, or --project for each project"));
    }
    if !needs_list {
        let by_number = setup.projects.iter().all(|one| ci::is_number(one));
        let fits = claim.name == if by_number { "project_id" } else { "project_path" };
        let globs = setup.projects.iter().any(|one| one.contains('*'));
        if !fits || globs {
            return Err(wrong(
                "give --project the number of each project for project_id, its path for project_path",
            ));
        }
    }
    if !requests.iter().any(|request| request.read.path.contains(&claim.mark())) {
        return Err(wrong("no path of the run has it"));
    }
    Ok(Some(claim))
}

/// How the engines' paths begin in the login's namespace `own`: `app/`, or nothing where it is theirs.
fn below(namespace: Option<&str>, own: Option<&str>) -> Result<String, Error> {
    let below = match own {
        Some(own) if namespace != Some(own) => {
            let rest = namespace.and_then(|name| name.strip_prefix(own)?.strip_prefix('/'));
            format!("{}/", rest.ok_or(Error::TwoNamespaces)?)
        }
        _ => String::new(),
    };
    named("the namespace", &below)?;
    Ok(below)
}

/// The role to log in with, whose policy has its name: the one that is given, else that of an engine, else
/// [`own_role`].
fn role(given: Option<String>, requests: &[Request]) -> Result<String, Error> {
    let engine_role = requests.iter().find_map(|request| request.role.clone());
    let engine_role = engine_role.filter(|role| !role.contains('{'));
    let role = given.or(engine_role).unwrap_or_else(|| own_role(requests));
    let plain = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
    if role.is_empty() || !role.chars().all(plain) || role.starts_with(['-', '.']) {
        return Err(Error::Name { what: "the role", name: crate::input::shown(&role) });
    }
    // Vault's names of policies have no capitals.
    if ["default", "root"].contains(&role.to_ascii_lowercase().as_str()) {
        return Err(Error::OwnPolicy { name: role });
    }
    Ok(role)
}

/// The name of the role where neither --auth-role nor an engine's role gives one: that of the path, so that the setup
/// of one secret does not replace that of another.
fn own_role(requests: &[Request]) -> String {
    let path = requests.first().map_or("", |request| &*request.read.path);
    // Without the claims that stand in it.
    let path = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let slug = ci::slug(&path.collect::<String>());
    let words: Vec<_> = slug.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "ci".to_owned() } else { words.join("-") }
}

fn named(what: &'static str, name: &str) -> Result<(), Error> {
    if setup::can_be_in_policy(name) {
        Ok(())
    } else {
        Err(Error::Name { what, name: crate::input::shown(name) })
    }
}

/// A further line of the policy: `PATH=CAPABILITY`.
fn allowed(text: &str) -> Result<(String, &'static str), Error> {
    let parts = text.rsplit_once('=').and_then(|(path, capability)| {
        Some((path, setup::CAPABILITIES.iter().find(|known| **known == capability)?))
    });
    let why = "is a path and one capability: auth/token/create=update";
    let (path, capability) = parts.ok_or(Error::Odd { option: "--allow", why })?;
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err(Error::Odd { option: "--allow", why });
    }
    named("the path", path)?;
    Ok((path.to_owned(), capability))
}
