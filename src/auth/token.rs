//! Token: one that is given is used as it is, and never revoked.

use super::{Insight, Method};

/// `--auth token`.
pub(super) static TOKEN: Method = Method {
    name: "token",
    title: "token",
    request: None,
    repeatable: true,
    refusals: &[],
    insight: |_, _| Insight::default(),
};
