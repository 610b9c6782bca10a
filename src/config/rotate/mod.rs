//! What `rotate` needs beside Vault's address and the login: the variable, and GitLab. It must not ask GitLab.

use std::time::Duration;

use super::lookup::Lookup;
use super::{login, server};
use crate::auth::Login;
use crate::ci::{self, Job};
use crate::cli::Parsed;
use crate::cloud::gitlab::{Owner, VariableRef};
use crate::env::Env;
use crate::options;
use crate::provider::Request;
use crate::secret::Secret;
use crate::vault::Server;

mod error;
mod gitlab;

pub use error::Error;
pub(crate) use gitlab::{GitlabServer, GitlabToken, Given};

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
    /// Where its access token comes from.
    pub gitlab_token: GitlabToken,
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
    Variable {
        /// Which one.
        place: VariableRef,
        /// How this job has it.
        given: Given,
    },
    /// In Vault.
    Vault {
        /// How to log in there.
        login: Box<Login>,
        /// What the login reads.
        request: Box<Request>,
    },
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
        // The token before the address: a value of the wrong kind is the likelier fault, and more is at stake.
        let token = gitlab::access_token(&lookup)?;
        let gitlab = gitlab::server(&lookup, &server)?;
        let text = |option| Ok::<_, Error>(lookup.text(option)?.map(|found| found.value.trim().to_owned()));
        let kept = match token {
            GitlabToken::Vault(request) => {
                Kept::Vault { login: login::login(&lookup, None, &job)?.into(), request }
            }
            GitlabToken::Given(given) => {
                let key = text(&options::VARIABLE)?.unwrap_or_else(|| "CI_CREDS_GITLAB_TOKEN".to_owned());
                let scope = text(&options::ENVIRONMENT_SCOPE)?;
                Kept::Variable { place: VariableRef { owner: owner(&lookup)?, scope, key }, given }
            }
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
            // Before the address, as above.
            gitlab_token: gitlab::access_token(&lookup)?,
            gitlab: gitlab::server(&lookup, &server)?,
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
            let own = lookup.text(&ci::gitlab::PROJECT_ID)?.ok_or(Error::NoOwner)?;
            Ok(Owner::Project(own.value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Explain as _};

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
