//! What may be typed, and nothing else: arguments become a [`Parsed`], without a look at the environment.
//! Provider commands are made from the providers' tables, options from the rows in [`options`].

use std::collections::HashMap;
use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::Shell;

use crate::provider::{PROVIDERS, Provider};
use options::{Group, Opt, Takes, Variables};

mod doctor;
pub mod options;

/// What is to be done.
#[derive(Debug)]
pub enum Verb {
    /// `exoscale [ROLE]` and its like.
    Provider(Ask),
    /// `read PATH NAME=FIELD…`.
    Read {
        /// The path, mount included.
        path: String,
        /// As typed: `NAME=FIELD`.
        names: Vec<String>,
    },
    /// `login`.
    Login,
    /// `revoke`.
    Revoke,
    /// `doctor [PROVIDER] [ROLE]`, `doctor auth/MOUNT/role/NAME`.
    Doctor(Doctor),
    /// `rotate`.
    Rotate,
    /// `completions SHELL`.
    Completions(Shell),
}

/// What doctor is to look at, and how.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The run, or the role.
    pub subject: Subject,
    /// Whether one credential is issued and revoked.
    pub issue: bool,
    /// Whether a warning fails.
    pub strict: bool,
    /// Whether the report is JSON.
    pub json: bool,
    /// Claims as JSON, or `-`.
    pub claims: Option<String>,
    /// The claims line that a job printed, or `-`.
    pub from_job: Option<String>,
}

/// What doctor looks at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A run: a provider's, or the login alone.
    Run(Option<Ask>),
    /// A role of an auth method.
    Role {
        /// The mount, without `auth/`.
        mount: String,
        /// Its name.
        name: String,
    },
}

/// One provider, and the role to ask it for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its table.
    pub provider: &'static Provider,
    /// The role as typed.
    pub role: Option<String>,
}

/// A command line that makes sense by itself.
#[derive(Debug)]
pub struct Parsed {
    /// The command.
    pub verb: Verb,
    /// `--and PROVIDER[=ROLE]`, in order; `None` stands for `login`.
    pub and: Vec<Option<Ask>>,
    /// What stands behind `--`: the command to run; empty where the credentials are printed.
    pub command: Vec<OsString>,
    /// The options that were given.
    pub flags: Flags,
}

/// The options that were given, as text.
#[derive(Debug, Default, Clone)]
pub struct Flags(HashMap<&'static str, Vec<String>>);

impl Flags {
    /// The value of an option that is given once.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    /// All values of an option.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&'static str, &str)]) -> Self {
        let mut flags = Self::default();
        for (name, value) in pairs {
            flags.0.entry(name).or_default().push((*value).to_owned());
        }
        flags
    }
}

/// Parses the command line; clap's error is help, the version or a usage error.
pub fn parse(arguments: &[OsString]) -> Result<Parsed, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let (name, matches) = matches
        .subcommand()
        .ok_or_else(|| command.error(clap::error::ErrorKind::MissingSubcommand, "no command is given"))?;
    let text = |id: &str| matches.try_get_one::<String>(id).ok().flatten().cloned();
    let list = |id: &str| -> Vec<String> {
        matches.try_get_many(id).ok().flatten().into_iter().flatten().cloned().collect()
    };
    let verb = match (name, crate::provider::find(name)) {
        (_, Some(provider)) => Verb::Provider(Ask { provider, role: text("ROLE") }),
        ("read", _) => Verb::Read { path: text("PATH").unwrap_or_default(), names: list("NAME=FIELD") },
        ("login", _) => Verb::Login,
        ("revoke", _) => Verb::Revoke,
        ("doctor", _) => {
            let doctor = doctor::parsed(matches);
            Verb::Doctor(doctor.map_err(|text| command.error(clap::error::ErrorKind::InvalidValue, text))?)
        }
        ("rotate", _) => Verb::Rotate,
        _ => {
            let shell = matches.get_one::<Shell>("SHELL").copied();
            Verb::Completions(shell.unwrap_or(Shell::Bash))
        }
    };
    let and = list("and")
        .iter()
        .map(|text| ask(text))
        .collect::<Result<_, String>>()
        .map_err(|message| command.error(clap::error::ErrorKind::InvalidValue, message))?;
    let words = matches.try_get_many::<OsString>("COMMAND").ok().flatten();
    let words: Vec<OsString> = words.into_iter().flatten().cloned().collect();
    if words.is_empty() && has_command(arguments) {
        // Printed, the credentials would end up in the log.
        return Err(command.error(ErrorKind::MissingRequiredArgument, "no command stands behind `--`"));
    }
    Ok(Parsed { verb, and, command: words, flags: flags(name, matches) })
}

/// Whether a command is to be run, as far as a line that may not make sense tells.
pub fn has_command(arguments: &[OsString]) -> bool {
    arguments.iter().any(|word| word == "--")
}

/// The whole command line, for parsing, help and completions.
pub fn command() -> Command {
    let mut command = Command::new("ci-creds")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Short-lived cloud credentials for GitLab CI jobs, from Vault or OpenBao")
        .long_about(
            "Short-lived cloud credentials for GitLab CI jobs, from Vault or OpenBao.\n\n    \
             eval $(ci-creds exoscale)\n    \
             ci-creds exoscale -- packer build hello.json",
        )
        .after_help(
            "Every option can come from a variable, named [env: …] in `ci-creds COMMAND --help`; the flag wins.\n\
             Each VAULT_X may be given as BAO_X, which comes first.\n\n\
             exit codes: 1 a bug, 2 usage, 3 environment or configuration, 4 refused, 5 unreachable, 6 output",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .max_term_width(100);
    for provider in PROVIDERS {
        command =
            command.subcommand(Command::new(provider.name).about(provider.about).defer(provider_options));
    }
    command
        .subcommand(Command::new("read").about("Read any path of any engine").defer(read_options))
        .subcommand(Command::new("login").about("Hand over the Vault token itself").defer(login_options))
        .subcommand(Command::new("revoke").about("Take back what the job was given").defer(revoke_options))
        .subcommand(
            Command::new("doctor").about("Find out why a run or a role does not work").defer(doctor::options),
        )
        .subcommand(
            Command::new("rotate")
                .about("Replace the issuing token in a GitLab variable")
                .defer(rotate_options),
        )
        .subcommand(
            Command::new("completions")
                .about("Print the completions of a shell")
                .arg(Arg::new("SHELL").required(true).value_parser(shell())),
        )
}

/// The shells whose completions are tested; clap_complete knows more.
fn shell() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|name| name.parse::<Shell>())
}

fn provider_options(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let mut command = command.arg(Arg::new("ROLE").help(format!(
        "The role in the engine [env: CI_CREDS_{}_ROLE, CI_CREDS_ROLE, VAULT_AUTH_ROLE]",
        options::shout(&name)
    )));
    if let Some(provider) = crate::provider::find(&name).filter(|provider| !provider.options.is_empty()) {
        command = command.next_help_heading(provider.title);
        for option in provider.options {
            command = command.arg(arg(&option.opt, Some(&name)));
        }
    }
    groups(with_and(command), Some(&name), &[&options::ENGINE], options::COMMON)
        .after_help(formats(Some(&name)))
}

fn read_options(command: Command) -> Command {
    let command = command
        .arg(
            Arg::new("PATH")
                .required(true)
                .help("The path, mount included: web-db/creds/web, secret/data/app"),
        )
        .arg(
            Arg::new("NAME=FIELD")
                .required(true)
                .num_args(1..)
                .help("The variable to set, and the field of the answer that it gets"),
        );
    groups(with_and(command), None, &[&options::READ], options::COMMON).after_help(formats(None))
}

fn login_options(command: Command) -> Command {
    groups(with_and(command), None, &[], options::COMMON).after_help(formats(None))
}

/// The formats that `provider`, or any command, can use.
fn formats(provider: Option<&str>) -> String {
    let all = crate::emit::FORMATS.iter();
    let fitting = all.filter(|format| format.provider.is_none() || format.provider == provider);
    fitting.fold("Formats:".to_owned(), |text, format| {
        format!("{text}\n  {}\n          {}", format.name, format.about)
    })
}

fn revoke_options(command: Command) -> Command {
    let rows = ["state-file", "best-effort", "quiet", "verbose"];
    rows.into_iter().filter_map(options::find).fold(command, |command, row| command.arg(arg(row, None)))
}

/// It hands nothing over: of the output options it has only those of the log.
fn rotate_options(mut command: Command) -> Command {
    for group in [&options::ROTATE, &options::VAULT, &options::LOGIN] {
        command = command.next_help_heading(group.heading);
        for option in group.options {
            command = command.arg(arg(option, None));
        }
    }
    let log = ["quiet", "verbose"].into_iter().filter_map(options::find);
    command.next_help_heading(options::OUTPUT.heading).args(log.map(|option| arg(option, None)))
}

fn with_and(command: Command) -> Command {
    let command = command.arg(
        Arg::new("COMMAND")
            .last(true)
            .num_args(1..)
            .value_parser(clap::value_parser!(OsString))
            .help("Run this with the credentials, and take them back when it has ended"),
    );
    command.arg(and())
}

fn and() -> Arg {
    Arg::new("and")
        .long("and")
        .value_name("PROVIDER[=ROLE]")
        .action(ArgAction::Append)
        .help("Another provider, or `login`, with the same login; all or nothing")
}

fn groups(mut command: Command, provider: Option<&str>, special: &[&Group], common: &[&Group]) -> Command {
    for group in special.iter().chain(common) {
        command = command.next_help_heading(group.heading);
        for option in group.options {
            command = command.arg(arg(option, provider));
        }
    }
    command
}

fn arg(option: &Opt, provider: Option<&str>) -> Arg {
    let variables: Vec<String> = option
        .variables(provider)
        .into_iter()
        .filter(|name| !matches!(option.variables, Variables::Vault(_)) || name.starts_with("VAULT_"))
        .collect();
    let help = match variables.is_empty() {
        true => option.help.to_owned(),
        false => format!("{} [env: {}]", option.help, variables.join(", ")),
    };
    let arg = Arg::new(option.name).long(option.name).help(help);
    let arg = match option.short {
        Some(letter) => arg.short(letter),
        None => arg,
    };
    match option.takes {
        Takes::Value(name) => arg.value_name(name),
        Takes::Values(name) => arg.value_name(name).action(ArgAction::Append),
        Takes::Switch => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
        }
        Takes::Count => arg.action(ArgAction::Count),
    }
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
    let special = crate::provider::find(command).map_or(&[][..], |provider| provider.options);
    let rows = [&options::VAULT, &options::LOGIN, &options::ENGINE, &options::OUTPUT]
        .into_iter()
        .chain([&options::COMMAND, &options::REVOKE, &options::READ, &options::ROTATE])
        .flat_map(|group| group.options)
        .chain(special.iter().map(|option| &option.opt));
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
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, clap::Error> {
        parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_definition_is_sound() {
        let mut command = command();
        command.build();
        command.debug_assert();
    }

    #[test]
    fn flags_come_through_as_text() {
        let parsed = parsed("ci-creds aws web --region eu-west-1 --show -vv --and exoscale=ci").unwrap();
        assert_eq!(parsed.flags.one("region"), Some("eu-west-1"));
        assert_eq!(parsed.flags.one("show"), Some("true"));
        assert_eq!(parsed.flags.all("verbose").len(), 2);
        assert!(matches!(&parsed.verb, Verb::Provider(ask) if ask.role.as_deref() == Some("web")));
        assert!(matches!(&parsed.and[..], [Some(ask)] if ask.provider.name == "exoscale"));
    }

    #[test]
    fn what_stands_behind_the_dashes_is_the_commands() {
        let parsed = parsed("ci-creds read a B=c --no-mask -- sh -c --show -v").unwrap();
        assert_eq!(parsed.command, ["sh", "-c", "--show", "-v"]);
        assert_eq!(parsed.flags.one("no-mask"), Some("true"));
        assert!(parsed.flags.one("show").is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "ci-creds",
            "ci-creds exoscal",
            "ci-creds exoscale --and nope",
            "ci-creds read a",
            "ci-creds aws a b",
            "ci-creds aws a --",
            "ci-creds revoke -- sh",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
