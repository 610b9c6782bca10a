//! Accepts what people type out of habit: it moves global options and `help` to where clap looks for them, and answers
//! words that mean nothing with the words that do it. It must not change the meaning of a call that is valid.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::again::shown;

/// An option of other tools, and what does it here. `{command}` is the command that was typed, `{value}` what stood
/// behind the option.
const OPTIONS: &[(&str, &str)] = &[
    ("--role", "the role is an argument: ci-creds {command} {value}"),
    ("--json", "write --format json"),
    ("--token", "no secret is ever an argument: set VAULT_TOKEN"),
    (
        "--secret-id",
        "no secret is ever an argument: set VAULT_SECRET_ID, or name its file with --secret-id-file",
    ),
    (
        "--id-token",
        "no secret is ever an argument: set VAULT_ID_TOKEN, or name its file with --id-token-file",
    ),
    ("--address", "write --addr, or set VAULT_ADDR"),
    ("--vault-addr", "write --addr, or set VAULT_ADDR"),
    ("--duration", "write --ttl"),
    ("--exec", "a command to run stands behind `--`: ci-creds {command} -- terraform apply"),
    ("--debug", "write -v, or -vv"),
];

/// The line as clap wants it: `help aws` and `man aws` are `aws --help`, `version` is `--version`, and options that stand
/// before the command go behind it.
pub(super) fn in_order(arguments: &[OsString], command: &clap::Command) -> Vec<OsString> {
    let mut line = arguments.to_vec();
    let is_command = |word: &OsString| {
        word.to_str().is_some_and(|word| command.get_subcommands().any(|one| one.get_name() == word))
    };
    let first = arguments.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    match (first, arguments.len()) {
        ("help" | "man", 2) => line[1] = "--help".into(),
        ("help" | "man", 3) if is_command(&line[2]) => {
            line[1] = std::mem::replace(&mut line[2], "--help".into());
        }
        ("version", 2) => line[1] = "--version".into(),
        _ if first.starts_with('-') && first != "--" => {
            if let Some(at) = command_at(arguments, command, is_command) {
                line[1..=at].rotate_right(1);
            }
        }
        _ => {}
    }
    line
}

/// Where the command stands behind options, their values left out.
fn command_at(
    arguments: &[OsString],
    command: &clap::Command,
    is_command: impl Fn(&OsString) -> bool,
) -> Option<usize> {
    let mut command = command.clone();
    command.build();
    let mut at = 1;
    while let Some(word) = arguments.get(at).filter(|word| *word != "--") {
        let text = word.to_string_lossy();
        if !text.starts_with('-') {
            return is_command(word).then_some(at);
        }
        at += if takes_next(&command, &text) { 2 } else { 1 };
    }
    None
}

/// Whether this option of any command takes the next word as its value.
fn takes_next(command: &clap::Command, word: &str) -> bool {
    let Some(name) = word.strip_prefix("--") else { return false };
    let mut all = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let option = all.find(|option| option.get_long() == Some(name));
    option.is_some_and(|option| option.get_action().takes_values() && !option.is_require_equals_set())
}

/// Clap's error with the tip that fits.
pub(super) fn tip(mut error: clap::Error, line: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(odd)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let words: Vec<String> = line
        .iter()
        .skip(1)
        .take_while(|word| *word != "--")
        .map(|word| word.to_string_lossy().into())
        .collect();
    let Some(command) = words.first() else { return error };
    let known = OPTIONS
        .iter()
        .find(|(option, _)| *option == odd)
        .map(|(_, tip)| tip.replace("{command}", command).replace("{value}", &value_of(&odd, &words)));
    let has_command = words.len() + 1 < line.len();
    let tip = match known {
        Some(tip) => tip,
        None if odd.starts_with('-') || has_command => return dashes(error, has_command),
        None if crate::provider::find(&odd).is_some() => {
            format!("another provider is asked for with --and: ci-creds {command} --and {odd}")
        }
        None => {
            let own = words.iter().skip(1).skip_while(|word| word.starts_with('-'));
            let own: Vec<_> = own.map(|word| shown(word)).collect();
            format!("a command to run stands behind `--`: ci-creds {command} -- {}", own.join(" "))
        }
    };
    error.remove(ContextKind::SuggestedArg);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// `ci-creds exoscale terraform -v`: clap's own advice would put the dashes into the middle of the command.
fn dashes(mut error: clap::Error, has_command: bool) -> clap::Error {
    if error.get(ContextKind::Suggested).is_some() && !has_command {
        let tip = "a command to run stands behind `--`: ci-creds exoscale -- terraform apply".into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// The word after an option, safe to print; `ROLE` where there is none.
fn value_of(option: &str, words: &[String]) -> String {
    let inline = words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
    let next = || words.iter().skip_while(|word| *word != option).nth(1).map(String::as_str);
    inline.or_else(next).map_or_else(|| "ROLE".to_owned(), shown)
}
