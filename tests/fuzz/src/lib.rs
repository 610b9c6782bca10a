//! What must hold for any input. The fuzzers in targets/ look for one that breaks it; tests/fuzz.rs replays the seeds.
//!
//! An input has parts, which are parted by the byte 255: it is in no UTF-8 text.

mod answer;
mod claims;
mod emit;
mod gitlab;
mod mask;
mod naive;
mod reference;
pub mod state;

pub use answer::answer;
pub use claims::claims;
pub use emit::{dotenv, shells};
pub use mask::mask;
pub use reference::reference;
pub use state::state;

/// Checks one input; it panics if the program is wrong.
pub type Check = fn(&[u8]);

/// Each target of Cargo.toml, and what it checks.
pub const TARGETS: &[(&str, Check)] = &[
    ("answer", answer),
    ("claims", claims),
    ("dotenv", dotenv),
    ("mask", mask),
    ("reference", reference),
    ("shells", shells),
    ("state", state),
];

/// The parts of an input.
fn parts(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == 255)
}

/// The parts that are text.
fn texts(input: &[u8]) -> impl Iterator<Item = &str> {
    parts(input).filter_map(|part| std::str::from_utf8(part).ok())
}
