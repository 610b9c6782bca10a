//! What `rotate` needs beside Vault's address and the login: the variable, and GitLab. It must not ask GitLab.

use std::time::Duration;

use reqwest::Url;

use super::lookup::is_path;
use super::lookup::{Lookup, Sourced};
use super::{address, login, server};
use crate::auth::Login;
use crate::ci::{Job, gitlab};
use crate::cli::Parsed;
use crate::cloud::gitlab::{Owner, VariableRef};
use crate::env::Env;
use crate::error::{Code, Explain};
use crate::http::{self, Ca, FileFrom, Tls, is_loopback};
use crate::input::Input;
use crate::options;
use crate::provider::{Request, Wanted};
use crate::reference;
use crate::secret::Secret;
use crate::vault::Server;

/// How long jobs that started with the old token can go on using it.
const GRACE: Duration = Duration::from_secs(3600);

/// How long a new access token of GitLab is good for: a weekly or monthly schedule renews it in time.
const ACCESS_TOKEN_TTL: Duration = Duration::from_secs(30 * 86_400);

/// Everything that a rotation needs to know.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// How to reach Vault.
    pub server: Server,
    /// How to log in.
    pub login: Login,
    /// How to reach GitLab.
    pub gitlab: GitlabServer,
    /// The variable.
    pub place: VariableRef,
    /// What this job has in that variable: the old token, where GitLab does not show it.
    pub in_this_job: Option<Secret>,
    /// The token role.
    pub token_role: String,
    /// The path that the issuing token is for: `auth/approle/role/NAME/secret-id`. Where the AppRole is not named, what
    /// the old token may do counts.
    pub secret_id_path: Option<String>,
    /// What is left to the old token.
    pub grace: Duration,
    /// Whether this is a dry run, which changes nothing.
    pub dry_run: bool,
}

/// Everything that the rotation of GitLab's access token needs to know.
#[derive(Debug)]
pub(crate) struct AccessRotation {
    /// How to reach Vault, where that keeps the token.
    pub server: Server,
    /// How to reach GitLab.
    pub gitlab: GitlabServer,
    /// Where the token is kept.
    pub kept: Kept,
    /// How long the new token is good for.
    pub ttl: Duration,
    /// Whether nothing is changed.
    pub dry_run: bool,
}

/// Where GitLab's access token is kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// In a variable of GitLab's own.
    Variable(VariableRef),
    /// In Vault.
    Vault {
        /// How to log in there.
        login: Box<Login>,
        /// What the login reads.
        request: Box<Request>,
    },
}

/// A GitLab instance.
#[derive(Debug, Clone)]
pub(crate) struct GitlabServer {
    /// With the path prefix of the instance, and `/api/v4`.
    pub base: Url,
    /// For the client.
    pub http: http::Settings,
    /// The access token.
    pub token: GitlabToken,
}

/// Where the access token comes from.
#[derive(Debug, Clone)]
pub(crate) enum GitlabToken {
    /// The token itself, from a variable.
    Value(Secret),
    /// In Vault, which the login reads.
    Vault(Box<Request>),
    /// In a file, or on standard input.
    Input {
        /// Where.
        input: Input,
        /// The flag or variable.
        source: String,
    },
}

/// Why a rotation can't begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error that other commands have too.
    #[error(transparent)]
    Common(#[from] super::Error),
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

impl AccessRotation {
    /// Whether this is what the command line asks for.
    pub(crate) fn is_meant(parsed: &Parsed, env: &Env) -> Result<bool, Error> {
        Ok(Lookup::of(parsed, env).switch(&options::GITLAB_ACCESS_TOKEN)?)
    }

    /// Puts flags and environment together.
    pub(crate) fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let job = Job::of(env);
        let server = server::server(&lookup, job.in_ci)?;
        let gitlab = gitlab(&lookup, &server)?;
        let text = |option| Ok::<_, Error>(lookup.text(option)?.map(|found| found.value.trim().to_owned()));
        let kept = if let GitlabToken::Vault(request) = &gitlab.token {
            Kept::Vault { login: login::login(&lookup, None, &job)?.into(), request: request.clone() }
        } else {
            let key = text(&options::VARIABLE)?.unwrap_or_else(|| "CI_CREDS_GITLAB_TOKEN".to_owned());
            let scope = text(&options::ENVIRONMENT_SCOPE)?;
            Kept::Variable(VariableRef { owner: owner(&lookup)?, scope, key })
        };
        Ok(Self {
            kept,
            ttl: lookup.duration(&options::GITLAB_TOKEN_TTL)?.unwrap_or(ACCESS_TOKEN_TTL),
            dry_run: lookup.switch(&options::DRY_RUN)?,
            server,
            gitlab,
        })
    }
}

impl Rotation {
    /// Puts flags and environment together.
    pub(crate) fn resolve(parsed: &Parsed, env: &Env) -> Result<Self, Error> {
        let lookup = Lookup::of(parsed, env);
        let job = Job::of(env);
        let text = |option| Ok::<_, Error>(lookup.text(option)?.map(|found| found.value.trim().to_owned()));
        let token_role = text(&options::TOKEN_ROLE)?.ok_or(Error::NoTokenRole)?;
        let login = login::login(&lookup, None, &job)?;
        // The role of another login is no AppRole, though it may have such a name.
        let of_login = login.role.clone().filter(|_| login.method.name == "approle");
        let approle = text(&options::APPROLE)?.or(of_login);
        let mount = text(&options::APPROLE_PATH)?.unwrap_or_else(|| "approle".to_owned());
        let mount = mount.trim_matches('/').trim_start_matches("auth/").to_owned();
        let key = text(&options::VARIABLE)?.unwrap_or_else(|| "VAULT_TOKEN".to_owned());
        let place = VariableRef { owner: owner(&lookup)?, scope: text(&options::ENVIRONMENT_SCOPE)?, key };
        let server = server::server(&lookup, job.in_ci)?;
        Ok(Self {
            gitlab: gitlab(&lookup, &server)?,
            login,
            server,
            in_this_job: lookup.plain(&place.key)?.map(|found| Secret::new(found.value)),
            place,
            secret_id_path: approle.map(|approle| format!("auth/{mount}/role/{approle}/secret-id")),
            token_role,
            grace: lookup.duration(&options::GRACE)?.unwrap_or(GRACE),
            dry_run: lookup.switch(&options::DRY_RUN)?,
        })
    }
}

fn owner(lookup: &Lookup<'_>) -> Result<Owner, Error> {
    let given = (lookup.text(&options::PROJECT)?, lookup.text(&options::GROUP)?);
    match given {
        (Some(project), Some(group)) if project.by_flag == group.by_flag => Err(Error::TwoOwners),
        (project, Some(group)) if group.by_flag || project.is_none() => Ok(Owner::Group(group.value)),
        (Some(project), _) => Ok(Owner::Project(project.value)),
        _ => {
            let own = lookup.text(&gitlab::PROJECT_ID)?.ok_or(Error::NoOwner)?;
            Ok(Owner::Project(own.value))
        }
    }
}

/// Where the access token is: nothing is read yet.
fn access_token(lookup: &Lookup<'_>) -> Result<GitlabToken, Error> {
    let (file_named, in_vault) =
        (lookup.text(&options::GITLAB_TOKEN_FILE)?, lookup.text(&options::GITLAB_TOKEN_PATH)?);
    // A flag wins over a variable, and Vault over a file.
    let by_flag = |found: &Option<Sourced>| found.as_ref().is_some_and(|found| found.by_flag);
    let in_vault = if by_flag(&file_named) && !by_flag(&in_vault) { None } else { in_vault };
    match (in_vault, file_named, lookup.text(&options::GITLAB_TOKEN)?) {
        (Some(found), ..) => kept_in_vault(found),
        (None, Some(found), _) => {
            Ok(GitlabToken::Input { input: Input::of(&found.value), source: found.source })
        }
        (None, None, Some(found)) if is_path(&found.value) => {
            let instead = Some("--gitlab-token-file".to_owned());
            Err(super::Error::PathForValue { source_name: found.source, instead }.into())
        }
        (None, None, Some(found)) => Ok(GitlabToken::Value(Secret::from(found.value.trim()))),
        (None, None, None) => Err(Error::NoGitlabToken),
    }
}

fn gitlab(lookup: &Lookup<'_>, vault: &Server) -> Result<GitlabServer, Error> {
    let token = access_token(lookup)?;
    let base = api(lookup)?;
    let ca = match lookup.first(&[&options::GITLAB_CA_CERT, &gitlab::CA_FILE])? {
        Some(found) => Ca::File(file(found)),
        None => server::system(lookup)?,
    };
    let proxy = if is_loopback(&base) { None } else { server::usual_proxy(lookup, &base)? };
    let http = http::Settings {
        tls: Tls { ca, client: None, server_name: None, skip_verify: false },
        needs_tls: base.scheme() == "https",
        proxy,
        unix_socket: None,
        redirect_hosts: Vec::new(),
        // The token travels in a header of GitLab's own.
        follow_redirects: false,
        policy: crate::policy::Policy::default(),
        ..vault.http.clone()
    };
    Ok(GitlabServer { base, http, token })
}

/// PATH#FIELD: a secret of KV, of whichever version, or an engine that makes such tokens.
fn kept_in_vault(found: Sourced) -> Result<GitlabToken, Error> {
    let Sourced { value, source: source_name, by_flag } = found;
    let fault = |fault| Error::GitlabTokenPath { source_name: source_name.clone(), by_flag, fault };
    let text = value.trim();
    match reference::parse(&format!("vault:{}", text.strip_prefix("vault:").unwrap_or(text)))
        .map_err(fault)?
    {
        reference::Value::Reference(found) => {
            let wanted = Wanted { name: "CI_CREDS_GITLAB_TOKEN".to_owned(), field: found.field, file: false };
            let request = Request::referenced(found.path, vec![wanted], found.parameters);
            Ok(GitlabToken::Vault(request.into()))
        }
        _ => Err(fault(reference::Fault::NoField)),
    }
}

fn file(found: Sourced) -> FileFrom {
    FileFrom { path: found.value.into(), source: found.source }
}

/// --gitlab-url, else what GitLab says of itself, path prefix included.
fn api(lookup: &Lookup<'_>) -> Result<Url, Error> {
    let found = lookup.first(&[&options::GITLAB_URL, &gitlab::SERVER])?.ok_or(Error::NoGitlab)?;
    let text = found.value.trim().trim_end_matches('/');
    let text = text.strip_suffix("/api/v4").unwrap_or(text);
    let example = "https://gitlab.example.com";
    Ok(address::web(&format!("{text}/api/v4"), &found.source, example)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(line: &str, env: &[(&str, &str)]) -> Result<Rotation, Error> {
        let line = line.split(' ').map(std::ffi::OsString::from).collect::<Vec<_>>();
        let base =
            [("VAULT_ADDR", "https://v.example"), ("VAULT_TOKEN", "t"), ("CI_CREDS_GITLAB_TOKEN", "g")];
        let env = base.iter().chain(env).copied().collect();
        Rotation::resolve(&crate::cli::parse(&line).unwrap(), &env)
    }

    const ROTATE: &str = "ci-creds rotate --token-role issuing --approle ci";

    #[test]
    fn a_job_needs_little() {
        let job = [("CI_PROJECT_ID", "22"), ("CI_API_V4_URL", "https://example.com/gitlab/api/v4")];
        let rotation = rotation(ROTATE, &job).unwrap();
        assert_eq!(rotation.gitlab.base.as_str(), "https://example.com/gitlab/api/v4");
        assert_eq!(rotation.place.to_string(), "VAULT_TOKEN of project 22");
        assert_eq!(rotation.secret_id_path.as_deref(), Some("auth/approle/role/ci/secret-id"));
        assert_eq!(rotation.grace, GRACE);
        assert_eq!(rotation.in_this_job.unwrap().reveal(), "t");
    }

    /// The login's role is the AppRole only where the login is by AppRole.
    #[test]
    fn the_logins_role_is_no_approle() {
        let job =
            [("CI_PROJECT_ID", "22"), ("CI_SERVER_URL", "https://g.example"), ("VAULT_AUTH_ROLE", "rotator")];
        let path = |more: &[(&str, &str)]| {
            rotation("ci-creds rotate --token-role issuing", &[&job, more].concat()).unwrap().secret_id_path
        };
        assert_eq!(path(&[("VAULT_AUTH_METHOD", "jwt"), ("VAULT_ID_TOKEN", "e.y.J")]), None);
        assert_eq!(path(&[]), None);
        let approle =
            path(&[("VAULT_AUTH_METHOD", "approle"), ("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID", "s")]);
        assert_eq!(approle.as_deref(), Some("auth/approle/role/rotator/secret-id"));
    }

    #[test]
    fn the_address_is_completed() {
        let at = |url: &str| {
            let line = format!("{ROTATE} --project 1 --gitlab-url {url}");
            rotation(&line, &[])
                .map(|rotation| rotation.gitlab.base.to_string())
                .map_err(|error| error.code())
        };
        assert_eq!(at("https://g.example/").as_deref(), Ok("https://g.example/api/v4"));
        assert_eq!(at("https://g.example/git/api/v4/").as_deref(), Ok("https://g.example/git/api/v4"));
        assert_eq!(at("http://g.example"), Err(Code::Environment));
        assert_eq!(at("http://127.0.0.1:1").as_deref(), Ok("http://127.0.0.1:1/api/v4"));
        assert_eq!(at("g.example"), Err(Code::Environment));
        // The parser would take `api` for the host.
        assert_eq!(at("https://"), Err(Code::Environment));
        assert_eq!(at("https:///api"), Err(Code::Environment));
    }

    #[test]
    fn a_project_or_a_group() {
        let url = [("CI_SERVER_URL", "https://g.example"), ("CI_PROJECT_ID", "22")];
        let owner = |more: &str, env: &[(&str, &str)]| {
            rotation(&format!("{ROTATE}{more}"), &[&url, env].concat()).map(|rotation| rotation.place.owner)
        };
        assert_eq!(owner(" --group a/b", &[]).unwrap(), Owner::Group("a/b".to_owned()));
        assert_eq!(
            owner(" --group a/b", &[("CI_CREDS_PROJECT", "1")]).unwrap(),
            Owner::Group("a/b".to_owned())
        );
        assert_eq!(
            owner(" --project 7", &[("CI_CREDS_GROUP", "1")]).unwrap(),
            Owner::Project("7".to_owned())
        );
        assert!(matches!(owner(" --project 7 --group 8", &[]), Err(Error::TwoOwners)));
        assert!(matches!(rotation("ci-creds rotate --approle a", &url), Err(Error::NoTokenRole)));
    }
}
