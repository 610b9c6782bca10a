//! Every way to reach Vault, and every way in which it can fail.

mod answers;
pub mod cluster;
mod empty;
mod environment;
mod faulty;
mod hung;
mod index;
mod lost;
mod raft;
mod redirects;
mod retries;
mod standby;
mod tls;
mod variables;

use serde_json::json;

use crate::support::{Cmd, jwt, secret};

/// A run with a given token: one request, GET exoscale/apikey/ci.
fn one_read(addr: &str) -> Cmd {
    Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", addr).env("VAULT_TOKEN", secret())
}

/// A run that logs in with an ID token, which works twice.
fn with_jwt(addr: &str) -> Cmd {
    let id_token = jwt::mint(json!({}));
    Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", addr).env("VAULT_ID_TOKEN", id_token)
}

/// A run that logs in with a given secret_id, which may be good for one use.
fn with_secret_id(addr: &str) -> Cmd {
    Cmd::new(["exoscale", "ci"])
        .env("VAULT_ADDR", addr)
        .env("VAULT_ROLE_ID", secret())
        .env("VAULT_SECRET_ID", secret())
        .env("VAULT_AUTH_ROLE", "web")
}
