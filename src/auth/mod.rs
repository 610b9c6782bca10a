//! The logins, one file each: a login names what it needs and where that may be, and makes the body of one request from
//! it. It must not touch the network or read files. A new login is one file and one line in [`METHODS`].

use jiff::Timestamp;

use crate::ci::CiSystem;
use crate::secret::Secret;
use crate::vault::{self, Body};

mod agent;
mod approle;
mod aws;
mod cert;
mod error;
mod jwt;
mod kubernetes;
mod need;
mod token;

pub(crate) use approle::is_wrong_secret_id;
pub use error::Error;
pub(crate) use error::Insight;
pub(crate) use jwt::ID_TOKEN;
pub(crate) use need::{Issuer, LoginParameter, Need, Origin, Place};
pub(crate) use token::TOKEN;

/// Every login.
pub static METHODS: &[&Method] = &[
    &approle::APPROLE,
    &jwt::JWT,
    &kubernetes::KUBERNETES,
    &aws::AWS,
    &cert::CERT,
    &agent::AGENT,
    &token::TOKEN,
];

/// The login of this name.
pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().copied().find(|method| method.name == name)
}

/// Turns gathered parameters into the login request's body.
pub(crate) type MakeRequest = fn(&Login, &Gathered) -> Body;

/// What there is to know about a login.
#[derive(Debug)]
pub struct Method {
    /// As in --auth, and the usual mount.
    pub name: &'static str,
    /// Its name in messages.
    pub title: &'static str,
    /// What it needs, in the order in which it is gathered.
    pub needs: &'static [Need],
    /// Whether nothing works without a role.
    pub needs_role: bool,
    /// The request that logs in; `None` where the parameter is the token itself.
    pub request: Option<MakeRequest>,
    /// Whether somebody on the way to Vault logs in: then there is no token here, and none is sent.
    pub elsewhere: bool,
    /// Fails early where the login is certain to fail at this time.
    pub check: fn(&Login, &Gathered, Timestamp) -> Result<(), Error>,
    /// Whether the login works twice with the same parameters.
    pub repeatable: bool,
    /// What a text of Vault's means here, and what to do about it; the first that fits is shown.
    pub refusals: &'static [(&'static str, &'static str)],
    /// The texts with which Vault says that the role or the method's configuration is not there.
    pub absent: &'static [&'static str],
    /// What is known of this login that helps to understand a refusal.
    pub insight: fn(&Login, &Gathered, &vault::Error) -> Insight,
}

/// The defaults of a row: a role in the field `role` if there is one, and nothing to check or to add.
const PLAIN: Method = Method {
    name: "",
    title: "",
    needs: &[],
    needs_role: false,
    request: Some(with_role),
    elsewhere: false,
    check: |_, _, _| Ok(()),
    repeatable: true,
    refusals: &[],
    absent: &[],
    insight: |_, _, _| Insight::default(),
};

fn with_role(login: &Login, gathered: &Gathered) -> Body {
    let mut body = gathered.fields();
    if let Some(role) = &login.role {
        body.0.push(("role".to_owned(), role.as_str().into()));
    }
    body
}

/// A login, ready to be carried out.
#[derive(Debug, Clone)]
pub struct Login {
    /// Its row.
    pub method: &'static Method,
    /// Where the method is mounted.
    pub mount: String,
    /// The role, where one is named.
    pub role: Option<String>,
    /// Its parameters.
    pub parameters: Vec<LoginParameter>,
    /// The system that the job runs in, for messages.
    pub ci: &'static CiSystem,
    /// The User-Agent that names the job in Vault's audit log, for a login that sends no metadata.
    pub agent: Option<String>,
    /// The variable of a token that is also set, and that this login does not use.
    pub idle_token: Option<String>,
}

/// The values of a login's parameters.
#[derive(Debug, Default)]
pub struct Gathered(pub Vec<(&'static str, Secret)>);

impl Gathered {
    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All of them, as a request's fields.
    fn fields(&self) -> Body {
        let field =
            |(name, value): &(&str, Secret)| ((*name).to_owned(), vault::Value::Secret(value.clone()));
        Body(self.0.iter().map(field).collect())
    }
}

impl Login {
    /// The path of the login request, below /v1/.
    pub fn path(&self) -> String {
        format!("auth/{}/login", self.mount)
    }

    /// `the JWT login at auth/jwt, role web-pipeline`.
    pub fn name(&self) -> String {
        let role = self.role.as_ref().map(|role| format!(", role {role}"));
        format!("the {} login at auth/{}{}", self.method.title, self.mount, role.unwrap_or_default())
    }

    /// Whether the login can be repeated after a lost answer.
    pub fn repeatable(&self) -> bool {
        // Standard input can be read once.
        let stdin = |one: &LoginParameter| matches!(one.origin, Origin::Stdin { .. });
        let repeatable = self.method.repeatable || self.issues_secret_id();
        repeatable && !self.parameters.iter().any(stdin)
    }

    /// Whether a secret_id is issued for each login.
    pub fn issues_secret_id(&self) -> bool {
        self.parameters.iter().any(|one| matches!(one.origin, Origin::Issued(_)))
    }

    /// The variables that gave this login its parameters, or their files' paths: a command does not inherit them.
    /// Variables that log in by any login have a mark in the table of options instead.
    pub fn variables(&self) -> Vec<String> {
        let of = |origin: &Origin| match origin {
            Origin::Signed(identity) => identity.taken_from().map(str::to_owned).collect(),
            Origin::Connection { .. } => cert::FILES.iter().flat_map(|opt| opt.variables(None)).collect(),
            _ => Vec::new(),
        };
        self.parameters.iter().flat_map(|one| of(&one.origin)).collect()
    }

    /// The origin of a parameter.
    fn origin(&self, name: &str) -> Option<&Origin> {
        self.parameters.iter().find(|one| one.name == name).map(|one| &one.origin)
    }
}
