//! A step is code of one cloud, for what its table can't say; here is the form of steps: what the configuration looks
//! up for one, what it does and when, and how that is undone. It must not name a cloud.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use super::Request;
use crate::credentials::{Credentials, External, Variable};
use crate::error::{Code, Explain};
use crate::http::{Client, Endpoint};
use crate::options::Opt;
use crate::secret::Secret;
use crate::vault::Vault;

/// A step. A provider's option switches it on; those of a request are done in the order of the options.
#[derive(Debug)]
pub struct Step {
    /// The switch, as it is typed: `--mint`.
    pub switch: &'static str,
    /// The options that it needs.
    pub needs: &'static [Need],
    /// Variables of the cloud's own tools that it reads, and what each holds.
    pub variables: &'static [(&'static str, &'static str)],
    /// The API that it asks.
    pub api: Option<&'static Api>,
    /// Whether it makes something at the cloud, which lives for --ttl and is undone with what Vault gave.
    pub makes: bool,
    /// The variables that it sets beyond the provider's fields.
    pub sets: &'static [&'static str],
    /// Those of what it sets and unsets that give access: a failure unsets them.
    pub access: &'static [&'static str],
    /// Fails early where the step is certain to fail, before anything is made.
    pub check: fn(&Settled, &Credentials) -> Result<(), Failed>,
    /// Turns what the engine gave into what the job gets. It succeeds, or leaves nothing behind.
    pub apply: Apply,
    /// Returns when the job can use it.
    pub ready: Ready,
}

/// The work of a step.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + 'a>>;
/// See [`Step::apply`].
pub(super) type Apply = for<'a> fn(&'a Context<'a>, Credentials) -> Work<'a, Credentials>;
/// See [`Step::ready`].
pub(super) type Ready = for<'a> fn(&'a Context<'a>, &'a Credentials) -> Work<'a, ()>;
/// See [`Externals::undo`].
pub(super) type Undo = for<'a> fn(&'a Client, &'a External, Secret) -> Work<'a, ()>;

impl Step {
    /// A step that does nothing, for a row to fill in.
    pub(super) const NOTHING: Self = Self {
        switch: "",
        needs: &[],
        variables: &[],
        api: None,
        makes: false,
        sets: &[],
        access: &[],
        check: |_, _| Ok(()),
        apply: |_, credentials| Box::pin(std::future::ready(Ok(credentials))),
        ready: |_, _| Box::pin(std::future::ready(Ok(()))),
    };

    /// Whether it is this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// An option that a step needs.
#[derive(Debug)]
pub struct Need {
    /// Its row.
    pub opt: &'static Opt,
    /// What it names.
    pub what: &'static str,
    /// Where people find that.
    pub found: &'static str,
}

/// The address of a cloud's API.
#[derive(Debug)]
pub struct Api {
    /// The variable that the cloud's own tools take it from.
    pub variable: &'static str,
    /// A valid address, for messages.
    pub example: &'static str,
    /// The usual address in the region that the job works in; `None` if that can't be a region.
    pub usual: fn(region: Option<&str>) -> Option<String>,
    /// How long a request may take, and how often it is repeated, where that differs from requests to Vault.
    pub patience: Option<(Duration, usize)>,
}

/// A kind of thing that steps make at a cloud, and how it is deleted there.
#[derive(Debug)]
pub struct Externals {
    /// What people call such a thing: `API key`.
    pub what: &'static str,
    /// Where it is undone.
    pub api: &'static Api,
    /// Undoes it, with the secret that it was made with. What is gone already is fine.
    pub undo: Undo,
}

/// What the configuration says for a step.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// The options that tell it something, by their names.
    pub options: Vec<(&'static str, String)>,
    /// See [`Step::variables`].
    pub variables: Vec<(&'static str, String)>,
    /// Where the job works, if that is said.
    pub region: Option<String>,
    /// See [`Step::api`].
    pub endpoint: Option<Endpoint>,
    /// --ttl.
    pub ttl: Option<Duration>,
    /// Which job it is for, in words.
    pub purpose: String,
}

impl Settled {
    /// What an option tells.
    pub(super) fn option(&self, opt: &Opt) -> Option<&str> {
        self.options.iter().find(|(name, _)| *name == opt.name).map(|(_, value)| value.as_str())
    }

    /// What a variable says.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// A step of a request, and what it works with.
pub struct Context<'a> {
    /// The Vault that the request goes to.
    pub vault: &'a Vault,
    /// The request.
    pub request: &'a Request,
    /// For this step.
    pub settled: &'a Settled,
}

/// Why a step failed: an error of its cloud's.
pub struct Failed(Box<dyn Explain>);

impl Failed {
    /// What `error` says.
    pub fn new(error: impl Explain + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Explain for Failed {
    fn code(&self) -> Code {
        self.0.code()
    }

    fn notes(&self) -> Vec<String> {
        self.0.notes()
    }

    fn hints(&self) -> Vec<String> {
        self.0.hints()
    }
}

impl Request {
    /// What our field `name` became.
    pub(crate) fn value<'a>(&self, credentials: &'a Credentials, name: &str) -> Option<&'a Secret> {
        let variable = self.fields.iter().find(|field| field.name == name)?.sets.first()?;
        let text = credentials.variables.iter().find(|one| one.name == *variable).map(|one| &one.value);
        text.or_else(|| credentials.files.iter().find(|one| one.name == *variable).map(|one| &one.content))
    }

    /// The engine's names for our field `name`.
    pub(super) fn names_of(&self, name: &str) -> Vec<String> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.from.clone())
            .unwrap_or_default()
    }

    /// Sets the variables of our field `name`.
    pub(super) fn replace(&self, credentials: &mut Credentials, name: &str, value: Secret) {
        let Some(field) = self.fields.iter().find(|field| field.name == name) else { return };
        for variable in &field.sets {
            let sensitive = field.sensitive;
            match credentials.variables.iter_mut().find(|one| one.name == *variable) {
                Some(there) => there.value = value.clone(),
                None => credentials.variables.push(Variable {
                    name: variable.clone(),
                    value: value.clone(),
                    sensitive,
                }),
            }
        }
    }
}
