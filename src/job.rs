//! What GitLab says of the job in its CI_* variables. Nothing here is needed: outside CI it is all absent.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::env::Env;
use crate::secret::Secret;

const LONGEST_SESSION_NAME: usize = 64;

/// The job that ci-creds runs in.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// Whether there is one.
    pub in_ci: bool,
    /// When GitLab ends it: CI_JOB_STARTED_AT + CI_JOB_TIMEOUT.
    pub deadline: Option<Timestamp>,
    /// CI_PROJECT_DIR: the checkout, out of which artifacts are taken.
    pub project_dir: Option<PathBuf>,
    /// CI_PROJECT_PATH and CI_JOB_ID.
    pub name: Option<(String, String)>,
    /// CI_DEBUG_TRACE: the log shows every command with its values.
    pub debug_trace: bool,
    /// The ref, where GitLab keeps protected variables from the job: an unprotected one, or a fork's.
    pub unprotected_ref: Option<String>,
    /// CI_JOB_ID.
    pub id: Option<String>,
    /// CI_JOB_TOKEN: a secret that this job alone has, and that ends with it.
    pub own_secret: Option<Secret>,
    /// What identifies the job: project path, job and pipeline id, ref, user.
    pub facts: Vec<(&'static str, String)>,
}

impl Job {
    /// Out of the environment.
    pub fn of(env: &Env) -> Self {
        let text = |name| env.get(name).ok().flatten();
        let started = text("CI_JOB_STARTED_AT").and_then(|text| text.trim().parse::<Timestamp>().ok());
        let timeout = text("CI_JOB_TIMEOUT").and_then(crate::duration::parse);
        let deadline = started.zip(timeout).and_then(|(start, timeout)| start.checked_add(timeout).ok());
        Self {
            in_ci: text("CI").is_some_and(|text| text != "false"),
            deadline,
            project_dir: text("CI_PROJECT_DIR").map(PathBuf::from),
            name: text("CI_PROJECT_PATH").zip(text("CI_JOB_ID")).map(|(p, id)| (p.to_owned(), id.to_owned())),
            id: text("CI_JOB_ID").map(str::to_owned),
            own_secret: text("CI_JOB_TOKEN").map(Secret::from),
            unprotected_ref: unprotected_ref(&text),
            facts: FACTS.iter().filter_map(|(fact, name)| Some((*fact, text(name)?.to_owned()))).collect(),
            debug_trace: text("CI_DEBUG_TRACE").and_then(crate::env::boolean).unwrap_or(false),
        }
    }

    /// The name of an AWS session for this job: `gitlab-GROUP-PROJECT-JOBID`, in the characters and the length that
    /// AWS takes (sts:AssumeRole, RoleSessionName: `[\w+=,.@-]{2,64}`). The project is cut, never the job's id.
    pub fn session_name(&self) -> Option<String> {
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
        let room = LONGEST_SESSION_NAME.checked_sub("gitlab--".len() + id.len())?;
        let project = &project[..project.len().min(room)];
        Some(format!("gitlab-{project}-{id}"))
    }

    /// How long the job may run on after `time`.
    pub fn time_after(&self, time: Timestamp) -> Option<Duration> {
        let rest = self.deadline?.duration_since(time);
        Duration::try_from(rest).ok().filter(|rest| rest.as_secs() > 0)
    }
}

/// What identifies a job, and the variables that say so.
const FACTS: &[(&str, &str)] = &[
    ("project_path", "CI_PROJECT_PATH"),
    ("job_id", "CI_JOB_ID"),
    ("pipeline_id", "CI_PIPELINE_ID"),
    ("ref", "CI_COMMIT_REF_NAME"),
    ("user", "GITLAB_USER_LOGIN"),
];

fn unprotected_ref<'a>(text: &impl Fn(&'static str) -> Option<&'a str>) -> Option<String> {
    text("CI_COMMIT_REF_PROTECTED").filter(|text| *text == "false")?;
    let name = text("CI_COMMIT_REF_NAME").unwrap_or("a ref");
    let (from, to) = (text("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"), text("CI_MERGE_REQUEST_PROJECT_PATH"));
    Some(match (from, to) {
        (Some(from), Some(to)) if from != to => format!("{name} of the fork {from}"),
        _ => name.to_owned(),
    })
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
