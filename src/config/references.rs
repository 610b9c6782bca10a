//! `env`: which variables hold references, and the requests that they make. It must not take a reference from a
//! variable that somebody outside the project can write, nor from one that logs in.

use super::lookup::{Lookup, Sourced};
use super::{Error, names};
use crate::cli::{Parsed, Verb};
use crate::env::Env;
use crate::options;
use crate::provider::{Request, Wanted};
use crate::reference::{self, Reference, Value};

/// How the names of variables begin that log in or set ci-creds up.
const OURS: &[&str] = &["VAULT_", "BAO_", "CI_CREDS_"];

/// What the environment holds.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// The variables that hold a reference, by name.
    pub(crate) found: Vec<(String, Reference)>,
    /// Texts whose escape is taken off.
    pub(crate) escaped: Vec<(String, String)>,
}

impl References {
    /// Whether no variable holds a reference.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// One request for each path and version: what belongs together comes from one answer.
    pub(super) fn requests(&self) -> Vec<Request> {
        let mut groups: Vec<(&Reference, Vec<Wanted>)> = Vec::new();
        for (name, reference) in &self.found {
            let wanted = Wanted { name: name.clone(), field: reference.field.clone(), file: reference.file };
            match groups.iter_mut().find(|(first, _)| first.is_same_answer(reference)) {
                Some((_, group)) => group.push(wanted),
                None => groups.push((reference, vec![wanted])),
            }
        }
        let request = |(first, wanted): (&Reference, Vec<Wanted>)| {
            Request::referenced(first.path.clone(), wanted, first.parameters.clone())
        };
        groups.into_iter().map(request).collect()
    }
}

/// Selects the variables that may hold references.
struct Choice {
    only: Vec<String>,
    except: Vec<String>,
    required: bool,
}

impl Choice {
    fn of(lookup: &Lookup<'_>) -> Result<Self, Error> {
        // `$A,$B`, where both are empty, names nothing: without this it would choose everything.
        let names = |opt| {
            let list = lookup.list(opt)?;
            let found = if list.is_empty() { lookup.text(opt)? } else { None };
            match found {
                Some(Sourced { source: source_name, by_flag, .. }) => {
                    Err(Error::Value { source_name, wanted: "names, with commas between them", by_flag })
                }
                None => Ok(list),
            }
        };
        let choice = Self {
            only: names(&options::ONLY)?,
            except: names(&options::EXCEPT)?,
            required: lookup.switch(&options::REQUIRE)?,
        };
        match choice.only.iter().find(|name| never(name)) {
            Some(name) => Err(Error::NeverReference { name: name.clone() }),
            None => Ok(choice),
        }
    }

    fn includes(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|one| one == name);
        !never(name) && (self.only.is_empty() || listed(&self.only)) && !listed(&self.except)
    }
}

/// Whether a variable is never taken for a reference, whatever it holds.
fn never(name: &str) -> bool {
    crate::ci::current().sets(name) || is_ours(name)
}

fn is_ours(name: &str) -> bool {
    OURS.iter().any(|start| name.starts_with(start))
}

/// The references of the environment, sorted by the variables' names; none, unless the command is `env`. It warns of
/// suspicious variables, so that it must be called only once in a run.
pub(super) fn all(parsed: &Parsed, lookup: &Lookup<'_>) -> Result<References, Error> {
    if !matches!(parsed.verb, Verb::Env) {
        return Ok(References::default());
    }
    let choice = Choice::of(lookup)?;
    let (format, any_name) = (names::reader(parsed, lookup)?, lookup.switch(&options::ALLOW_ANY_NAME)?);
    let mut references = References::default();
    let mut variables: Vec<(&str, &str)> = lookup.env.texts("").collect();
    variables.sort_unstable();
    // `NOTES: $CI_COMMIT_MESSAGE` has an outsider's text under a name of the project's own.
    let sets = |name: &str| crate::ci::current().sets(name);
    let texts: Vec<_> = variables.iter().filter(|(name, _)| sets(name)).copied().collect();
    let repeats =
        |value: &str| texts.iter().find(|(_, text)| text.trim() == value.trim()).map(|(name, _)| *name);
    for (name, value) in variables {
        let given = value;
        let value = reference::parse(value);
        if !choice.includes(name) {
            // Outsiders can write CI_… variables. One of ci-creds' own was set on purpose, so that a warning is due.
            if matches!(value, Ok(Value::Reference(_))) && is_ours(name) {
                tracing::warn!("{name} holds a reference: variables that log in are not resolved");
            }
            continue;
        }
        if !matches!(value, Ok(Value::Plain))
            && choice.only.is_empty()
            && let Some(other) = repeats(given)
        {
            return Err(Error::RepeatedReference { name: name.to_owned(), other: other.to_owned() });
        }
        match value.map_err(|fault| Error::Reference { name: name.to_owned(), fault })? {
            Value::Plain => {}
            Value::Foreign(start) => {
                tracing::warn!("{name} begins with {start}, another tool's reference: it is left as it is");
            }
            Value::Escaped(text) => references.escaped.push((name.to_owned(), text)),
            Value::Reference(reference) => {
                names::check(name, &format, any_name)?;
                references.found.push((name.to_owned(), reference));
            }
        }
    }
    let missing = choice.only.iter().find(|name| lookup.env.raw(name.as_ref()).is_none());
    match missing {
        Some(name) if choice.required => return Err(Error::OnlyUnset { name: name.clone() }),
        Some(name) => tracing::warn!("--only names {name}, which is not set"),
        None => {}
    }
    if references.is_empty() && choice.required {
        return Err(Error::NoReference);
    }
    Ok(references)
}

/// The variables that hold another tool's reference, with its beginning, sorted by name.
pub(crate) fn foreign(env: &Env) -> Vec<(String, &'static str)> {
    let start = |value| match reference::parse(value) {
        Ok(Value::Foreign(start)) => Some(start),
        _ => None,
    };
    let mut found: Vec<_> =
        env.texts("").filter_map(|(name, value)| Some((name.to_owned(), start(value)?))).collect();
    found.sort_unstable();
    found
}

/// The variables that a failure unsets: those that hold a reference, as far as the environment tells.
pub(super) fn variables(lookup: &Lookup<'_>) -> Vec<String> {
    let Ok(choice) = Choice::of(lookup) else { return Vec::new() };
    let holds = |value| matches!(reference::parse(value), Ok(Value::Reference(_)) | Err(_));
    let all = lookup.env.texts("").filter(|(name, value)| choice.includes(name) && holds(value));
    let mut names: Vec<String> =
        all.map(|(name, _)| name.to_owned()).filter(|name| names::may_unset(name)).collect();
    names.sort_unstable();
    names
}
