//! What can be wrong with a setup that is asked for. It must not show a value that may be a secret.

use crate::ci;
use crate::config::Error as Common;
use crate::error::{Code, Explain};

/// A setup that can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error that a run has too.
    #[error(transparent)]
    Common(#[from] Common),
    /// A login that needs nothing, or that is not known here.
    #[error("setup does not know the login {login}")]
    Login {
        /// The login.
        login: &'static str,
    },
    /// No project is named.
    #[error("no project is named: whose jobs may do this?")]
    NoProject,
    /// Projects are given by number and by path.
    #[error("--project is given by number and by path: one role can compare only one of them")]
    MixedProjects,
    /// A claim that no path can have, or that no path has.
    #[error("--group-claim {claim}: {why}")]
    GroupClaim {
        /// The claim.
        claim: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An option with a value that can't be.
    #[error("{option} {why}")]
    Odd {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No service account, or one without its namespace.
    #[error("--service-account NAMESPACE/NAME is not given for each service account of the jobs")]
    NoServiceAccount,
    /// No IAM role, or no ARN.
    #[error("--principal is no ARN of an IAM role, or is not given")]
    NoPrincipal,
    /// No issuer.
    #[error("the address of {} is not set", ci::usual().name)]
    NoIssuer,
    /// An issuer whose keys Vault would fetch by plain http.
    #[error("{source_name} is plain http to {host}: anyone on the way can give Vault other keys")]
    PlainIssuer {
        /// The flag or variable.
        source_name: String,
        /// Host and port.
        host: String,
    },
    /// No audience.
    #[error("the audience of the ID tokens is not set")]
    NoAudience,
    /// A name that no policy or role can have.
    #[error("{what} {name} can't stand in a policy as itself")]
    Name {
        /// What it is.
        what: &'static str,
        /// The name, fit to show.
        name: String,
    },
    /// The role's policy would replace one that Vault itself has.
    #[error("the policy {name} is Vault's own")]
    OwnPolicy {
        /// Its name.
        name: String,
    },
    /// What should hold a job's line can't be read.
    #[error("--from-job holds no claims, and {from} can't be read")]
    Unread {
        /// The file, fit to show, or `-`.
        from: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The line of a job that holds no claims.
    #[error("--from-job holds no claims")]
    NoClaims,
    /// The role would keep out the job that it is for.
    #[error("the role would refuse the job that it is for: {claims}")]
    Unproven {
        /// The claims that keep it out.
        claims: String,
    },
    /// An option of another login: left out in silence, the role would let in more than was asked for.
    #[error("{option} does not go with --auth {login}")]
    OfAnotherLogin {
        /// The option.
        option: &'static str,
        /// The login.
        login: &'static str,
        /// The login that it belongs to.
        of: &'static str,
    },
    /// Two namespaces.
    #[error("the namespace is not below the login's, whose token can't be used there")]
    TwoNamespaces,
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Common(error) => error.code(),
            Self::Unproven { .. } => Code::Bug,
            Self::NoIssuer | Self::NoAudience | Self::PlainIssuer { .. } => Code::Environment,
            _ => Code::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Common(error) => return error.hints(),
            Self::Login { login: "agent" } => {
                "--auth names the login of the agent's auto_auth: approle, jwt, kubernetes or aws"
            }
            Self::Login { .. } => "--auth names jwt, approle, kubernetes or aws",
            Self::NoProject => {
                "name one with --project ID (its number, under Settings > General), several times for several"
            }
            Self::MixedProjects => {
                "give the numbers of all of them: a number stays when a project is renamed"
            }
            Self::GroupClaim { .. } => {
                "project_id and namespace_id are numbers, which fit in a path: write {project_id} where the number goes. With \
                 --project several times, one role for each is printed, and {project_path} can be used too"
            }
            Self::Odd { option: "--allow", .. } => "give it several times for several lines",
            Self::Odd { option: "--bound-cidr", .. } => {
                "name the network of the runners, several times for several"
            }
            Self::Odd { option: "--principal", .. } | Self::NoPrincipal => {
                "such as --principal arn:aws:iam::123456789012:role/gitlab-runner"
            }
            Self::Odd { .. } => return vec![format!("write it as {} shows it", ci::usual().name)],
            Self::NoServiceAccount => "such as --service-account ci/deployer, several times for several",
            Self::NoIssuer => {
                "set --gitlab-url or CI_CREDS_GITLAB_URL to the address such as https://gitlab.example.com"
            }
            Self::PlainIssuer { .. } => {
                "use https; where plain http is meant, set CI_CREDS_ALLOW_HTTP=true or --allow-http"
            }
            Self::NoAudience => {
                "set --audience to the aud of the job's id_tokens:, or VAULT_ADDR, which is the usual one"
            }
            Self::Name { .. } => {
                "choose a name of letters, digits, - and _; --auth-role names the role of the login"
            }
            Self::OfAnotherLogin { of, .. } => return vec![format!("leave it out, or set up --auth {of}")],
            Self::OwnPolicy { .. } => {
                "--auth-role gives the role, and the policy of the same name, another one"
            }
            Self::Unproven { .. } => "this is a bug in ci-creds; please report it",
            Self::NoClaims | Self::Unread { .. } => {
                "copy the line of the job's log that begins with `this token says:`"
            }
            Self::TwoNamespaces => {
                "VAULT_NAMESPACE must begin with CI_CREDS_AUTH_NAMESPACE and a /, as in team/app and team"
            }
        };
        vec![hint.to_owned()]
    }
}
