//! GitLab CI (docs: ci/variables/predefined_variables, ci/secrets/id_token_authentication). It must hold facts about
//! GitLab alone, and functions of what they are given: it reads no file, and asks nobody.
//!
//! The row is all that a run needs. What stands behind it is for `setup`, `doctor` and `rotate`.

mod meant;
mod strangers;

pub(crate) use meant::{Meant, PATH_CLAIMS, PathClaim, is_number, slug};
pub(crate) use strangers::{BESIDE, OF_THE_GROUP, Stranger, a_job, beside, strangers};

use super::CiSystem;
use crate::env::Env;
use crate::options::{Opt, Takes, Variables};

/// The row.
pub(crate) static GITLAB: CiSystem = CiSystem {
    name: "GitLab",
    detect: |env| env.get("CI").ok().flatten().is_some_and(|text| text != "false"),
    started_variable: "CI_JOB_STARTED_AT",
    timeout_variable: "CI_JOB_TIMEOUT",
    project_dir_variable: "CI_PROJECT_DIR",
    // GitLab Runner makes this folder beside the checkout; after_script finds it with every executor.
    temporary_suffix: ".tmp",
    project_variable: "CI_PROJECT_PATH",
    project_id_variable: "CI_PROJECT_ID",
    job_id_variable: "CI_JOB_ID",
    job_secret_variable: "CI_JOB_TOKEN",
    debug_trace_variable: "CI_DEBUG_TRACE",
    facts: &[
        ("project_path", "CI_PROJECT_PATH"),
        ("job_id", "CI_JOB_ID"),
        ("pipeline_id", "CI_PIPELINE_ID"),
        ("ref", "CI_COMMIT_REF_NAME"),
        ("user", "GITLAB_USER_LOGIN"),
    ],
    session_prefix: "gitlab",
    why_unset: |env| {
        unprotected_ref(env).map(|name| {
            format!(
                "this job runs on {name}, which is not protected: GitLab keeps protected variables from it; \
                 {KEEP_TO_PROTECTED}"
            )
        })
    },
    give_id_token: "give the job `id_tokens: {NAME: {aud: …}}`",
    id_token_origin: "the token of `id_tokens:` in .gitlab-ci.yml",
    // A merge request's title, a commit's message, a chat's words and a trigger's payload are among them.
    set_names: &["CI"],
    set_prefixes: &["CI_", "GITLAB_", "CHAT_", "TRIGGER_"],
    // GitLab before 17 puts these into every job.
    unasked_id_tokens: &["CI_JOB_JWT", "CI_JOB_JWT_V1", "CI_JOB_JWT_V2"],
    unasked_logins: &["CI_JOB_JWT_V2", "CI_JOB_JWT"],
    unasked_are: "is the token of GitLab before 17",
    unasked_end: "is gone from GitLab 17 on",
    shown_claims: &[
        "namespace_path",
        "project_id",
        "project_path",
        "ref",
        "ref_type",
        "ref_protected",
        "pipeline_id",
        "pipeline_source",
        "job_id",
        "environment",
        "environment_protected",
        "deployment_tier",
        "sub",
        "aud",
        "iss",
    ],
    ref_claims: &["ref", "ref_type", "ref_protected", "ref_path", "environment_protected"],
    environment_claims: &["environment", "environment_protected", "environment_action", "deployment_tier"],
    protection_claims: &["ref_protected", "environment_protected"],
    keep_to_protected: KEEP_TO_PROTECTED,
    give_environment: "give this job the `environment:` that the role is bound to",
    // GitLab documentation: security, token overview.
    token_prefixes: &[
        "glpat-",
        "gldt-",
        "glrt-",
        "glrtr-",
        "glcbt-",
        "glptt-",
        "glft-",
        "glimt-",
        "glagent-",
        "gloas-",
        "glsoat-",
        "glffct-",
        "glwt-",
        "GR1348941",
    ],
    masking_trouble,
    secret_by_value: "in `secrets:`, set `file: false`",
    retry: "`retry: exit_codes: [5]` lets GitLab do it, with `|| exit $?` behind the line: without it, Runner's bash \
        may report 1",
    give_on_runner: "in its config.toml as environment = [\"NAME=…\"]",
    private_claims: &["user_email", "user_identities"],
};

/// The number of the job's project: whose variable `rotate` replaces unless another is named.
pub(crate) static PROJECT_ID: Opt = variable("project", "ID", &["CI_PROJECT_ID"]);
/// The address of GitLab's API; where a job does not tell it, that of the instance.
pub(crate) static SERVER: Opt = variable("gitlab-url", "URL", &["CI_API_V4_URL", "CI_SERVER_URL"]);
/// The address of the instance: the `iss` of its ID tokens.
pub(crate) static ISSUER: Opt = variable("gitlab-url", "URL", &["CI_SERVER_URL"]);
/// The CA certificates of the GitLab instance, as the runner knows them.
pub(crate) static CA_FILE: Opt = variable("gitlab-ca-cert", "FILE", &["CI_SERVER_TLS_CA_FILE"]);

const fn variable(name: &'static str, value: &'static str, names: &'static [&'static str]) -> Opt {
    Opt::new(name, Takes::Variable(value), Variables::Usual(names), "")
}

/// The ref, where it is known not to be protected, with the name of its fork.
fn unprotected_ref(env: &Env) -> Option<String> {
    let text = |name| env.get(name).ok().flatten();
    text("CI_COMMIT_REF_PROTECTED").filter(|text| *text == "false")?;
    let name = text("CI_COMMIT_REF_NAME").unwrap_or("a ref");
    let (from, to) = (text("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"), text("CI_MERGE_REQUEST_PROJECT_PATH"));
    Some(match (from, to) {
        (Some(from), Some(to)) if from != to => format!("{name} of the fork {from}"),
        _ => name.to_owned(),
    })
}

/// The rule that keeps a job that needs credentials off refs that get none.
const KEEP_TO_PROTECTED: &str =
    "`rules: [{if: $CI_COMMIT_REF_PROTECTED == \"true\"}]` keeps the job off such refs";

/// The shortest value that GitLab masks.
const SHORTEST: usize = 8;

/// Why GitLab can't mask a value, or only in some variables (gitlab `app/models/concerns/ci/maskable.rb`).
fn masking_trouble(value: &str) -> Option<&'static str> {
    // `\S` of Ruby's expressions: all but these.
    if value.contains([' ', '\t', '\r', '\n', '\x0b', '\x0c']) {
        Some("could not hide it: the value has blanks or more than one line")
    } else if value.chars().count() < SHORTEST {
        Some("could not hide it: the value has fewer than 8 characters")
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=/@:.~-".contains(&byte)) {
        Some("could hide it only in a variable with `Expand variable reference` off")
    } else {
        None
    }
}
