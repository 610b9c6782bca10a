//! A line of the state file: what there is to take back, and how to reach the server for it, so that `revoke` needs
//! no flag again. Secrets in it are the tokens of ci-creds' own logins, never one that the user brought.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use reach::{CaLine, ProxyLine, Reach, address, revealed, whole};

use super::super::Ledger;
use super::super::items::{By, Lease, Owned};
use crate::cloud::scaleway::Place;
use crate::credentials::Minted;
use crate::http::{self, Tls};
use crate::secret::Secret;
use crate::vault::Server;

mod reach;

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

fn maybe_revealed<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => revealed(secret, serializer),
        None => serializer.serialize_none(),
    }
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
