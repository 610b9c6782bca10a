//! Durations as Vault's users write them: `90s`, `15m`, `1h30m`; a bare number is seconds.

use std::time::Duration;

/// Reads one; `None` if it is something else, or negative.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let span: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(span).ok()
}

/// Writes one in the same way, to the second: `1h30m`.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

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
