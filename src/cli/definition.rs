//! The command line as clap has it: for parsing, --help, completions and the man page. It must not repeat what the
//! providers' tables and the rows in [`options`] say.

use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;

use super::arguments::{arg, dry_run, env, groups, listed, report, with_and};
use super::help::with_examples;
use super::{doctor, read, setup};
use crate::options;
use crate::provider::PROVIDERS;

/// Adds a command's arguments; it is called when they are needed.
type Arguments = fn(Command) -> Command;

/// The commands that are not a cloud's: the name, what it does, and its arguments.
const COMMANDS: &[(&str, &str, Arguments)] = &[
    ("read", "Read any path of any engine", |command| with_examples(read_options(command))),
    ("env", "Resolve the references in the job's variables", |command| with_examples(env_options(command))),
    ("login", "Hand over the Vault token itself", |command| with_examples(login_options(command))),
    ("revoke", "Take back what the job was given", |command| with_examples(revoke_options(command))),
    ("scan", "Look for the credentials in what the job leaves behind", |command| {
        with_examples(scan_options(command))
    }),
    ("status", "Tell what the state file lists, and whether it still lives", |command| {
        with_examples(status_options(command))
    }),
    ("doctor", "Find out why a run or a role does not work", |command| {
        with_examples(doctor::options(command))
    }),
    ("setup", "Print what Vault needs for a run, with no more rights than that", |command| {
        with_examples(setup::options(command))
    }),
    ("rotate", "Replace the issuing token in a GitLab variable", |command| {
        with_examples(rotate_options(command))
    }),
    ("completions", "Print the completions of a shell", |command| {
        with_examples(completions_options(command))
    }),
];

/// The whole command line, for parsing, help and completions.
pub fn command() -> Command {
    let mut command = Command::new("ci-creds")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Short-lived cloud credentials for GitLab CI jobs, from Vault or OpenBao")
        .long_about(
            "Short-lived cloud credentials for GitLab CI jobs, from Vault or OpenBao.\n\n    \
             eval \"$(ci-creds exoscale)\"\n    \
             ci-creds exoscale -- packer build hello.json",
        )
        .after_long_help(
            "Options with [env: …] in `ci-creds COMMAND --help` can come from that variable; the flag wins.\n\
             Each VAULT_X may be given as BAO_X, which comes first.\n\n\
             exit codes: 1 a bug, 2 usage, 3 environment or configuration, 4 refused, 5 unreachable, 6 output,\n\
             7 credentials found",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .max_term_width(100);
    for provider in PROVIDERS {
        command = command.subcommand(
            Command::new(provider.name)
                .about(provider.about)
                .defer(|command| with_examples(provider_options(command))),
        );
    }
    for &(name, about, options) in COMMANDS {
        command = command.subcommand(Command::new(name).about(about).defer(options));
    }
    command
}

fn completions_options(command: Command) -> Command {
    command.arg(Arg::new("SHELL").required(true).value_parser(shell()))
}

/// The shells whose completions are tested; clap_complete knows more.
fn shell() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|name| name.parse::<Shell>())
}

fn provider_options(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let own = format!("CI_CREDS_{}_ROLE", options::env_suffix(&name));
    let variables = env(&[own.as_str(), "CI_CREDS_ROLE", "VAULT_AUTH_ROLE"]);
    let role =
        Arg::new("ROLE").value_hint(ValueHint::Other).help(format!("The role in the engine {variables}"));
    let mut command = with_and(command.arg(role)).arg(dry_run());
    if let Some(provider) = crate::provider::find(&name).filter(|provider| !provider.options.is_empty()) {
        command = command.next_help_heading(provider.title);
        for option in provider.options {
            command = command.arg(arg(option.opt, Some(&name)));
        }
    }
    // Only the role in Vault decides how long this cloud's keys live. --help does not list --ttl then, and an error
    // explains it.
    let fixed = crate::provider::find(&name).is_some_and(|provider| provider.takes_no_ttl());
    groups(command, Some(&name), &[&options::ENGINE], options::COMMON)
        .mut_arg("ttl", |ttl| ttl.hide(fixed))
        .after_long_help(formats(Some(&name)))
}

fn read_options(command: Command) -> Command {
    let command = command.args(read::arguments());
    groups(with_and(command).arg(dry_run()), None, &[&options::READ], options::COMMON)
        .after_long_help(formats(None))
}

fn env_options(command: Command) -> Command {
    let command = command.long_about(
        "Resolve the references in the job's variables: a variable whose whole value is vault:PATH#FIELD gets that \
         field, vault-file:PATH#FIELD the path of a file with it. vault:PATH#FIELD#VERSION names a version of KV \
         version 2, vault:PATH?KEY=VALUE#FIELD sends a parameter along, and vault::TEXT is the text vault:TEXT. \
         CI_…, GITLAB_… and whatever else outsiders may write is never taken for a reference.",
    );
    groups(with_and(command).arg(dry_run()), None, &[&options::ENV], options::COMMON)
        .after_long_help(formats(None))
}

fn login_options(command: Command) -> Command {
    groups(with_and(command).arg(dry_run()), None, &[], options::COMMON).after_long_help(formats(None))
}

/// The formats that `provider`, or any command, can use.
fn formats(provider: Option<&str>) -> String {
    let all = crate::emit::FORMATS.iter();
    let fitting = all.filter(|format| format.provider.is_none() || format.provider == provider);
    listed(fitting.map(|format| (format.name, format.about)))
}

/// What reads the state file: how Vault is reached, and where the file is, whose default is not that of a run.
fn with_state_file(command: Command, lists: &str) -> Command {
    groups(command, None, &[], &[&options::VAULT]).mut_arg("state-file", |file| {
        let variable = env(&["CI_CREDS_STATE_FILE"]);
        file.help(format!("The file that lists what {lists} {variable} [default: auto]"))
    })
}

/// A line of the state file says how its server is reached. A secret that is not in the line goes only where these
/// options lead.
fn revoke_options(command: Command) -> Command {
    let rows =
        [&options::STATE_FILE, &options::BEST_EFFORT, &options::QUIET, &options::COLOR, &options::VERBOSE];
    let command = command.args(rows.map(|row| arg(row, None)));
    with_state_file(command, "is to be taken back")
}

/// It needs the lines of the state file, and what `revoke` needs for `--revoke`.
fn scan_options(command: Command) -> Command {
    let paths = Arg::new("PATHS")
        .value_name("PATH")
        .required(true)
        .num_args(1..)
        .value_parser(clap::value_parser!(OsString))
        .value_hint(ValueHint::AnyPath)
        .help("What becomes an artifact, a cache or a report: files and folders");
    let rows =
        [&options::REVOKE_FOUND, &options::STATE_FILE, &options::QUIET, &options::COLOR, &options::VERBOSE];
    let command = command.arg(paths).args(rows.map(|row| arg(row, None))).long_about(
        "Look for the credentials in what the job leaves behind: the exact values that it was given, as they are, in \
         base64, percent-encoded or escaped, in files and in gzip, tar and zip. The values are those of this shell's \
         variables, by the names in the state file. A find is exit code 7; the values are never shown.",
    );
    with_state_file(command, "the job was given")
}

/// As for `revoke`; it changes nothing.
fn status_options(command: Command) -> Command {
    let rows = [&options::STATE_FILE, &options::QUIET, &options::COLOR, &options::VERBOSE];
    let command = command.arg(report()).args(rows.map(|option| arg(option, None)));
    with_state_file(command, "is to be taken back")
}

/// `rotate` hands no credentials over: of the output options it has only those of the log.
fn rotate_options(command: Command) -> Command {
    let command = groups(command, None, &[&options::ROTATE], &[&options::VAULT, &options::LOGIN]);
    let log = [&options::QUIET, &options::COLOR, &options::VERBOSE];
    command.next_help_heading(options::OUTPUT.heading).args(log.map(|option| arg(option, None)))
}
