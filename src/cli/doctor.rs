//! The command line of `doctor`. It must not judge values: `config` does.

use clap::{Arg, ArgMatches, Command};

use super::arguments::{switch, value};
use super::{Ask, Doctor, RoleAt, Subject, Verb, arguments, read};
use crate::options::{self, Opt};

/// Its arguments: those of a run, but for --format, which is the report's.
pub(super) fn options(command: Command) -> Command {
    let command = command
        .arg(
            Arg::new("SUBJECT")
                .help("A provider, `login`, `read`, `env`, or a role of an auth method: auth/jwt/role/NAME"),
        )
        .arg(arguments::rest().requires("SUBJECT"))
        .arg(
            value("audit", "MOUNT", "Compare every role of a JWT mount with jobs that it is not for")
                .num_args(0..=1)
                .default_missing_value("auth/jwt")
                .conflicts_with_all(["SUBJECT", "issue", "claims", "from-job", "widen"]),
        )
        .arg(switch("issue", "Issue one credential of each kind, and revoke it"))
        .arg(switch("strict", "Let a warning fail"))
        .arg(switch("widen", "With a role: also print changes that let in others than this job"))
        .arg(arguments::report())
        .arg(value(
            "claims",
            "JSON|FILE",
            "With a role: the claims to compare with it, or their file, - for stdin",
        ))
        .arg(
            value(
                "from-job",
                "LINE|FILE",
                "With a role: the `this token says:` line of a failed job, or its log, - for stdin",
            )
            .conflicts_with("claims"),
        );
    of_run(arguments::with_and(command).mut_arg("COMMAND", |command| {
        command.help("As in the call that is looked at; doctor does not run it")
    }))
}

/// The options of all runs, for a command that is called like one.
pub(super) fn of_run(command: Command) -> Command {
    let output = options::OUTPUT.options.iter().filter(|option| option.name != options::FORMAT.name);
    let special = [&options::ENGINE, &options::READ, &options::ENV];
    let mut command =
        arguments::groups(command, None, &special, &[&options::VAULT, &options::LOGIN, &options::COMMAND]);
    command = command.next_help_heading("Clouds");
    for option in own() {
        command = command.arg(arguments::arg(option, None));
    }
    command = command.next_help_heading(options::OUTPUT.heading);
    for option in output {
        command = command.arg(arguments::arg(option, None));
    }
    command
}

/// Parses what was typed.
pub(super) fn parsed(matches: &ArgMatches) -> Result<Doctor, String> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Ok(Doctor {
        subject: match text("SUBJECT") {
            None if text("audit").is_some() => Subject::Audit(mount(&text("audit").unwrap_or_default())?),
            None => Subject::Run(Box::new(Verb::Login)),
            Some(subject) => self::subject(&subject, matches)?,
        },
        issue: matches.get_flag("issue"),
        strict: matches.get_flag("strict"),
        dry_run: false,
        widen: matches.get_flag("widen"),
        json: text("report").as_deref() == Some("json"),
        claims: text("claims"),
        from_job: text("from-job"),
    })
}

/// A run, or a role, by the words SUBJECT and REST.
pub(super) fn subject(subject: &str, matches: &ArgMatches) -> Result<Subject, String> {
    let rest = matches.get_many::<String>("REST").into_iter().flatten().cloned().collect();
    match subject {
        "read" => Ok(Subject::Run(Box::new(Verb::Read(read::parsed(matches, &["REST"])?)))),
        _ => subject_of(subject, rest),
    }
}

/// The options of all clouds: a doctor is called like the run that it looks at. Each name once.
pub(super) fn own() -> Vec<&'static Opt> {
    let mut all: Vec<&Opt> = Vec::new();
    for option in crate::provider::PROVIDERS.iter().flat_map(|provider| provider.options) {
        if all.iter().all(|known| known.name != option.opt.name) {
            all.push(option.opt);
        }
    }
    all
}

fn subject_of(text: &str, mut rest: Vec<String>) -> Result<Subject, String> {
    let run = |verb| Ok(Subject::Run(Box::new(verb)));
    match (text, &rest[..], crate::provider::find(text)) {
        (_, [] | [_], Some(provider)) => run(Verb::Provider(Ask { provider, role: rest.pop() })),
        ("login", [], _) => run(Verb::Login),
        ("env", [], _) => run(Verb::Env),
        (_, [_, more, ..], Some(_)) => Err(too_many(text, more)),
        ("login" | "env", [more, ..], _) => Err(too_many(text, more)),
        _ => role_of(text),
    }
}

fn too_many(subject: &str, word: &str) -> String {
    format!("`{word}` has no place behind {subject}: a command to run stands behind `--`")
}

/// The question that helps where a provider or a command of a run is misspelt.
pub(super) fn meant(text: &str) -> String {
    let known = crate::provider::PROVIDERS.iter().map(|provider| provider.name);
    let near = crate::text::nearest(text, known.chain(["read", "login", "env"]), MISSPELT);
    near.map_or_else(String::new, |near| format!(": is {near} meant?"))
}

/// How many letters may differ in what is taken for a misspelt name: they are short.
const MISSPELT: usize = 2;

/// The mount of an auth method: `auth/jwt/` is `jwt`.
fn mount(text: &str) -> Result<String, String> {
    let mount = text.trim_matches('/').trim_start_matches("v1/").trim_start_matches("auth/");
    let odd = |part: &str| {
        matches!(part, "" | "." | "..")
            || part.contains(|char: char| char.is_control() || " ?#".contains(char))
    };
    if mount.split('/').any(odd) {
        Err("--audit takes the mount of an auth method, such as auth/jwt".to_owned())
    } else {
        Ok(mount.to_owned())
    }
}

/// Where the auth methods keep their roles.
const FOLDERS: &[&str] = &["role", "certs"];

fn role_of(text: &str) -> Result<Subject, String> {
    let path = text.trim_matches('/').trim_start_matches("v1/").strip_prefix("auth/");
    let parts = FOLDERS.iter().find_map(|folder| {
        let (mount, name) = path?.rsplit_once(&format!("/{folder}/"))?;
        let named = !mount.is_empty() && !name.is_empty() && !name.contains('/');
        named.then(|| RoleAt { mount: mount.to_owned(), folder, name: name.to_owned() })
    });
    parts.map(Subject::Role).ok_or_else(|| {
        format!(
            "`{text}` is neither a provider nor a role such as auth/jwt/role/NAME or auth/cert/certs/NAME{}",
            meant(text)
        )
    })
}
