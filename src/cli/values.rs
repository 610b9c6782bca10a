//! The values that completions offer. Parsing must not look at them: `config` judges a value, wherever it comes from.

use clap::Command;
use clap::builder::PossibleValuesParser;

use super::WHENS;
use crate::auth::METHODS;
use crate::cloud::aws::SOURCES;
use crate::emit::FORMATS;
use crate::provider::PROVIDERS;

/// The command line with the values of its options and arguments.
pub(crate) fn with_values() -> Command {
    let mut command = super::command();
    command.build();
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |command| {
            command.mut_args(|argument| {
                let plain = argument.get_help().map(|help| help.to_string().replace('\u{a0}', " "));
                let argument = match plain {
                    Some(help) => argument.help(help),
                    None => argument,
                };
                match values(argument.get_id().as_str()) {
                    Some(values) => argument.value_parser(PossibleValuesParser::new(values)),
                    None => argument,
                }
            })
        });
    }
    command
}

/// What belongs behind this option, or is this argument.
fn values(id: &str) -> Option<Vec<&'static str>> {
    let clouds = || PROVIDERS.iter().map(|provider| provider.name);
    Some(match id {
        "format" => FORMATS.iter().map(|format| format.name).collect(),
        "auth" => METHODS.iter().map(|method| method.name).collect(),
        "aws-source" => SOURCES.iter().map(|source| source.name).collect(),
        "color" => WHENS.iter().map(|(name, _)| *name).collect(),
        "kv-version" => vec!["1", "2"],
        "and" => clouds().chain(["login"]).collect(),
        "SUBJECT" => clouds().chain(["login", "read", "env"]).collect(),
        _ => return None,
    })
}
