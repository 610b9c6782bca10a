//! `ci-creds doctor`: checks a run step by step ([`run`]), or compares a role of an auth method with a token's claims
//! ([`role`]). The steps are those of [`crate::session`]; it must not log in or issue in a way of its own.

pub(crate) mod audit;
pub(crate) mod report;
pub(crate) mod role;
pub(crate) mod run;

mod signature;

use std::time::Duration;

use crate::claims::role::Role;
use crate::duration::show;
use crate::error::{Code, Explain, causes, chain};
use crate::vault;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// It works, but should be improved.
    Warn,
    /// The run fails at this step.
    Fail,
    /// Not checked.
    Skip,
}

/// One step: a line of the report, or a few.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Stable, for scripts: `login`, `policy`, …
    pub id: &'static str,
    /// How it went.
    pub status: Status,
    /// What was seen; one line each.
    pub seen: Vec<String>,
    /// The flag, variable or path that it comes from.
    pub source: Option<String>,
    /// What to do; one line each.
    pub hints: Vec<String>,
    /// The exit code of a failure.
    pub code: Code,
    /// What was not checked, and how it can be: a report without faults names it at its end.
    pub unchecked: Option<String>,
    /// Whether Vault may lack what the run needs: then `setup` prints it.
    pub absent: bool,
}

impl Step {
    fn new(id: &'static str, status: Status, seen: impl Into<String>) -> Self {
        let seen = vec![seen.into()];
        Self {
            id,
            status,
            seen,
            source: None,
            hints: Vec::new(),
            code: Code::Refused,
            unchecked: None,
            absent: false,
        }
    }

    /// As it should be.
    pub(crate) fn ok(id: &'static str, seen: impl Into<String>) -> Self {
        Self::new(id, Status::Ok, seen)
    }

    /// A step that was not checked, and why.
    pub(crate) fn skip(id: &'static str, why: impl Into<String>) -> Self {
        Self::new(id, Status::Skip, why)
    }

    /// A step that works but should be improved. Under --strict it ends with code 4, unless [`Self::code`] says otherwise.
    pub(crate) fn warn(id: &'static str, seen: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(id, Status::Warn, seen).hint(hint)
    }

    /// The run fails at this step.
    pub(crate) fn fail(id: &'static str, code: Code, seen: impl Into<String>) -> Self {
        Self { code, ..Self::new(id, Status::Fail, seen) }
    }

    /// The run fails at this step, with an error that has hints.
    pub(crate) fn failed(id: &'static str, error: &dyn Explain) -> Self {
        let mut seen = vec![error.to_string()];
        seen.extend(causes(error.source()).map(ToString::to_string));
        seen.extend(error.notes());
        Self { seen, hints: error.hints(), ..Self::fail(id, error.code(), "") }
    }

    /// Not looked at, because a front before Vault forbids the look.
    pub(crate) fn not_told(id: &'static str, error: &vault::Error) -> Self {
        Self::skip(id, format!("not told: {}", chain(error)))
    }

    /// Adds a line.
    pub(crate) fn line(mut self, seen: impl Into<String>) -> Self {
        self.seen.push(seen.into());
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds where it comes from.
    pub(crate) fn from(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what was not looked at.
    fn unchecked(mut self, what: impl Into<String>) -> Self {
        self.unchecked = Some(what.into());
        self
    }

    /// Whether Vault may lack what the run needs: the report then ends with the call of `setup`.
    fn absent(self, absent: bool) -> Self {
        Self { absent, ..self }
    }

    /// The exit code of a warning under --strict.
    fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }
}

/// A role's field that holds seconds, for people.
fn ttl(role: &Role, field: &str) -> String {
    match role.number(field) {
        seconds @ 1.. => show(Duration::from_secs(seconds.unsigned_abs())),
        _ => "not set".to_owned(),
    }
}

/// A line of a policy, as it is written there; it may be broken at any blank.
fn policy_line(what: &str, path: &str, capability: &str) -> String {
    format!("{what}: {}", vault::policy(path, capability))
}
