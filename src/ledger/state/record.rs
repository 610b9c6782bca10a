//! A line of the state file: what there is to take back, and how to reach the server for it, so that `revoke` needs
//! no flag again. Secrets in it are the tokens of ci-creds' own logins, never one that the user brought.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use super::super::{By, Lease, Ledger, Owned};
use crate::config::Server;
use crate::http::{self, Ca, FileFrom, Pem, Proxy, Tls};
use crate::secret::Secret;

/// The form of the lines that this version writes, and reads.
const VERSION: u32 = 1;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Tells the line from others.
    pub id: String,
    server: Reach,
    #[serde(default)]
    tokens: Vec<Token>,
    #[serde(default)]
    leases: Vec<LeaseLine>,
    #[serde(default)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    #[serde(serialize_with = "revealed")]
    token: Secret,
    accessor: String,
    ends: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LeaseLine {
    id: String,
    ends: Option<String>,
    /// A batch token of ours; `None` stands for the user's token.
    #[serde(default, serialize_with = "maybe_revealed", skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
}

/// How to reach the server: [`Server`] as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Reach {
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
enum CaLine {
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
struct ProxyLine {
    #[serde(serialize_with = "revealed")]
    url: Secret,
    except: String,
}

mod address {
    use reqwest::Url;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
        Url::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

fn revealed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.reveal())
}

fn maybe_revealed<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => revealed(secret, serializer),
        None => serializer.serialize_none(),
    }
}

/// `revoke` may run in another folder.
fn whole(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn from_line(path: PathBuf) -> FileFrom {
    FileFrom { path, source: "the state file".to_owned() }
}

impl Record {
    pub(super) fn new(id: &str, server: &Server, ledger: &Ledger) -> Self {
        let time = |ends: Option<Timestamp>| ends.map(|ends| ends.to_string());
        let token = |owned: &Owned| Token {
            token: owned.token.clone(),
            accessor: owned.accessor.clone(),
            ends: time(owned.ends),
        };
        let lease = |lease: &Lease| LeaseLine {
            id: lease.id.clone(),
            ends: time(lease.ends),
            token: match &lease.by {
                By::Batch(token) => Some(token.clone()),
                By::Given(_) | By::Unknown => None,
            },
        };
        Self {
            version: VERSION,
            id: id.to_owned(),
            server: Reach::of(server),
            tokens: ledger.tokens.iter().map(token).collect(),
            leases: ledger.leases.iter().map(lease).collect(),
            files: ledger.files.iter().map(|path| whole(path)).collect(),
        }
    }

    /// Whether this version knows what it means.
    pub(super) fn is_known(&self) -> bool {
        self.version == VERSION
    }

    /// The server that it was issued by.
    pub fn server(&self) -> Server {
        self.server.server()
    }

    /// Fills `ledger` with what there is to take back; `given` is the user's token, if there is one now.
    pub fn fill(self, ledger: &mut Ledger, given: Option<&Secret>) {
        let time = |ends: Option<String>| ends.and_then(|ends| ends.parse().ok());
        let token = |line: Token| Owned {
            token: line.token,
            accessor: line.accessor,
            ends: time(line.ends),
            batch: false,
        };
        let lease = |line: LeaseLine| Lease {
            id: line.id,
            ends: time(line.ends),
            by: match (line.token, given) {
                (Some(token), _) => By::Batch(token),
                (None, Some(given)) => By::Given(given.clone()),
                (None, None) => By::Unknown,
            },
        };
        ledger.tokens = self.tokens.into_iter().map(token).collect();
        ledger.leases = self.leases.into_iter().map(lease).collect();
        ledger.files = self.files;
    }
}

impl Reach {
    fn of(server: &Server) -> Self {
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
            ca: match &http.tls.ca {
                Ca::File(file) => CaLine::File(path(file)),
                Ca::Bytes { pem, .. } => CaLine::Pem(pem.clone()),
                Ca::Dir(file) => CaLine::Dir(path(file)),
                Ca::System { file, dir } => {
                    CaLine::System { file: file.as_ref().map(path), dir: dir.as_ref().map(path) }
                }
            },
            client: http.tls.client.as_ref().map(|(certificate, key)| (pem(certificate), pem(key))),
            server_name: http.tls.server_name.clone(),
            skip_verify: http.tls.skip_verify,
            proxy: http
                .proxy
                .as_ref()
                .map(|proxy| ProxyLine { url: proxy.url.clone(), except: proxy.except.clone() }),
            unix_socket: http.unix_socket.as_deref().map(whole),
            timeout: http.timeout.as_secs(),
            redirect_hosts: http.redirect_hosts.clone(),
            follow_redirects: http.follow_redirects,
            allow_http: http.allow_http,
        }
    }

    fn server(&self) -> Server {
        let source = || "the state file".to_owned();
        let from = |path: &PathBuf| from_line(path.clone());
        let pem = |pem: &PemLine| match pem {
            PemLine::File(path) => Pem::File(from(path)),
            PemLine::Text(text) => Pem::Text { text: text.clone(), source: source() },
        };
        let ca = match &self.ca {
            CaLine::File(path) => Ca::File(from(path)),
            CaLine::Pem(pem) => Ca::Bytes { pem: pem.clone(), source: source() },
            CaLine::Dir(path) => Ca::Dir(from(path)),
            CaLine::System { file, dir } => {
                Ca::System { file: file.as_ref().map(from), dir: dir.as_ref().map(from) }
            }
        };
        Server {
            address: self.address.clone(),
            namespace: self.namespace.clone(),
            auth_namespace: self.auth_namespace.clone(),
            http: http::Settings {
                tls: Tls {
                    ca,
                    client: self.client.as_ref().map(|(certificate, key)| (pem(certificate), pem(key))),
                    server_name: self.server_name.clone(),
                    skip_verify: self.skip_verify,
                },
                needs_tls: self.address.scheme() == "https",
                proxy: self.proxy.as_ref().map(|proxy| Proxy {
                    url: proxy.url.clone(),
                    source: source(),
                    except: proxy.except.clone(),
                }),
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
