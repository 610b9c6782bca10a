//! The file with the policy of this machine. Only root may be able to write it: a file that somebody else could have
//! written, or that can't be understood, is an error and never a lock that is off. It must not decide what is allowed.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;
use serde::Deserialize;

use super::{Address, MachinePolicy};
use crate::error::{Code, Explain};
use crate::options;
use crate::text::one_line;

/// The policy.
pub const FILE: &str = "/etc/ci-creds/policy.toml";
const FOLDER: &str = "/etc/ci-creds";
const NAME: &str = "policy.toml";
/// The largest file that is read: a policy has a few lines.
const LONGEST: u64 = 64 * 1024;
/// Write permission of the group and of everybody else.
const OTHERS_WRITE: u32 = 0o022;

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    addresses: Option<Vec<String>>,
    #[serde(default)]
    forbid: Vec<String>,
    auth: Option<Vec<String>>,
}

/// A policy that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else than root could have written it.
    #[error("{path} can't be trusted: {why}")]
    Untrusted {
        /// The file or its folder.
        path: &'static str,
        /// Who could have written it.
        why: &'static str,
        /// What root should do.
        remedy: String,
    },
    /// It exists but can't be read.
    #[error("{path} can't be read, and without it nothing is allowed")]
    Unreadable {
        /// The file or its folder.
        path: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was read, but is not valid.
    #[error("{FILE} can't be used: {what}")]
    Content {
        /// What is wrong with it.
        what: String,
        /// How it is written.
        remedy: String,
    },
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Environment
    }

    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::Untrusted { remedy, .. } | Self::Content { remedy, .. } => remedy.clone(),
            Self::Unreadable { .. } => {
                format!("as root: chmod 0755 {FOLDER}, chmod 0644 {FILE}; it must be a regular file")
            }
        }]
    }
}

/// The policy of this machine.
pub(super) fn read() -> Result<MachinePolicy, Error> {
    read_in(Path::new(FOLDER), 0)
}

/// The policy in this folder, which must be `owner`'s alone.
fn read_in(folder: &Path, owner: u32) -> Result<MachinePolicy, Error> {
    // A link could lead to what somebody else writes; a FIFO would keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let unreadable = |path| move |errno: Errno| Error::Unreadable { path, source: errno.into() };
    let folder = match open(folder, flags | OFlags::DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(MachinePolicy::default()),
        opened => opened.map_err(unreadable(FOLDER))?,
    };
    trusted(&folder, owner, FOLDER, "0755")?;
    let file = match openat(&folder, NAME, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(MachinePolicy::default()),
        opened => opened.map_err(unreadable(FILE))?,
    };
    trusted(&file, owner, FILE, "0644")?;
    let stat = fstat(&file).map_err(unreadable(FILE))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::Unreadable { path: FILE, source: io::ErrorKind::InvalidInput.into() });
    }
    let mut text = String::new();
    let read = File::from(file).take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|source| Error::Unreadable { path: FILE, source })?;
    if text.len() as u64 > LONGEST {
        return Err(content("it is longer than 64 KiB", "shorten it"));
    }
    parse(&text)
}

/// Whether nobody but `owner` can write it.
fn trusted(file: impl std::os::fd::AsFd, owner: u32, path: &'static str, mode: &str) -> Result<(), Error> {
    let stat = fstat(file).map_err(|errno| Error::Unreadable { path, source: errno.into() })?;
    let why = match stat.st_mode & OTHERS_WRITE {
        _ if stat.st_uid != owner => "its owner is not root",
        0 => return Ok(()),
        _ => "others than root can write it",
    };
    Err(Error::Untrusted {
        path,
        why,
        remedy: format!("as root: look at what it says, then chown root:root {path} and chmod {mode} {path}"),
    })
}

fn content(what: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::Content { what: what.into(), remedy: remedy.into() }
}

fn parse(text: &str) -> Result<MachinePolicy, Error> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let line =
            error.span().and_then(|span| text.get(..span.start)).map(|start| start.matches('\n').count() + 1);
        let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        content(
            format!("{at}{}", error.message()),
            "it is TOML with the keys addresses, forbid and auth, each a list of strings in quotes",
        )
    })?;
    let empty =
        |key| content(format!("{key} is an empty list"), format!("list what is allowed, or leave {key} out"));
    let mut addresses = None;
    for text in written.addresses.iter().flatten() {
        let address = Address::parse(text).ok_or_else(|| {
            content(
                format!("`{}` in addresses is not scheme, host and port", one_line(text)),
                "write addresses such as \"https://vault.example.com:8200\", without a path",
            )
        })?;
        addresses.get_or_insert_with(Vec::new).push(address);
    }
    if written.addresses.is_some() && addresses.is_none() {
        return Err(empty("addresses"));
    }
    let mut forbid = Vec::new();
    let all = options::locks();
    for name in &written.forbid {
        let known = all.iter().copied().find(|known| known == name);
        forbid.push(known.ok_or_else(|| {
            content(
                format!("`{}` in forbid is not known", one_line(name)),
                format!("forbid takes {}", all.join(", ")),
            )
        })?);
    }
    match written.auth {
        Some(auth) if auth.is_empty() => Err(empty("auth")),
        auth => Ok(MachinePolicy { addresses, forbid, auth, is_there: true }),
    }
}

#[cfg(test)]
mod tests;
