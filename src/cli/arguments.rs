//! Makes clap's arguments from the rows in `options`. It must not read the environment.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::options::{Group, Opt, Takes, Variables};

pub(super) fn with_and(command: Command) -> Command {
    let command = command.arg(
        Arg::new("COMMAND")
            .last(true)
            .num_args(1..)
            .value_parser(clap::value_parser!(OsString))
            .help("Run this with the credentials, and take them back when it has ended"),
    );
    command.arg(and())
}

pub(super) fn and() -> Arg {
    Arg::new("and")
        .long("and")
        .value_name("PROVIDER[=ROLE]")
        .action(ArgAction::Append)
        .help("Another provider, or `login`, with the same login; all or nothing")
}

pub(super) fn groups(
    mut command: Command,
    provider: Option<&str>,
    special: &[&Group],
    common: &[&Group],
) -> Command {
    for group in special.iter().chain(common) {
        command = command.next_help_heading(group.heading);
        for &option in group.options {
            // doctor has the options of clouds and of read: an option of both is added once.
            if command.get_arguments().any(|known| known.get_id() == option.name) {
                continue;
            }
            command = command.arg(arg(option, provider).hide_short_help(group.only_in_long_help));
        }
    }
    command
}

/// A switch that is an argument of one command alone.
pub(super) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// An option with a value that is an argument of one command alone.
pub(super) fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// The formats that --help lists, each with what it is for.
pub(super) fn listed(formats: impl Iterator<Item = (&'static str, &'static str)>) -> String {
    formats.fold("Formats:".to_owned(), |text, (name, about)| format!("{text}\n  {name}\n          {about}"))
}

/// --format of a report, which is not that of the credentials.
pub(super) fn report() -> Arg {
    value("report", "FORMAT", "How to write the report")
        .long("format")
        .value_parser(["plain", "json"])
        .default_value("plain")
}

/// The words after the subject of a command that is called like a run.
pub(super) fn rest() -> Arg {
    Arg::new("REST")
        .value_name("ROLE")
        .num_args(1..)
        .value_hint(ValueHint::Other)
        .help("The role in the provider's engine; for `read`, PATH NAME=FIELD…")
}

/// What completions offer.
fn hint(value_name: &str) -> ValueHint {
    match value_name {
        "FILE" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        _ => ValueHint::Other,
    }
}

/// The variables of an option, held together until the text is printed.
pub(super) fn env(variables: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = variables.iter().map(AsRef::as_ref).collect();
    format!("[env:\u{a0}{}]", names.join(",\u{a0}"))
}

/// --dry-run: doctor looks at the run instead.
pub(super) fn dry_run() -> Arg {
    switch("dry-run", "Issue and run nothing: look at each step instead, as `ci-creds doctor` does")
}

pub(super) fn arg(option: &Opt, provider: Option<&str>) -> Arg {
    let variables: Vec<String> = option
        .variables(provider)
        .into_iter()
        .filter(|name| !matches!(option.variables, Variables::Vault(_)) || name.starts_with("VAULT_"))
        .collect();
    let help = if variables.is_empty() {
        option.help.to_owned()
    } else {
        format!("{} {}", option.help, env(&variables))
    };
    let arg = Arg::new(option.name).long(option.name).help(help);
    let arg = match option.short {
        Some(letter) => arg.short(letter),
        None => arg,
    };
    match option.takes {
        Takes::Value(name) => arg.value_name(name).value_hint(hint(name)),
        Takes::Values(name) => arg.value_name(name).value_hint(hint(name)).action(ArgAction::Append),
        Takes::Switch => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
        }
        Takes::Count => arg.action(ArgAction::Count),
        Takes::Variable(_) => arg,
    }
}
