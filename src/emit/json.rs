//! `json`: everything that is known, for scripts. The schema has a version, and a field must not be removed or change
//! its meaning.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use zeroize::Zeroizing;

use super::{Error, Format, Options};
use crate::credentials::{Credentials, Variable};

/// `--format json`.
pub(super) static JSON: Format = Format {
    name: "json",
    about: "variables, leases and times, for scripts",
    provider: None,
    merge: None,
    encode,
    failure: None,
};

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    credentials: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    provider: &'a str,
    role: Option<&'a str>,
    path: &'a str,
    #[serde(serialize_with = "revealed")]
    variables: &'a [Variable],
    lease_id: Option<&'a str>,
    renewable: bool,
    ttl_seconds: Option<u64>,
    expires_at: Option<String>,
}

impl<'a> From<&'a Credentials> for One<'a> {
    fn from(one: &'a Credentials) -> Self {
        Self {
            provider: one.issued_by.name(),
            role: one.role.as_deref(),
            path: &one.path,
            variables: &one.variables,
            lease_id: one.lease.as_ref().map(|lease| &*lease.id),
            renewable: one.lease.as_ref().is_some_and(|lease| lease.renewable),
            ttl_seconds: one.life.map(|life| life.ttl.as_secs()),
            expires_at: one.life.map(|life| life.until.to_string()),
        }
    }
}

fn revealed<S: Serializer>(variables: &[Variable], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(variables.len()))?;
    for variable in variables {
        map.serialize_entry(&variable.name, variable.value.reveal())?;
    }
    map.end()
}

fn encode(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let document = Document { version: 1, credentials: all.iter().map(One::from).collect() };
    // Large enough from the start: growing would leave copies of secrets in freed memory. The longest form of a byte
    // is \u0000.
    let room = |variable: &Variable| variable.name.len() + 6 * variable.value.reveal().len() + 8;
    let size: usize = all.iter().map(|one| 1024 + one.variables.iter().map(room).sum::<usize>()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    // Strings and numbers into memory: this can't fail.
    let _ = serde_json::to_writer(&mut *bytes, &document);
    bytes.push(b'\n');
    Ok(bytes)
}
