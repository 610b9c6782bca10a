//! Why a call of GitLab's API failed, whoever answered it. It must not show the token.

use crate::error::{Code, Explain};
use crate::http;

/// A request to GitLab that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request failed on the network.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// GitLab refused the request: nothing was changed.
    #[error("GitLab refused {action}: {said}")]
    Refused {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// GitLab's words.
        said: String,
    },
    /// GitLab failed to answer.
    #[error("GitLab could not carry out {action}: {said}")]
    Unable {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// GitLab's words.
        said: String,
    },
    /// The answer is not GitLab's.
    #[error("{host} did not answer {action} as GitLab does: status {status}")]
    NotGitlab {
        /// What was asked for.
        action: String,
        /// The host that answered.
        host: String,
        /// The HTTP status.
        status: u16,
    },
}

impl Error {
    /// Whether the request certainly changed nothing.
    pub fn never_ran(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unable { status: 429, .. } => true,
            Self::Http(error) => matches!(
                error,
                http::Error::Connect { .. } | http::Error::Tls { .. } | http::Error::Setting { .. }
            ),
            Self::Unable { .. } | Self::NotGitlab { .. } => false,
        }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Http(error) => error.code(),
            Self::Refused { .. } => Code::Refused,
            Self::Unable { .. } | Self::NotGitlab { .. } => Code::Unreachable,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Http(http::Error::Tls { .. }) => {
                "set --gitlab-ca-cert, CI_CREDS_GITLAB_CA_CERT or CI_SERVER_TLS_CA_FILE to the CA certificate of this \
                 GitLab"
            }
            Self::Http(http::Error::Redirect { .. }) | Self::NotGitlab { .. } => {
                "set --gitlab-url or CI_CREDS_GITLAB_URL to the address of GitLab, with its path prefix if it has one"
            }
            Self::Http(error) => return error.hints(),
            Self::Refused { status: 400, .. } => {
                "a masked variable takes 8 characters and more, without blanks; is anything else wrong with it?"
            }
            Self::Refused { status: 401, .. } => {
                "the GitLab token is wrong or has expired; CI_JOB_TOKEN can't change variables: it takes a project or \
                 group access token with role Maintainer (in a group: Owner) and scope api"
            }
            Self::Refused { status: 403, .. } => {
                "the GitLab token needs scope api and role Maintainer (in a group: Owner)"
            }
            Self::Refused { status: 404, .. } => {
                "is the variable there, in this project or group and with this environment scope, and may the token see it?"
            }
            Self::Refused { status: 409, .. } => {
                "several variables have this name: choose one with --environment-scope"
            }
            Self::Refused { .. } => return Vec::new(),
            Self::Unable { .. } => "retry the job later",
        };
        vec![hint.to_owned()]
    }
}
