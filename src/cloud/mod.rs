//! The HTTP APIs that are not Vault's.

pub mod aws;
pub mod gitlab;
pub mod scaleway;
