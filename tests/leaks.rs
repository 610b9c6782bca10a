//! What must not leak, wherever it stands: a secret where a name belongs, a server's text, a variable that logs in.

mod commands;
pub(crate) mod policy;
mod text;
mod values;
mod ways;
