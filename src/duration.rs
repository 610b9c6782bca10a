//! Durations as Vault's users write them: `90s`, `15m`, `1h30m`; a bare number is seconds. It must not read a clock.

use std::time::Duration;

/// The longest life: no engine issues a key or a token for longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(20 * 365 * 86_400);

/// The seconds that a server names, at most [`LONGEST`]: an answer may hold numbers that no clock reaches.
pub(crate) fn granted(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST)
}

/// The whole seconds of a JSON number: `3600`, `3600.5`, `3.6e3`. A number that is too large becomes the largest.
pub(crate) fn whole(number: &str) -> Option<u64> {
    if let Ok(seconds) = number.parse() {
        return Some(seconds);
    }
    let is_number = number.starts_with(|char: char| char.is_ascii_digit());
    number.parse::<f64>().ok().filter(|_| is_number).map(|seconds| seconds as u64)
}

/// Reads one; `None` if it is something else, or negative.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    // Days, as Vault takes them (`parseutil.ParseDurationSecond`).
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()) {
        return days.checked_mul(86_400).map(Duration::from_secs);
    }
    let span: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(span).ok()
}

/// Writes one in the same way, to the second: `1h30m`.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A life, for people: in whole days from three days on, else as [`show`] writes it.
pub(crate) fn life(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    let seconds = duration.as_secs();
    if seconds < 3 * DAY { show(duration) } else { format!("{} days", (seconds + DAY / 2) / DAY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_life_is_in_days() {
        let told = |seconds| life(Duration::from_secs(seconds));
        assert_eq!(told(8809 * 3600 + 34 * 60 + 55), "367 days");
        assert_eq!((told(768 * 3600), told(768 * 3600 - 1)), ("32 days".to_owned(), "32 days".to_owned()));
        assert_eq!((told(900), told(48 * 3600)), ("15m".to_owned(), "48h".to_owned()));
    }

    #[test]
    fn days_are_vaults() {
        assert_eq!(parse("1d"), Some(Duration::from_secs(86_400)));
        assert_eq!((parse("d"), parse("-1d"), parse("99999999999999999999d")), (None, None, None));
    }

    #[test]
    fn no_answer_takes_a_clock_beyond_its_end() {
        assert_eq!(granted(600), Duration::from_secs(600));
        assert!(std::time::Instant::now().checked_add(granted(u64::MAX)).is_some());
    }

    #[test]
    fn numbers_of_servers() {
        for (text, seconds) in [("0", 0), ("3600.9", 3600), ("3.6e3", 3600), ("1E400", u64::MAX), ("1e-3", 0)]
        {
            assert_eq!(whole(text), Some(seconds), "{text}");
        }
        for text in ["-1", "nan", "inf", "", "1x", "+1e3"] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(whole("99999999999999999999"), Some(u64::MAX));
    }

    #[test]
    fn what_users_write() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h30m", 5400), ("60", 60), (" 2h ", 7200), ("768h", 2_764_800)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "-5s", "abc", "1.5.2", "10 parsecs"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(show(Duration::from_secs(5400)), "1h30m");
        assert_eq!(show(Duration::ZERO), "0s");
    }
}
