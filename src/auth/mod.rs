//! The logins: one file each, pure. A login names its ingredients; when they are gathered, it turns them into the
//! path and body of one request. A new login is one file and one line in [`METHODS`].

use std::path::PathBuf;

use crate::claims::Unusable;
use crate::error::{Code, Explain};
use crate::secret::Secret;
use crate::vault::{self, Body};

mod approle;
mod jwt;
mod token;

/// Every login.
pub static METHODS: &[&Method] = &[&approle::APPROLE, &jwt::JWT, &token::TOKEN];

/// The login of this name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().copied().find(|method| method.name == name)
}

/// Turns gathered ingredients into the login request's body.
pub type MakeRequest = fn(&Login, &Gathered) -> Result<Body, Error>;

/// What there is to know about a login.
#[derive(Debug)]
pub struct Method {
    /// As in --auth, and the usual mount.
    pub name: &'static str,
    /// As people write it.
    pub title: &'static str,
    /// The request that logs in; `None` where the ingredient is the token itself.
    pub request: Option<MakeRequest>,
    /// Whether the login works twice with the same ingredients.
    pub repeatable: bool,
    /// What a text of Vault's means here, and what to do about it.
    pub refusals: &'static [(&'static str, &'static str)],
    /// What the ingredients say that helps to understand a refusal.
    pub insight: fn(&Gathered, &vault::Error) -> Insight,
}

/// Notes and hints for a refusal.
#[derive(Debug, Default)]
pub struct Insight {
    /// Facts.
    pub notes: Vec<String>,
    /// What to do, better than any hint of the table's.
    pub hints: Vec<String>,
}

/// A login, ready to be carried out.
#[derive(Debug, Clone)]
pub struct Login {
    /// How.
    pub method: &'static Method,
    /// Where the method is mounted.
    pub mount: String,
    /// The role, where one is named.
    pub role: Option<String>,
    /// What it is made of.
    pub ingredients: Vec<Ingredient>,
}

/// One thing that a login needs.
#[derive(Debug, Clone)]
pub struct Ingredient {
    /// As in the method's request: `role_id`, `jwt`, …
    pub name: &'static str,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an ingredient comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// It is there.
    Value {
        /// The value.
        value: Secret,
        /// The flag or variable.
        source: String,
    },
    /// In a file, read when it is used.
    File {
        /// The file.
        path: PathBuf,
        /// The flag or variable that named it.
        source: String,
    },
    /// On standard input.
    Stdin {
        /// The flag or variable that said so.
        source: String,
    },
    /// A secret_id that the issuing token makes now.
    Issued {
        /// The issuing token.
        by: Secret,
        /// The AppRole's name.
        role: String,
    },
}

impl Origin {
    /// For messages.
    pub fn source(&self) -> String {
        match self {
            Self::Value { source, .. } | Self::File { source, .. } | Self::Stdin { source } => source.clone(),
            Self::Issued { .. } => "issued with VAULT_TOKEN".to_owned(),
        }
    }
}

/// Ingredients that are there.
#[derive(Debug, Default)]
pub struct Gathered(pub Vec<(&'static str, Secret)>);

impl Gathered {
    /// The ingredient of this name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All of them, as a request's fields.
    fn fields(&self) -> Body {
        let field =
            |(name, value): &(&str, Secret)| ((*name).to_owned(), vault::Value::Secret(value.clone()));
        Body(self.0.iter().map(field).collect())
    }
}

impl Login {
    /// The path of the login request, below /v1/.
    pub fn path(&self) -> String {
        format!("auth/{}/login", self.mount)
    }

    /// `the JWT login at auth/jwt, role web-pipeline`.
    pub fn name(&self) -> String {
        let role = self.role.as_ref().map(|role| format!(", role {role}"));
        format!("the {} login at auth/{}{}", self.method.title, self.mount, role.unwrap_or_default())
    }

    /// Whether a lost answer can be made good by logging in again.
    pub fn repeatable(&self) -> bool {
        let issued = |one: &Ingredient| matches!(one.origin, Origin::Issued { .. });
        self.method.repeatable || self.ingredients.iter().any(issued)
    }
}

/// A login that can't be, or was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An ingredient is no good.
    #[error("{what} ({source_name}) can't be used: {reason}")]
    Ingredient {
        /// `the ID token`, …
        what: &'static str,
        /// The flag or variable.
        source_name: String,
        /// What is wrong: never the value.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The server's no.
    #[error(transparent)]
    Vault(#[from] vault::Advised),
}

impl Error {
    /// The server's no, with what the login knows about it.
    pub fn refused(login: &Login, gathered: &Gathered, error: vault::Error) -> Self {
        let known = login.method.refusals.iter().filter(|(text, _)| error.says(text));
        let Insight { notes, mut hints } = (login.method.insight)(gathered, &error);
        hints.extend(known.map(|(_, hint)| fill(hint, login)).take(1));
        if hints.is_empty() && error.refusal().is_some_and(|(status, _)| status == 403) {
            hints.push(format!(
                "is the {} method mounted at auth/{}? --auth-path or VAULT_AUTH_PATH names another mount; \
                 else the address of this runner may not be among those that the role allows",
                login.method.title, login.mount
            ));
        }
        Self::Vault(vault::Advised { error, notes, hints })
    }

    /// Whether the request's answer was lost.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Vault(advised) if advised.error.is_lost())
    }

    fn unusable(source: &str, fault: &Unusable) -> Self {
        let hint = match fault {
            Unusable::NotAJwt => "it takes the token of `id_tokens:` in .gitlab-ci.yml, as it is",
            Unusable::Expired(_) => {
                "an ID token lives as long as the job may run: log in early; is the clock right?"
            }
            Unusable::NotYet(_) => "is this runner's clock right?",
        };
        let (what, hint) = ("the ID token", hint.to_owned());
        Self::Ingredient { what, source_name: source.to_owned(), reason: fault.to_string(), hint }
    }
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Ingredient { .. } => Code::Environment,
            Self::Vault(advised) => advised.code(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Ingredient { .. } => Vec::new(),
            Self::Vault(advised) => advised.notes(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Ingredient { hint, .. } => vec![hint.clone()],
            Self::Vault(advised) => advised.hints(),
        }
    }
}

fn fill(hint: &str, login: &Login) -> String {
    let role = login.role.as_deref().unwrap_or("ROLE");
    hint.replace("{role}", role).replace("{mount}", &login.mount)
}
