//! Where AWS credentials may be, in the order of AWS's own SDKs. It must not show any.

use std::collections::HashMap;

use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, EnvCredentialProvider,
    IMDSv2CredentialProvider,
};
use reqsign_core::ProvideCredentialDyn;

use super::Identity;

/// Looks for credentials.
pub(super) type Provider = Box<dyn ProvideCredentialDyn<Credential = Credential>>;

/// One place where credentials may be.
pub struct Source {
    /// As in --aws-source.
    pub name: &'static str,
    /// For messages.
    pub about: &'static str,
    /// What must be there.
    pub needs: &'static str,
    /// What holds its credentials, or says where they are: a command does not inherit what its login used.
    pub variables: &'static [&'static str],
    /// The variables whose values stand in a header of what is sent.
    pub sent: &'static [&'static str],
    /// What shows that it is meant to be used, by its variable.
    pub configured: fn(&Variables) -> Option<String>,
    /// Whether it is asked even if no variable shows that it is meant. To find nothing there is then no error.
    pub quiet: bool,
    /// The library's way to it.
    pub provider: fn(&Variables) -> Provider,
}

/// Every source.
pub(crate) static SOURCES: &[Source] = &[
    Source {
        name: "env",
        about: "AWS_ACCESS_KEY_ID",
        needs: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        variables: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
        sent: &["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"],
        configured: |variables| variables.first(&["AWS_ACCESS_KEY_ID"]),
        quiet: false,
        provider: |_| Box::new(EnvCredentialProvider::new()),
    },
    Source {
        name: "web-identity",
        about: "AWS_WEB_IDENTITY_TOKEN_FILE",
        needs: "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN",
        variables: &["AWS_WEB_IDENTITY_TOKEN_FILE"],
        sent: &[],
        configured: |variables| variables.first(&["AWS_WEB_IDENTITY_TOKEN_FILE"]),
        quiet: false,
        provider: |_| Box::new(AssumeRoleWithWebIdentityCredentialProvider::new()),
    },
    Source {
        name: "profile",
        about: "the shared profile",
        needs: "a profile with aws_access_key_id and aws_secret_access_key (no SSO, no role to assume, no \
                credential_process)",
        variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"],
        sent: &[],
        configured: |variables| variables.first(&["AWS_PROFILE"]),
        quiet: true,
        provider: |_| Box::new(super::profile::Shared),
    },
    Source {
        name: "container",
        about: "the container endpoint",
        needs: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI",
        variables: &[
            FULL,
            RELATIVE,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ],
        sent: &["AWS_CONTAINER_AUTHORIZATION_TOKEN"],
        configured: |variables| variables.first(&[FULL, RELATIVE]),
        quiet: false,
        provider: |_| Box::new(ECSCredentialProvider::new()),
    },
    Source {
        name: "imds",
        about: "the EC2 metadata service",
        needs: "the EC2 metadata service, which AWS_EC2_METADATA_DISABLED turns off",
        // Whatever runs on the machine reaches it.
        variables: &[],
        sent: &[],
        configured: |variables| match variables.get("AWS_EC2_METADATA_DISABLED") {
            Some(text) if text.eq_ignore_ascii_case("true") => None,
            _ => Some("the EC2 metadata service".to_owned()),
        },
        quiet: false,
        provider: |_| Box::new(IMDSv2CredentialProvider::new()),
    },
];

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// reqsign knows the first of the two names that AWS's SDKs have for each of these.
pub(super) const ALIASES: &[(&str, &str)] =
    &[("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"), ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")];

/// The AWS_* variables, as the library shall see them.
pub struct Variables(pub HashMap<String, String>);

impl Variables {
    /// The variables of the job, and with them the settings that reqsign takes from variables alone.
    pub(super) fn of(identity: &Identity) -> Self {
        let own = identity.variables.iter();
        let mut all: HashMap<_, _> =
            own.map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect();
        for (one, other) in ALIASES {
            if let (false, Some(value)) = (all.contains_key(*one), all.get(*other)) {
                all.insert((*one).to_owned(), value.clone());
            }
        }
        if all.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            all.remove("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        }
        if !all.contains_key(FULL)
            && !all.contains_key(RELATIVE)
            && let Some(uri) = uri_of_the_first_process()
        {
            all.insert(RELATIVE.to_owned(), uri);
        }
        Self(all)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find(|name| self.0.contains_key(**name)).map(|name| (*name).to_owned())
    }
}

/// A job that arrives by ssh, as with a Fargate driver of the CI system, has not the variables of its container; the
/// container's first process has.
fn uri_of_the_first_process() -> Option<String> {
    let environ = std::fs::read("/proc/1/environ").ok().map(zeroize::Zeroizing::new)?;
    relative_uri(&environ)
}

fn relative_uri(environ: &[u8]) -> Option<String> {
    let mut entries = environ.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(RELATIVE.as_bytes())?.strip_prefix(b"="))?;
    std::str::from_utf8(value).ok().filter(|uri| uri.starts_with('/')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_is_taken_from_the_first_process() {
        let environ = b"PATH=/bin\0AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/1\0X=y\0";
        assert_eq!(relative_uri(environ).as_deref(), Some("/v2/credentials/1"));
        assert_eq!(relative_uri(b"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI_X=/v2\0"), None);
        assert_eq!(relative_uri(b""), None);
    }
}
