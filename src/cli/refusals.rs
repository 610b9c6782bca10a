//! Refuses words of a command line that may be secrets. It must not show any of them.

use std::ffi::OsString;

use clap::error::ErrorKind;

use super::{Ask, Doctor, Subject, Verb};
use crate::input::{Seems, seems};

/// An error that does not repeat what may be a secret: a key where its path belongs begins with dashes, and is then
/// an unknown option.
pub(super) fn quiet(error: clap::Error, arguments: &[OsString], command: &mut clap::Command) -> clap::Error {
    let said = error.to_string();
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let holds = |text: &str| text.split('=').find_map(seems).or_else(|| seems(text));
    let told = |text: &str| text.lines().any(|line| line.len() > 7 && said.contains(line));
    let found =
        words.filter_map(|word| holds(&word).filter(|_| told(&word) || word.split('=').any(told))).next();
    match found {
        Some(seems) => command.error(
            ErrorKind::InvalidValue,
            format!(
                "an argument holds {seems}, and is not shown: no secret is ever an argument; options take the path of a \
                 file, or - for standard input"
            ),
        ),
        None => error,
    }
}

/// A usage error of the command of this name, with its own Usage line.
pub(super) fn of(command: &mut clap::Command, name: &str, text: String) -> clap::Error {
    match command.find_subcommand_mut(name) {
        Some(own) => own.error(ErrorKind::InvalidValue, text),
        None => command.error(ErrorKind::InvalidValue, text),
    }
}

/// A variable that is not set leaves an empty word in quotes.
fn no_blank(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err(format!("{what} is empty: is the variable set?")) } else { Ok(()) }
}

/// What is typed where a role or a mount belongs: a UUID may be one.
fn no_content_but_uuid(what: &str, text: &str) -> Result<(), String> {
    if seems(text) == Some(Seems::Uuid) { Ok(()) } else { no_content(what, text) }
}

/// What is typed where a path or a name belongs.
fn no_content(what: &str, text: &str) -> Result<(), String> {
    match text.split('=').find_map(seems).or_else(|| seems(text)) {
        Some(seems) => Err(format!("{what} holds {seems}; it is not shown")),
        None => Ok(()),
    }
}

/// Checks all words that are not options.
pub(super) fn positional(verb: &Verb, and: &[String]) -> Result<(), String> {
    match verb {
        Verb::Provider(Ask { role: Some(role), .. }) => {
            no_blank("ROLE", role)?;
            no_content_but_uuid("ROLE", role)?;
        }
        Verb::Read(paths) => {
            for one in paths {
                no_blank("PATH", &one.path)?;
                no_content("PATH", &one.path)?;
                one.names.iter().try_for_each(|name| no_content("NAME=FIELD", name))?;
            }
        }
        Verb::Doctor(Doctor { subject: Subject::Run(verb), .. }) => positional(verb, &[])?,
        Verb::Doctor(Doctor { subject: Subject::Audit(mount), .. }) => no_content_but_uuid("--audit", mount)?,
        Verb::Setup(setup) => positional(&setup.run, &[])?,
        Verb::Doctor(Doctor { subject: Subject::Role(at), .. }) => {
            no_content_but_uuid("the role's mount", &at.mount)?;
            no_content_but_uuid("the role's name", &at.name)?;
        }
        _ => {}
    }
    and.iter().try_for_each(|ask| match ask.split_once('=') {
        Some((provider, role)) => {
            no_blank("the role behind --and", role)?;
            no_content("--and", provider).and_then(|()| no_content_but_uuid("--and", role))
        }
        None => no_content("--and", ask),
    })
}
