//! The main job, end to end: `eval $(ci-creds exoscale)` in real shells against a real server.

mod failing;
mod handing_over;
mod leaving_nothing;
pub mod story;
mod working;
