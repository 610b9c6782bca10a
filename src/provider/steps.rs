//! What a table can't say: the closed list of steps that are code, and what each needs.

use std::time::Duration;

use jiff::Timestamp;

use super::{Error, Request};
use crate::cloud::scaleway::{Key, Place};
use crate::credentials::{Credentials, Life, Variable};
use crate::secret::Secret;
use crate::text::Text;

/// A step, as a provider's table names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make a key of the job's own: [`Mint`].
    Mint,
    /// Export the key for S3 tools: [`S3`].
    S3,
    /// Wait until AWS knows the key: [`crate::cloud::aws::Sts`].
    Wait,
}

impl Step {
    /// What it sets or unsets beyond the provider's fields, as far as it gives access: a failure unsets these.
    pub fn touches(self) -> impl Iterator<Item = &'static str> {
        let (sets, unsets) = match self {
            Self::Mint | Self::Wait => (&[][..], &[][..]),
            Self::S3 => (&S3::SETS[..2], &S3::UNSETS[..]),
        };
        sets.iter().chain(unsets).copied()
    }
}

/// What making a key at Scaleway needs, beside the parent.
#[derive(Debug, Clone)]
pub struct Mint {
    /// The application that the key belongs to.
    pub application_id: String,
    /// Its default project.
    pub project_id: Option<String>,
    /// How long Scaleway lets it live.
    pub ttl: Duration,
    /// Which job it is for: the beginning of its description.
    pub purpose: String,
    /// Scaleway's API.
    pub place: Place,
}

impl Mint {
    /// The default project: the user's, else the one that stands beside the parent.
    pub fn project<'a>(&'a self, request: &Request, parent: &'a Credentials) -> Option<&'a str> {
        let beside = || Some(request.value(parent, "project_id")?.reveal());
        self.project_id.as_deref().or_else(beside)
    }

    /// The parent's credentials with everything that gives access replaced by the child's.
    pub fn adopt(
        &self,
        request: &Request,
        parent: Credentials,
        key: &Key,
        end: Timestamp,
        now: Timestamp,
    ) -> Credentials {
        let mut child = parent;
        request.replace(&mut child, "access_key", Secret::from(key.access_key.as_str()));
        request.replace(&mut child, "secret_key", key.secret_key.clone());
        if let Some(project) = &self.project_id {
            request.replace(&mut child, "project_id", Secret::from(project.as_str()));
        }
        child.label = Some(Text::new(&key.access_key));
        child.life = Duration::try_from(end.duration_since(now)).ok().and_then(|ttl| Life::new(ttl, now));
        child
    }
}

/// What exporting a Scaleway key for S3 tools needs.
#[derive(Debug, Clone)]
pub struct S3 {
    /// The job's region, where the answer names none.
    pub region: Option<String>,
}

impl S3 {
    /// The pair; where it works; the region that requests are signed for.
    pub(super) const SETS: [&'static str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL_S3",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ];
    /// What S3 tools would take along with the pair, or instead of it.
    const UNSETS: [&'static str; 5] = [
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_CREDENTIAL_EXPIRATION",
    ];

    /// The region: the answer's or the user's, else the job's.
    pub fn region(&self, credentials: &Credentials) -> Result<String, Error> {
        let variable = credentials.variables.iter().find(|variable| variable.name == "SCW_DEFAULT_REGION");
        let region = variable.map(|variable| variable.value.reveal().to_owned());
        let region = region.or_else(|| self.region.clone()).ok_or(Error::NoRegion)?;
        // It becomes part of a host's name (scaleway-sdk-go: validation/is.go).
        let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        match !region.is_empty() && region.chars().all(fits) {
            true => Ok(region),
            false => Err(Error::Region(Text::new(&region).chars().take(40).collect())),
        }
    }

    /// Adds the variables.
    pub fn add(&self, request: &Request, credentials: &mut Credentials) -> Result<(), Error> {
        let region = self.region(credentials)?;
        let field = |name| request.value(credentials, name).cloned().unwrap_or_else(|| Secret::from(""));
        let values = [
            field("access_key"),
            field("secret_key"),
            Secret::new(format!("https://s3.{region}.scw.cloud")),
            Secret::from(region.as_str()),
            Secret::from(region.as_str()),
        ];
        let sensitive = [false, true, false, false, false];
        for ((name, value), sensitive) in Self::SETS.into_iter().zip(values).zip(sensitive) {
            credentials.variables.push(Variable { name: name.to_owned(), value, sensitive });
        }
        credentials.unsets.extend(Self::UNSETS.map(str::to_owned));
        Ok(())
    }
}

impl Request {
    /// What our field `name` became.
    pub fn value<'a>(&self, credentials: &'a Credentials, name: &str) -> Option<&'a Secret> {
        let variable = self.fields.iter().find(|field| field.name == name)?.sets.first()?;
        credentials.variables.iter().find(|one| one.name == *variable).map(|one| &one.value)
    }

    /// The engine's names for our field `name`.
    pub fn names_of(&self, name: &str) -> Vec<String> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.from.clone())
            .unwrap_or_default()
    }

    /// Sets the variables of our field `name`.
    fn replace(&self, credentials: &mut Credentials, name: &str, value: Secret) {
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
