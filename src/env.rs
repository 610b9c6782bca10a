//! The only reader of the process environment. Everything else takes an [`Env`], so that tests need no process.
//!
//! A blank variable is an unset one, except that an empty `BAO_X` hides `VAULT_X`, as in `bao`
//! (openbao `api/env.go`).

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use crate::error::{Code, Explain};
use crate::policy::MachinePolicy;

/// The environment, as it was when the process started, and what the machine's administrator allows in it.
#[derive(Default, Clone)]
pub struct Env {
    variables: HashMap<OsString, OsString>,
    policy: MachinePolicy,
}

/// A variable that is set, and not blank.
#[derive(Clone, Copy)]
pub struct Set<'a> {
    /// The variable that was found.
    pub name: &'a str,
    /// Its value, as it is: nothing is trimmed.
    pub value: &'a str,
}

/// A variable holds bytes that are not text.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not valid UTF-8")]
pub struct NotText(pub String);

impl Explain for NotText {
    fn code(&self) -> Code {
        Code::Environment
    }
    fn hints(&self) -> Vec<String> {
        vec![format!("set {} to plain text", self.0)]
    }
}

impl Env {
    /// The environment of this process.
    #[allow(clippy::disallowed_methods)]
    pub fn real() -> Self {
        std::env::vars_os().collect()
    }

    /// The same environment under this policy, which no variable overrides.
    pub fn under(self, policy: MachinePolicy) -> Self {
        Self { policy, ..self }
    }

    /// What the machine's administrator allows; everything, until a policy was read.
    pub fn policy(&self) -> &MachinePolicy {
        &self.policy
    }

    /// The first of `names` that is set and not blank.
    pub fn first<'a>(&'a self, names: &[&'a str]) -> Result<Option<Set<'a>>, NotText> {
        for &name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some(Set { name, value }));
            }
        }
        Ok(None)
    }

    /// The value of `name`, unless it is unset or blank.
    pub fn get(&self, name: &str) -> Result<Option<&str>, NotText> {
        match self.variables.get(OsStr::new(name)) {
            None => Ok(None),
            Some(value) => {
                let value = value.to_str().ok_or_else(|| NotText(name.to_owned()))?;
                Ok(Some(value).filter(|value| !value.trim().is_empty()))
            }
        }
    }

    /// Whether `name` is there at all, blank or not.
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(OsStr::new(name))
    }

    /// The variables whose names begin with `prefix`, if they are text and not blank.
    pub fn texts(&self, prefix: &'static str) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        texts.filter(move |(name, value)| name.starts_with(prefix) && !value.trim().is_empty())
    }

    /// The value of `name`, whatever it is.
    pub fn raw(&self, name: &OsStr) -> Option<&OsString> {
        self.variables.get(name)
    }

    /// All variables, for a command that is run.
    pub fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, policy: MachinePolicy::default() }
    }
}

/// What Go's `strconv.ParseBool` takes.
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_is_unset() {
        let env: Env = [("A", " "), ("B", "b")].into_iter().collect();
        assert!(env.has("A") && env.get("A").unwrap().is_none());
        assert_eq!(env.first(&["A", "B"]).unwrap().map(|set| set.name), Some("B"));
    }

    #[cfg(unix)]
    #[test]
    fn bytes_are_refused_by_name() {
        use std::os::unix::ffi::OsStringExt as _;
        let env: Env = [("A", OsString::from_vec(vec![0xff]))].into_iter().collect();
        assert_eq!(env.get("A").unwrap_err().to_string(), "A is not valid UTF-8");
    }
}
