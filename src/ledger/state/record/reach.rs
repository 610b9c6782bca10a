//! How to reach a server, as a line of the state file has it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use crate::http::{self, Ca, FileFrom, Pem, Proxy, Tls};
use crate::secret::Secret;
use crate::vault::Server;

/// How to reach the server: [`Server`] as it is written down.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reach {
    #[serde(with = "address")]
    address: Url,
    namespace: Option<String>,
    auth_namespace: Option<String>,
    ca: CaLine,
    client: Option<(PemLine, PemLine)>,
    server_name: Option<String>,
    skip_verify: bool,
    proxy: Option<ProxyLine>,
    unix_socket: Option<PathBuf>,
    timeout: u64,
    redirect_hosts: Vec<String>,
    follow_redirects: bool,
    allow_http: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaLine {
    File(PathBuf),
    Pem(String),
    Dir(PathBuf),
    System { file: Option<PathBuf>, dir: Option<PathBuf> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PemLine {
    File(PathBuf),
    Text(#[serde(serialize_with = "revealed")] Secret),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProxyLine {
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

pub(super) fn revealed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.reveal())
}

/// `revoke` may run in another folder.
pub(super) fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn from_line(path: PathBuf) -> FileFrom {
    FileFrom { path, source: "the state file".to_owned() }
}

impl CaLine {
    pub(super) fn of(ca: &Ca) -> Self {
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

    pub(super) fn ca(&self) -> Ca {
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
}

impl ProxyLine {
    pub(super) fn of(proxy: &Proxy) -> Self {
        Self { url: proxy.url.clone(), except: proxy.except.clone() }
    }

    pub(super) fn proxy(&self) -> Proxy {
        let source = "the state file".to_owned();
        Proxy { url: self.url.clone(), source, except: self.except.clone() }
    }
}

impl Reach {
    pub(super) fn of(server: &Server) -> Self {
        let http = &server.http;
        let path = |file: &FileFrom| whole(&file.path);
        let pem = |pem: &Pem| match pem {
            Pem::File(file) => PemLine::File(path(file)),
            Pem::Text { text, .. } => PemLine::Text(text.clone()),
        };
        Self {
            address: server.address.clone(),
            namespace: server.namespace.clone(),
            auth_namespace: server.auth_namespace.clone(),
            ca: CaLine::of(&http.tls.ca),
            client: http.tls.client.as_ref().map(|(certificate, key)| (pem(certificate), pem(key))),
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

    pub(super) fn server(&self) -> Server {
        let from = |path: &PathBuf| from_line(path.clone());
        let pem = |pem: &PemLine| match pem {
            PemLine::File(path) => Pem::File(from(path)),
            PemLine::Text(text) => Pem::Text { text: text.clone(), source: "the state file".to_owned() },
        };
        Server {
            address: self.address.clone(),
            namespace: self.namespace.clone(),
            auth_namespace: self.auth_namespace.clone(),
            http: http::Settings {
                tls: Tls {
                    ca: self.ca.ca(),
                    client: self.client.as_ref().map(|(certificate, key)| (pem(certificate), pem(key))),
                    server_name: self.server_name.clone(),
                    skip_verify: self.skip_verify,
                },
                needs_tls: self.address.scheme() == "https",
                proxy: self.proxy.as_ref().map(ProxyLine::proxy),
                unix_socket: self.unix_socket.clone(),
                timeout: Duration::from_secs(self.timeout.max(1)),
                max_retries: None,
                redirect_hosts: self.redirect_hosts.clone(),
                follow_redirects: self.follow_redirects,
                allow_http: self.allow_http,
            },
        }
    }
}
