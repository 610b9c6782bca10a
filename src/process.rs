//! What the process does to itself: it makes itself not dumpable, and lets a panic end it like any other failure. It
//! must not start other processes.

use std::sync::{Mutex, OnceLock};

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::console;
use crate::error::Code;
use crate::text;

/// What a panic writes to stdout; the command sets it when its format is known.
static ON_PANIC: Mutex<Option<Print>> = Mutex::new(None);
/// Writes what a failure with this exit code has on stdout.
type Print = Box<dyn Fn(u8) + Send>;

/// The core limit that the process was started with.
static CORE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Allows no core file, and no ptrace by other processes of the same user, where the system permits that.
pub(crate) fn harden() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let limit = *CORE_LIMIT.get_or_init(|| getrlimit(Resource::Core));
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit });
}

/// Runs `start`, which starts a command, with the core limit that this process was started with. execve(2) makes the
/// command dumpable again, and this process stays undumpable meanwhile, so that it never leaves a core file.
pub(crate) fn as_started<T>(start: impl FnOnce() -> T) -> T {
    if let Some(limit) = CORE_LIMIT.get() {
        let _ = setrlimit(Resource::Core, *limit);
    }
    let outcome = start();
    harden();
    outcome
}

/// Whether this process was started with `signal` (by its number) ignored, as `nohup` and shells without job
/// control do. It then stays ignored, for the command as well. False where the kernel does not say.
pub fn ignores(signal: i32) -> bool {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    // proc_pid_status(5): a mask in hexadecimal, the lowest bit for signal 1.
    let ignored = IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    });
    (1..=64).contains(&signal) && ignored & (1 << (signal - 1)) != 0
}

/// The name of the program that started this one, as the kernel knows it (proc_pid_comm(5)); nothing where it does not
/// say.
pub(crate) fn parent() -> Option<String> {
    let parent = rustix::process::getppid()?;
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Makes a panic call this with its exit code, 1, and exit with it. What was issued then ends with its TTL.
pub(crate) fn on_panic(print: impl Fn(u8) + Send + 'static) {
    if let Ok(mut current) = ON_PANIC.lock() {
        *current = Some(Box::new(print));
    }
    std::panic::set_hook(Box::new(|info| {
        // The message of a panic may quote a value, so that only the place in the source is printed.
        let place =
            info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        console::say(&format!(
            "error: ci-creds failed{place}\nhint: this is a bug; please report the line above"
        ));
        if let Ok(print) = ON_PANIC.lock()
            && let Some(print) = &*print
        {
            print(Code::Bug as u8);
        }
        #[allow(clippy::exit, clippy::disallowed_methods)]
        std::process::exit(Code::Bug as i32)
    }));
}

/// A random byte; 0 where there is none.
pub(crate) fn jitter() -> u8 {
    let mut byte = [0];
    let _ = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::NONBLOCK);
    byte[0]
}

/// 32 random bytes from the kernel, in hexadecimal.
pub(crate) fn random() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(text::hex(&bytes))
}
