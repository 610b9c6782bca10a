//! The job that this process runs in, read once from the CI system's variables. It must not name a variable itself: the
//! rows do.

use std::path::{Component, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::{CiSystem, detected};
use crate::env::Env;
use crate::secret::Secret;

const LONGEST_SESSION_NAME: usize = 64;

/// The job that ci-creds runs in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Job {
    /// The system that runs it.
    pub system: &'static CiSystem,
    /// Whether this process runs in a job.
    pub in_ci: bool,
    /// When the system ends it.
    pub deadline: Option<Timestamp>,
    /// The checkout, out of which artifacts are taken.
    pub project_dir: Option<PathBuf>,
    /// The project's path and the job's ID.
    pub name: Option<(String, String)>,
    /// The numbers of the project and the job, where both are numbers: for a header of the login.
    pub ids: Option<(String, String)>,
    /// Where the log shows every command with its values: the variable that says so.
    pub debug_trace: Option<&'static str>,
    /// Why a variable that is set in the CI system may be missing in this job: one sentence.
    pub why_unset: Option<String>,
    /// The job's ID.
    pub id: Option<String>,
    /// A secret that this job alone has, and that ends with it.
    pub own_secret: Option<Secret>,
    /// The variable of that secret, where it is there and empty.
    pub empty_secret: Option<&'static str>,
    /// What identifies the job: project path, job and pipeline id, ref, user.
    pub facts: Vec<(&'static str, String)>,
}

impl Job {
    /// Reads the job from the environment.
    pub(crate) fn of(env: &Env) -> Self {
        let here = detected(env);
        let system = here.unwrap_or_default();
        let text = |name| env.get(name).ok().flatten();
        let started = text(system.started_variable).and_then(|text| text.trim().parse::<Timestamp>().ok());
        let timeout = text(system.timeout_variable).and_then(crate::duration::parse);
        let deadline = started.zip(timeout).and_then(|(start, timeout)| start.checked_add(timeout).ok());
        Self {
            system,
            in_ci: here.is_some(),
            deadline,
            project_dir: text(system.project_dir_variable).map(whole),
            name: text(system.project_variable)
                .zip(text(system.job_id_variable))
                .map(|(project, id)| (project.to_owned(), id.to_owned())),
            id: text(system.job_id_variable).map(str::to_owned),
            own_secret: text(system.job_secret_variable).map(Secret::from),
            empty_secret: Some(system.job_secret_variable)
                .filter(|name| here.is_some() && env.has(name) && text(name).is_none()),
            why_unset: (system.why_unset)(env),
            facts: system
                .facts
                .iter()
                .filter_map(|(fact, name)| Some((*fact, text(name)?.to_owned())))
                .collect(),
            debug_trace: Some(system.debug_trace_variable)
                .filter(|name| text(name).and_then(crate::env::boolean).unwrap_or(false)),
            ids: number(text(system.project_id_variable)).zip(number(text(system.job_id_variable))),
        }
    }

    /// The name of an AWS session for this job: `gitlab-GROUP-PROJECT-JOBID`, in the characters and the length that
    /// AWS takes (sts:AssumeRole, RoleSessionName: `[\w+=,.@-]{2,64}`). The project is cut, never the job's id.
    pub(crate) fn session_name(&self) -> Option<String> {
        let (project, id) = self.name.as_ref()?;
        let clean = |text: &str| -> String {
            text.chars()
                .map(|char| match char {
                    '_' | '+' | '=' | ',' | '.' | '@' | '-' => char,
                    _ if char.is_ascii_alphanumeric() => char,
                    _ => '-',
                })
                .collect()
        };
        let (project, id) = (clean(project), clean(id));
        let prefix = self.system.session_prefix;
        let room = LONGEST_SESSION_NAME.checked_sub(prefix.len() + 2 + id.len())?;
        let project = &project[..project.len().min(room)];
        Some(format!("{prefix}-{project}-{id}"))
    }

    /// The job's own temporary folder, beside the checkout.
    pub(crate) fn temporary_dir(&self) -> Option<PathBuf> {
        let mut folder = self.project_dir.clone()?.into_os_string();
        folder.push(self.system.temporary_suffix);
        Some(folder.into())
    }

    /// The User-Agent by which Vault's audit log names the job.
    pub(crate) fn agent(&self) -> Option<String> {
        let (project, job) = self.ids.as_ref()?;
        let (version, system) = (env!("CARGO_PKG_VERSION"), self.system.session_prefix);
        Some(format!("ci-creds/{version} ({system}; project {project}; job {job})"))
    }

    /// How long the job may run on after `time`.
    pub(crate) fn time_after(&self, time: Timestamp) -> Option<Duration> {
        let rest = self.deadline?.duration_since(time);
        Duration::try_from(rest).ok().filter(|rest| rest.as_secs() > 0)
    }
}

/// The absolute path without `.`, `..` and a slash at its end, because another folder is named after it.
fn whole(text: &str) -> PathBuf {
    let absolute = std::path::absolute(text.trim()).unwrap_or_else(|_| PathBuf::from(text));
    let mut path = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

/// The text, if it is a number as CI systems count: nothing else goes into a header.
fn number(text: Option<&str>) -> Option<String> {
    let text = text.map(str::trim).filter(|text| (1..=20).contains(&text.len()));
    text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_after_the_job() {
        let name = |project: &str, id: &str| {
            let env: Env = [("CI_PROJECT_PATH", project), ("CI_JOB_ID", id)].into_iter().collect();
            Job::of(&env).session_name()
        };
        assert_eq!(name("group/sub/web app", "4711").as_deref(), Some("gitlab-group-sub-web-app-4711"));
        let long = name(&"größe/".repeat(30), "12345678901").unwrap();
        assert!(long.len() == 64 && long.ends_with("-12345678901") && long.is_ascii(), "{long}");
        assert_eq!(Job::default().session_name(), None);
    }

    #[test]
    fn the_checkout_is_a_whole_path() {
        let here = std::env::current_dir().unwrap().display().to_string();
        for (folder, expected) in [
            ("/builds/g/p", "/builds/g/p.tmp"),
            ("/builds/g/p/", "/builds/g/p.tmp"),
            ("/builds/g/p//\n", "/builds/g/p.tmp"),
            ("/builds/./g/../p/.", "/builds/p.tmp"),
            ("/", "/.tmp"),
            (".", &format!("{here}.tmp")),
            ("./", &format!("{here}.tmp")),
            ("p/", &format!("{here}/p.tmp")),
        ] {
            let env: Env = [("CI", "true"), ("CI_PROJECT_DIR", folder)].into_iter().collect();
            assert_eq!(Job::of(&env).temporary_dir(), Some(expected.into()), "{folder}");
        }
    }

    #[test]
    fn the_deadline_is_start_and_timeout() {
        let env: Env =
            [("CI", "true"), ("CI_JOB_STARTED_AT", "2026-11-21T10:00:00Z"), ("CI_JOB_TIMEOUT", "3600")]
                .into_iter()
                .collect();
        let job = Job::of(&env);
        assert!(job.in_ci);
        let end = "2026-11-21T10:15:00Z".parse().unwrap();
        assert_eq!(job.time_after(end), Some(Duration::from_secs(45 * 60)));
        assert_eq!(job.time_after("2026-11-21T11:00:00Z".parse().unwrap()), None);
        assert_eq!(Job::of(&Env::default()).deadline, None);
    }
}
