//! One file per command, which tells the command from top to bottom. A command must not use another.

pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod issue;
pub(crate) mod keep;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod setup;
pub(crate) mod status;
