//! Reads the shared files of AWS's SDKs as botocore does (`botocore/configloader.py`, `credentials.py`). It must not
//! skip a broken file or profile, because other credentials would then sign.

use std::error::Error as StdError;
use std::io;

use reqsign_aws_v4::Credential;
use reqsign_core::{Context, Error, ProvideCredential, Result};

/// The profile that AWS_PROFILE names, or `default`.
#[derive(Debug)]
pub(super) struct Shared;

/// What the SDKs prefer to a profile's keys, by the settings that ask for it. A profile with one of these is an
/// error, because other credentials would sign.
const BEFORE_KEYS: &[(&[&str], &str)] = &[
    (&["role_arn", "source_profile"], "a role_arn to assume"),
    (&["role_arn", "credential_source"], "a role_arn to assume"),
    (&["role_arn", "web_identity_token_file"], "a web identity to exchange"),
    (&["sso_start_url"], "an SSO login"),
    (&["sso_session"], "an SSO login"),
    (&["sso_account_id"], "an SSO login"),
];

/// One `[section]`: its name, and its keys in lower case.
type Section = (String, Vec<(String, String)>);

impl ProvideCredential for Shared {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>> {
        let variable = |name: &str| context.env_var(name).filter(|value| !value.trim().is_empty());
        let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let credentials = variable("AWS_SHARED_CREDENTIALS_FILE");
        let credentials =
            load(context, &credentials.unwrap_or_else(|| "~/.aws/credentials".to_owned())).await?;
        let config = variable("AWS_CONFIG_FILE").unwrap_or_else(|| "~/.aws/config".to_owned());
        let config = load(context, &config).await?;
        let own = credentials.iter().find(|(name, _)| *name == profile);
        let configured =
            config.iter().find(|(name, _)| profile_of(name).as_deref() == Some(profile.as_str()));
        let both = [own, configured].map(|found| found.map(|(_, keys)| keys.as_slice()).unwrap_or_default());
        let has = |name: &str| both.iter().any(|keys| get(keys, name).is_some());
        let not_done = |what: &str| {
            Error::config_invalid(format!("the profile {profile} has {what}, which is not done here"))
        };
        if let Some((_, what)) = BEFORE_KEYS.iter().find(|(names, _)| names.iter().all(|name| has(name))) {
            return Err(not_done(what));
        }
        for (number, keys) in both.into_iter().enumerate() {
            // The SDKs run it unless the credentials file has keys.
            if number == 1 && has("credential_process") {
                return Err(not_done("a credential_process to run"));
            }
            let Some(access_key_id) = get(keys, "aws_access_key_id") else { continue };
            let secret = get(keys, "aws_secret_access_key").ok_or_else(|| {
                Error::config_invalid(format!("the profile {profile} has no aws_secret_access_key"))
            })?;
            let token = get(keys, "aws_security_token").or_else(|| get(keys, "aws_session_token"));
            return Ok(Some(Credential {
                access_key_id: access_key_id.to_owned(),
                secret_access_key: secret.to_owned(),
                session_token: token.map(str::to_owned),
                expires_in: None,
            }));
        }
        Ok(None)
    }
}

/// A value that is not empty.
fn get<'a>(keys: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let value = keys.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    value.filter(|value| !value.is_empty())
}

/// The profile of a section in the config file: `[default]`, `[profile web]`, `[profile "my web"]`.
fn profile_of(section: &str) -> Option<String> {
    if section == "default" {
        return Some(section.to_owned());
    }
    let name = section.strip_prefix("profile")?;
    let name = Some(name).filter(|name| name.starts_with([' ', '\t']))?.trim();
    let quoted = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(name).to_owned())
}

/// Whether the file is there, and too long to be one of these.
fn is_too_long(error: &Error) -> bool {
    let cause = StdError::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData)
}

/// The sections of a file; none of a file that is not there.
async fn load(context: &Context, path: &str) -> Result<Vec<Section>> {
    let whole = if path.starts_with("~/") { context.expand_home_dir(path) } else { Some(path.to_owned()) };
    let Some(whole) = whole else { return Ok(Vec::new()) };
    let content = match context.file_read(&whole).await {
        Err(error) if is_too_long(&error) => return Err(error),
        Err(_) => return Ok(Vec::new()),
        Ok(content) => content,
    };
    let text = zeroize::Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
    let _content = zeroize::Zeroizing::new(content);
    sections(&text).map_err(|line| Error::config_invalid(format!("{path} has a fault in line {line}")))
}

/// As Python's configparser has it; or the number of the first line that is broken.
fn sections(text: &str) -> std::result::Result<Vec<Section>, usize> {
    let mut all: Vec<Section> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let last = all.last_mut();
        match (line.strip_prefix('[').and_then(|line| line.split_once(']')), last) {
            // The continuation of a value, such as a nested setting.
            (_, Some((_, keys))) if is_indented && !keys.is_empty() => {}
            (Some((name, _)), _) => {
                let is_double = all.iter().any(|(known, _)| known == name);
                if is_double {
                    return Err(index + 1);
                }
                all.push((name.to_owned(), Vec::new()));
            }
            (None, None) => return Err(index + 1),
            (None, Some((_, keys))) => {
                let (key, value) = line.split_once(['=', ':']).ok_or(index + 1)?;
                let key = key.trim().to_ascii_lowercase();
                if key.is_empty() || keys.iter().any(|(known, _)| *known == key) {
                    return Err(index + 1);
                }
                keys.push((key, value.trim().to_owned()));
            }
        }
    }
    Ok(all)
}
