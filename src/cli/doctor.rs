//! The command line of `doctor`.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Ask, Doctor, Subject};
use super::{arguments, options};

/// Its arguments: those of a run, but for --format, which is the report's.
pub(super) fn options(command: Command) -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let command = command
        .arg(Arg::new("SUBJECT").help("A provider, or a role of an auth method: auth/jwt/role/NAME"))
        .arg(Arg::new("ROLE").requires("SUBJECT").help("The role in the provider's engine"))
        .arg(switch("issue", "Issue one credential of each kind, and revoke it"))
        .arg(switch("strict", "Let a warning fail"))
        .arg(
            Arg::new("report")
                .long("format")
                .value_name("FORMAT")
                .value_parser(["plain", "json"])
                .default_value("plain")
                .help("How to write the report"),
        )
        .arg(value("claims", "JSON", "At the desk: the claims to hold against the role, - for stdin"))
        .arg(
            value(
                "from-job",
                "LINE",
                "At the desk: the `this token says:` line of a failed job, - for stdin",
            )
            .conflicts_with("claims"),
        );
    let command = command.arg(arguments::and());
    let output: Vec<_> =
        options::OUTPUT.options.iter().filter(|option| option.name != "format").copied().collect();
    let mut command =
        arguments::groups(command, None, &[&options::ENGINE], &[&options::VAULT, &options::LOGIN]);
    command = command.next_help_heading(options::OUTPUT.heading);
    for option in &output {
        command = command.arg(arguments::arg(option, None));
    }
    command
}

/// What was typed.
pub(super) fn parsed(matches: &ArgMatches) -> Result<Doctor, String> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let role = text("ROLE");
    Ok(Doctor {
        subject: match text("SUBJECT") {
            None => Subject::Run(None),
            Some(subject) => subject_of(&subject, role)?,
        },
        issue: matches.get_flag("issue"),
        strict: matches.get_flag("strict"),
        json: text("report").as_deref() == Some("json"),
        claims: text("claims"),
        from_job: text("from-job"),
    })
}

fn subject_of(text: &str, role: Option<String>) -> Result<Subject, String> {
    if let Some(provider) = crate::provider::find(text) {
        return Ok(Subject::Run(Some(Ask { provider, role })));
    }
    if text == "login" && role.is_none() {
        return Ok(Subject::Run(None));
    }
    let path = text.trim_matches('/').trim_start_matches("v1/").strip_prefix("auth/");
    let parts = path.and_then(|path| path.rsplit_once("/role/")).filter(|_| role.is_none());
    match parts {
        Some((mount, name)) if !mount.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Subject::Role { mount: mount.to_owned(), name: name.to_owned() })
        }
        _ => Err(format!("`{text}` is neither a provider nor a role such as auth/jwt/role/NAME")),
    }
}
