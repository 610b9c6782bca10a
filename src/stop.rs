//! Being asked to stop: a signal that would end the process becomes a request that work looks at where it safely can.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::error::{Code, Explain};

/// How long an answer is waited for after the process was asked to stop, when a request that creates something is
/// under way. GitLab kills 10 s after its SIGTERM; 2 s of 8 are kept for taking back.
pub const PATIENCE: Duration = Duration::from_secs(6);

/// Tells whether the process was asked to stop.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Option<Code>>);

/// What ends a process that does not care, and can be heard; the status is 128 + its number, as a shell has it.
const SIGNALS: &[(SignalKind, Code, &str)] = &[
    (SignalKind::terminate(), Code::Terminated, "SIGTERM"),
    (SignalKind::interrupt(), Code::Interrupted, "SIGINT"),
    (SignalKind::hangup(), Code::HungUp, "SIGHUP"),
    (SignalKind::quit(), Code::Quit, "SIGQUIT"),
    (SignalKind::user_defined1(), Code::User1, "SIGUSR1"),
    (SignalKind::user_defined2(), Code::User2, "SIGUSR2"),
];

/// The process was asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped by {}", name(.0))]
pub struct Stopped(pub Code);

fn name(code: &Code) -> &'static str {
    SIGNALS.iter().find(|(_, known, _)| known == code).map_or("a signal", |(.., name)| name)
}

/// Whether a process that ends with this code was asked to stop.
pub fn is_stop(code: Code) -> bool {
    SIGNALS.iter().any(|(_, known, _)| *known == code)
}

impl Explain for Stopped {
    fn code(&self) -> Code {
        self.0
    }
}

impl Stop {
    /// Starts to listen; inside a runtime.
    pub fn listen() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(None);
        for &(kind, code, _) in SIGNALS {
            if crate::process::ignores(kind.as_raw_value()) {
                continue;
            }
            let mut signals = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                if signals.recv().await.is_some() {
                    sender.send_replace(Some(code));
                }
            });
        }
        Ok(Self(receiver))
    }

    /// One that never asks: for taking back, which goes on after a stop.
    pub fn never() -> Self {
        Self(watch::channel(None).1)
    }

    /// An error if the process was asked to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        self.0.borrow().map_or(Ok(()), |code| Err(Stopped(code)))
    }

    /// The outcome of `work`, or [`Stopped`] when it has not ended `patience` after a stop.
    pub async fn guard<T>(&self, patience: Duration, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let stopped = async {
            let code = self.requested().await;
            tokio::time::sleep(patience).await;
            code
        };
        // The work is looked at first: an answer that is there counts.
        match select(pin!(work), pin!(stopped)).await {
            Either::Left((outcome, _)) => Ok(outcome),
            Either::Right((code, _)) => Err(Stopped(code)),
        }
    }

    /// The outcome of `work`, which may wait for ever (standard input, a FIFO), or [`Stopped`]: the thread that it has
    /// for itself is then left to the end of the process.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let started = std::thread::Builder::new().spawn(move || {
            // Nobody waits any longer after a stop.
            let _ = sender.send(work());
        });
        if let Err(error) = started {
            return Ok(Err(error));
        }
        let outcome = self.guard(Duration::ZERO, receiver).await?;
        Ok(outcome.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())))
    }

    async fn requested(&self) -> Code {
        let mut receiver = self.0.clone();
        let code = receiver.wait_for(Option::is_some).await.map(|code| code.unwrap_or(Code::Terminated));
        match code {
            Ok(code) => code,
            // Nobody listens for signals: nobody asks.
            Err(_) => std::future::pending().await,
        }
    }
}
