//! What a CI system tells of a job, and what messages advise there: one row and one file per system. No other room may
//! name a system or its variables. Nothing here is needed for a run: outside CI all of it is absent.
//!
//! `tests/recipes/system.rs` is a row for another system, and shorter than GitLab's.

use std::sync::OnceLock;

use crate::env::Env;

pub(crate) mod gitlab;
mod job;

pub(crate) use gitlab::{BESIDE, Meant, OF_THE_GROUP, PATH_CLAIMS, PathClaim, Stranger};
pub(crate) use gitlab::{a_job, beside, is_number, slug, strangers};
pub(crate) use job::Job;

/// Every CI system. The first one that detects itself counts, so a system that sets another one's variables too stands
/// before it. GitLab is the last one: it takes any job with `CI` for its own, also on a runner that sets no more.
pub static SYSTEMS: &[&CiSystem] = &[&gitlab::GITLAB];

/// What there is to know about a CI system. Each `…_variable` is the name of the variable that holds it. [`PLAIN`] has
/// the value of a field that a system does not need: what it does not set is not used, or not said.
#[derive(Debug)]
pub struct CiSystem {
    /// Its name in messages.
    pub name: &'static str,
    /// Whether this process runs in a job of this system.
    pub detect: fn(&Env) -> bool,
    /// When the job started: RFC 3339.
    pub started_variable: &'static str,
    /// How long it may run: seconds or a duration.
    pub timeout_variable: &'static str,
    /// The folder of the checkout, out of which artifacts are taken.
    pub project_dir_variable: &'static str,
    /// What is added to that folder's name for the job's own temporary folder.
    pub temporary_suffix: &'static str,
    /// The path of the project or repository.
    pub project_variable: &'static str,
    /// The number of the project or repository.
    pub project_id_variable: &'static str,
    /// An ID that no other job has, nor another run of this one.
    pub job_id_variable: &'static str,
    /// A secret that this job alone has, and that ends with it. It seals the state file; without one, the file is plain
    /// and private.
    pub job_secret_variable: &'static str,
    /// A boolean: the log shows every command with its values.
    pub debug_trace_variable: &'static str,
    /// What identifies a job in the metadata of a secret_id, and the variables that say so. Keys at a cloud are described
    /// by `project_path` and `job_id`.
    pub facts: &'static [(&'static str, &'static str)],
    /// Its name where it has to be one short word: in the User-Agent, and as the start of an AWS session's name.
    pub session_prefix: &'static str,
    /// Why a variable that is set in the CI system may be missing in this job: one sentence.
    pub why_unset: fn(&Env) -> Option<String>,
    /// How a job gets an ID token: advice, with NAME for the variable.
    pub give_id_token: &'static str,
    /// Where the ID token of a job comes from, for `it takes …`.
    pub id_token_origin: &'static str,
    /// The variables that the system sets, by their whole names or how these begin. Outsiders write the values of some,
    /// so none is ever taken for a reference.
    pub set_names: &'static [&'static str],
    pub set_prefixes: &'static [&'static str],
    /// Variables with ID tokens that the system puts into a job unasked. They are taken last, and a command does not
    /// inherit them.
    pub unasked_id_tokens: &'static [&'static str],
    /// Those of the set variables that log in, the best first.
    pub unasked_logins: &'static [&'static str],
    /// What they are, behind the variable's name: `is the token of …`.
    pub unasked_are: &'static str,
    /// What is wrong with them, behind the variable's name: `is gone from …`.
    pub unasked_end: &'static str,
    /// The claims of its ID tokens that a failed job shows: project, ref, pipeline, job and environment. They must be
    /// harmless in the tokens of every system: what a claim is called does not tell who made it.
    pub shown_claims: &'static [&'static str],
    /// The claims that have another value on another ref.
    pub ref_claims: &'static [&'static str],
    /// The claims that a job has from its environment.
    pub environment_claims: &'static [&'static str],
    /// The claims that say that the system guards the ref or the environment.
    pub protection_claims: &'static [&'static str],
    /// How a pipeline keeps a job off refs that are not protected: ` … keeps the job off such refs`.
    pub keep_to_protected: &'static str,
    /// How a job gets an environment: advice.
    pub give_environment: &'static str,
    /// How its tokens begin: a value that begins like that is never shown.
    pub token_prefixes: &'static [&'static str],
    /// Why its masking of variables would fail for this value; `None` where a masked variable may hold it.
    pub masking_trouble: fn(&str) -> Option<&'static str>,
    /// How a variable of the system gets a secret's value, not the path of a file with it: advice for the user.
    pub secret_by_value: &'static str,
    /// How a failed job is repeated: advice.
    pub retry: &'static str,
    /// Where a runner gets a variable of its own, with NAME for the variable: advice for `setup`.
    pub give_on_runner: &'static str,
    /// The claims with personal data, which are never shown, not even when an error names them.
    pub private_claims: &'static [&'static str],
}

/// The fields of a system that tells nothing.
#[allow(dead_code, reason = "GitLab's row, the only one, has a value for each field")]
const PLAIN: CiSystem = CiSystem {
    name: "",
    detect: |_| false,
    started_variable: "",
    timeout_variable: "",
    project_dir_variable: "",
    temporary_suffix: ".tmp",
    project_variable: "",
    project_id_variable: "",
    job_id_variable: "",
    job_secret_variable: "",
    debug_trace_variable: "",
    facts: &[],
    session_prefix: "",
    why_unset: |_| None,
    give_id_token: "",
    id_token_origin: "",
    set_names: &["CI"],
    set_prefixes: &[],
    unasked_id_tokens: &[],
    unasked_logins: &[],
    unasked_are: "",
    unasked_end: "",
    shown_claims: &["sub", "aud", "iss"],
    ref_claims: &[],
    environment_claims: &[],
    protection_claims: &[],
    keep_to_protected: "",
    give_environment: "",
    token_prefixes: &[],
    masking_trouble: |_| None,
    secret_by_value: "",
    retry: "",
    give_on_runner: "",
    private_claims: &[],
};

impl CiSystem {
    /// How a job gets an ID token in the variable `name`.
    pub(crate) fn id_token_in(&self, name: &str) -> String {
        self.give_id_token.replace("NAME", name)
    }

    /// Whether this system sets a variable of this name, ci-creds' own aside.
    pub(crate) fn sets(&self, name: &str) -> bool {
        let starts = self.set_prefixes.iter().any(|start| name.starts_with(start));
        self.set_names.contains(&name) || starts && !name.starts_with("CI_CREDS_")
    }
}

/// The system that is meant where none shows itself, so that a job's variables count in a shell too. Roles and setups are
/// for its jobs.
pub(crate) fn usual() -> &'static CiSystem {
    &gitlab::GITLAB
}

/// The system whose job has this environment.
fn detected(env: &Env) -> Option<&'static CiSystem> {
    SYSTEMS.iter().copied().find(|system| (system.detect)(env))
}

/// The system whose job this process runs in.
static CURRENT: OnceLock<&'static CiSystem> = OnceLock::new();

/// Finds out, once, which system's job this process runs in: advice differs.
pub(crate) fn start(env: &Env) {
    let _ = CURRENT.set(detected(env).unwrap_or_default());
}

/// The system whose job this process runs in, for messages; else the usual one.
pub(crate) fn current() -> &'static CiSystem {
    CURRENT.get().copied().unwrap_or_else(usual)
}

impl Default for &'static CiSystem {
    fn default() -> Self {
        usual()
    }
}

/// The variables with ID tokens that systems set unasked.
pub(crate) fn unasked_id_tokens() -> impl Iterator<Item = &'static str> {
    SYSTEMS.iter().flat_map(|system| system.unasked_id_tokens).copied()
}

/// The same, as far as they log in.
pub(crate) fn unasked_logins() -> impl Iterator<Item = &'static str> {
    SYSTEMS.iter().flat_map(|system| system.unasked_logins).copied()
}

/// The system that puts an ID token into `variable` unasked.
pub(crate) fn of_unasked(variable: &str) -> Option<&'static CiSystem> {
    SYSTEMS.iter().copied().find(|system| system.unasked_id_tokens.contains(&variable))
}

/// The claims that a failed job shows unasked, each once: they are safe in the tokens of every system.
pub(crate) fn shown_claims() -> Vec<&'static str> {
    let mut all: Vec<&str> = Vec::new();
    for claim in SYSTEMS.iter().flat_map(|system| system.shown_claims) {
        if !all.contains(claim) {
            all.push(claim);
        }
    }
    all
}

/// Whether a failed job shows this claim unasked.
pub(crate) fn is_shown_claim(name: &str) -> bool {
    SYSTEMS.iter().any(|system| system.shown_claims.contains(&name))
}

/// Whether this claim is never shown.
pub(crate) fn is_private_claim(name: &str) -> bool {
    SYSTEMS.iter().any(|system| system.private_claims.contains(&name))
}

/// Whether this claim says that the CI system guards the ref, or the environment.
pub(crate) fn is_protection_claim(name: &str) -> bool {
    SYSTEMS.iter().any(|system| system.protection_claims.contains(&name))
}
