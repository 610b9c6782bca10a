//! Agent: `vault agent`, `bao agent` or `… proxy` at the address has logged in (`auto_auth`), and adds its own token
//! to a request that has none (vault: `command/agentproxyshared/cache/handler.go`). So ci-creds sends no token, and
//! revokes lease by lease what would otherwise end with its own. It must not ask for the agent's token.

use super::{Method, PLAIN};

/// `--auth agent`.
pub(super) static AGENT: Method =
    Method { name: "agent", title: "agent's", request: None, elsewhere: true, ..PLAIN };
