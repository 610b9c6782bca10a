//! Token: uses the token that is given as it is. It must never revoke that token.

use super::{Method, Need, PLAIN, Place};
use crate::options;

/// `--auth token`.
pub(crate) static TOKEN: Method = Method {
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
