//! The three clouds, and whatever else Vault issues: real engines, real SDKs.

mod aws;
mod iam;
mod scaleway;
