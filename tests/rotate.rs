//! `ci-creds rotate` against the real server and a fake of GitLab's API for variables.

mod access;
mod ends;
mod faults;
pub mod gitlab;
mod refusals;
mod story;
mod token_path;
