//! Agent: `vault agent`, `bao agent` or `… proxy` at the address has logged in (`auto_auth`), and adds its own token to
//! a request that has none (vault: `command/agentproxyshared/cache/handler.go`). So none is sent, and what ends with a
//! token of a run's own is taken back lease by lease.

use super::{Method, PLAIN};

/// `--auth agent`.
pub(super) static AGENT: Method =
    Method { name: "agent", title: "agent's", request: None, elsewhere: true, ..PLAIN };
