//! Why a call of Vault's API failed, whoever answered it. It must not show a secret that was sent.

use crate::error::{Code, Explain};
use crate::http;

/// A request to Vault that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request failed on the network.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Vault refused the request.
    #[error("Vault refused {action}")]
    Refused {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Whether a policy refused it, to a token that is alive.
        by_policy: bool,
        /// Vault's words.
        #[source]
        said: ServerErrors,
    },
    /// The login would go on with a second factor.
    #[error("Vault asks for a second factor after {action}")]
    SecondFactor {
        /// What was asked for.
        action: String,
    },
    /// Vault failed to answer.
    #[error("{}", match .status { 429 => format!("Vault put off {action}"), _ => format!("Vault could not carry out {action}") })]
    Unable {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Vault's words.
        #[source]
        said: ServerErrors,
    },
    /// The node has not caught up with its cluster.
    #[error("Vault put off {action}: this node has not caught up with its cluster")]
    Behind {
        /// What was asked for.
        action: String,
    },
    /// A token or namespace that no header can carry: nothing was sent.
    #[error("{0} has characters that can't be sent")]
    Unsendable(&'static str),
    /// The answer is not Vault's.
    #[error("{host} did not answer {action} as Vault does")]
    NotVault {
        /// What was asked for.
        action: String,
        /// The host that answered.
        host: String,
        /// Whether Vault may have answered, with success, to a request that makes something.
        lost: bool,
        /// Whether it forbids the request, as a proxy or a load balancer does that lets others through.
        forbidden: bool,
        /// What came instead.
        #[source]
        said: ServerErrors,
    },
}

/// Error texts of a server, made safe to print.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ServerErrors(pub Vec<String>);

impl Error {
    /// Whether the request may have made something whose answer never came.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Http(error) => error.is_lost(),
            Self::NotVault { lost, .. } => *lost,
            _ => false,
        }
    }

    /// The status and words of a refusal.
    pub fn refusal(&self) -> Option<(u16, &[String])> {
        match self {
            Self::Refused { status, said, .. } => Some((*status, &said.0)),
            _ => None,
        }
    }

    /// Whether a policy refused it, to a token that is alive.
    pub fn is_by_policy(&self) -> bool {
        matches!(self, Self::Refused { by_policy: true, .. })
    }

    /// Whether this is what Vault says to a token that has ended, or that it never made.
    pub fn is_of_no_token(&self) -> bool {
        matches!(self, Self::Refused { status: 403, by_policy: false, .. })
    }

    /// Whether a front, and not Vault, forbids the request: others may pass.
    pub fn is_by_front(&self) -> bool {
        matches!(self, Self::NotVault { forbidden: true, .. })
    }

    /// Whether some text of the server's holds `part`.
    pub fn says(&self, part: &str) -> bool {
        match self {
            Self::Refused { said, .. } | Self::Unable { said, .. } => {
                said.0.iter().any(|text| text.contains(part))
            }
            _ => false,
        }
    }
}

/// Where somebody else answers.
const ANOTHER: &str = "is VAULT_ADDR right? A proxy, load balancer or sign-in page may answer in its place";

/// How the server says it (openbao: `vault/request_handling.go`).
const NO_NAMESPACE: &str = "namespace not found";

/// An error of Vault's, with what its caller knows about it.
#[derive(Debug)]
pub struct WithHints {
    /// The error.
    pub error: Error,
    /// Facts that help to understand it.
    pub notes: Vec<String>,
    /// What to do, before the error's own hints; behind them where the namespace is at fault.
    pub hints: Vec<String>,
}

impl From<Error> for WithHints {
    fn from(error: Error) -> Self {
        Self { error, notes: Vec::new(), hints: Vec::new() }
    }
}

impl std::fmt::Display for WithHints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for WithHints {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl Explain for WithHints {
    fn code(&self) -> Code {
        self.error.code()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn hints(&self) -> Vec<String> {
        let (callers, own) = (self.hints.iter().cloned(), self.error.hints().into_iter());
        // Where the namespace does not exist, hints about roles and policies don't help.
        if self.error.says(NO_NAMESPACE) {
            own.chain(callers).collect()
        } else {
            callers.chain(own).collect()
        }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Http(error) => error.code(),
            Self::Refused { .. } | Self::SecondFactor { .. } => Code::Refused,
            Self::Unsendable(_) => Code::Environment,
            Self::Unable { .. } | Self::Behind { .. } | Self::NotVault { .. } => Code::Unreachable,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Http(http::Error::WantsTls { host }) => {
                return vec![format!("this port speaks TLS: set VAULT_ADDR to https://{host}")];
            }
            Self::Http(http::Error::Lost { foreign: true, .. }) => ANOTHER,
            Self::Http(error) => return error.hints(),
            Self::Refused { .. } if self.says(NO_NAMESPACE) => {
                "check VAULT_NAMESPACE (--namespace) and CI_CREDS_AUTH_NAMESPACE (--auth-namespace); \
                 where there are no namespaces, unset VAULT_NAMESPACE"
            }
            Self::Refused { .. } => return Vec::new(),
            Self::SecondFactor { .. } => {
                "a job has none: leave this auth method, or the job's entity, out of the login enforcement \
                 (identity/mfa/login-enforcement), or use a login that is not in it"
            }
            Self::Unsendable(_) => "give it as it was issued, on one line",
            Self::Unable { .. } if self.says("sealed") => "unseal it, then retry the job",
            Self::Unable { .. } => "retry the job; if it goes on, look at Vault's server log",
            Self::Behind { .. } => {
                "retry the job; if it goes on, this standby does not follow its leader: look at its server log"
            }
            Self::NotVault { .. } => ANOTHER,
        };
        vec![hint.to_owned()]
    }
}
