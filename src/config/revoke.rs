//! Where the state file is, and what `revoke` needs. It must not read the file.

use std::ffi::OsString;
use std::path::PathBuf;

use super::lookup::is_path;
use super::lookup::{FOLDER, Lookup};
use super::{Error, login, server, steps};
use crate::ci::Job;
use crate::cli::Parsed;
use crate::env::Env;
use crate::ledger::state;
use crate::options;
use crate::provider::PROVIDERS;
use crate::secret::Secret;

/// What `revoke` needs to know.
#[derive(Debug)]
pub(crate) struct Revoke {
    /// The state file.
    pub place: state::StateFile,
    /// Whether the command succeeds although something can't be revoked.
    pub best_effort: bool,
    /// What is configured now, which decides how lines are used.
    pub now: state::Configured,
}

/// What `scan` needs to know.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Where to look.
    pub paths: Vec<OsString>,
    /// The state file, which has the names of what to look for.
    pub place: state::StateFile,
    /// What `revoke` needs, where what is found must be revoked.
    pub revoke: Option<Revoke>,
}

impl Scan {
    /// Puts flags and environment together.
    pub(crate) fn resolve(paths: &[OsString], parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let revoke =
            if lookup.switch(&options::REVOKE_FOUND)? { Some(Revoke::resolve(parsed, env)?) } else { None };
        Ok(Self { paths: paths.to_vec(), place: place(&lookup, &Job::of(env))?, revoke })
    }
}

/// The state file, `auto` where none is named.
fn place(lookup: &Lookup<'_>, job: &Job) -> Result<state::StateFile, Error> {
    match state_file(lookup, job)? {
        Some(place) => Ok(place),
        None => auto(lookup, job)?.ok_or(Error::NoStateFile { project_dir: job.system.project_dir_variable }),
    }
}

/// The user's token; an empty one where an agent adds its own, and gets no other.
fn token(lookup: &Lookup<'_>) -> Result<Option<Secret>, Error> {
    if login::is_elsewhere(lookup)? {
        return Ok(Some(Secret::from("")));
    }
    let token = lookup.text(&options::TOKEN)?;
    if let Some(found) = token.as_ref().filter(|found| is_path(&found.value)) {
        return Err(Error::PathForValue { source_name: found.source.clone(), instead: None });
    }
    Ok(token.map(|found| Secret::from(found.value.trim())))
}

impl Revoke {
    /// Puts flags and environment together.
    pub(crate) fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let job = Job::of(env);
        let place = place(&lookup, &job)?;
        // A line says how its server is reached: nothing has to be set, but what is set counts.
        let server = match server::server(&lookup, job.in_ci) {
            Ok(server) => Some(server),
            Err(Error::NoAddress | Error::HiddenAddress | Error::BaseUrl) => None,
            Err(error) => return Err(error),
        };
        let apis = PROVIDERS.iter().filter_map(|cloud| Some((cloud.name, cloud.externals?.api)));
        let apis = apis.map(|(name, api)| Ok((name, steps::endpoint(api, None, &lookup)?)));
        let apis = apis.collect::<Result<_, Error>>()?;
        let now = state::Configured {
            server,
            allow_http: lookup.switch(&options::ALLOW_HTTP)?,
            skip_verify: lookup.switch(&options::TLS_SKIP_VERIFY)?,
            token: token(&lookup)?,
            policy: env.policy().clone(),
            apis,
        };
        Ok(Self { place, best_effort: lookup.switch(&options::BEST_EFFORT)?, now })
    }
}

/// Beside the state file, which `revoke` finds; else in the job's own temporary folder, if the runner made one.
pub(super) fn file_folder(
    lookup: &Lookup<'_>,
    state: Option<&state::StateFile>,
    job: &Job,
) -> Result<PathBuf, Error> {
    if let Some(folder) = state.and_then(|place| place.path.parent()) {
        return Ok(folder.to_owned());
    }
    let own = auto(lookup, job)?.and_then(|place| Some(place.path.parent()?.to_owned()));
    if let Some(folder) = own.filter(|folder| folder.is_dir()) {
        return Ok(folder);
    }
    Ok(lookup.named("TMPDIR", FOLDER)?.map_or_else(|| PathBuf::from("/tmp"), |found| found.value.into()))
}

pub(super) fn state_file(lookup: &Lookup<'_>, job: &Job) -> Result<Option<state::StateFile>, Error> {
    let Some(found) = lookup.text(&options::STATE_FILE)? else { return Ok(None) };
    if let Some(variable) = job.empty_secret {
        tracing::warn!(
            "{variable} is empty: the lines of the state file can't be sealed, and other jobs of this runner can use \
             the tokens in them. Do not set {variable}"
        );
    }
    if found.value.trim() == "auto" {
        return auto(lookup, job)?.map(Some).ok_or(Error::NoProjectDir {
            source_name: found.source,
            project_dir: job.system.project_dir_variable,
        });
    }
    let path = std::path::absolute(&found.value).map_err(|_| Error::Value {
        source_name: found.source,
        wanted: "a file's path",
        by_flag: found.by_flag,
    })?;
    Ok(Some(state::StateFile { path, auto: false, project: job.project_dir.clone(), seal: seal(job) }))
}

/// Beside the checkout, where `after_script` finds it with the shell, docker and Kubernetes executors.
fn auto(lookup: &Lookup<'_>, job: &Job) -> Result<Option<state::StateFile>, Error> {
    let Some((project, folder)) = job.project_dir.clone().zip(job.temporary_dir()) else { return Ok(None) };
    lookup.named(job.system.project_dir_variable, FOLDER)?;
    Ok(Some(state::StateFile {
        path: folder.join("ci-creds.state"),
        auto: true,
        project: Some(project),
        seal: seal(job),
    }))
}

/// The secret that this job alone has.
fn seal(job: &Job) -> Option<state::Seal> {
    let key = job.own_secret.clone()?;
    Some(state::Seal { key, context: job.id.clone().unwrap_or_default() })
}
