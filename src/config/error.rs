//! What can be wrong with flags and variables. A flag's fault is usage, a variable's is the environment's.

use super::login;
use crate::auth::METHODS;
use crate::cloud::aws::SOURCES;
use crate::emit::FORMATS;
use crate::env::NotText;
use crate::error::{Code, Explain};

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address.
    #[error("the address of Vault is not set")]
    NoAddress,
    /// No URL, or one that Vault can't be at.
    #[error("{source_name} {what}")]
    Address {
        /// The flag or variable.
        source_name: String,
        /// What is wrong with it.
        what: String,
    },
    /// http to another machine.
    #[error("{source_name} is plain http to {host}: anyone on the way can read the token")]
    PlainHttp {
        /// The flag or variable.
        source_name: String,
        /// Host and port.
        host: String,
    },
    /// A namespace that no header can carry.
    #[error("{source_name} is not a namespace")]
    Namespace {
        /// The flag or variable.
        source_name: String,
    },
    /// A certificate without its key, or the other way round.
    #[error(
        "{source_name} is set, but a client certificate needs both VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
    )]
    HalfClient {
        /// The flag or variable that is there.
        source_name: String,
    },
    /// A value of another kind.
    #[error("{source_name} must be {wanted}")]
    Value {
        /// The flag or variable.
        source_name: String,
        /// What it takes.
        wanted: &'static str,
        /// Whether it is a flag.
        by_flag: bool,
    },
    /// An unknown login.
    #[error("{source_name} names a login that does not exist")]
    Method {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
    },
    /// An unknown format.
    #[error("{source_name} names a format that does not exist")]
    Format {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
    },
    /// Nothing to log in with.
    #[error("there is nothing to log in with: no VAULT_ROLE_ID, VAULT_ID_TOKEN or VAULT_TOKEN")]
    NoLogin {
        /// The job's ref, if GitLab keeps protected variables from it.
        unprotected: Option<String>,
    },
    /// A login that can't do without a role.
    #[error("the {method} login lacks a role")]
    NoLoginRole {
        /// The login.
        method: &'static str,
    },
    /// An unknown place for AWS credentials.
    #[error("{source_name} names a source that does not exist")]
    AwsSource {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
    },
    /// Two logins, and none is named.
    #[error("{one} and {other} are both set: AppRole or JWT?")]
    Ambiguous {
        /// The role_id's flag or variable.
        one: String,
        /// The ID token's.
        other: String,
    },
    /// The login that was named lacks something.
    #[error("the {method} login lacks {what}")]
    MissingIngredient {
        /// The login.
        method: &'static str,
        /// `a role_id`, …
        what: &'static str,
        /// What to do.
        remedy: &'static str,
        /// The job's ref, if GitLab keeps protected variables from it.
        unprotected: Option<String>,
    },
    /// --id-token-env names a variable that is not there.
    #[error("{source_name} names {variable}, which is not set")]
    NamedTokenUnset {
        /// The flag or variable.
        source_name: String,
        /// The variable that should hold the token.
        variable: String,
        /// The job's ref, if GitLab keeps protected variables from it.
        unprotected: Option<String>,
    },
    /// Split custody without the AppRole's name.
    #[error("VAULT_TOKEN can't issue a secret_id: the AppRole's name is not set")]
    NoAppRole,
    /// No role for a provider.
    #[error("the {provider} role is not set")]
    NoRole {
        /// The provider.
        provider: &'static str,
    },
    /// A TTL for an engine that takes none.
    #[error("{source_name}: the {provider} engine takes no TTL from a request")]
    Ttl {
        /// The flag or variable.
        source_name: String,
        /// The provider.
        provider: &'static str,
    },
    /// --mint without the application that the key is for.
    #[error("--mint needs the IAM application that the job's key belongs to")]
    NoApplication,
    /// Something that is not an ID of Scaleway's.
    #[error("{source_name} is not an ID, such as 8e9d0b7c-0000-4000-8000-000000000000")]
    Id {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
    },
    /// A flag that only makes sense with another.
    #[error("{flag} does nothing without {switch}")]
    Without {
        /// What is given.
        flag: String,
        /// What is not.
        switch: &'static str,
    },
    /// A path that Vault would read as another one.
    #[error("{what} `{path}` is not a path of Vault's")]
    Path {
        /// `the path`, `the mount`, …
        what: String,
        /// As given.
        path: String,
    },
    /// OURS=THEIRS with an unknown OURS, or without the sign.
    #[error("--field {given}: the {provider} fields are {known}")]
    FieldName {
        /// As given.
        given: String,
        /// The provider.
        provider: &'static str,
        /// Its fields.
        known: String,
    },
    /// NAME=FIELD or K=V without the sign.
    #[error("`{given}` is not of the form {form}")]
    Pair {
        /// The part that can be shown.
        given: String,
        /// The form.
        form: &'static str,
    },
    /// A name that no shell takes for a variable.
    #[error("`{0}` is not the name of a variable")]
    VariableName(String),
    /// A name that changes how a shell or the next program runs.
    #[error("{0} changes how a shell or the next program runs")]
    DangerousName(String),
    /// Two sources of one variable.
    #[error("{name} would be set twice, by {one} and {other}")]
    Twice {
        /// The variable.
        name: String,
        /// A provider.
        one: String,
        /// Another.
        other: String,
    },
    /// What only a command needs.
    #[error("--{0} goes with `-- COMMAND`")]
    WithoutCommand(&'static str),
    /// What only printing needs.
    #[error("--{0} does not go with `-- COMMAND`, which gets the credentials instead of stdout")]
    WithCommand(&'static str),
    /// Standard input can't be read twice.
    #[error("{source_name} is -, but standard input is the command's")]
    StdinTaken {
        /// The flag or variable.
        source_name: String,
    },
    /// `auto` outside a job.
    #[error("{source_name} is auto, but CI_PROJECT_DIR is not set")]
    NoProjectDir {
        /// The flag or variable.
        source_name: String,
    },
    /// `revoke` outside a job, without the option.
    #[error("no state file is named, and CI_PROJECT_DIR is not set")]
    NoStateFile,
    /// Bytes that are not text.
    #[error(transparent)]
    NotText(#[from] NotText),
}

/// A variable that is protected in GitLab is missing where nobody expects it.
fn with_ref(hint: String, unprotected: Option<&str>) -> Vec<String> {
    let protected = unprotected.map(|name| {
        format!("this job runs on {name}, which is not protected: GitLab keeps protected variables from it")
    });
    std::iter::once(hint).chain(protected).collect()
}

/// How a setting is taken away.
fn without(source_name: &str) -> String {
    match source_name.starts_with('-') {
        true => format!("leave {source_name} out"),
        false => format!("unset {source_name}"),
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Value { by_flag: true, .. }
            | Self::Method { by_flag: true, .. }
            | Self::Format { by_flag: true, .. }
            | Self::Id { by_flag: true, .. }
            | Self::Without { .. }
            | Self::AwsSource { by_flag: true, .. }
            | Self::FieldName { .. }
            | Self::Pair { .. }
            | Self::Path { .. }
            | Self::VariableName(_)
            | Self::DangerousName(_)
            | Self::WithoutCommand(_)
            | Self::WithCommand(_)
            | Self::StdinTaken { .. }
            | Self::Twice { .. } => Code::Usage,
            _ => Code::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoAddress => "set VAULT_ADDR or --addr, such as https://vault.example.com:8200".to_owned(),
            Self::Address { source_name, .. } => {
                format!("set {source_name} to an address such as https://vault.example.com:8200")
            }
            Self::PlainHttp { .. } => {
                "use https; where plain http is meant, set CI_CREDS_ALLOW_HTTP=true or --allow-http"
                    .to_owned()
            }
            Self::Namespace { source_name } => {
                format!("set {source_name} to a path such as team-a/project-b")
            }
            Self::HalfClient { source_name } => format!("set the other one too, or {}", without(source_name)),
            Self::Value { source_name, .. } => format!("correct it, or {}", without(source_name)),
            Self::Method { .. } => {
                format!("the logins are {}", names(METHODS.iter().map(|method| method.name)))
            }
            Self::Format { .. } => {
                format!("the formats are {}", names(FORMATS.iter().map(|format| format.name)))
            }
            Self::NoLogin { unprotected } => {
                let named = login::named_only().collect::<Vec<_>>().join(", ");
                let set = "give the job `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`, or set one of these variables; \
                           VAULT_AUTH_METHOD names any other login";
                return with_ref(format!("{set}: {named}"), unprotected.as_deref());
            }
            Self::NoLoginRole { .. } => "set VAULT_AUTH_ROLE or --auth-role".to_owned(),
            Self::AwsSource { .. } => {
                format!("the sources are {}", names(SOURCES.iter().map(|source| source.name)))
            }
            Self::Ambiguous { .. } => "set VAULT_AUTH_METHOD (or --auth) to approle or jwt".to_owned(),
            Self::MissingIngredient { remedy, unprotected, .. } => {
                return with_ref((*remedy).to_owned(), unprotected.as_deref());
            }
            Self::NamedTokenUnset { variable, unprotected, .. } => {
                let set = format!("give the job `id_tokens: {{{variable}: {{aud: …}}}}`");
                return with_ref(set, unprotected.as_deref());
            }
            Self::NoAppRole => "set VAULT_AUTH_ROLE or --auth-role to the AppRole's name".to_owned(),
            Self::NoRole { provider } => format!(
                "give ROLE, or set CI_CREDS_{}_ROLE, CI_CREDS_ROLE or VAULT_AUTH_ROLE",
                crate::cli::options::shout(provider)
            ),
            Self::Ttl { .. } => "its role in Vault sets the TTL; leave this one out".to_owned(),
            Self::NoApplication => {
                "give --application-id or CI_CREDS_SCALEWAY_APPLICATION_ID; it is a UUID in Scaleway's console"
                    .to_owned()
            }
            Self::Id { .. } => "copy it from Scaleway's console".to_owned(),
            Self::Without { switch, .. } => format!("add {switch}, or leave it out"),
            Self::Path { .. } => "write it without empty parts, `.` and `..`".to_owned(),
            Self::FieldName { .. } => "write --field OURS=THEIRS, with one of these for OURS".to_owned(),
            Self::Pair { .. } => return Vec::new(),
            Self::VariableName(_) => "use letters, digits and _, and no digit first".to_owned(),
            Self::DangerousName(_) => {
                "choose another name; where this is meant, add --allow-any-name".to_owned()
            }
            Self::Twice { .. } => "issue them in two calls, or choose other names".to_owned(),
            Self::WithoutCommand(_) | Self::WithCommand(_) => "leave it out".to_owned(),
            Self::StdinTaken { .. } => "name a file, or use the variable".to_owned(),
            Self::NoProjectDir { .. } | Self::NoStateFile => {
                "name the file with --state-file or CI_CREDS_STATE_FILE".to_owned()
            }
            Self::NotText(error) => return error.hints(),
        };
        vec![hint]
    }
}
