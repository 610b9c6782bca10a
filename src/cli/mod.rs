//! Parses what is typed: arguments become a [`Parsed`]. `definition` makes clap's commands from the providers' tables
//! and the rows in [`options`]. It must not look at the environment.

use std::collections::HashMap;
use std::ffi::OsString;

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap_complete::Shell;

use crate::options::{self, Opt, Takes};
pub use definition::command;
pub(crate) use parsed::{Ask, Doctor, Flags, Parsed, RoleAt, Setup, Subject, Verb};
pub(crate) use read::PathRead;
use refusals::{positional, quiet};
pub(crate) use values::with_values;

pub(crate) mod again;
mod arguments;
mod definition;
mod doctor;
mod help;
mod parsed;
mod read;
mod refusals;
mod setup;
mod typed;
mod values;

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// On a terminal and in the log of a CI system.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What --color takes.
pub(crate) const WHENS: [(&str, When); 3] =
    [("auto", When::Auto), ("always", When::Always), ("never", When::Never)];

/// Parses the command line; clap's error is help, the version or a usage error.
pub fn parse(arguments: &[OsString]) -> Result<Parsed, clap::Error> {
    let mut command = command();
    let arguments = &typed::in_order(arguments, &command)[..];
    let matches = match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp && help::is_brief(arguments) => {
            let name = arguments.get(1).and_then(|word| word.to_str()).unwrap_or_default();
            let Some(text) = help::brief(&mut command, name) else { return Err(error) };
            let mut command = self::command().mut_subcommand(name, |command| command.override_help(text));
            return Err(command.try_get_matches_from_mut(arguments).err().unwrap_or(error));
        }
        Err(error) => {
            let error = typed::tip(error, arguments, &mut command);
            return Err(quiet(error, arguments, &mut command));
        }
    };
    let (name, matches) = matches
        .subcommand()
        .ok_or_else(|| command.error(ErrorKind::MissingSubcommand, "no command is given"))?;
    let text = |id: &str| matches.try_get_one::<String>(id).ok().flatten().cloned();
    let list = |id: &str| -> Vec<String> {
        matches.try_get_many(id).ok().flatten().into_iter().flatten().cloned().collect()
    };
    let mut told = |text: String| quiet(refusals::of(&mut command, name, text), arguments, &mut command);
    let verb = match (name, crate::provider::find(name)) {
        (_, Some(provider)) => Verb::Provider(Ask { provider, role: text("ROLE") }),
        ("read", _) => Verb::Read(read::parsed(matches, &["PATH", "NAME=FIELD"]).map_err(&mut told)?),
        ("env", _) => Verb::Env,
        ("login", _) => Verb::Login,
        ("revoke", _) => Verb::Revoke,
        ("scan", _) => {
            let paths = matches.try_get_many::<OsString>("PATHS").ok().flatten();
            Verb::Scan(paths.into_iter().flatten().cloned().collect())
        }
        ("status", _) => Verb::Status { json: text("report").as_deref() == Some("json") },
        ("doctor", _) => Verb::Doctor(doctor::parsed(matches).map_err(&mut told)?),
        ("setup", _) => Verb::Setup(Box::new(setup::parsed(matches).map_err(&mut told)?)),
        ("rotate", _) => Verb::Rotate,
        _ => {
            let shell = matches.get_one::<Shell>("SHELL").copied();
            Verb::Completions(shell.unwrap_or(Shell::Bash))
        }
    };
    let verb = match matches.try_get_one::<bool>("dry-run") {
        Ok(Some(true)) => Verb::Doctor(Doctor::of_run(verb)),
        _ => verb,
    };
    positional(&verb, &list("and")).map_err(|message| refusals::of(&mut command, name, message))?;
    let and = list("and")
        .iter()
        .map(|text| ask(text))
        .collect::<Result<_, String>>()
        .map_err(|message| refusals::of(&mut command, name, message))?;
    let words = matches.try_get_many::<OsString>("COMMAND").ok().flatten();
    let words: Vec<OsString> = words.into_iter().flatten().cloned().collect();
    if words.is_empty() && has_command(arguments) {
        // Printed credentials would end up in the log.
        return Err(command.error(ErrorKind::MissingRequiredArgument, "no command stands behind `--`"));
    }
    Ok(Parsed { verb, and, command: words, flags: flags(name, matches) })
}

/// The value of an option on a command line that may be invalid: the last one before `--`.
pub(crate) fn glance(arguments: &[OsString], option: &Opt) -> Option<String> {
    let flag = format!("--{}", option.name);
    let mut words = arguments.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--");
    let mut value = None;
    while let Some(word) = words.next() {
        match word.strip_prefix(&*flag) {
            Some("") => value = words.next().map(|next| next.into_owned()),
            Some(rest) if rest.starts_with('=') => value = Some(rest[1..].to_owned()),
            _ => {}
        }
    }
    value
}

/// Whether a command line, which may be invalid, has a command to run.
pub(crate) fn has_command(arguments: &[OsString]) -> bool {
    arguments.iter().any(|word| word == "--")
}

fn ask(text: &str) -> Result<Option<Ask>, String> {
    let (name, role) = match text.split_once('=') {
        Some((name, role)) => (name, Some(role.to_owned())),
        None => (text, None),
    };
    match (name, crate::provider::find(name)) {
        ("login", _) if role.is_none() => Ok(None),
        (_, Some(provider)) => Ok(Some(Ask { provider, role })),
        _ => Err(format!("--and takes PROVIDER, PROVIDER=ROLE or login, not `{text}`")),
    }
}

fn flags(command: &str, matches: &ArgMatches) -> Flags {
    let special = match (command, crate::provider::find(command)) {
        ("doctor" | "setup", _) => doctor::own(),
        (_, Some(provider)) => provider.options.iter().map(|option| option.opt).collect(),
        _ => Vec::new(),
    };
    let rows = options::FLAGS.iter().flat_map(|group| group.options).copied().chain(special);
    let mut flags = HashMap::new();
    for row in rows {
        let values = match row.takes {
            Takes::Count => {
                let count = matches.try_get_one::<u8>(row.name).ok().flatten().copied().unwrap_or(0);
                vec![String::new(); usize::from(count)]
            }
            _ => {
                let given = matches.try_get_many::<String>(row.name).ok().flatten();
                given.into_iter().flatten().cloned().collect()
            }
        };
        if !values.is_empty() {
            flags.insert(row.name, values);
        }
    }
    Flags(flags)
}

#[cfg(test)]
mod tests;
