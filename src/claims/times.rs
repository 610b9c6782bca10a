//! When a token is valid: its exp, nbf and iat, with the leeways of a role (hashicorp/cap `jwt/jwt.go`). It must not
//! read a clock.

use serde_json::Value;

use super::Claims;

/// Seconds between a time that the token lacks and the one that stands in for it, by default.
const DEFAULT_LEEWAY: i64 = 150;
/// Seconds that clocks may differ by default (go-jose `jwt/validation.go`). Where the token has its exp and nbf, as
/// those of CI systems do, nothing else is added to them.
const DEFAULT_SKEW: i64 = 60;

/// From when to when Vault takes a token, in its own seconds.
pub(super) struct Span {
    /// nbf, or what stands in for it.
    pub(super) start: i64,
    /// exp, or what stands in for it.
    pub(super) end: i64,
    /// iat; 0 where there is none.
    pub(super) issued: i64,
    /// By how much the clocks may differ.
    pub(super) skew: i64,
}

impl Span {
    /// `leeway` gives the role's field of a name, 0 where it has none. Nothing for a token without times.
    pub(super) fn of(claims: &Claims, leeway: impl Fn(&str) -> i64) -> Option<Self> {
        let time = |name| claims.get(name).and_then(Value::as_f64).map_or(0, |time| time as i64);
        let [exp, nbf, iat] = ["exp", "nbf", "iat"].map(time);
        if (exp, nbf, iat) == (0, 0, 0) {
            return None;
        }
        let leeway = |name, default: i64| match leeway(name) {
            0 => default,
            seconds => seconds.max(0),
        };
        let end = match exp {
            0 => iat.max(nbf).saturating_add(leeway("expiration_leeway", DEFAULT_LEEWAY)),
            exp => exp,
        };
        let start = match (nbf, iat) {
            (0, 0) => end.saturating_sub(leeway("not_before_leeway", DEFAULT_LEEWAY)),
            (0, iat) => iat,
            (nbf, _) => nbf,
        };
        Some(Self { start, end, issued: iat, skew: leeway("clock_skew_leeway", DEFAULT_SKEW) })
    }

    /// Whether its end is past.
    pub(super) fn is_over(&self, now: i64) -> bool {
        now.saturating_sub(self.skew) > self.end
    }

    /// Whether `moment`, its start or when it was issued, is still to come.
    pub(super) fn is_ahead(&self, moment: i64, now: i64) -> bool {
        now.saturating_add(self.skew) < moment
    }
}
