//! Why a login is impossible or was refused. It must not hold a secret.

use jiff::SignedDuration;

use super::{Gathered, Login};
use crate::claims::Unusable;
use crate::cloud::aws;
use crate::duration;
use crate::error::{Code, Explain};
use crate::vault;

/// Notes and hints for a refusal.
#[derive(Debug, Default)]
pub struct Insight {
    /// Facts.
    pub notes: Vec<String>,
    /// What to do, better than any hint of the table's.
    pub hints: Vec<String>,
    /// Whether they explain the refusal completely: the table of the login's refusals is then left out.
    pub is_whole: bool,
}

/// Why a login is impossible or was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter can't be used.
    #[error("{what} ({source_name}) can't be used: {reason}")]
    LoginParameter {
        /// `the ID token`, …
        what: &'static str,
        /// The flag or variable.
        source_name: String,
        /// What is wrong: never the value.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The times of an ID token make it invalid.
    #[error("the ID token ({source_name}) can't be used: {fault}")]
    Time {
        /// The CI system.
        ci: &'static str,
        /// The flag or variable.
        source_name: String,
        /// How.
        fault: Unusable,
        /// How far this machine's clock is ahead of Vault's, where that is known and matters.
        ahead: Option<SignedDuration>,
    },
    /// A wrapping token that was used before, or that wraps something else.
    #[error("the wrapped secret_id ({source_name}) may have been intercepted: {reason}")]
    Intercepted {
        /// The flag or variable.
        source_name: String,
        /// What is wrong.
        reason: String,
        /// Whether it wraps something else, and was not opened.
        foreign: bool,
        /// Where Vault keeps the AppRole's secret_ids.
        path: String,
    },
    /// Two secret_ids that were issued for this run were refused.
    #[error(
        "Vault refused two secret_ids that this run had issued for the AppRole {role}; a third is not tried"
    )]
    TriedTwice {
        /// The AppRole.
        role: String,
    },
    /// No AWS credentials, or none that work.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The server refused the login.
    #[error(transparent)]
    Vault(#[from] vault::WithHints),
}

/// The least difference of clocks that is reported.
const SKEW: SignedDuration = SignedDuration::from_secs(30);

impl Error {
    /// The refusal, with what the login knows about it. `ahead` is how far this machine's clock is ahead of Vault's.
    pub fn refused(
        login: &Login,
        gathered: &Gathered,
        error: vault::Error,
        ahead: Option<SignedDuration>,
    ) -> Self {
        let known = login.method.refusals.iter().filter(|(text, _)| error.says(text));
        let Insight { mut notes, mut hints, is_whole } = (login.method.insight)(login, gathered, &error);
        hints.extend(known.map(|(_, hint)| fill(hint, login)).take(usize::from(!is_whole)));
        let about_time = ["expired", "not yet valid", "(nbf)", "(iat)"].iter().any(|text| error.says(text));
        notes.extend(ahead.filter(|_| about_time).and_then(clocks));
        if hints.is_empty() && error.refusal().is_some_and(|(status, _)| status == 403) {
            hints.push(format!(
                "is the {} method mounted at auth/{}? --auth-path or VAULT_AUTH_PATH names another mount, \
                 VAULT_NAMESPACE another namespace; else the address of this runner may not be among those that the role allows",
                login.method.title, login.mount
            ));
        }
        Self::Vault(vault::WithHints { error, notes, hints })
    }

    /// The same, with more facts.
    pub fn with_notes(mut self, more: Vec<String>) -> Self {
        if let Self::Vault(hinted) = &mut self {
            hinted.notes.extend(more);
        }
        self
    }

    /// Whether the request's answer was lost.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Vault(hinted) if hinted.error.is_lost())
    }
}

/// The fact that the clocks differ.
fn clocks(ahead: SignedDuration) -> Option<String> {
    let apart = duration::show(ahead.unsigned_abs());
    let which = if ahead.is_negative() { "behind" } else { "ahead of" };
    (ahead.abs() > SKEW).then(|| format!("this machine's clock is {apart} {which} Vault's"))
}

fn fill(hint: &str, login: &Login) -> String {
    let role = login.role.as_deref().unwrap_or("ROLE");
    hint.replace("{role}", role).replace("{mount}", &login.mount).replace("{ci}", login.ci.name)
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::LoginParameter { .. } | Self::Time { .. } => Code::Environment,
            Self::Intercepted { .. } | Self::TriedTwice { .. } => Code::Refused,
            Self::Aws(error) => error.code(),
            Self::Vault(hinted) => hinted.code(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Time { ahead, .. } => ahead.and_then(clocks).into_iter().collect(),
            Self::Aws(error) => error.notes(),
            Self::Vault(hinted) => hinted.notes(),
            _ => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::LoginParameter { hint, .. } => vec![hint.clone()],
            Self::Time { fault: Unusable::Expired(_), .. } => {
                vec!["an ID token lives as long as the job may run: log in earlier in the job".to_owned()]
            }
            Self::Time { ci, .. } => vec![format!("compare the clocks of {ci}, Vault and this runner")],
            Self::Intercepted { path, foreign: true, .. } => vec![
                format!("give the job the wrapping token of a POST to {path}, with X-Vault-Wrap-TTL"),
                "if that is what it should have been, somebody exchanged it, and has the secret_id: destroy that, and \
                 find out who could write the variable"
                    .to_owned(),
            ],
            Self::Intercepted { path, .. } => vec![
                "a wrapping token is good for one use and a short time: did a retried job use it, or is it too old? \
                 Give the job a new one"
                    .to_owned(),
                format!(
                    "if not, somebody else has the secret_id: destroy it ({path}-accessor/destroy), look in Vault's \
                     audit log for who called sys/wrapping/unwrap, and find out who could read the variable"
                ),
            ],
            Self::TriedTwice { .. } => vec![
                "five wrong secret_ids lock the AppRole for every job: is VAULT_ROLE_ID its role_id?".to_owned(),
            ],
            Self::Aws(error) => error.hints(),
            Self::Vault(hinted) => hinted.hints(),
        }
    }
}
