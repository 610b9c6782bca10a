//! Writes the man pages into a folder, for packagers and the release: `cargo run --example man -- FOLDER`.
#![allow(clippy::expect_used, reason = "what can't be written stops it")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(unreachable_pub, reason = "the module is one of the tests'")]

use std::path::PathBuf;

#[path = "../tests/support/manual.rs"]
mod manual;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder to write to"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for (name, text) in manual::pages() {
        std::fs::write(folder.join(name), text).expect("the folder can be written to");
    }
}
