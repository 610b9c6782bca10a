//! Token: one that is given is used as it is, and never revoked.

use super::{Method, Need, PLAIN, Place};
use crate::options;

/// `--auth token`.
pub static TOKEN: Method = Method {
    name: "token",
    title: "token",
    needs: &[Need {
        name: "token",
        what: "a token",
        places: &[
            Place::Option(&options::TOKEN),
            Place::File(&options::TOKEN_PATH),
            Place::Home(".vault-token"),
        ],
        missing: Some("set VAULT_TOKEN"),
    }],
    request: None,
    ..PLAIN
};
