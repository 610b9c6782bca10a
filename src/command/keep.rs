//! What runs in the background for `eval "$(ci-creds … --dead-man …)"`: renew the token as long as the shell that
//! evaluates lives, and revoke it at once when that is gone. ci-creds starts it by itself; nobody types it. It must
//! not print.

use std::ffi::OsString;
use std::io;

use crate::exec::background;
use crate::session::keeper::Order;
use crate::shutdown::Shutdown;

/// Whether this process is the one in the background.
pub(crate) fn is_requested(arguments: &[OsString]) -> bool {
    arguments.len() == 2 && arguments.get(1).is_some_and(|argument| argument == background::ARGUMENT)
}

/// Carries the order out. False where there is no order, or none that can be carried out.
pub(crate) async fn run(shutdown: Shutdown) -> bool {
    match work(&shutdown).await {
        Ok(()) => true,
        Err(_) => shutdown.is_requested(),
    }
}

async fn work(shutdown: &Shutdown) -> io::Result<()> {
    let input = shutdown.blocking(background::order).await.map_err(io::Error::other)??;
    let order = Order::read(&input).ok_or(io::ErrorKind::InvalidInput)?;
    drop(input);
    let shell = order.shell().watch()?;
    background::ready()?;
    let wait = move || match (background::is_handed_over()?, shell) {
        (true, Some(shell)) => shell.wait(),
        _ => Ok(()),
    };
    // A signal comes to the same as the end of the shell.
    let left = async { drop(shutdown.blocking(wait).await) };
    order.carry_out(left).await.map_err(io::Error::other)
}
