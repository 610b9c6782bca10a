//! What may be typed: arguments become a [`Parsed`]. It must not look at the environment. `definition` makes what clap
//! knows of it from the providers' tables and the rows in [`options`].

use std::collections::HashMap;
use std::ffi::OsString;

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap_complete::Shell;

use crate::options::{self, Opt, Takes};
use crate::provider::Provider;
pub use definition::command;
pub(crate) use read::PathRead;
use refusals::{positional, quiet};
pub(crate) use values::with_values;

pub(crate) mod again;
mod arguments;
mod definition;
mod doctor;
mod help;
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

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Verb {
    /// `exoscale [ROLE]` and its like.
    Provider(Ask),
    /// `read PATH NAME=FIELD… [PATH NAME=FIELD…]…`.
    Read(Vec<PathRead>),
    /// `env`: the references in the environment.
    Env,
    /// `login`.
    Login,
    /// `revoke`.
    Revoke,
    /// `scan PATH…`.
    Scan(Vec<OsString>),
    /// `status`.
    Status {
        /// Whether the report is JSON.
        json: bool,
    },
    /// `doctor [PROVIDER] [ROLE]`, `doctor auth/MOUNT/role/NAME`.
    Doctor(Doctor),
    /// `setup PROVIDER [ROLE]`.
    Setup(Box<Setup>),
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
    /// Whether a run was asked for with --dry-run: its stdout may be what an `eval` reads.
    pub dry_run: bool,
    /// Whether commands are printed that let in more than before.
    pub widen: bool,
    /// Claims as JSON, or `-`.
    pub claims: Option<String>,
    /// The claims line that a job printed, or `-`.
    pub from_job: Option<String>,
}

/// What is to be set up: a run, and who may do it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The run.
    pub run: Box<Verb>,
    /// The name of the format.
    pub format: String,
    /// Whether Vault is looked at, instead.
    pub check: bool,
    /// Whether what is wider than needed fails the check.
    pub strict: bool,
    /// `vault` or `bao`.
    pub cli: String,
    /// Projects, by number or path.
    pub projects: Vec<String>,
    /// Groups, by number or path.
    pub groups: Vec<String>,
    /// The claim that stands in the run's paths: each project has its own.
    pub group_claim: Option<String>,
    /// A branch, or a ref with its prefix.
    pub reference: Option<String>,
    /// Whether any protected ref will do.
    pub protected: bool,
    /// Whether the ref is not a protected one.
    pub unprotected: bool,
    /// The name of an environment.
    pub environment: Option<String>,
    /// The claims line that a job printed.
    pub from_job: Option<String>,
    /// The aud of the ID tokens.
    pub audience: Option<String>,
    /// The addresses of the runners.
    pub cidrs: Vec<String>,
    /// `NAMESPACE/NAME` each.
    pub service_accounts: Vec<String>,
    /// The ARNs of IAM roles.
    pub principals: Vec<String>,
    /// The life of the login's token.
    pub token_ttl: Option<String>,
    /// `PATH=CAPABILITY` each: further lines of the policy.
    pub allowed: Vec<String>,
}

impl Doctor {
    /// `--dry-run`: the look at a run as it was typed.
    fn of_run(verb: Verb) -> Self {
        Self {
            subject: Subject::Run(Box::new(verb)),
            issue: false,
            strict: false,
            json: false,
            dry_run: true,
            widen: false,
            claims: None,
            from_job: None,
        }
    }
}

/// What doctor looks at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A run: a provider's, `read`, or the login alone.
    Run(Box<Verb>),
    /// A role of an auth method.
    Role(RoleAt),
    /// All roles of the auth method that is mounted here, without `auth/`.
    Audit(String),
}

/// Where a role of an auth method is.
#[derive(Debug, Clone)]
pub struct RoleAt {
    /// The mount, without `auth/`.
    pub mount: String,
    /// `role`; `certs` where certificates log in.
    pub folder: &'static str,
    /// Its name.
    pub name: String,
}

impl RoleAt {
    /// The path that it is read at.
    pub fn path(&self) -> String {
        format!("auth/{}/{}/{}", self.mount, self.folder, self.name)
    }
}

/// One provider, and the role to ask it for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its table.
    pub provider: &'static Provider,
    /// The role as typed.
    pub role: Option<String>,
}

/// A command line that was understood.
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
    pub fn one(&self, option: &Opt) -> Option<&str> {
        self.0.get(option.name).and_then(|values| values.last()).map(String::as_str)
    }

    /// All values of an option.
    pub fn all(&self, option: &Opt) -> &[String] {
        self.0.get(option.name).map_or(&[], Vec::as_slice)
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
