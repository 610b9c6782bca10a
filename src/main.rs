//! The process: arguments and environment in, exit code out. No other module may end the process.

use std::process::ExitCode;

#[allow(clippy::disallowed_methods)]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(ci_creds::run(&arguments, &ci_creds::env::Env::real()))
}
