//! What the administrator of this machine allows: /etc/ci-creds/policy.toml. It is read once, before the flags and the
//! variables are put together, and neither can override it. Only root may be able to write it: a file that somebody
//! else could have written, or that can't be understood, is an error and never a lock that is off.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use reqwest::Url;
use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;
use serde::Deserialize;

use crate::error::{Code, Explain};
use crate::options::{self, Opt};
use crate::text::one_line;

/// The policy.
pub const FILE: &str = "/etc/ci-creds/policy.toml";
const FOLDER: &str = "/etc/ci-creds";
const NAME: &str = "policy.toml";
/// The largest file that is read: a policy has a few lines.
const LONGEST: u64 = 64 * 1024;
/// Write permission of the group and of everybody else.
const OTHERS_WRITE: u32 = 0o022;

/// The policy of this machine; the default allows everything.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    addresses: Option<Vec<Address>>,
    forbid: Vec<&'static str>,
    auth: Option<Vec<String>>,
    is_there: bool,
}

/// An address of Vault's, as far as it counts: scheme, host and port, or the path of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Url { scheme: String, host: String, port: Option<u16> },
    Socket(PathBuf),
}

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

/// Something that the policy does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another address.
    #[error("{FILE} does not allow {address} as the address of Vault ({source_name})")]
    Address {
        /// The flag or variable.
        source_name: String,
        /// Scheme, host and port.
        address: String,
        /// The addresses that are allowed.
        allowed: String,
    },
    /// A host that is none of the addresses', where --redirect-host or --tls-server-name names it.
    #[error("{FILE} lists no address with the host {host} ({source_name})")]
    Host {
        /// The flag or variable.
        source_name: String,
        /// The host.
        host: String,
        /// The addresses that are allowed.
        allowed: String,
    },
    /// An option that the policy forbids.
    #[error("{FILE} forbids {source_name}")]
    Option {
        /// The flag or variable.
        source_name: String,
    },
    /// The policy names a login that does not exist.
    #[error("{FILE} can't be used: `{method}` in auth is no login")]
    NoLogin {
        /// What stands there.
        method: String,
        /// The logins that there are.
        known: String,
    },
    /// Another login.
    #[error("{FILE} does not allow the login {method}")]
    Login {
        /// The login that would be used.
        method: &'static str,
        /// The logins that are allowed.
        allowed: String,
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

impl Explain for Refused {
    fn code(&self) -> Code {
        Code::Environment
    }

    fn hints(&self) -> Vec<String> {
        let advice = match self {
            Self::NoLogin { known, .. } => format!("the logins are {known}"),
            Self::Address { source_name, allowed, .. } => format!("set {source_name} to one of: {allowed}"),
            Self::Host { source_name, allowed, .. } => {
                format!("{}; the addresses are {allowed}", without(source_name))
            }
            Self::Option { source_name } => without(source_name),
            Self::Login { allowed, .. } => format!("set VAULT_AUTH_METHOD or --auth to one of: {allowed}"),
        };
        vec![format!("{advice}; only who runs this machine can change {FILE}")]
    }
}

/// How a setting is taken away.
fn without(source_name: &str) -> String {
    if source_name.starts_with('-') {
        format!("leave {source_name} out")
    } else {
        format!("unset {source_name}")
    }
}

impl Policy {
    /// The policy of this machine. Where there is none, that costs one system call.
    ///
    /// # Errors
    /// When the file or its folder is not root's alone, or can't be read or understood.
    pub fn read() -> Result<Self, Error> {
        read_in(Path::new(FOLDER), 0)
    }

    /// Whether there is a policy at all.
    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// The logins that are allowed, if that is limited.
    pub(crate) fn logins(&self) -> Option<&[String]> {
        self.auth.as_deref()
    }

    /// Whether this option may not be used.
    pub(crate) fn forbids(&self, option: &Opt) -> bool {
        option.lock.is_some_and(|lock| self.forbid.contains(&lock))
    }

    /// Whether Vault may be at this address, or behind this socket.
    pub(crate) fn allows(&self, url: &Url, socket: Option<&Path>) -> bool {
        let asked = socket.map_or_else(|| Address::of(url), |path| Some(Address::Socket(path.to_owned())));
        self.addresses.as_ref().is_none_or(|all| asked.is_some_and(|asked| all.contains(&asked)))
    }

    /// The address of Vault that `source_name` gives, if it is allowed.
    pub(crate) fn check_address(
        &self,
        url: &Url,
        socket: Option<&Path>,
        source_name: &str,
    ) -> Result<(), Refused> {
        if self.allows(url, socket) {
            return Ok(());
        }
        let asked = socket.map_or_else(|| Address::of(url), |path| Some(Address::Socket(path.to_owned())));
        let address = asked.map(|one| one.to_string()).unwrap_or_default();
        Err(Refused::Address { source_name: source_name.to_owned(), address, allowed: self.allowed() })
    }

    /// A host that may pass for Vault, or to which Vault may redirect: it must be one of the addresses'.
    pub(crate) fn check_host(&self, host: &str, source_name: &str) -> Result<(), Refused> {
        let is_listed = |address: &Address| match address {
            Address::Url { host: listed, port, .. } => {
                let with_port = port.map(|port| format!("{listed}:{port}"));
                host.eq_ignore_ascii_case(listed)
                    || with_port.is_some_and(|listed| host.eq_ignore_ascii_case(&listed))
            }
            Address::Socket(_) => false,
        };
        if self.addresses.as_ref().is_none_or(|all| all.iter().any(is_listed)) {
            Ok(())
        } else {
            Err(Refused::Host {
                source_name: source_name.to_owned(),
                host: host.to_owned(),
                allowed: self.allowed(),
            })
        }
    }

    fn allowed(&self) -> String {
        let all = self.addresses.iter().flatten().map(Address::to_string);
        all.collect::<Vec<_>>().join(", ")
    }
}

impl Address {
    fn of(url: &Url) -> Option<Self> {
        let (scheme, host) = (url.scheme().to_owned(), url.host_str()?.to_owned());
        Some(Self::Url { scheme, host, port: url.port_or_known_default() })
    }

    /// One of `addresses`: it has no path, because none is compared.
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix://") {
            return path.starts_with('/').then(|| Self::Socket(path.into()));
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anybody = url.username().is_empty() && url.password().is_none();
        Self::of(&url).filter(|_| bare && anybody)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { scheme, host, port: Some(port) } => write!(f, "{scheme}://{host}:{port}"),
            Self::Url { scheme, host, port: None } => write!(f, "{scheme}://{host}"),
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// For doctor: what it limits.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.is_some().then(|| format!("addresses {}", self.allowed()));
        let forbid = (!self.forbid.is_empty()).then(|| format!("forbid {}", self.forbid.join(", ")));
        let auth = self.auth.as_ref().map(|all| format!("auth {}", all.join(", ")));
        let parts: Vec<_> = [addresses, forbid, auth].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "limits nothing" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

/// The policy in this folder, which must be `owner`'s alone.
fn read_in(folder: &Path, owner: u32) -> Result<Policy, Error> {
    // A link could lead to what somebody else writes; a FIFO would keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let unreadable = |path| move |errno: Errno| Error::Unreadable { path, source: errno.into() };
    let folder = match open(folder, flags | OFlags::DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Policy::default()),
        opened => opened.map_err(unreadable(FOLDER))?,
    };
    trusted(&folder, owner, FOLDER, "0755")?;
    let file = match openat(&folder, NAME, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Policy::default()),
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

fn parse(text: &str) -> Result<Policy, Error> {
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
        auth => Ok(Policy { addresses, forbid, auth, is_there: true }),
    }
}

#[cfg(test)]
mod tests;
