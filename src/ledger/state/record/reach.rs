//! How to reach a server, as a line of the state file has it. It must not decide which of these settings are used:
//! `way` does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use crate::http::{self, Ca, FileFrom, Proxy, Tls};
use crate::policy::MachinePolicy;
use crate::private_file::whole;
use crate::secret::Secret;
use crate::vault::Server;

/// The longest time-out, in seconds.
const LONGEST_TIMEOUT: u64 = 60 * 60;

/// How to reach the server: [`Server`] as it is written down, without the client certificate, which is not the line's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reach {
    #[serde(with = "address")]
    pub(super) address: Url,
    pub(super) namespace: Option<String>,
    pub(super) auth_namespace: Option<String>,
    ca: CaLine,
    server_name: Option<String>,
    skip_verify: bool,
    proxy: Option<ProxyLine>,
    pub(super) unix_socket: Option<PathBuf>,
    timeout: u64,
    redirect_hosts: Vec<String>,
    follow_redirects: bool,
    allow_http: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CaLine {
    File(PathBuf),
    Pem(String),
    Dir(PathBuf),
    System { file: Option<PathBuf>, dir: Option<PathBuf> },
}

#[derive(Debug, Serialize, Deserialize)]
struct ProxyLine {
    #[serde(serialize_with = "revealed")]
    url: Secret,
    except: String,
}

pub(super) mod address {
    use reqwest::Url;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(in super::super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
        Url::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A secret in a line, or on its way to the process in the background.
pub(crate) fn revealed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.reveal())
}

fn from_line(path: PathBuf) -> FileFrom {
    FileFrom { path, source: "the state file".to_owned() }
}

impl CaLine {
    fn of(ca: &Ca) -> Self {
        // `revoke` may run in another folder.
        let path = |file: &FileFrom| whole(&file.path);
        match ca {
            Ca::File(file) => Self::File(path(file)),
            Ca::Bytes { pem, .. } => Self::Pem(pem.clone()),
            Ca::Dir(file) => Self::Dir(path(file)),
            Ca::System { file, dir } => {
                Self::System { file: file.as_ref().map(path), dir: dir.as_ref().map(path) }
            }
        }
    }

    fn ca(&self) -> Ca {
        let from = |path: &PathBuf| from_line(path.clone());
        match self {
            Self::File(path) => Ca::File(from(path)),
            Self::Pem(pem) => Ca::Bytes { pem: pem.clone(), source: "the state file".to_owned() },
            Self::Dir(path) => Ca::Dir(from(path)),
            Self::System { file, dir } => {
                Ca::System { file: file.as_ref().map(from), dir: dir.as_ref().map(from) }
            }
        }
    }

    /// The first path that names something else than a regular file: reading a FIFO would wait for ever.
    fn unreadable(&self) -> Option<&Path> {
        let (Self::File(path) | Self::System { file: Some(path), .. }) = self else { return None };
        Some(path.as_path()).filter(|path| path.exists() && !path.is_file())
    }
}

impl ProxyLine {
    fn of(proxy: &Proxy) -> Self {
        Self { url: proxy.url.clone(), except: proxy.except.clone() }
    }

    fn proxy(&self) -> Proxy {
        let source = "the state file".to_owned();
        Proxy { url: self.url.clone(), source, except: self.except.clone() }
    }
}

impl Reach {
    pub(crate) fn of(server: &Server) -> Self {
        let http = &server.http;
        Self {
            address: server.address.clone(),
            namespace: server.namespace.clone(),
            auth_namespace: server.auth_namespace.clone(),
            ca: CaLine::of(&http.tls.ca),
            server_name: http.tls.server_name.clone(),
            skip_verify: http.tls.skip_verify,
            proxy: http.proxy.as_ref().map(ProxyLine::of),
            unix_socket: http.unix_socket.as_deref().map(whole),
            timeout: http.timeout.as_secs(),
            redirect_hosts: http.redirect_hosts.clone(),
            follow_redirects: http.follow_redirects,
            allow_http: http.allow_http,
        }
    }

    /// A path of the CA's that names something else than a regular file.
    pub(super) fn unreadable(&self) -> Option<&Path> {
        self.ca.unreadable()
    }

    pub(crate) fn server(&self) -> Server {
        Server {
            address: self.address.clone(),
            namespace: self.namespace.clone(),
            auth_namespace: self.auth_namespace.clone(),
            http: http::Settings {
                tls: Tls {
                    ca: self.ca.ca(),
                    client: None,
                    server_name: self.server_name.clone(),
                    skip_verify: self.skip_verify,
                },
                needs_tls: self.address.scheme() == "https",
                proxy: self.proxy.as_ref().map(ProxyLine::proxy),
                unix_socket: self.unix_socket.clone(),
                timeout: Duration::from_secs(self.timeout.clamp(1, LONGEST_TIMEOUT)),
                max_retries: None,
                redirect_hosts: self.redirect_hosts.clone(),
                follow_redirects: self.follow_redirects,
                allow_http: self.allow_http,
                policy: MachinePolicy::default(),
            },
        }
    }
}
