//! The GitLab template and the examples: valid for GitLab, and run job by job by gitlab-ci-local against the real
//! server.

mod download;
mod inputs;
mod jobs;
mod neighbour;
mod own;
mod pipeline;
mod release;
mod schema;
pub mod shell;
pub mod stories;
mod tools;
