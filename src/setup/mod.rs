//! The Vault side of a run: what Vault must have so that the run succeeds, and no more. A plan is made from the
//! requests that the run sends; each format writes it. It must not send or read anything.

use serde_json::{Map, Value};

use crate::ci::{self, Meant, PathClaim};
use crate::claims::entry::Entry;

mod approle;
pub(crate) mod check;
mod engines;
mod gitlab;
mod hcl;
mod json;
mod jwt;
mod machine;
mod markdown;
mod order;
mod policy;
mod sh;
mod sketch;
mod terraform;

pub(crate) use engines::Engine;
pub(crate) use order::{Order, Who};
pub(crate) use policy::{CAPABILITIES, Line, Policy, can_be_in_policy};
pub(crate) use sketch::Sketch;

/// What Vault must have.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The run that it is for.
    pub call: String,
    /// The namespace of all of it.
    pub namespace: Option<String>,
    /// The auth method, and where it is mounted.
    pub auth: (&'static LoginSetup, String),
    /// The configuration of that mount, where it has one.
    pub config: Option<MountConfig>,
    /// Who may log in.
    pub who: Who,
    /// What the job has.
    pub job: JobSide,
    /// Which jobs the roles let in, where they are told by their claims.
    pub proof: Vec<Proof>,
    /// The claim that stands in the paths of the run.
    pub claim: Option<&'static PathClaim>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// The roles.
    pub roles: Vec<Object>,
    /// The engines, as far as they can be told.
    pub sketches: Vec<Sketch>,
    /// What is read from them.
    pub engines: Vec<Engine>,
    /// How the path of their mounts begins in the login's namespace: `app/`, or nothing.
    pub below: String,
    /// What is to be done by hand, in order: paragraphs of text, a line each. `{cli}` stands for `vault` or `bao`.
    pub by_hand: Vec<Vec<String>>,
}

/// Whether one job gets in at a role.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// The role's name.
    pub role: String,
    /// The job, and the verdict.
    pub entry: Entry,
    /// Whether it is meant to get in.
    pub is_meant: bool,
}

/// The job's side.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobSide {
    /// The aud of its ID token.
    pub audience: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// Its variables.
    pub variables: Vec<(String, String)>,
    /// Whether it runs a command with the credentials.
    pub runs_command: bool,
}

/// Something that is written as a whole: a role, with every field that decides who gets in, also the empty ones. Vault
/// merges a write with what is there, so that an old field would live on.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// What it is for: a sentence; more of them stand on lines of their own.
    pub about: String,
    /// Where it is written.
    pub path: String,
    /// Its fields.
    pub fields: Map<String, Value>,
}

/// A mount's configuration: written only where there is none, because it belongs to every role of the mount.
#[derive(Debug, Clone)]
pub(crate) struct MountConfig {
    /// What is written.
    pub object: Object,
    /// The field that tells one configuration from another.
    pub decides: &'static str,
}

impl MountConfig {
    fn new(about: &str, path: String, decides: &'static str, fields: Map<String, Value>) -> Self {
        Self { object: Object { about: about.to_owned(), path, fields }, decides }
    }
}

/// A login that can be set up.
#[derive(Debug)]
pub(crate) struct LoginSetup {
    /// As in --auth, and what `auth enable` takes.
    pub name: &'static str,
    /// The names under which servers have its plugin.
    pub types: &'static [&'static str],
    /// Makes its part of a plan.
    add: fn(&Order, &mut Plan),
}

/// The logins that can be set up.
static LOGINS: &[LoginSetup] = &[
    LoginSetup { name: "jwt", types: &["jwt", "oidc"], add: jwt::add },
    LoginSetup { name: "approle", types: &["approle"], add: approle::add },
    LoginSetup { name: "kubernetes", types: &["kubernetes"], add: machine::kubernetes },
    LoginSetup { name: "aws", types: &["aws", "aws-auth", "vault-plugin-auth-aws"], add: machine::aws },
];

/// The login of this name, if it can be set up.
pub(crate) fn login(name: &str) -> Option<&'static LoginSetup> {
    LOGINS.iter().find(|login| login.name == name)
}

/// What stands for the accessor of the auth method in a policy: Vault gives it when the method is enabled.
pub(crate) const ACCESSOR: &str = "<accessor>";

/// The plan of an order.
pub(crate) fn plan(order: &Order) -> Plan {
    match (order.claim, &order.who) {
        (Some(claim), Who::Jobs { meant, .. }) if !meant.projects.is_empty() => of_each(order, claim, meant),
        _ => of_all(order),
    }
}

/// A role and a policy for each project, with its own value in the paths.
fn of_each(order: &Order, claim: &'static PathClaim, meant: &Meant) -> Plan {
    let plans = meant.projects.iter().map(|project| {
        let mut one = order.clone();
        one.claim = None;
        one.role = format!("{}-{}", order.role, ci::slug(project));
        for request in &mut one.requests {
            request.read.path = claim.filled(&request.read.path, project).into();
            request.role = request.role.as_ref().map(|role| claim.filled(role, project));
        }
        if let Who::Jobs { meant, .. } = &mut one.who {
            meant.projects = vec![project.clone()];
        }
        of_all(&one)
    });
    let mut whole = of_all(order);
    (whole.policies, whole.roles, whole.proof, whole.sketches, whole.engines) = Default::default();
    for plan in plans {
        whole.policies.extend(plan.policies);
        whole.roles.extend(plan.roles);
        whole.proof.extend(plan.proof);
        whole.sketches.extend(plan.sketches);
        whole.engines.extend(plan.engines);
    }
    for (name, value) in &mut whole.job.variables {
        if name == "VAULT_AUTH_ROLE" {
            *value = format!("{}-{}", order.role, claim.mark());
        }
    }
    whole.by_hand = policy::notes(order);
    whole
}

/// One role, for all the jobs that are meant.
fn of_all(order: &Order) -> Plan {
    let mut plan = Plan {
        call: order.call.clone(),
        namespace: order.namespace.clone(),
        auth: (order.login, order.mount.clone()),
        config: None,
        who: order.who.clone(),
        job: JobSide {
            runs_command: order.runs_command,
            variables: order.variables.clone(),
            ..JobSide::default()
        },
        proof: Vec::new(),
        claim: order.claim,
        policies: vec![policy::of_run(order)],
        roles: Vec::new(),
        sketches: sketch::of_run(order),
        engines: order.requests.iter().map(|request| Engine::of(request, order.takes_kv_version)).collect(),
        below: order.below.clone(),
        by_hand: policy::notes(order),
    };
    plan.job.variables.push(("VAULT_AUTH_ROLE".to_owned(), order.role.clone()));
    if order.mount != order.login.name {
        plan.job.variables.push(("VAULT_AUTH_PATH".to_owned(), order.mount.clone()));
    }
    (order.login.add)(order, &mut plan);
    plan
}

/// Adds the role to log in with: what is in `fields`, and what every role's token is like.
fn add_role(order: &Order, plan: &mut Plan, about: &str, mut fields: Map<String, Value>) {
    fields.extend(token_fields(order));
    let path = format!("auth/{}/role/{}", order.mount, order.role);
    plan.roles.push(Object { about: about.to_owned(), path, fields });
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
pub(crate) struct Format {
    /// As in `--format`.
    pub name: &'static str,
    /// For --help.
    pub about: &'static str,
    /// The whole text, with the program that its commands call: `vault` or `bao`.
    pub write: fn(&Plan, &str) -> String,
}

/// Every format; the first is the default.
pub(crate) static FORMATS: &[&Format] =
    &[&sh::SH, &terraform::TERRAFORM, &hcl::HCL, &json::JSON, &markdown::MARKDOWN, &gitlab::GITLAB];

/// The format of this name.
pub(crate) fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}
