//! Token: one that is given is used as it is, and never revoked.

use super::{Method, Need, PLAIN, Place};

/// `--auth token`.
pub static TOKEN: Method = Method {
    name: "token",
    title: "token",
    needs: &[Need {
        name: "token",
        what: "a token",
        places: &[Place::Vault("TOKEN"), Place::VaultFile("TOKEN_PATH"), Place::Home(".vault-token")],
        missing: Some("set VAULT_TOKEN"),
    }],
    request: None,
    ..PLAIN
};
