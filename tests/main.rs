//! The black-box tests: the built binary against real servers and real shells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails is loud")]
#![allow(unreachable_pub, reason = "one crate that nobody depends on: `pub` means `for other modules`")]

mod architecture;
mod clouds;
mod doctor;
mod failure;
mod files;
mod formats;
mod fuzz;
mod gitlab;
mod harness;
mod leaks;
mod life;
mod logins;
mod main_job;
mod manual;
mod network;
mod pages;
mod recipes;
mod rotate;
mod scan;
mod sdks;
mod setup;
mod shells;
mod support;
mod threats;
mod typed;
