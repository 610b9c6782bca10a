//! What can be wrong with flags and variables: an error in a flag is usage, in a variable it is the environment. It
//! must not show a value that may be a secret.

use crate::ci::CiSystem;
use crate::env::NotText;
use crate::input::Seems;
use crate::provider::Need;

mod remedies;

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address.
    #[error("the address of Vault is not set")]
    NoAddress,
    /// BAO_ADDR is empty and hides the address in VAULT_ADDR.
    #[error("the address of Vault is not set: BAO_ADDR is empty, and hides VAULT_ADDR")]
    HiddenAddress,
    /// The address is in the variable of to-be-continuous.
    #[error("the address of Vault is not set: VAULT_BASE_URL is to-be-continuous' variable")]
    BaseUrl,
    /// An address that is no URL, or that no server can have.
    #[error("{source_name} {what}")]
    Address {
        /// The flag or variable.
        source_name: String,
        /// What is wrong with it.
        what: &'static str,
        /// A valid address.
        example: &'static str,
    },
    /// Plain http to another machine.
    #[error("{source_name} is plain http to {host}: anyone on the way can read the token")]
    PlainHttp {
        /// The flag or variable.
        source_name: String,
        /// Host and port.
        host: String,
        /// Whether --allow-http is meant for it.
        can_be_allowed: bool,
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
        /// The flag or variable that is set.
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
    /// Content, where a path, a name or an address is meant: the CI variable has the wrong type.
    #[error("{source_name} holds {seems}, not {meant}; it is not shown")]
    Content {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
        /// What it looks like.
        seems: Seems,
        /// What belongs there.
        meant: &'static str,
    },
    /// The name of another variable, which the CI system has not put its value in place of.
    #[error("{source_name} holds a ${variable}: it was not expanded")]
    Unexpanded {
        /// The variable.
        source_name: String,
        /// The variable that it names.
        variable: String,
    },
    /// The path of a file where its content is meant, as in a CI variable that is a file.
    #[error("{source_name} is the path of a file, not the value itself")]
    PathForValue {
        /// The flag or variable.
        source_name: String,
        /// What takes the path, if anything does.
        instead: Option<String>,
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
        /// The CI system.
        ci: &'static CiSystem,
        /// Why a variable that is set in the CI system may be missing in this job.
        why_unset: Option<String>,
    },
    /// A login that needs a role lacks it.
    #[error("the {method} login needs a role, and none is set")]
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
    /// Two logins are possible, and neither is named.
    #[error("{one} and {other} are both set: AppRole or JWT?")]
    Ambiguous {
        /// The role_id's flag or variable.
        one: String,
        /// The ID token's.
        other: String,
    },
    /// The login that was named lacks something.
    #[error("the {method} login needs {what}, and none is set")]
    MissingLoginParameter {
        /// The CI system.
        ci: &'static CiSystem,
        /// The login.
        method: &'static str,
        /// `a role_id`, …
        what: &'static str,
        /// What to do.
        remedy: &'static str,
        /// Why a variable that is set in the CI system may be missing in this job.
        why_unset: Option<String>,
    },
    /// --id-token-env names a variable that is not there.
    #[error("{source_name} names {variable}, which is not set")]
    NamedTokenUnset {
        /// The CI system.
        ci: &'static CiSystem,
        /// The flag or variable.
        source_name: String,
        /// The variable that should hold the token.
        variable: String,
        /// Why a variable that is set in the CI system may be missing in this job.
        why_unset: Option<String>,
    },
    /// Split custody without the AppRole's name.
    #[error("VAULT_TOKEN can't issue a secret_id: the AppRole's name is not set")]
    NoAppRole,
    /// A variable begins like a reference and holds none. Its value is not shown: it may be anything.
    #[error("{name} begins like a reference: {fault}")]
    Reference {
        /// The variable.
        name: String,
        /// What is wrong with it.
        fault: crate::reference::Fault,
    },
    /// --only names a variable in which no reference is ever looked for.
    #[error("--only names {name}, which is never taken for a reference")]
    NeverReference {
        /// The variable.
        name: String,
    },
    /// A variable holds a reference, and so does one that outsiders can write: it may have been set to that one.
    #[error("{name} repeats {other}, which outsiders can write, and is not taken for a reference")]
    RepeatedReference {
        /// The variable.
        name: String,
        /// The CI system's variable with the same text.
        other: String,
    },
    /// --require, and --only names a variable that is not there.
    #[error("--only names {name}, which is not set")]
    OnlyUnset {
        /// The variable.
        name: String,
    },
    /// --require, and there is nothing to resolve.
    #[error("no variable holds a reference")]
    NoReference,
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
    /// A step lacks an option that it needs.
    #[error("{switch} needs {}", need.what)]
    StepNeeds {
        /// What adds the step.
        switch: &'static str,
        /// The provider.
        provider: &'static str,
        /// What is missing.
        need: &'static Need,
    },
    /// Something that is not an ID of a cloud's.
    #[error("{source_name} is not an ID, such as 8e9d0b7c-0000-4000-8000-000000000000")]
    Id {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
        /// The cloud.
        title: &'static str,
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
    #[error("{source_name} {given}: the {provider} fields are {known}")]
    FieldName {
        /// The flag or variable.
        source_name: String,
        /// Whether it is a flag.
        by_flag: bool,
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
    /// Two providers set one variable.
    #[error("{name} would be set twice, by {one} and {other}")]
    Twice {
        /// The variable.
        name: String,
        /// A provider.
        one: String,
        /// Another.
        other: String,
    },
    /// An option that only a command needs.
    #[error("--{0} goes with `-- COMMAND`")]
    WithoutCommand(&'static str),
    /// --merge without what it needs, or with what it excludes.
    #[error("--merge {0}")]
    Merge(&'static str),
    /// An option that only printing needs.
    #[error("--{0} does not go with `-- COMMAND`, which gets the credentials instead of stdout")]
    WithCommand(&'static str),
    /// Standard input is asked for twice.
    #[error("{source_name} is -, but standard input is the command's")]
    StdinTaken {
        /// The flag or variable.
        source_name: String,
    },
    /// `auto` outside a job.
    #[error("{source_name} is auto, but {project_dir} is not set")]
    NoProjectDir {
        /// The flag or variable.
        source_name: String,
        /// The variable of the checkout.
        project_dir: &'static str,
    },
    /// `revoke` outside a job, without the option.
    #[error("no state file is named, and {project_dir} is not set")]
    NoStateFile {
        /// The variable of the checkout.
        project_dir: &'static str,
    },
    /// `login` where an agent logs in.
    #[error("there is no token to hand over: the agent keeps its token")]
    AgentsToken,
    /// What the policy of this machine does not allow.
    #[error(transparent)]
    Policy(#[from] crate::policy::Refused),
    /// Bytes that are not text.
    #[error(transparent)]
    NotText(#[from] NotText),
}
