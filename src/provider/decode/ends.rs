//! When something ends, by the text of a field.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::credentials::Life;
use crate::duration::{self, LONGEST};
use crate::secret::Secret;

/// The end that a text names: an RFC 3339 time, seconds since 1970, or seconds or a duration such as 30m from `now`.
/// Zero seconds mean that the end is not known.
pub(super) fn end(text: &Secret, now: Timestamp) -> Option<Timestamp> {
    let text = text.reveal();
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let ttl = span(text)?;
    if ttl > LONGEST {
        // Too long for a life: a time since 1970.
        Timestamp::from_second(i64::try_from(ttl.as_secs()).ok()?).ok()
    } else {
        now.checked_add(SignedDuration::try_from(ttl).ok()?).ok()
    }
}

/// Whether it is a number or a duration below zero.
pub(super) fn is_negative(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| span(rest).is_some())
}

/// A duration, or a number of seconds in any of JSON's forms; nothing of no length.
pub(super) fn span(text: &str) -> Option<Duration> {
    let span = duration::parse(text).or_else(|| duration::whole(text).map(Duration::from_secs));
    span.filter(|span| !span.is_zero())
}

impl Life {
    /// Whether it ends so much sooner than `other` that it matters: seconds are rounded, and one request comes after
    /// the other.
    pub fn ends_before(&self, other: &Self) -> bool {
        let sooner = other.until.duration_since(self.until);
        sooner > SignedDuration::try_from(other.ttl / 100).unwrap_or_default()
    }

    /// A life of `ttl` from `now`, to the second.
    pub fn new(ttl: Duration, now: Timestamp) -> Option<Self> {
        let ttl = Duration::from_secs(ttl.as_secs());
        let until = now.checked_add(SignedDuration::try_from(ttl).ok()?).ok()?;
        let until = Timestamp::from_second(until.as_second()).ok()?;
        Some(Self { ttl, until })
    }
}
