//! What was issued: the variables that a job gets, and how long they live. It must not write or send them.

use std::time::Duration;

use jiff::Timestamp;

use crate::ci::Job;
use crate::duration::{self, show};
use crate::http::Endpoint;
use crate::secret::Secret;
use crate::text::Text;

/// One variable that the job gets.
#[derive(Debug, Clone)]
pub struct Variable {
    /// From our tables, or checked to be `^[A-Za-z_][A-Za-z0-9_]*$`.
    pub name: String,
    /// What it is set to. All values are handled as secrets; see `sensitive`.
    pub value: Secret,
    /// Whether the value gives access by itself (a key id or a region does not): these are masked in output.
    pub sensitive: bool,
}

/// A lease of Vault's: what can be renewed and revoked.
#[derive(Debug, Clone)]
pub struct Lease {
    /// As in `sys/leases/revoke`.
    pub id: String,
    /// Whether `sys/leases/renew` can extend it.
    pub renewable: bool,
    /// How long it was granted for, from the moment of issue; zero where the engine does not say.
    pub ttl: Duration,
    /// Whether it came out of a cache, so that others have it too: it is neither renewed nor revoked.
    pub shared: bool,
}

/// How long something is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// From the moment of issue.
    pub ttl: Duration,
    /// The end, in UTC.
    pub until: Timestamp,
}

impl Credentials {
    /// Sets the variable that holds the end, if there is one, to the end of the effective life.
    pub fn tell_end(&mut self, variable: Option<&str>) {
        let Some(life) = self.life else { return };
        if let Some(told) = self.variables.iter_mut().find(|one| Some(one.name.as_str()) == variable) {
            told.value = Secret::new(life.until.to_string());
        }
    }

    /// Whether AWS's SDKs can ask for these again (`--refresh`): temporary keys with an end.
    pub fn refreshable(&self) -> bool {
        self.life.is_some() && self.variables.iter().any(|variable| variable.name == "AWS_SESSION_TOKEN")
    }
}

/// Who gives credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuedBy {
    /// The engine of this cloud.
    Cloud(&'static str),
    /// Any engine: the path of `read` or of a reference names it.
    Read,
    /// The login: its token.
    Login,
    /// The environment: a value that is no reference after all.
    Env,
}

impl IssuedBy {
    /// The command: `exoscale`, `aws`, …, `read`, `login`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cloud(name) => name,
            Self::Read => "read",
            Self::Login => "login",
            Self::Env => "env",
        }
    }
}

/// What one provider gave.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who gave them.
    pub issued_by: IssuedBy,
    /// The role in the engine, where there is one.
    pub role: Option<String>,
    /// The path that was read, mount included.
    pub path: String,
    /// The verb and path that were used instead of the usual ones, and why: for the summary.
    pub detour: Option<String>,
    /// What the cloud calls this key, where the engine says it: for people, in the summary.
    pub label: Option<Text>,
    /// In the order in which they are written.
    pub variables: Vec<Variable>,
    /// Variables that the cloud's tools would prefer over ours: unset, never set to the empty string.
    pub unsets: Vec<String>,
    /// The lease, unless the engine made none.
    pub lease: Option<Lease>,
    /// The effective life; `None` where it never ends, or its end is not known.
    pub life: Option<Life>,
    /// Whether it stays good when the Vault token ends (STS, KV, static keys).
    pub outlives_token: bool,
    /// What must be undone at the cloud itself.
    pub external: Option<External>,
    /// Values that the job gets in files.
    pub files: Vec<InFile>,
}

/// Something that a step made at a cloud. Vault does not know it, so that ci-creds deletes it there, with the secret
/// that made it: its parent.
#[derive(Debug, Clone)]
pub struct External {
    /// The cloud's name: its table says how it is undone.
    pub cloud: &'static str,
    /// What the cloud calls it, which is no secret.
    pub id: String,
    /// When the cloud ends it.
    pub ends: Timestamp,
    /// Where it was made.
    pub endpoint: Endpoint,
    /// The parent; `None` where it has to be read again.
    pub parent: Option<Secret>,
    /// What was read for the parent.
    pub path: String,
    /// The names that the parent goes by in the answer.
    pub fields: Vec<String>,
}

/// A value that goes into a file; the variable gets the path.
#[derive(Debug, Clone)]
pub struct InFile {
    /// The variable.
    pub name: String,
    /// What the file holds.
    pub content: Secret,
}

impl Credentials {
    /// Variables alone: without a lease, an end, files, or anything to be deleted.
    pub(crate) fn of(issued_by: IssuedBy, path: &str, variables: Vec<Variable>) -> Self {
        Self {
            issued_by,
            role: None,
            path: path.to_owned(),
            detour: None,
            label: None,
            variables,
            unsets: Vec::new(),
            lease: None,
            life: None,
            outlives_token: true,
            external: None,
            files: Vec::new(),
        }
    }

    /// What it is, and its end, in a line for people.
    pub fn line(&self) -> String {
        let mut line = self.issued_by.name().to_owned();
        if self.issued_by == IssuedBy::Read {
            line = format!("{line} {}", self.path);
        }
        if let Some(label) = &self.label {
            line = format!("{line} {label}");
        }
        if let Some(role) = &self.role {
            line = format!("{line} (role {role})");
        }
        if let Some(detour) = &self.detour {
            line = format!("{line}, {detour}");
        }
        match self.life {
            Some(life) => format!("{line}, valid {}, until {}", duration::life(life.ttl), life.until),
            None => format!("{line}, no expiry"),
        }
    }
}

/// What --dead-man asks for: how long the credentials outlive the process that renews them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeadMan {
    /// The window, from 30 s to 10 min.
    pub window: Duration,
    /// Whether what has no such end is only warned of.
    pub best_effort: bool,
}

/// Logs one line for each, and how much longer the job may run. `end` says what ends those that depend on the token.
pub(crate) fn summary(all: &[Credentials], job: &Job, end: Option<&str>) {
    for one in all {
        let rest = one.life.and_then(|life| job.time_after(life.until));
        let rest = rest.map(|rest| format!(" (the job may run {} longer)", show(rest))).unwrap_or_default();
        let end = end.filter(|_| !one.outlives_token).map(|end| format!(", {end}")).unwrap_or_default();
        tracing::info!("{}{end}{rest}", one.line());
    }
}
