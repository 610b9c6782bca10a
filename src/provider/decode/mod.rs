//! Turns an engine's answer into credentials. It must not ask for anything.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{Absent, FieldSpec, Form, Origin, Request};
use crate::credentials::{Credentials, InFile, Lease, Life, Variable};
use crate::duration::granted;
use crate::secret::Secret;
use crate::text::Text;
use crate::vault::{Data, Envelope, Untold};

mod ends;
mod error;
#[cfg(test)]
mod tests;

use ends::{end, is_negative};
pub use error::Error;

/// What is inside base64, if that is text.
fn decoded(text: &Secret) -> Option<Secret> {
    let bytes = STANDARD.decode(text.reveal().trim()).ok()?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

impl Request {
    /// What the answer of `path` gives, issued at `now`. `kv` is the version of the KV engine, where its mount says it.
    pub fn decode(
        &self,
        path: &str,
        answer: &Envelope,
        kv: Option<u32>,
        now: Timestamp,
    ) -> Result<Credentials, Error> {
        if let Some(version) = self.secret_version {
            let seen = answer.data.as_ref().and_then(|data| data.field("metadata.version")?.text());
            if answer.lease().is_some() || seen.is_none_or(|seen| seen.reveal() != version.to_string()) {
                return Err(Error::NotVersioned { path: path.to_owned(), version });
            }
        }
        let data = if self.read.post {
            Ok(answer.data.as_ref())
        } else {
            answer.secret(path, self.kv_version.or(kv))
        };
        let data =
            data.map_err(|Untold| Error::Untold { path: path.to_owned(), option: self.kv_option() })?;
        let data = data.ok_or_else(|| Error::NoData { path: path.to_owned() })?;
        let mut found = self.collect(path, data)?;
        let lease = answer.lease();
        let outlives_token =
            lease.is_none() || self.outlives_token.as_ref().is_some_and(|name| found.has(self, name));
        let life = self.life(path, data, answer, now)?;
        found.expires(self.expiry_variable.as_ref(), life);
        let label =
            self.label.as_ref().and_then(|name| data.field(name).filter(|value| !value.is_absent())?.text());
        Ok(Credentials {
            issued_by: self.origin.issued_by(),
            role: self.role.clone(),
            path: path.to_owned(),
            detour: None,
            label: label.map(|text| Text::new(text.reveal())),
            variables: found.variables,
            unsets: found.unsets,
            lease,
            life,
            outlives_token,
            external: None,
            files: found.files,
        })
    }

    /// What the fields of an answer and the constants of the request become.
    fn collect(&self, path: &str, data: &Data) -> Result<Collected, Error> {
        let mut found = Collected { unsets: self.unsets.clone(), ..Collected::default() };
        for field in &self.fields {
            let value = field.from.iter().find_map(|name| match self.origin {
                // Whatever stands there, unless it is empty: CI systems and shells take an empty variable for one that is
                // not set.
                Origin::Read => data.value(name).filter(|value| !value.reveal().is_empty()).map(Some),
                // A cloud's tools need a single value that is not empty. No part of a key ends in blanks, but the file
                // that it was taken from may.
                Origin::Cloud(_) => data
                    .field(name)
                    .filter(|value| !value.is_absent())
                    .map(|value| value.text().map(|text| Secret::from(text.reveal().trim()))),
            });
            match (value, field.absent) {
                (Some(Some(text)), _) => match field.form {
                    Form::Text => found.set(&field.sets, text, field.sensitive),
                    Form::File => found.put(&field.sets, &text),
                    Form::Base64File => match decoded(&text) {
                        Some(content) => found.put(&field.sets, &content),
                        None => return Err(self.fault(path, data, field, Flaw::NotBase64)),
                    },
                },
                (Some(None), _) => return Err(self.fault(path, data, field, Flaw::NotSingle)),
                (None, Absent::Error) => {
                    let is_empty =
                        field.from.iter().any(|name| matches!(data.field(name), Some(Data::Text(_))));
                    let flaw = if is_empty { Flaw::Empty } else { Flaw::Missing };
                    return Err(self.fault(path, data, field, flaw));
                }
                (None, Absent::Skip) => {}
                (None, Absent::Unset) => found.unsets.extend(field.sets.iter().cloned()),
            }
        }
        for (name, value) in &self.constants {
            found.variables.retain(|variable| variable.name != *name);
            found.set(std::slice::from_ref(name), Secret::from(value.as_str()), false);
        }
        Ok(found)
    }

    /// The end that the engine names, and that of the lease: whichever comes first.
    fn life(
        &self,
        path: &str,
        data: &Data,
        answer: &Envelope,
        now: Timestamp,
    ) -> Result<Option<Life>, Error> {
        // KV version 1 copies the secret's own `ttl` into the TTL of the answer.
        let told = self.expiry.iter().map(String::as_str);
        let told = told.chain(["ttl", "lease"].into_iter().filter(|_| answer.lease().is_none()));
        let negative = |name: &&str| {
            data.field(name).and_then(Data::text).is_some_and(|text| is_negative(text.reveal().trim()))
        };
        if let Some(field) = told.clone().find(negative) {
            return Err(Error::Negative { path: path.to_owned(), field: field.to_owned() });
        }
        let own = self.expiry.iter().filter_map(|name| end(&data.field(name)?.text()?, now)).min();
        let own = own.map(|end| match Duration::try_from(end.duration_since(now)) {
            Ok(left) if !left.is_zero() => Ok(left),
            _ => Err(Error::Ended { path: path.to_owned(), end }),
        });
        let own = own.transpose()?;
        let lease = answer.lease().map(|lease| lease.ttl);
        // A lease of zero seconds says nothing: some engines answer so for keys that live on.
        let lease = lease.filter(|lease| !lease.is_zero());
        Ok(own.into_iter().chain(lease).min().and_then(|ttl| Life::new(ttl, now)))
    }

    /// How a user says which version of KV it is.
    fn kv_option(&self) -> String {
        let variable = match self.origin {
            Origin::Read => "CI_CREDS_KV_VERSION".to_owned(),
            Origin::Cloud(cloud) => format!("CI_CREDS_{}_KV_VERSION", crate::options::env_suffix(cloud.name)),
        };
        format!("--kv-version 1 or 2, or {variable}")
    }

    fn fault(&self, path: &str, data: &Data, field: &FieldSpec, flaw: Flaw) -> Error {
        let is_read = self.origin.cloud().is_none();
        let option = if is_read { "NAME=FIELD" } else { "--field" };
        let names = field.from.join(" nor ");
        // Several variables may read one path, or be references to it.
        let end = |separator: &str| {
            if is_read { format!("{separator}for {}", field.sets.join(", ")) } else { String::new() }
        };
        Error::Field {
            path: path.to_owned(),
            what: match flaw {
                Flaw::Missing => format!("no {names}{}", end(" ")),
                Flaw::Empty => format!("a field {names} that is empty{}", end(", ")),
                Flaw::NotSingle => format!("a field {names} that is not a single value{}", end(", ")),
                Flaw::NotBase64 => format!("a field {names} that is not text in base64{}", end(", ")),
            },
            there: data.names().iter().map(|name| Text::new(name).into()).collect(),
            option,
        }
    }
}

/// Why a field can't be used.
#[derive(Clone, Copy)]
enum Flaw {
    Missing,
    Empty,
    NotSingle,
    NotBase64,
}

/// What the fields of an answer became.
#[derive(Default)]
struct Collected {
    variables: Vec<Variable>,
    unsets: Vec<String>,
    files: Vec<InFile>,
}

impl Collected {
    fn put(&mut self, names: &[String], content: &Secret) {
        let file = |name: &String| InFile { name: name.clone(), content: content.clone() };
        self.files.extend(names.iter().map(file));
    }

    fn set(&mut self, names: &[String], value: Secret, sensitive: bool) {
        let variable = |name: &String| Variable { name: name.clone(), value: value.clone(), sensitive };
        self.variables.extend(names.iter().map(variable));
    }

    fn has(&self, request: &Request, field: &str) -> bool {
        let sets = request.fields.iter().filter(|spec| spec.name == field).flat_map(|spec| &spec.sets);
        let there = |name: &String| {
            self.variables.iter().any(|variable| variable.name == *name)
                || self.files.iter().any(|file| file.name == *name)
        };
        sets.into_iter().any(there)
    }

    fn expires(&mut self, variable: Option<&String>, life: Option<Life>) {
        match (variable, life) {
            (Some(name), Some(life)) => {
                self.set(std::slice::from_ref(name), Secret::new(life.until.to_string()), false);
            }
            (Some(name), None) => self.unsets.push(name.clone()),
            (None, _) => {}
        }
    }
}

impl Envelope {
    /// The lease, unless the engine made none.
    pub fn lease(&self) -> Option<Lease> {
        let id = self.lease_id.clone().filter(|id| !id.is_empty())?;
        let ttl = granted(self.lease_duration).saturating_sub(self.cached.unwrap_or_default());
        let shared = self.cached.is_some();
        Some(Lease { id, renewable: self.renewable && !shared, ttl, shared })
    }
}
