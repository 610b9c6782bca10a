//! A value that must not be shown: it has no `Display` and no `Serialize`, its `Debug` is redacted, and it is cleared
//! from memory when the last copy is dropped. [`Secret::reveal`] is the only way to the value: requests, emitters and
//! the command's environment call it, nothing else may.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};

/// A token, key, password or JWT.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes `value` over; the copy that the caller handed in is this one.
    pub fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Some(Secret::from("CANARY"))), "Some([secret])");
    }
}
