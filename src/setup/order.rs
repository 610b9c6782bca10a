//! What is to be set up: a run, where it logs in, and who may do it. It must not know what Vault needs for that.

use std::collections::BTreeSet;

use super::LoginSetup;
use crate::ci::{Meant, PathClaim};
use crate::provider::Request;

/// What is to be set up.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The run, as it was typed behind `ci-creds`.
    pub call: String,
    /// What it asks the engines.
    pub requests: Vec<Request>,
    /// Whether the token itself is handed over.
    pub hands_over: bool,
    /// Whether the run takes --kv-version: references have the version in their paths.
    pub takes_kv_version: bool,
    /// Further lines of the policy, for what the job does with the token: path and capability.
    pub allowed: Vec<(String, &'static str)>,
    /// Whether the token's life is cut after the login, and renewed all the time.
    pub has_window: bool,
    /// Whether the command gets fresh credentials, for which the token must live.
    pub refreshes: bool,
    /// Whether a command runs, whose credentials are kept alive meanwhile.
    pub runs_command: bool,
    /// How the jobs log in.
    pub login: &'static LoginSetup,
    /// Where that method is mounted.
    pub mount: String,
    /// The role to log in with; its policy has the same name.
    pub role: String,
    /// The namespace of all of it: the login's.
    pub namespace: Option<String>,
    /// The namespace of the engines, which is the same one or below it.
    pub engine_namespace: Option<String>,
    /// How the engines' paths begin in the login's namespace: `app/`, or nothing where it is theirs.
    pub below: String,
    /// Variables of the job that this call has as well: where Vault is.
    pub variables: Vec<(String, String)>,
    /// How long the token lives, in seconds, before it is renewed.
    pub token_ttl: u64,
    /// The claim that stands in the paths of the run, where each project has its own.
    pub claim: Option<&'static PathClaim>,
    /// Who may log in.
    pub who: Who,
}

/// Who may log in, by login.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// Jobs, by the claims of their ID tokens.
    Jobs {
        /// The jobs.
        meant: Meant,
        /// The issuer of the tokens.
        issuer: String,
        /// The audience of the tokens.
        audience: String,
    },
    /// Jobs that have both halves of an AppRole, from these addresses; from anywhere if there are none.
    Runners {
        /// As Vault has them: `10.0.0.0/8`.
        cidrs: Vec<String>,
    },
    /// Pods with these service accounts: `NAMESPACE/NAME` each.
    ServiceAccounts(Vec<String>),
    /// Machines with these IAM roles.
    Principals {
        /// Their ARNs.
        arns: Vec<String>,
        /// The name of the server that they sign for.
        server_id: Option<String>,
    },
}

impl Who {
    /// Whether a role that takes these namespaces and these names takes other pairs of them too.
    pub(crate) fn lets_in_other_pairs(&self) -> bool {
        let Self::ServiceAccounts(accounts) = self else { return false };
        let pairs: BTreeSet<_> = accounts.iter().filter_map(|one| one.split_once('/')).collect();
        let (namespaces, names): (BTreeSet<_>, BTreeSet<_>) = pairs.iter().copied().unzip();
        pairs.len() < namespaces.len() * names.len()
    }
}
