//! Why a rotation can't begin.

use crate::ci::Job;
use crate::config;
use crate::error::{Code, Explain};
use crate::reference;

/// Why a rotation can't begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error that other commands have too.
    #[error(transparent)]
    Common(#[from] config::Error),
    /// No token role.
    #[error("the token role is not set")]
    NoTokenRole,
    /// No GitLab token.
    #[error("there is no access token of GitLab")]
    NoGitlabToken,
    /// A place in Vault that can't be one.
    #[error("{source_name} does not say where in Vault the access token of GitLab is: {fault}")]
    GitlabTokenPath {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
        /// What is wrong with it.
        fault: reference::Fault,
    },
    /// No address.
    #[error("the address of GitLab is not set")]
    NoGitlab,
    /// Neither project nor group.
    #[error("neither a project nor a group is set")]
    NoOwner,
    /// Both a project and a group.
    #[error("--project and --group are both given")]
    TwoOwners,
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Common(error) => error.code(),
            Self::TwoOwners | Self::GitlabTokenPath { by_flag: true, .. } => Code::Usage,
            _ => Code::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Common(error) => return error.hints(),
            Self::NoTokenRole => {
                "set --token-role or CI_CREDS_TOKEN_ROLE; `vault write auth/token/roles/ROLE …` makes one"
            }
            Self::NoGitlabToken => {
                return vec![format!(
                    "set --gitlab-token-path, --gitlab-token-file or CI_CREDS_GITLAB_TOKEN: a project or group access token with role \
                     Maintainer (in a group: Owner) and scope api; {} can't change variables",
                    Job::default().system.job_secret_variable
                )];
            }
            Self::GitlabTokenPath { .. } => {
                "the form is PATH#FIELD, mount included, such as secret/gitlab#token"
            }
            Self::NoGitlab => {
                "set --gitlab-url or CI_CREDS_GITLAB_URL to an address such as https://gitlab.example.com"
            }
            Self::NoOwner => "set --project or --group; in a job, the default is its own project",
            Self::TwoOwners => "the variable is either the project's or the group's",
        };
        vec![hint.to_owned()]
    }
}
