//! A line of the state file: what there is to take back, and how to reach the server for it, so that `revoke` needs
//! no flag again. Secrets in it are the tokens of ci-creds' own logins, never one that the user brought.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use super::super::{By, Lease, Ledger, Owned};
use crate::cloud::scaleway::Place;
use crate::credentials::Minted;
use crate::http::{self, Ca, FileFrom, Pem, Proxy, Tls};
use crate::secret::Secret;
use crate::vault::Server;

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    minted: Vec<MintedLine>,
}

/// A key at Scaleway; its parent is never written down.
#[derive(Debug, Serialize, Deserialize)]
struct MintedLine {
    key: String,
    path: String,
    fields: Vec<String>,
    #[serde(with = "address")]
    url: Url,
    ca: CaLine,
    proxy: Option<ProxyLine>,
    ends: String,
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
            minted: ledger.minted.iter().map(|(minted, _)| MintedLine::of(minted)).collect(),
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
        let reader = self.tokens.first().map(|line| line.token.clone()).or_else(|| given.cloned());
        let minted = self.minted.into_iter().filter_map(MintedLine::minted);
        ledger.minted = minted.map(|minted| (minted, reader.clone())).collect();
        ledger.tokens = self.tokens.into_iter().map(token).collect();
        ledger.leases = self.leases.into_iter().map(lease).collect();
        ledger.files = self.files;
    }
}

impl CaLine {
    fn of(ca: &Ca) -> Self {
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

impl MintedLine {
    fn of(minted: &Minted) -> Self {
        Self {
            key: minted.key.clone(),
            path: minted.path.clone(),
            fields: minted.fields.clone(),
            url: minted.place.url.clone(),
            ca: CaLine::of(&minted.place.http.tls.ca),
            proxy: minted.place.http.proxy.as_ref().map(ProxyLine::of),
            ends: minted.ends.to_string(),
        }
    }

    fn minted(self) -> Option<Minted> {
        let tls = Tls { ca: self.ca.ca(), client: None, server_name: None, skip_verify: false };
        let http = http::Settings {
            tls,
            needs_tls: self.url.scheme() == "https",
            proxy: self.proxy.as_ref().map(ProxyLine::proxy),
            unix_socket: None,
            timeout: Duration::from_secs(60),
            max_retries: None,
            redirect_hosts: Vec::new(),
            follow_redirects: false,
            allow_http: false,
        };
        Some(Minted {
            key: self.key,
            parent: None,
            path: self.path,
            fields: self.fields,
            place: Place { url: self.url, http },
            ends: self.ends.parse().ok()?,
        })
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

    fn server(&self) -> Server {
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
