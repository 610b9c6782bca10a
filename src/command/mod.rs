//! One file per command, which tells the command from top to bottom. A command must not use another.

pub mod completions;
pub mod doctor;
pub(crate) mod env;
pub mod issue;
pub(crate) mod keep;
pub mod revoke;
pub mod rotate;
pub mod run;
pub mod scan;
pub(crate) mod setup;
pub mod status;
