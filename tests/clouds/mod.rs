//! The three clouds, and whatever else Vault issues: real engines, real SDKs.

mod aws;
mod aws_answers;
mod exoscale;
pub mod iam;
mod minted;
mod paths;
mod read;
mod references;
mod scaleway;
mod together;
mod values;
mod wait;
