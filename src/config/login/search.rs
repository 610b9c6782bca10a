//! Finds what a login needs in the places where it may stand. It must not read files.

use std::path::{Path, PathBuf};

use crate::auth::{Issuer, Need, Origin, Place};
use crate::ci::{self, Job};
use crate::config::lookup::{FOLDER, Lookup, Sourced, is_path};
use crate::config::{Error, aws};
use crate::options;
use crate::secret::Secret;

/// Looks into places.
pub(super) struct Search<'a> {
    pub(super) lookup: &'a Lookup<'a>,
    pub(super) role: Option<&'a str>,
    pub(super) engine_role: Option<&'a str>,
    pub(super) job: &'a Job,
}

impl Search<'_> {
    /// Where a need is met: flags come before variables.
    pub(super) fn need(&self, need: &Need) -> Result<Option<Origin>, Error> {
        let flags = |place: &&Place| self.is_flag(place);
        let found = match need.places.iter().find(flags) {
            Some(place) => self.look(place)?,
            None => self.first(need.places)?,
        };
        found.iter().try_for_each(|origin| no_path(origin, need.places))?;
        Ok(found)
    }

    pub(super) fn first(&self, places: &[Place]) -> Result<Option<Origin>, Error> {
        for place in places {
            if let Some(origin) = self.look(place)? {
                return Ok(Some(origin));
            }
        }
        Ok(None)
    }

    fn is_flag(&self, place: &Place) -> bool {
        match place {
            Place::Option(option) | Place::File(option) | Place::Named(option) => {
                self.lookup.flags.one(option).is_some()
            }
            Place::Wrapped(place) => self.is_flag(place),
            _ => false,
        }
    }

    fn look(&self, place: &Place) -> Result<Option<Origin>, Error> {
        let lookup = self.lookup;
        Ok(match place {
            Place::Option(option) => lookup.text(option)?.map(value),
            Place::File(option) => lookup.text(option)?.map(file),
            Place::Named(option) => match lookup.text(option)? {
                None => None,
                Some(named) => {
                    let found = lookup.plain(named.value.trim())?.ok_or(Error::NamedTokenUnset {
                        source_name: named.source,
                        variable: named.value,
                        ci: self.job.system,
                        why_unset: self.job.why_unset.clone(),
                    })?;
                    Some(value(found.expanded()?))
                }
            },
            Place::Unasked => {
                ci::unasked_logins().find_map(|name| lookup.plain(name).transpose()).transpose()?.map(value)
            }
            Place::Home(name) => self.home(name)?,
            Place::Path(path) => Some(Origin::File { path: path.into(), source: (*path).to_owned() }),
            Place::Wrapped(place) => self
                .look(place)?
                .map(|token| Origin::Wrapped { token: token.into(), role: self.role.map(str::to_owned) }),
            Place::IssuedBy(option) => match lookup.text(option)? {
                None => None,
                Some(token) => Some(Origin::Issued(self.issuer(token)?)),
            },
            Place::Connection(options) => {
                let found = lookup.first(options)?;
                found.map(|found| Origin::Connection { source: found.source })
            }
            Place::AwsIdentity => Some(Origin::Signed(aws::identity(lookup)?.into())),
        })
    }

    fn home(&self, name: &str) -> Result<Option<Origin>, Error> {
        let home = self.lookup.named("HOME", FOLDER)?.filter(|_| !self.job.in_ci);
        let path: Option<PathBuf> = home.map(|home| Path::new(&home.value).join(name));
        let path = path.filter(|path| path.is_file());
        Ok(path.map(|path| Origin::File { path, source: format!("~/{name}") }))
    }

    /// Split custody: the runner has the role_id, a variable the token that issues the secret_id.
    fn issuer(&self, token: Sourced) -> Result<Issuer, Error> {
        let role = self.role.or(self.engine_role).ok_or(Error::NoAppRole)?.to_owned();
        if role.contains('/') || is_odd(&role) {
            return Err(Error::Path { what: "the AppRole's name".to_owned(), path: role });
        }
        let without = self.lookup.switch(&options::NO_METADATA)?;
        let wrap_ttl = self.lookup.duration(&options::WRAP_TTL)?;
        Ok(Issuer {
            token: Secret::new(token.value),
            source: token.source,
            role,
            metadata: if without { Vec::new() } else { self.job.facts.clone() },
            wrap_ttl: wrap_ttl.filter(|ttl| !ttl.is_zero()),
        })
    }
}

/// Refuses a path where a secret_id belongs: it would be a wrong secret_id, and five of them lock the AppRole.
fn no_path(origin: &Origin, places: &[Place]) -> Result<(), Error> {
    let value = |value: &Secret, source: &str, instead: Option<String>| {
        if is_path(value.reveal()) {
            Err(Error::PathForValue { source_name: source.to_owned(), instead })
        } else {
            Ok(())
        }
    };
    let takes_file = |place: &Place| match place {
        Place::File(option) if !matches!(option.takes, options::Takes::Variable(_)) => {
            Some(format!("--{}", option.name))
        }
        Place::File(option) => {
            option.variables(None).last().map(|name| format!("{name}, with VAULT_AUTH_METHOD=token,"))
        }
        _ => None,
    };
    match origin {
        Origin::Value { value: text, source } => value(text, source, places.iter().find_map(takes_file)),
        Origin::Issued(issuer) => value(&issuer.token, &issuer.source, None),
        Origin::Wrapped { token, .. } => {
            let inside = places.iter().filter_map(|place| match place {
                Place::Wrapped(inside) => Some(**inside),
                _ => None,
            });
            no_path(token, &inside.collect::<Vec<_>>())
        }
        _ => Ok(()),
    }
}

fn value(found: Sourced) -> Origin {
    Origin::Value { value: Secret::new(found.value), source: found.source }
}

fn file(found: Sourced) -> Origin {
    match found.value.as_str() {
        "-" => Origin::Stdin { source: found.source },
        _ => Origin::File { path: found.value.into(), source: found.source },
    }
}

/// Whether Vault would change a path with this part into another one.
pub(super) fn is_odd(part: &str) -> bool {
    matches!(part, "" | "." | "..") || part.chars().any(|char| char.is_control() || char.is_whitespace())
}
