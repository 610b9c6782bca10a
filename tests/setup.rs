//! `ci-creds setup`: what it prints lets the run in, and nobody and nothing else.

mod check;
mod doctor;
mod formats;
mod group;
mod logins;
mod shell;
mod sketch;
mod suffices;
mod world;
