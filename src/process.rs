//! What the process does to itself: it is not dumpable, and a panic ends it like any other failure.

use std::sync::Mutex;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::console;
use crate::emit::sink::Failure;
use crate::error::Code;

/// What a panic leaves on stdout; it changes as the command learns what it is about.
static ON_PANIC: Mutex<Option<Failure>> = Mutex::new(None);

/// No core file, no ptrace by others of the same user. Hygiene: where it is not allowed, nothing is lost.
pub fn harden() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}

/// Makes a panic print this statement and exit with 1. What was issued then ends with its TTL.
pub fn on_panic(failure: &Failure) {
    if let Ok(mut current) = ON_PANIC.lock() {
        *current = Some(failure.clone());
    }
    std::panic::set_hook(Box::new(|info| {
        // The message of a panic may quote a value: only the place is told.
        let place =
            info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        console::say(&format!(
            "error: ci-creds failed{place}\nhint: this is a bug; please report the line above"
        ));
        if let Ok(failure) = ON_PANIC.lock()
            && let Some(failure) = &*failure
        {
            failure.print(Code::Bug as u8);
        }
        #[allow(clippy::exit, clippy::disallowed_methods)]
        std::process::exit(Code::Bug as i32)
    }));
}
