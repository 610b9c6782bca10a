//! The process that renews a token for `--dead-man` when no COMMAND runs: this program once more, in the background. It
//! outlives the process that starts it. `/proc/self/exe` is the program that runs, even if its file was replaced.
//!
//! The first process writes one line to its standard input, the order: what to renew, and which shell to watch. The
//! answer on standard output is `READY`. When the first process has handed the credentials over, it writes `GO`. If it
//! fails or is killed before, the input just ends. A secret must not be an argument or a variable of this process.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::ChildStdin;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::error::{Code, Explain};

/// The first argument of the process in the background: no command line of a user's has it.
pub(crate) const ARGUMENT: &str = "--keep-alive-in-the-background";

/// The answer to an order that can be carried out.
const READY: &[u8] = b"ready\n";
/// What was issued is handed over.
const GO: &[u8] = b"go\n";
/// How long the answer may take: it needs no network.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why no process renews in the background.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shell that needs the credentials can't be watched.
    #[error("--dead-man can't watch the shell that this is printed for")]
    NoShell(#[source] io::Error),
    /// The process did not start, or did not answer.
    #[error("--dead-man can't start the process that renews the token in the background")]
    NotStarted(#[source] io::Error),
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Output
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoShell(_) => "it takes Linux 5.3 or newer, /proc, and a shell of the same user",
            Self::NotStarted(_) => "it takes /proc, and a limit of processes that is not reached (ulimit -u)",
        };
        vec![format!("{hint}; `ci-creds … --dead-man … -- COMMAND` does without")]
    }
}

/// The process in the background, which waits.
pub(crate) struct Background(ChildStdin);

impl Background {
    /// Starts it with this order, and waits until it is ready. It ends if the return value is dropped.
    pub(crate) async fn start(order: &str) -> Result<Self, Error> {
        timeout(PATIENCE, Self::started(order))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(Error::NotStarted)
    }

    async fn started(order: &str) -> io::Result<Self> {
        close_fds::set_fds_cloexec(3, &[]);
        let mut command = tokio::process::Command::new("/proc/self/exe");
        command.arg0("ci-creds").arg(ARGUMENT).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        stdin.write_all(order.as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        let mut answer = Vec::new();
        stdout.read_to_end(&mut answer).await?;
        if answer == READY { Ok(Self(stdin)) } else { Err(io::Error::other("it ended at once")) }
    }

    /// Says that the credentials are handed over: from now on the process goes on by itself. If it has died, nobody
    /// renews, and the token expires after the time of `--dead-man`.
    pub(crate) async fn go(mut self) {
        let _ = self.0.write_all(GO).await;
    }
}

/// In the background: the order.
pub(crate) fn order() -> io::Result<Zeroizing<String>> {
    let mut order = Zeroizing::new(String::new());
    io::stdin().read_line(&mut order)?;
    Ok(order)
}

/// In the background: answers that the order is being carried out, and lets go of standard output and of the session.
pub(crate) fn ready() -> io::Result<()> {
    // Signals for the process group, and the hang-up of a terminal, must not reach it. The call fails only if the process
    // leads a group already; then nothing is to be done.
    let _ = rustix::process::setsid();
    let mut stdout = io::stdout();
    stdout.write_all(READY)?;
    stdout.flush()?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(&null)?)
}

/// In the background: whether what was issued is handed over; then it lets go of standard input as well.
pub(crate) fn is_handed_over() -> io::Result<bool> {
    let mut rest = Vec::new();
    io::stdin().read_to_end(&mut rest)?;
    let null = OpenOptions::new().read(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(rest == GO)
}
