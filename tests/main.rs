//! The black-box tests: the built binary against real servers and real shells.

mod shells;
