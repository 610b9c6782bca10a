//! Accepts what people type out of habit: it moves global options and `help` to where clap looks for them, and answers
//! words that mean nothing with the words that do it. It must not change the meaning of a call that is valid.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::again::{self, shown};

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

/// The line as clap wants it: `help aws` and `man aws` are `aws --help`, `version` is `--version`, and options that
/// stand before the command go behind it.
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
        // Clap then says that there is no such command.
        ("help" | "man", 3) => drop(line.remove(1)),
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

/// Programs that jobs run: where one stands, a command begins.
const PROGRAMS: &[&str] = &[
    "ansible",
    "ansible-playbook",
    "aws",
    "bao",
    "bash",
    "cdk",
    "curl",
    "docker",
    "echo",
    "env",
    "exo",
    "git",
    "helm",
    "kubectl",
    "make",
    "node",
    "npm",
    "npx",
    "packer",
    "psql",
    "pulumi",
    "python",
    "python3",
    "rclone",
    "s3cmd",
    "scw",
    "sh",
    "terraform",
    "terragrunt",
    "tofu",
    "vault",
];

/// Whether a command seems to begin with this word.
pub(super) fn is_program(word: &str) -> bool {
    PROGRAMS.contains(&word) || word.ends_with(".sh") || word.starts_with("./")
}

/// Options of setup and doctor alone that open something, beside those that the table marks.
const OPENING: &[&str] = &["--unprotected", "--widen"];

/// Whether an option lets more in or checks less: no advice on a misspelt word names it.
fn opens(option: &str) -> bool {
    OPENING.contains(&option) || again::row(option).is_some_and(|row| row.opens)
}

/// Removes clap's advice, where it names an option that opens something.
fn close(error: &mut clap::Error, name: &str, command: &mut clap::Command) {
    let advised = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(advised)) => advised.clone(),
        _ => return,
    };
    if opens(&advised) {
        error.remove(ContextKind::SuggestedArg);
        // It has the advised option.
        if let Some(own) = command.find_subcommand_mut(name) {
            error.insert(ContextKind::Usage, ContextValue::StyledStr(own.render_usage()));
        }
    }
}

/// Clap's error with the tip that fits.
pub(super) fn tip(mut error: clap::Error, line: &[OsString], clap: &mut clap::Command) -> clap::Error {
    let Some(ContextValue::String(odd)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    if error.kind() == ErrorKind::InvalidValue && line.get(1).is_some_and(|word| word == "completions") {
        // Another shell is not a misspelt one.
        error.remove(ContextKind::SuggestedValue);
    }
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
    close(&mut error, command, clap);
    let known = OPTIONS
        .iter()
        .find(|(option, _)| *option == odd)
        .map(|(_, tip)| tip.replace("{command}", command).replace("{value}", &value_of(&odd, &words)));
    let has_command = words.len() + 1 < line.len();
    let own = clap.find_subcommand(command);
    let takes_command = !has_command
        && own.is_none_or(|own| own.get_arguments().any(|argument| argument.get_id() == "COMMAND"));
    let runs = words.iter().skip(1).take_while(|word| **word != odd).any(|word| is_program(word));
    let tip = match known {
        Some(tip) => tip,
        None if !takes_command || (odd.starts_with('-') && !runs) => {
            // Clap's own advice would put the dashes before a word that is no command.
            error.remove(ContextKind::Suggested);
            return error;
        }
        None if crate::provider::find(&odd).is_some() => {
            format!("another provider is asked for with --and: ci-creds {command} --and {odd}")
        }
        None => format!("a command to run stands behind `--`: {}", with_dashes(&words, &odd)),
    };
    error.remove(ContextKind::SuggestedArg);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// The call with `--` where the command begins: at a program that was taken for the role, else at `odd`.
fn with_dashes(words: &[String], odd: &str) -> String {
    let odd = words.iter().skip(1).position(|word| word == odd).map_or(1, |at| at + 1);
    let start = words.iter().take(odd).skip(1).position(|word| is_program(word)).map_or(odd, |at| at + 1);
    let (before, command) = words.split_at(start);
    let shown = |words: &[String]| words.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ");
    // Switches alone have nothing to do with it.
    let before = if before.iter().skip(1).all(|word| word.starts_with('-')) { &before[..1] } else { before };
    format!("ci-creds {} -- {}", shown(before), shown(command))
}

/// The word after an option, safe to print; `ROLE` where there is none.
fn value_of(option: &str, words: &[String]) -> String {
    let inline = words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
    let next = || words.iter().skip_while(|word| *word != option).nth(1).map(String::as_str);
    inline.or_else(next).map_or_else(|| "ROLE".to_owned(), shown)
}
