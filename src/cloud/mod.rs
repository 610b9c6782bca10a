//! The HTTP APIs other than Vault's. They must not know what a command wants of them.

pub mod aws;
pub mod gitlab;
pub mod scaleway;
