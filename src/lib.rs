//! ci-creds: short-lived Exoscale, AWS and Scaleway credentials for GitLab CI jobs, from Vault or OpenBao.

pub mod credentials;
pub mod emit;
pub mod error;
pub mod secret;
