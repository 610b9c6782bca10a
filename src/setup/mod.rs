//! The Vault side of a run: what Vault must have so that it succeeds, and no more. A plan is made from the same
//! requests that the run sends; each format is one writer over it. Nothing is sent or read here.

use serde_json::{Map, Value};

use crate::auth::Method;
use crate::ci::Meant;
use crate::provider::Request;

mod jwt;
mod policy;
mod sh;

pub use policy::{Line, Policy, can_be_in_policy};

/// What is to be set up.
#[derive(Debug, Clone)]
pub struct Order {
    /// The run, as it was typed behind `ci-creds`.
    pub call: String,
    /// What it asks the engines.
    pub requests: Vec<Request>,
    /// Whether the token itself is handed over.
    pub hands_over: bool,
    /// Whether a command runs, whose credentials are kept alive meanwhile.
    pub runs_command: bool,
    /// How the jobs log in.
    pub method: &'static Method,
    /// Where that method is mounted.
    pub mount: String,
    /// The role to log in with; its policy has the same name.
    pub role: String,
    /// The namespace of all of it.
    pub namespace: Option<String>,
    /// How long the token lives, in seconds, before it is renewed.
    pub token_ttl: u64,
    /// Who may log in.
    pub who: Who,
}

/// Who may log in, by login.
#[derive(Debug, Clone)]
pub enum Who {
    /// Jobs, by the claims of their ID tokens.
    Jobs {
        /// Which.
        meant: Meant,
        /// Who signs the tokens.
        issuer: String,
        /// Whom they are for.
        audience: String,
    },
}

/// What Vault must have.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The run that it is for.
    pub call: String,
    /// The namespace of all of it.
    pub namespace: Option<String>,
    /// The auth method, and where it is mounted.
    pub auth: (&'static str, String),
    /// The configuration of that mount, where it has one.
    pub config: Option<Config>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// The roles.
    pub roles: Vec<Object>,
    /// What is to be done by hand, in order: paragraphs of text, a line each.
    pub by_hand: Vec<Vec<String>>,
}

/// Something that is written as a whole: a role, with every field that decides who gets in, also the empty ones. Vault
/// merges a write with what is there, so that an old field would live on.
#[derive(Debug, Clone)]
pub struct Object {
    /// What it is for: one sentence.
    pub about: String,
    /// Where it is written.
    pub path: String,
    /// Its fields.
    pub fields: Map<String, Value>,
}

/// A mount's configuration: written only where there is none, because it belongs to every role of the mount.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is written.
    pub object: Object,
    /// The field that tells one configuration from another.
    pub decides: &'static str,
}

/// Makes the part of a plan that belongs to a login.
type Part = fn(&Order, &mut Plan);

/// The logins that can be set up.
static LOGINS: &[(&str, Part)] = &[("jwt", jwt::add)];

/// Whether the login of this name can be set up.
pub fn has_login(name: &str) -> bool {
    LOGINS.iter().any(|(known, _)| *known == name)
}

/// The plan of an order.
pub fn plan(order: &Order) -> Plan {
    let mut plan = Plan {
        call: order.call.clone(),
        namespace: order.namespace.clone(),
        auth: (order.method.name, order.mount.clone()),
        config: None,
        policies: vec![policy::of_run(order)],
        roles: Vec::new(),
        by_hand: policy::notes(order),
    };
    if let Some((_, add)) = LOGINS.iter().find(|(name, _)| *name == order.method.name) {
        add(order, &mut plan);
    }
    plan
}

/// What every role's token is like: it has the run's policy alone, and no field of an older role lives on.
fn token_fields(order: &Order) -> Map<String, Value> {
    let Value::Object(fields) = serde_json::json!({
        "token_policies": [order.role],
        // `default` lets a token do more than the run does.
        "token_no_default_policy": true,
        "token_ttl": order.token_ttl,
        "token_max_ttl": order.token_ttl.max(3600),
        "token_explicit_max_ttl": 0,
        "token_period": 0,
        "token_num_uses": 0,
        "token_type": "service",
        "token_bound_cidrs": [],
    }) else {
        return Map::new();
    };
    fields
}

/// A way to write a plan.
#[derive(Debug)]
pub struct Format {
    /// As in `--format`.
    pub name: &'static str,
    /// For --help.
    pub about: &'static str,
    /// The whole text.
    pub write: fn(&Plan, &Options) -> String,
}

/// What the writers can be told.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The program that commands call: `vault` or `bao`.
    pub cli: &'static str,
}

/// Every format; the first is the default.
pub static FORMATS: &[&Format] = &[&sh::SH];

/// The format of this name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}
