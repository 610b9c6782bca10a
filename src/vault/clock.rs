//! The server's clock, from its Date headers: Vault judges the times of an ID token by it. It must not change this
//! machine's clock.

use jiff::SignedDuration;

use super::{Vault, now};
use crate::http::Answer;

impl Vault {
    /// How far this machine's clock is ahead of the server's, if it has answered.
    pub fn ahead(&self) -> Option<SignedDuration> {
        self.ahead.get()
    }

    /// Asks for the server's time only.
    pub async fn ask_time(&self) -> Option<SignedDuration> {
        // Nearly every answer has a Date header, whatever its status.
        let _ = self.health().await;
        self.ahead()
    }

    /// Takes the date of an answer; an answer without one changes nothing.
    pub(super) fn note_time(&self, answer: &Answer) {
        self.ahead.set(answer.date.as_deref().and_then(ahead_of).or(self.ahead.get()));
    }
}

/// How far this machine's clock is ahead of a Date header.
fn ahead_of(date: &str) -> Option<SignedDuration> {
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    // A larger difference is no clock's, and could lead beyond the calendar.
    Some(now().duration_since(date)).filter(|ahead| ahead.abs() < SignedDuration::from_hours(100 * 365 * 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_understood() {
        let ahead = ahead_of("Sat, 01 Jan 2000 00:00:00 GMT").unwrap();
        assert!(ahead > SignedDuration::from_hours(24 * 365 * 25));
        assert_eq!(ahead_of("yesterday"), None);
        assert_eq!(ahead_of("Thu, 30 Dec 9999 22:00:00 GMT"), None);
    }
}
