//! Tests of the harness itself, where a fault in it would make other tests pass for nothing.

mod runs;
mod servers;
