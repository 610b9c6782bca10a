//! What was typed: the command, what it is asked for, and the options. It must not know clap's matches.

use std::collections::HashMap;
use std::ffi::OsString;

use clap_complete::Shell;

use super::PathRead;
use crate::options::Opt;
use crate::provider::Provider;

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Verb {
    /// `exoscale [ROLE]` and its like.
    Provider(Ask),
    /// `read PATH NAME=FIELD… [PATH NAME=FIELD…]…`.
    Read(Vec<PathRead>),
    /// `env`: the references in the environment.
    Env,
    /// `login`.
    Login,
    /// `revoke`.
    Revoke,
    /// `scan PATH…`.
    Scan(Vec<OsString>),
    /// `status`.
    Status {
        /// Whether the report is JSON.
        json: bool,
    },
    /// `doctor [PROVIDER] [ROLE]`, `doctor auth/MOUNT/role/NAME`.
    Doctor(Doctor),
    /// `setup PROVIDER [ROLE]`.
    Setup(Box<Setup>),
    /// `rotate`.
    Rotate,
    /// `completions SHELL`.
    Completions(Shell),
}

/// What doctor is to look at, and how.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The run, or the role.
    pub subject: Subject,
    /// Whether one credential is issued and revoked.
    pub issue: bool,
    /// Whether a warning fails.
    pub strict: bool,
    /// Whether the report is JSON.
    pub json: bool,
    /// Whether a run was asked for with --dry-run: its stdout may be what an `eval` reads.
    pub dry_run: bool,
    /// Whether commands are printed that let in more than before.
    pub widen: bool,
    /// Claims as JSON, their file, or `-`.
    pub claims: Option<String>,
    /// The claims line that a job printed, its log, or `-`.
    pub from_job: Option<String>,
}

/// What is to be set up: a run, and who may do it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The run.
    pub run: Box<Verb>,
    /// The name of the format.
    pub format: String,
    /// Whether Vault is looked at, instead.
    pub check: bool,
    /// Whether what is wider than needed fails the check.
    pub strict: bool,
    /// `vault` or `bao`.
    pub cli: String,
    /// Projects, by number or path.
    pub projects: Vec<String>,
    /// Groups, by number or path.
    pub groups: Vec<String>,
    /// The claim that stands in the run's paths: each project has its own.
    pub group_claim: Option<String>,
    /// A branch, or a ref with its prefix.
    pub reference: Option<String>,
    /// Whether any protected ref will do.
    pub protected: bool,
    /// Whether the ref is not a protected one.
    pub unprotected: bool,
    /// The name of an environment.
    pub environment: Option<String>,
    /// The claims line that a job printed, its log, or `-`.
    pub from_job: Option<String>,
    /// The aud of the ID tokens.
    pub audience: Option<String>,
    /// The addresses of the runners.
    pub cidrs: Vec<String>,
    /// `NAMESPACE/NAME` each.
    pub service_accounts: Vec<String>,
    /// The ARNs of IAM roles.
    pub principals: Vec<String>,
    /// The life of the login's token.
    pub token_ttl: Option<String>,
    /// `PATH=CAPABILITY` each: further lines of the policy.
    pub allowed: Vec<String>,
}

impl Doctor {
    /// `--dry-run`: the look at a run as it was typed.
    pub(super) fn of_run(verb: Verb) -> Self {
        Self {
            subject: Subject::Run(Box::new(verb)),
            issue: false,
            strict: false,
            json: false,
            dry_run: true,
            widen: false,
            claims: None,
            from_job: None,
        }
    }
}

/// What doctor looks at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A run: a provider's, `read`, or the login alone.
    Run(Box<Verb>),
    /// A role of an auth method.
    Role(RoleAt),
    /// All roles of the auth method that is mounted here, without `auth/`.
    Audit(String),
}

/// Where a role of an auth method is.
#[derive(Debug, Clone)]
pub struct RoleAt {
    /// The mount, without `auth/`.
    pub mount: String,
    /// `role`; `certs` where certificates log in.
    pub folder: &'static str,
    /// Its name.
    pub name: String,
}

impl RoleAt {
    /// The path that it is read at.
    pub fn path(&self) -> String {
        format!("auth/{}/{}/{}", self.mount, self.folder, self.name)
    }
}

/// One provider, and the role to ask it for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its table.
    pub provider: &'static Provider,
    /// The role as typed.
    pub role: Option<String>,
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Parsed {
    /// The command.
    pub verb: Verb,
    /// `--and PROVIDER[=ROLE]`, in order; `None` stands for `login`.
    pub and: Vec<Option<Ask>>,
    /// What stands behind `--`: the command to run; empty where the credentials are printed.
    pub command: Vec<OsString>,
    /// The options that were given.
    pub flags: Flags,
}

/// The options that were given, as text.
#[derive(Debug, Default, Clone)]
pub struct Flags(pub(super) HashMap<&'static str, Vec<String>>);

impl Flags {
    /// The value of an option that is given once.
    pub fn one(&self, option: &Opt) -> Option<&str> {
        self.0.get(option.name).and_then(|values| values.last()).map(String::as_str)
    }

    /// All values of an option.
    pub fn all(&self, option: &Opt) -> &[String] {
        self.0.get(option.name).map_or(&[], Vec::as_slice)
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&'static str, &str)]) -> Self {
        let mut flags = Self::default();
        for (name, value) in pairs {
            flags.0.entry(name).or_default().push((*value).to_owned());
        }
        flags
    }
}
