//! The HTTP APIs other than Vault's. They must not know what a command wants of them.

pub(crate) mod aws;
pub(crate) mod gitlab;
pub(crate) mod scaleway;
