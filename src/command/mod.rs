//! One file per command: its story from top to bottom.

pub mod completions;
pub mod doctor;
pub(crate) mod env;
pub mod issue;
pub mod revoke;
pub mod rotate;
pub mod run;
pub mod scan;
pub(crate) mod setup;
pub mod status;
