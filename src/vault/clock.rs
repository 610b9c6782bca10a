//! The server's clock, out of its Date headers: what an ID token's times mean is Vault's to say.

use crate::secret::Secret;
use jiff::SignedDuration;

use super::{Ask, Vault, now};

impl Vault {
    /// How far this machine's clock is ahead of the server's, if it has answered.
    pub fn ahead(&self) -> Option<SignedDuration> {
        self.ahead.get()
    }

    /// Asks `sys/health`, which answers without a token, for the time alone.
    pub async fn ask_time(&self) -> Option<SignedDuration> {
        // The same status in every state of the server.
        let states = ["sealedcode", "uninitcode", "standbycode", "performancestandbycode", "drsecondarycode"];
        let query: Vec<_> = states.iter().map(|state| ((*state).to_owned(), Secret::from("200"))).collect();
        let ask = Ask { query: &query, ..Ask::read("to tell the time", "sys/health") };
        // Whatever it says, it has a date.
        let _ = self.ask(ask).await;
        self.ahead()
    }
}

/// How far this machine's clock is ahead of a Date header.
pub(super) fn ahead_of(date: &str) -> Option<SignedDuration> {
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(now().duration_since(date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_understood() {
        let ahead = ahead_of("Sat, 01 Jan 2000 00:00:00 GMT").unwrap();
        assert!(ahead > SignedDuration::from_hours(24 * 365 * 25));
        assert_eq!(ahead_of("yesterday"), None);
    }
}
