//! How the shipped program is linked. It aborts on a panic and never unwinds, so the tables for unwinding, a tenth
//! of it, are left out: rustc has no switch for that, because the tables come from the standard library too.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "this is how Cargo is talked to")]

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let cfg = |name: &str| env::var(format!("CARGO_CFG_{name}")).unwrap_or_default();
    // Tried with GNU's and LLVM's linkers, against glibc alone. On aarch64 a static program's start refers to the tables.
    let is_known =
        cfg("TARGET_OS") == "linux" && cfg("TARGET_ENV") == "gnu" && cfg("TARGET_ARCH") == "x86_64";
    if !is_known || env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let script = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("no-unwinding.ld");
    let text = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table*) } } INSERT AFTER .text;\n";
    if let Err(error) = std::fs::write(&script, text) {
        println!("cargo::error=cannot write {}: {error}", script.display());
    }
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
    if cfg("TARGET_FEATURE").split(',').any(|feature| feature == "crt-static") {
        // Relocations in a twentieth of the room; a dynamic loader would have to be of 2022 or later.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
