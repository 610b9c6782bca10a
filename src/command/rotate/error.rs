//! What a rotation can fail with, beside the errors of Vault and GitLab. Each must name the tokens that are alive.

use jiff::Timestamp;

use crate::error::{Code, Explain};
use crate::vault;

/// A rotation that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The access token's file.
    #[error("the access token of GitLab can't be read: {0}")]
    GitlabToken(String),
    /// The login's policy.
    #[error("the login may not create tokens at {path}")]
    MayNotCreate {
        /// The path.
        path: String,
    },
    /// The login's policy, for the place of the access token.
    #[error("the login may not write to {path}, where the access token is kept")]
    MayNotStore {
        /// The path.
        path: String,
    },
    /// The answer to the creation did not come.
    #[error(
        "a token of the token role {role} may have been made at {time}, but the answer was lost: {cause}"
    )]
    LostCreation {
        /// The role.
        role: String,
        /// When.
        time: Timestamp,
        /// How.
        cause: String,
    },
    /// The token role makes tokens that can't be used here. This one was revoked.
    #[error("a token of the token role {role} can't be the issuing token: it {why}")]
    Unfit {
        /// The role.
        role: String,
        /// Why not.
        why: &'static str,
    },
    /// The same, for its policies.
    #[error("a token of the token role {role} may not issue secret_ids at {path}")]
    CanNotIssue {
        /// The role.
        role: String,
        /// `auth/approle/role/NAME/secret-id`.
        path: String,
    },
    /// Nothing says what the new token has to be able to do: no AppRole is named, and the old token is not there.
    #[error("what the new token must be able to do is not known: the old one is {old}")]
    NoMeasure {
        /// What is known of it.
        old: String,
    },
    /// The new token may do less than the old one.
    #[error("a token of the token role {role} lacks what the old issuing token has: {policies}")]
    Lacks {
        /// The role.
        role: String,
        /// The policies.
        policies: String,
    },
    /// The new token is alive, and in no variable.
    #[error("a new issuing token, accessor {accessor}, could not be taken back: {cause}")]
    NotTakenBack {
        /// Its handle.
        accessor: String,
        /// Why not.
        cause: String,
        /// Why it had to be taken back.
        why: String,
    },
    /// Either token may be in the variable.
    #[error("it is not certain that {place} was changed: {cause}")]
    Unconfirmed {
        /// The variable.
        place: String,
        /// Why not.
        cause: String,
        /// The new token.
        new: String,
        /// The old one.
        old: String,
    },
    /// The place that is to hold the new access token does not hold the old one.
    #[error("{place} {why}")]
    NotKept {
        /// The variable, or the path.
        place: String,
        /// What is there instead.
        why: &'static str,
    },
    /// The answer to the rotation of the access token did not come, and the old one has ended.
    #[error("the access token {name} was rotated, but the answer was lost: {cause}")]
    LostAccess {
        /// Its name and number.
        name: String,
        /// How.
        cause: String,
    },
    /// The access token has changed, and the new one may be nowhere.
    #[error("the access token was rotated, and {place} may not hold the new one: {cause}")]
    NotStored {
        /// The variable, or the path.
        place: String,
        /// Why not.
        cause: String,
        /// The new token's name and number.
        new: String,
    },
    /// The new token is in the variable, and the old one still lives as long as before.
    #[error("the old issuing token, {old}, could not be ended: {cause}")]
    OldLives {
        /// Its handle and its end.
        old: String,
        /// Why not.
        cause: String,
    },
}

impl Fault {
    pub(super) fn unfit(role: &str, why: &'static str) -> Self {
        Self::Unfit { role: role.to_owned(), why }
    }
}

impl Explain for Fault {
    fn code(&self) -> Code {
        match self {
            Self::GitlabToken(_) | Self::NoMeasure { .. } | Self::NotKept { .. } => Code::Environment,
            Self::MayNotCreate { .. }
            | Self::MayNotStore { .. }
            | Self::Unfit { .. }
            | Self::CanNotIssue { .. }
            | Self::Lacks { .. } => Code::Refused,
            Self::LostCreation { .. }
            | Self::LostAccess { .. }
            | Self::NotStored { .. }
            | Self::NotTakenBack { .. }
            | Self::Unconfirmed { .. }
            | Self::OldLives { .. } => Code::Unreachable,
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::NotTakenBack { why, .. } => {
                let why = why.trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned();
                vec![format!("the variable is as it was, because: {why}")]
            }
            Self::Unconfirmed { new, old, .. } => vec![
                format!("the new token is alive: {new}"),
                format!("the old token is as it was: {old}"),
                "the variable holds one of them, and works".to_owned(),
            ],
            Self::LostCreation { .. } => vec!["the variable is as it was".to_owned()],
            Self::NotStored { new, .. } => vec![format!("the new one is {new}; the old one has ended")],
            Self::OldLives { .. } => vec!["the variable holds the new token, and works".to_owned()],
            _ => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let revoke = "`vault token revoke -accessor ACCESSOR` ends a token by its accessor";
        let hint = match self {
            Self::GitlabToken(_) => "--gitlab-token-file takes a file that this job can read".to_owned(),
            Self::MayNotCreate { path } | Self::MayNotStore { path } => {
                format!("the login's policy must have: {}", vault::policy(path, "update"))
            }
            Self::LostCreation { .. } => {
                "its display_name is token-ci-creds-rotate; `vault list auth/token/accessors` lists \
                 all tokens, and each ends with its TTL"
                    .to_owned()
            }
            Self::Unfit { role, .. } => format!(
                "vault write auth/token/roles/{role} orphan=true renewable=true token_type=service \
                 token_explicit_max_ttl=0 token_period=0 token_num_uses=0 allowed_policies=ISSUING-POLICY,default"
            ),
            Self::NotKept { .. } => {
                "name the place that keeps the access token: --variable, or --gitlab-token-path for a KV secret with that \
                 field alone"
                    .to_owned()
            }
            Self::LostAccess { .. } | Self::NotStored { .. } => {
                "revoke it under Settings > Access tokens, make a new one there, and store that in its place".to_owned()
            }
            Self::NoMeasure { .. } => "name the AppRole with --approle or CI_CREDS_APPROLE".to_owned(),
            Self::Lacks { role, .. } => format!(
                "the allowed_policies of auth/token/roles/{role} must have them; or name the AppRole whose secret_ids it \
                 issues, with --approle"
            ),
            Self::CanNotIssue { role, path } => format!(
                "the policies of auth/token/roles/{role} (allowed_policies) must have: path \"{path}\" {{ capabilities = \
                 [\"update\"] }}; is --approle right?"
            ),
            Self::NotTakenBack { .. } | Self::OldLives { .. } => revoke.to_owned(),
            Self::Unconfirmed { .. } => format!("run the rotation again; {revoke}"),
        };
        vec![hint]
    }
}
