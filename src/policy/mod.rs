//! What the administrator of this machine allows: addresses of Vault, options and logins. It is read once, before flags
//! and variables are put together, and neither can override it. It must not know which of them wins.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;

use crate::error::{Code, Explain, leave_out};
use crate::options::Opt;
pub use file::{Error, FILE};

mod file;

/// The policy of this machine; the default allows everything.
#[derive(Debug, Clone, Default)]
pub struct MachinePolicy {
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
    /// The host of no address that is allowed, in --redirect-host or --tls-server-name.
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

impl Explain for Refused {
    fn code(&self) -> Code {
        Code::Environment
    }

    fn hints(&self) -> Vec<String> {
        let advice = match self {
            Self::NoLogin { known, .. } => format!("the logins are {known}"),
            Self::Address { source_name, allowed, .. } => format!("set {source_name} to one of: {allowed}"),
            Self::Host { source_name, allowed, .. } => {
                format!("{}; the addresses are {allowed}", leave_out(source_name))
            }
            Self::Option { source_name } => leave_out(source_name),
            Self::Login { allowed, .. } => format!("set VAULT_AUTH_METHOD or --auth to one of: {allowed}"),
        };
        vec![format!("{advice}; only who runs this machine can change {FILE}")]
    }
}

impl MachinePolicy {
    /// The policy of this machine. Where there is none, that costs one system call.
    ///
    /// # Errors
    /// When the file or its folder is not root's alone, or can't be read or understood.
    pub fn read() -> Result<Self, Error> {
        file::read()
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
        let asked = Address::behind(url, socket);
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
        let address = Address::behind(url, socket).map(|one| one.to_string()).unwrap_or_default();
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
    fn behind(url: &Url, socket: Option<&Path>) -> Option<Self> {
        socket.map_or_else(|| Self::of(url), |path| Some(Self::Socket(path.to_owned())))
    }

    fn of(url: &Url) -> Option<Self> {
        let (scheme, host) = (url.scheme().to_owned(), url.host_str()?.to_owned());
        Some(Self::Url { scheme, host, port: url.port_or_known_default() })
    }

    /// Parses one of `addresses`. A path is refused, because paths are not compared.
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
impl fmt::Display for MachinePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.is_some().then(|| format!("addresses {}", self.allowed()));
        let forbid = (!self.forbid.is_empty()).then(|| format!("forbid {}", self.forbid.join(", ")));
        let auth = self.auth.as_ref().map(|all| format!("auth {}", all.join(", ")));
        let parts: Vec<_> = [addresses, forbid, auth].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "limits nothing" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}
