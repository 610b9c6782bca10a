//! Makes the tables of docs/reference.md and docs/options.md anew: `cargo run --example reference`.
#![allow(clippy::expect_used, reason = "what can't be written stops it")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(unreachable_pub, reason = "the module is one of the tests'")]

#[path = "../tests/support/reference.rs"]
mod reference;

fn main() {
    for name in reference::PAGES {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let old = std::fs::read_to_string(&file).expect("the page can be read");
        std::fs::write(&file, reference::page(name, &old)).expect("the page can be written");
    }
}
