//! Why there are no AWS credentials to sign with. It must not show any that were found.

use std::error::Error as StdError;

use reqsign_core::ErrorKind;

use super::Source;
use crate::error::{Code, Explain};
use crate::http;
use crate::text::Text;

/// Why a login request can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No source has credentials.
    #[error("there are no AWS credentials to log in with")]
    Nothing,
    /// The source that was chosen has none.
    #[error("there are no AWS credentials in the source {source_name}")]
    Absent {
        /// As in --aws-source.
        source_name: &'static str,
        /// What must be there.
        needs: &'static str,
    },
    /// A source exists but does not work.
    #[error("{about} gave no AWS credentials: {reason}")]
    Failed {
        /// As in --aws-source.
        source_name: &'static str,
        /// For messages.
        about: &'static str,
        /// Whether it was chosen by the user.
        named: bool,
        /// Its error.
        reason: String,
        /// Whether it did not answer.
        silent: bool,
        /// The exit code.
        code: Code,
    },
    /// The credentials exist, but signing with them fails.
    #[error("the AWS credentials can't be used: {reason}")]
    Unsigned {
        /// Why.
        reason: String,
    },
    /// A value that no header can carry: nothing was sent.
    #[error("{what} has characters that can't be sent")]
    Unsendable {
        /// The variable or the flag, or whose value it is.
        what: String,
    },
    /// The HTTP client.
    #[error(transparent)]
    Http(#[from] http::Error),
}

impl Error {
    pub(super) fn failed(source: &Source, named: bool, cause: &reqsign_core::Error) -> Self {
        let network = in_chain::<http::Error>(cause).next();
        // The library's outer errors only say what was tried.
        let cause = in_chain::<reqsign_core::Error>(cause).last().unwrap_or(cause);
        let nearby = source.name == "imds" || source.name == "container";
        let code = match (network, cause.kind()) {
            (Some(error), _) if !nearby => error.code(),
            (Some(_), _) => Code::Environment,
            (None, ErrorKind::PermissionDenied | ErrorKind::CredentialInvalid) => Code::Refused,
            (None, _) if cause.is_retryable() => Code::Unreachable,
            (None, _) => Code::Environment,
        };
        let reason = match network {
            Some(error) => error.to_string(),
            None => sanitize(&cause.to_string()),
        };
        let silent = network.is_some();
        Self::Failed { source_name: source.name, about: source.about, named, reason, silent, code }
    }
}

/// The errors of one type, from the outermost.
fn in_chain<'a, T: StdError + 'static>(cause: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a T> {
    std::iter::successors(Some(cause), |error| (**error).source()).filter_map(|error| error.downcast_ref())
}

/// Server text is cut to 300 characters, on one line.
fn sanitize(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Text::new(&text).trim_end_matches([':', ' ']).to_owned()
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Failed { code, .. } => *code,
            Self::Http(error) => error.code(),
            _ => Code::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Nothing => {
                "set --aws-source or CI_CREDS_AWS_SOURCE to env, profile, container, imds or web-identity, and see \
                 what is missing there"
            }
            Self::Absent { needs, .. } => return vec![format!("it needs {needs}")],
            Self::Failed { source_name: "imds", silent: true, named, .. } => {
                let hop = "on EC2, in a container: the instance's http-put-response-hop-limit must be 2 \
                           (`aws ec2 modify-instance-metadata-options`)";
                let other = "nothing else was found: no AWS_ACCESS_KEY_ID, profile, container endpoint or web identity";
                return if *named { vec![hop.to_owned()] } else { vec![other.to_owned(), hop.to_owned()] };
            }
            Self::Failed { source_name: "imds", .. } => {
                "does the instance have an IAM role, and are its metadata options enabled?"
            }
            Self::Failed { source_name: "container", silent: true, .. } => {
                "is the task or pod still there? The endpoint is never asked through a proxy"
            }
            Self::Failed { source_name: "container", .. } => {
                "does the task have a task role? AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI names the endpoint"
            }
            Self::Failed { source_name: "web-identity", .. } => {
                "check AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, and the role's trust policy"
            }
            Self::Failed { .. } => {
                "check the files that AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name, and AWS_PROFILE, or choose \
                 another place with --aws-source"
            }
            Self::Unsigned { .. } => "are they complete, and not expired? --aws-source chooses other ones",
            Self::Unsendable { .. } => "give it as it was issued, on one line",
            Self::Http(error) => return error.hints(),
        };
        vec![hint.to_owned()]
    }
}
