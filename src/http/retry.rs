//! An attempt that may be repeated, and the pause before the next one. It must not decide what an answer means.

use std::time::Duration;

use super::{Answer, Error};
use crate::shutdown::Shutdown;

/// Pauses; a signal ends the pause, and the next attempt reports it.
pub(super) async fn pause_unless(shutdown: Shutdown, pause: Duration) {
    let _ = shutdown.guard(Duration::ZERO, tokio::time::sleep(pause)).await;
}

/// An attempt without a final answer.
pub(super) struct Failed {
    pub(super) outcome: Result<Answer, Error>,
    pub(super) again: bool,
    pub(super) pause: Pause,
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy)]
pub(super) enum Pause {
    /// 50 ms at first, and longer after each attempt that came too early.
    Short,
    /// 250 ms at first.
    Usual,
    /// What the server said, or longer.
    Told(Duration),
}

impl Pause {
    pub(super) fn after(self, usual: Duration) -> Duration {
        match self {
            Self::Short => usual / 5,
            Self::Usual => usual,
            Self::Told(pause) => usual.max(pause),
        }
    }
}

impl Failed {
    pub(super) fn for_good(error: Error) -> Self {
        Self { outcome: Err(error), again: false, pause: Pause::Usual }
    }

    /// For messages about a wait.
    pub(super) fn told(&self, peer: &str) -> String {
        match &self.outcome {
            Ok(answer) => format!("{peer} answers with status {}", answer.status),
            Err(error) => error.to_string(),
        }
    }

    pub(super) fn reason(&self) -> String {
        match &self.outcome {
            Ok(answer) => format!("status {}", answer.status),
            Err(error) => error.to_string(),
        }
    }
}
