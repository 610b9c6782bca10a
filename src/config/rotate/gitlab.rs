//! GitLab, for a rotation: its address, and where its access token is. It must not ask GitLab.

use reqwest::Url;

use super::Error;
use crate::ci::gitlab;
use crate::config;
use crate::config::lookup::{Lookup, Sourced, is_path};
use crate::http::{self, Ca, FileFrom, Tls, is_loopback};
use crate::input::Input;
use crate::options;
use crate::provider::{Request, Wanted};
use crate::reference;
use crate::secret::Secret;
use crate::vault::Server;

/// A GitLab instance.
#[derive(Debug, Clone)]
pub(crate) struct GitlabServer {
    /// With the path prefix of the instance, and `/api/v4`.
    pub base: Url,
    /// For the client.
    pub http: http::Settings,
}

/// Where the access token comes from.
#[derive(Debug, Clone)]
pub(crate) enum GitlabToken {
    /// This job has it.
    Given(Given),
    /// In Vault, which the login reads.
    Vault(Box<Request>),
}

/// How this job has the access token.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    /// The token itself, from a variable.
    Value(Secret),
    /// In a file, or on standard input.
    Input {
        /// Where.
        input: Input,
        /// The flag or variable.
        source: String,
    },
}

/// Where the access token is: nothing is read yet.
pub(super) fn access_token(lookup: &Lookup<'_>) -> Result<GitlabToken, Error> {
    let (file_named, in_vault) =
        (lookup.text(&options::GITLAB_TOKEN_FILE)?, lookup.text(&options::GITLAB_TOKEN_PATH)?);
    // A flag wins over a variable, and Vault over a file.
    let by_flag = |found: &Option<Sourced>| found.as_ref().is_some_and(|found| found.by_flag);
    let in_vault = if by_flag(&file_named) && !by_flag(&in_vault) { None } else { in_vault };
    match (in_vault, file_named, lookup.text(&options::GITLAB_TOKEN)?) {
        (Some(found), ..) => kept_in_vault(found),
        (None, Some(found), _) => {
            let input = Input::of(&found.value);
            Ok(GitlabToken::Given(Given::Input { input, source: found.source }))
        }
        (None, None, Some(found)) if is_path(&found.value) => {
            let instead = Some("--gitlab-token-file".to_owned());
            Err(config::Error::PathForValue { source_name: found.source, instead }.into())
        }
        (None, None, Some(found)) => Ok(GitlabToken::Given(Given::Value(Secret::from(found.value.trim())))),
        (None, None, None) => Err(Error::NoGitlabToken),
    }
}

/// How to reach GitLab.
pub(super) fn server(lookup: &Lookup<'_>, vault: &Server) -> Result<GitlabServer, Error> {
    let base = api(lookup)?;
    let ca = match lookup.first(&[&options::GITLAB_CA_CERT, &gitlab::CA_FILE])? {
        Some(found) => Ca::File(file(found)),
        None => config::server::system(lookup)?,
    };
    let proxy = if is_loopback(&base) { None } else { config::server::usual_proxy(lookup, &base)? };
    let http = http::Settings {
        tls: Tls { ca, client: None, server_name: None, skip_verify: false },
        needs_tls: base.scheme() == "https",
        proxy,
        unix_socket: None,
        redirect_hosts: Vec::new(),
        // The token travels in a header of GitLab's own.
        follow_redirects: false,
        policy: crate::policy::MachinePolicy::default(),
        ..vault.http.clone()
    };
    Ok(GitlabServer { base, http })
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
    Ok(config::address::web(&format!("{text}/api/v4"), &found.source, example)?)
}
