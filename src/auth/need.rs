//! What a login needs, and the names of the places where it may be. It must not look there: `config` does.

use std::path::PathBuf;
use std::time::Duration;

use crate::cloud::aws;
use crate::options::Opt;
use crate::secret::Secret;

/// One thing that a login needs.
#[derive(Debug)]
pub struct Need {
    /// As in the login's request.
    pub name: &'static str,
    /// For messages: `a role_id`.
    pub what: &'static str,
    /// Where it may be: the first place that has it wins, flags before variables.
    pub places: &'static [Place],
    /// What to do when no place has it; `None` if the login may do without.
    pub missing: Option<&'static str>,
}

/// A place where a need may be met.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// The value of this option.
    Option(&'static Opt),
    /// The file, or standard input, that this option names.
    File(&'static Opt),
    /// The variable that this option names.
    Named(&'static Opt),
    /// A variable that the CI system sets in every job unasked.
    Unasked,
    /// A file in HOME, except in CI.
    Home(&'static str),
    /// This file, whether it is there or not.
    Path(&'static str),
    /// A wrapping token with the value inside.
    Wrapped(&'static Self),
    /// The token in this option, which issues the value.
    IssuedBy(&'static Opt),
    /// The TLS connection has it, when one of these options is set: the request does not carry it.
    Connection(&'static [&'static Opt]),
    /// A signature with the AWS credentials of this machine.
    AwsIdentity,
}

/// One thing that a login needs, found.
#[derive(Debug, Clone)]
pub struct LoginParameter {
    /// As in the method's request: `role_id`, `jwt`, …
    pub name: &'static str,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a parameter comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The value itself.
    Value {
        /// The value.
        value: Secret,
        /// The flag or variable.
        source: String,
    },
    /// In a file, read when it is used.
    File {
        /// The file.
        path: PathBuf,
        /// The flag or variable that named it.
        source: String,
    },
    /// On standard input.
    Stdin {
        /// The flag or variable that said so.
        source: String,
    },
    /// Inside a wrapping token.
    Wrapped {
        /// Where that token is.
        token: Box<Self>,
        /// The AppRole's name, where it is known.
        role: Option<String>,
    },
    /// A secret_id that the issuing token makes now.
    Issued(Issuer),
    /// In the connection.
    Connection {
        /// The flag or variable.
        source: String,
    },
    /// A request that this machine's AWS credentials sign now.
    Signed(Box<aws::Identity>),
}

/// How a secret_id is issued.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The issuing token.
    pub token: Secret,
    /// Its variable.
    pub source: String,
    /// The AppRole's name.
    pub role: String,
    /// What Vault's audit log shall show beside the login.
    pub metadata: Vec<(&'static str, String)>,
    /// Whether the answer comes wrapped, as policies with min_wrapping_ttl want it.
    pub wrap_ttl: Option<Duration>,
}

impl Origin {
    /// For messages.
    pub fn source(&self) -> String {
        match self {
            Self::Value { source, .. }
            | Self::File { source, .. }
            | Self::Stdin { source }
            | Self::Connection { source } => source.clone(),
            Self::Wrapped { token, .. } => token.source(),
            Self::Issued(issuer) => format!("issued with {}", issuer.source),
            Self::Signed(_) => "this machine's AWS credentials".to_owned(),
        }
    }
}
