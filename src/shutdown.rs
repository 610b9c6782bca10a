//! A signal that would end the process becomes a request for its shutdown, which work looks at where it safely can. It
//! must not end the process.

use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use rustix::process::Signal;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::{Code, Explain};

/// After how long a process that was asked to stop ends. CI runners kill 10 s after their SIGTERM.
pub(crate) const LIMIT: Duration = Duration::from_secs(8);
/// How long taking back may take, without a stop.
pub(crate) const TAKING_BACK: Duration = Duration::from_secs(30);
/// How long an answer is waited for after the process was asked to stop, when a request that creates something is
/// under way: 2 s of [`LIMIT`] are kept for taking back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);

/// Tells whether, and when, the shutdown of the process was requested.
#[derive(Clone)]
pub struct Shutdown {
    asked: watch::Receiver<Option<Requested>>,
    /// Whether it cancels work. Revoking goes on, and only has to hurry.
    cancels: bool,
}

/// The signal, and when the first one came.
#[derive(Clone, Copy)]
struct Requested {
    by: Code,
    at: Instant,
}

/// The signals that end a process by default and that a process can catch. The exit status is 128 + the number, as in
/// a shell.
const SIGNALS: &[(SignalKind, Code, &str)] = &[
    (SignalKind::terminate(), Code::Terminated, "SIGTERM"),
    (SignalKind::interrupt(), Code::Interrupted, "SIGINT"),
    (SignalKind::hangup(), Code::HungUp, "SIGHUP"),
    (SignalKind::quit(), Code::Quit, "SIGQUIT"),
    (SignalKind::user_defined1(), Code::User1, "SIGUSR1"),
    (SignalKind::user_defined2(), Code::User2, "SIGUSR2"),
    (SignalKind::alarm(), Code::Alarm, "SIGALRM"),
    (SignalKind::from_raw(Signal::XCPU.as_raw()), Code::CpuTime, "SIGXCPU"),
    (SignalKind::from_raw(Signal::VTALARM.as_raw()), Code::VirtualAlarm, "SIGVTALRM"),
    (SignalKind::from_raw(Signal::PROF.as_raw()), Code::Profile, "SIGPROF"),
    #[cfg(target_os = "linux")]
    (SignalKind::from_raw(Signal::STKFLT.as_raw()), Code::StackFault, "SIGSTKFLT"),
    #[cfg(target_os = "linux")]
    (SignalKind::io(), Code::Io, "SIGIO"),
    #[cfg(target_os = "linux")]
    (SignalKind::from_raw(Signal::POWER.as_raw()), Code::Power, "SIGPWR"),
];

/// The real-time signals, each of which ends a process by default (signal(7)). The C library keeps the numbers before
/// them for itself.
#[cfg(target_os = "linux")]
const REAL_TIME: RangeInclusive<i32> = 34..=64;
#[cfg(not(target_os = "linux"))]
#[allow(clippy::reversed_empty_ranges)]
const REAL_TIME: RangeInclusive<i32> = 1..=0;

/// Listens to every real-time signal that a program may use and that is not ignored since this process started.
pub(crate) fn real_time() -> impl Iterator<Item = Signals> {
    let heard = REAL_TIME.filter(|number| !crate::process::ignores(*number));
    // musl keeps 34 for itself as well, and refuses it.
    heard.filter_map(|number| signal(SignalKind::from_raw(number)).ok())
}

/// The process was asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped by {}", name(.0))]
pub struct Stopped(pub Code);

fn name(code: &Code) -> &'static str {
    SIGNALS.iter().find(|(_, known, _)| known == code).map_or("a real-time signal", |(.., name)| name)
}

/// Whether a process that ends with this code was asked to stop.
pub(crate) fn is_shutdown(code: Code) -> bool {
    code == Code::RealTime || SIGNALS.iter().any(|(_, known, _)| *known == code)
}

impl Explain for Stopped {
    fn code(&self) -> Code {
        self.0
    }
}

impl Shutdown {
    /// Starts to listen; inside a runtime.
    pub fn listen() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(None);
        // SIGXFSZ is caught: a write beyond the limit of `ulimit -f` is then an error, and not the end of the process.
        if !crate::process::ignores(Signal::XFSZ.as_raw()) {
            let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
        }
        let mut heard = Vec::new();
        for &(kind, code, _) in SIGNALS {
            if !crate::process::ignores(kind.as_raw_value()) {
                heard.push((signal(kind)?, code));
            }
        }
        heard.extend(real_time().map(|signals| (signals, Code::RealTime)));
        for (mut signals, code) in heard {
            let sender = sender.clone();
            tokio::spawn(async move {
                if signals.recv().await.is_some() {
                    sender.send_modify(|asked: &mut Option<Requested>| {
                        let at = asked.map_or_else(Instant::now, |asked| asked.at);
                        *asked = Some(Requested { by: code, at });
                    });
                }
            });
        }
        Ok(Self { asked: receiver, cancels: true })
    }

    /// A shutdown that is never requested.
    pub fn never() -> Self {
        Self { asked: watch::channel(None).1, cancels: false }
    }

    /// The same for revoking, which a shutdown does not cancel, and only limits in time: [`Shutdown::within`].
    pub fn without_cancellation(&self) -> Self {
        Self { cancels: false, ..self.clone() }
    }

    /// A shutdown that is requested when the `Relay` says so.
    pub fn relayed() -> (Relay, Self) {
        let (sender, asked) = watch::channel(None);
        (Relay(sender), Self { asked, cancels: true })
    }

    /// An error if the process was asked to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        self.asked.borrow().filter(|_| self.cancels).map_or(Ok(()), |asked| Err(Stopped(asked.by)))
    }

    /// Whether the process was asked to stop, whether or not the work ends early for it.
    pub fn is_requested(&self) -> bool {
        self.asked.borrow().is_some()
    }

    /// The outcome of `work`, or [`Stopped`] when it has not ended `patience` after a stop.
    pub async fn guard<T>(&self, patience: Duration, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let stopped = async {
            if !self.cancels {
                std::future::pending::<()>().await;
            }
            let asked = self.requested().await;
            sleep_until(asked.at + patience).await;
            asked.by
        };
        // The work is looked at first: an answer that is there counts.
        match select(pin!(work), pin!(stopped)).await {
            Either::Left((outcome, _)) => Ok(outcome),
            Either::Right((code, _)) => Err(Stopped(code)),
        }
    }

    /// The outcome of `work`, unless it takes longer than `limit`, or goes on for longer than `LIMIT` after a stop.
    /// The stop may come before or during the work.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let stopped = async { sleep_until(self.requested().await.at + LIMIT).await };
        let (limit, stopped) = (pin!(sleep(limit)), pin!(stopped));
        match select(pin!(work), select(limit, stopped)).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
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

    async fn requested(&self) -> Requested {
        let mut receiver = self.asked.clone();
        let asked = receiver.wait_for(Option::is_some).await.ok().and_then(|asked| *asked);
        match asked {
            Some(asked) => asked,
            // No listener exists: no stop is requested.
            None => std::future::pending().await,
        }
    }
}

/// Passes a shutdown on when the command has ended: until then the signal is the command's, which may take its time.
pub struct Relay(watch::Sender<Option<Requested>>);

impl Relay {
    /// Passes on the request that `shutdown` has got or will get. Where the command used up its time, 2 s are left.
    /// Where the process outlived even that time, nobody is about to kill it, and the time begins again.
    pub fn follow(self, shutdown: &Shutdown) {
        let pass = |sender: &watch::Sender<_>, asked: Requested, now: Instant| {
            let at = match now.saturating_duration_since(asked.at) {
                spent if spent < PATIENCE => asked.at,
                spent if spent < LIMIT => now.checked_sub(PATIENCE).unwrap_or(now),
                _ => now,
            };
            sender.send_replace(Some(Requested { at, ..asked }));
        };
        let asked = *shutdown.asked.borrow();
        match asked {
            Some(asked) => pass(&self.0, asked, Instant::now()),
            None => {
                let shutdown = shutdown.clone();
                tokio::spawn(async move { pass(&self.0, shutdown.requested().await, Instant::now()) });
            }
        }
    }
}

#[cfg(test)]
mod tests;
