//! A line of the state file: what must be revoked, and how to reach the server for that, so that `revoke` needs no flag
//! again. It must not hold a token that the user brought.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

pub(crate) use listed::{Listed, State};
use reach::address;
pub(crate) use reach::{Reach, revealed};
pub use way::Configured;
pub(crate) use way::Way;

use crate::credentials::External;
use crate::http::Endpoint;
use crate::ledger::Ledger;
use crate::ledger::files::Written;
use crate::ledger::items::{By, Lease, Owned};
use crate::merge::Part;
use crate::provider;
use crate::secret::Secret;
use crate::vault::Server;

mod listed;
mod reach;
mod way;

/// The form of the lines that this version writes, and reads.
pub(super) const VERSION: u32 = 2;

/// For how long after its end a plain line is still tried: a renewal may have moved the end since it was written.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// When, in RFC 3339.
    written: String,
    /// Tells the line from others.
    pub id: String,
    /// Whether it came out of a sealed line, and so is this job's own.
    #[serde(skip)]
    is_sealed: bool,
    server: Reach,
    #[serde(default)]
    tokens: Vec<Token>,
    #[serde(default)]
    leases: Vec<LeaseLine>,
    #[serde(default)]
    files: Vec<Written>,
    /// Profiles in files that have others too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<Part>,
    /// The variables with secrets that the job got; never their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "minted")]
    externals: Vec<ExternalLine>,
}

/// Something that a step made at a cloud; its parent is never written down.
#[derive(Debug, Serialize, Deserialize)]
struct ExternalLine {
    #[serde(default = "first_cloud")]
    cloud: String,
    #[serde(rename = "key")]
    id: String,
    path: String,
    fields: Vec<String>,
    #[serde(with = "address")]
    url: Url,
    ends: String,
}

/// The cloud of a line that does not name one: earlier versions knew only this one.
fn first_cloud() -> String {
    "scaleway".to_owned()
}

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    #[serde(serialize_with = "revealed")]
    token: Secret,
    accessor: String,
    ends: Option<String>,
    /// Whether it is good for a limited number of requests: none is spent on a look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    counted: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct LeaseLine {
    id: String,
    ends: Option<String>,
    /// A batch token of ours, or one that others have too; `None` stands for the user's token.
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
            counted: owned.counted,
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
            written: crate::vault::now().to_string(),
            id: id.to_owned(),
            is_sealed: false,
            server: Reach::of(server),
            tokens: ledger.tokens.iter().map(token).collect(),
            leases: ledger.leases.iter().map(lease).collect(),
            files: ledger.files.clone(),
            profiles: ledger.parts.clone(),
            names: ledger.names.clone(),
            externals: ledger.externals.iter().map(|(one, _)| ExternalLine::of(one)).collect(),
        }
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// The same, out of a sealed line.
    pub(super) fn sealed(self) -> Self {
        Self { is_sealed: true, ..self }
    }

    /// The server as the line has it: to write the line again, not to send anything there.
    pub(super) fn as_written(&self) -> Server {
        self.server.server()
    }

    /// The address, for people, and to tell servers apart.
    pub fn address(&self) -> &str {
        self.server.address.as_str()
    }

    /// When the line was written, as it says.
    pub fn written_at(&self) -> &str {
        &self.written
    }

    /// When the last of it ended, if that is so long ago that nothing but files can be left. `None` for a line of
    /// this job.
    pub fn ended(&self, now: Timestamp) -> Option<Timestamp> {
        let tokens = self.tokens.iter().map(|line| line.ends.as_deref());
        let leases = self.leases.iter().map(|line| line.ends.as_deref());
        let externals = self.externals.iter().map(|line| Some(line.ends.as_str()));
        let mut last = None;
        for ends in tokens.chain(leases).chain(externals) {
            last = last.max(Some(ends?.parse::<Timestamp>().ok()?));
        }
        last.filter(|last| !self.is_sealed && now.duration_since(*last) > MARGIN)
    }

    /// Fills `ledger` with what there is to take back, by the way that [`Record::way`] found.
    pub fn fill(self, ledger: &mut Ledger, way: &Way, now: &Configured) {
        let time = |ends: Option<String>| ends.and_then(|ends| ends.parse().ok());
        let given = way.given.as_ref();
        let token = |line: Token| Owned {
            token: line.token,
            accessor: line.accessor,
            ends: time(line.ends),
            batch: false,
            counted: line.counted,
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
        let externals = self.externals.into_iter().filter_map(|line| line.read(now, reader.as_ref()));
        ledger.externals = externals.collect();
        ledger.tokens = self.tokens.into_iter().map(token).collect();
        ledger.leases = self.leases.into_iter().map(lease).collect();
        ledger.files = self.files;
        ledger.parts = self.profiles;
    }

    /// The variables with secrets that the job got.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there is nothing to be taken back: the line only tells names.
    pub fn is_only_names(&self) -> bool {
        let no_files = self.files.is_empty() && self.profiles.is_empty();
        self.tokens.is_empty() && self.leases.is_empty() && no_files && self.externals.is_empty()
    }

    /// What ci-creds wrote into this file for the job; `None` if it did not, or if the file is another now.
    pub fn content_of(&self, path: &Path) -> Option<Secret> {
        self.files.iter().find(|file| file.place() == path)?.content()
    }

    /// Fills `ledger` with the files alone.
    pub fn fill_files(&self, ledger: &mut Ledger) {
        ledger.files.clone_from(&self.files);
        ledger.parts.clone_from(&self.profiles);
    }

    /// Whether a part of it can only be taken back with a token that is not in the line.
    fn needs_given(&self) -> bool {
        let leases = self.leases.iter().any(|line| line.token.is_none());
        leases || (self.tokens.is_empty() && !self.externals.is_empty())
    }
}

impl ExternalLine {
    fn of(external: &External) -> Self {
        Self {
            cloud: external.cloud.to_owned(),
            id: external.id.clone(),
            path: external.path.clone(),
            fields: external.fields.clone(),
            url: external.endpoint.url.clone(),
            ends: external.ends.to_string(),
        }
    }

    /// The thing, and the token that reads its parent. The parent is not in the line, so that it goes only to the API
    /// that is configured now.
    fn read(self, now: &Configured, reader: Option<&Secret>) -> Option<(External, Option<Secret>)> {
        let cloud = provider::find(&self.cloud);
        let Some((cloud, externals)) = cloud.and_then(|cloud| Some((cloud, cloud.externals?))) else {
            tracing::warn!("{} was made at {}, which this ci-creds does not know", self.id, self.url);
            return None;
        };
        let (_, endpoint) = now.apis.iter().find(|(name, _)| *name == cloud.name)?;
        let here = self.url == endpoint.url;
        if !here {
            let (what, id, url, variable) = (externals.what, &self.id, &self.url, externals.api.variable);
            tracing::warn!("the {what} {id} was made at {url}: set {variable} to that to have it deleted");
        }
        let external = External {
            cloud: cloud.name,
            id: self.id,
            parent: None,
            path: self.path,
            fields: self.fields,
            endpoint: Endpoint { url: self.url, settings: endpoint.settings.clone() },
            ends: self.ends.parse().ok()?,
        };
        Some((external, reader.filter(|_| here).cloned()))
    }
}
