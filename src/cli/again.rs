//! Writes a call again as it was typed, for a hint that can be pasted: the same words after `doctor`. It must leave out
//! what only the run itself needs, and what may be a secret.

use std::ffi::OsString;

use super::{Parsed, Verb};
use crate::input::{Seems, seems};
use crate::options::{self, Secrecy};

/// Options of a run that mean something else to doctor: its --format is the report's.
const LEFT_OUT: &[&str] = &["--format"];
/// The longest word that is shown: names, paths and addresses are shorter.
const LENGTH: usize = 200;

/// `ci-creds doctor exoscale ci --mount exo`, from `ci-creds exoscale ci --mount exo -- packer build …`.
pub(crate) fn doctor(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).take_while(|word| *word != "--");
    let mut words = words.map(|word| word.to_string_lossy());
    let mut call = "ci-creds doctor".to_owned();
    while let Some(word) = words.next() {
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.to_owned())),
            _ => (&*word, None),
        };
        let id = row(option).filter(|row| row.takes_uuid() && !is_hidden(option));
        let own = LEFT_OUT.contains(&option) || is_hidden(option) || option == "--data" || id.is_some();
        if !own {
            call.push(' ');
            call.push_str(&shown(&word));
            continue;
        }
        let value = inline.or_else(|| words.next().map(|value| value.into_owned())).unwrap_or_default();
        match option {
            _ if LEFT_OUT.contains(&option) => {}
            "--data" => call.push_str(&format!(" --data {}", data(&value))),
            _ if let Some(id) = id => call.push_str(&format!(" {option} {}", value_of(id, &value))),
            _ => call.push_str(&format!(" {option} …")),
        }
    }
    call
}

/// The run that a setup is for, in words that a page may hold: `ci-creds exoscale ci`.
pub(crate) fn run(run: &Parsed) -> String {
    format!("ci-creds {}", words(run, &[&options::REFRESH, &options::DEAD_MAN]))
}

/// Options of a run that its setup follows, beside those of its engine.
const SET_UP: &[&options::Opt] = &[
    &options::NAMESPACE,
    &options::AUTH_NAMESPACE,
    &options::AUTH_ROLE,
    &options::AUTH_PATH,
    &options::AWS_SERVER_ID,
    &options::REFRESH,
    &options::DEAD_MAN,
];

/// The call that prints what Vault must have for this run: `ci-creds setup exoscale ci --auth-role web -- COMMAND`.
/// It comes in two parts, and the options that say who may do it go between them.
pub(crate) fn setup(run: &Parsed) -> (String, &'static str) {
    let command = if run.command.is_empty() { "" } else { " -- COMMAND" };
    (format!("ci-creds setup {}", words(run, SET_UP)), command)
}

fn words(run: &Parsed, more: &[&'static options::Opt]) -> String {
    let mut words = Vec::new();
    match &run.verb {
        Verb::Provider(ask) => {
            words.extend([Some(ask.provider.name.to_owned()), ask.role.clone()].into_iter().flatten())
        }
        Verb::Read(paths) => {
            words.push("read".to_owned());
            for one in paths {
                words.extend([one.path.clone()].into_iter().chain(one.names.iter().cloned()));
                words.extend(one.data.iter().map(|pair| format!("--data {}", data(pair))));
            }
        }
        Verb::Env => words.push("env".to_owned()),
        _ => words.push("login".to_owned()),
    }
    let of_cloud = match &run.verb {
        Verb::Provider(ask) => ask.provider.options.iter().map(|option| option.opt).collect(),
        _ => Vec::new(),
    };
    let groups: &[&options::Group] = match &run.verb {
        Verb::Provider(_) => &[&options::ENGINE],
        Verb::Read(_) => &[&options::READ],
        Verb::Env => &[&options::ENV],
        _ => &[],
    };
    let rows =
        groups.iter().flat_map(|group| group.options).copied().chain(of_cloud).chain(more.iter().copied());
    for row in rows.filter(|row| row.name != options::DATA.name) {
        for value in run.flags.all(row) {
            words.push(match row.takes {
                options::Takes::Switch => format!("--{}", row.name),
                _ => format!("--{} {}", row.name, value_of(row, value)),
            });
        }
    }
    for ask in &run.and {
        let ask = ask.as_ref().map(|ask| (ask.provider.name, ask.role.as_deref()));
        words.push(match ask {
            None => "--and login".to_owned(),
            Some((name, None)) => format!("--and {name}"),
            Some((name, Some(role))) => format!("--and {}", shown(&format!("{name}={role}"))),
        });
    }
    let words: Vec<_> = words
        .iter()
        .map(|word| match word.split_once(' ') {
            Some((option, _)) if option.starts_with("--") => word.clone(),
            _ => shown(word),
        })
        .collect();
    words.join(" ")
}

/// An option's value as a shell takes it: an ID is no secret where one belongs.
pub(crate) fn value_of(row: &options::Opt, value: &str) -> String {
    if row.takes_uuid() && seems(value) == Some(Seems::Uuid) { value.to_owned() } else { shown(value) }
}

/// Whether an option's value may be a secret, or may hold one.
fn is_hidden(option: &str) -> bool {
    row(option).is_some_and(|row| matches!(row.secrecy, Secrecy::Hidden | Secrecy::Withheld))
}

/// The row of `--option`.
pub(super) fn row(option: &str) -> Option<&'static options::Opt> {
    let of_clouds = crate::provider::PROVIDERS.iter().flat_map(|provider| provider.options);
    let rows = options::FLAGS.iter().flat_map(|group| group.options).copied();
    let mut rows = rows.chain(of_clouds.map(|option| option.opt));
    option.strip_prefix("--").and_then(|name| rows.find(|row| row.name == name))
}

/// `K=@FILE` and `K=-` name where the value is; any other value may be what a file should have held.
fn data(pair: &str) -> String {
    match pair.split_once('=') {
        Some((_, value)) if value == "-" || value.starts_with('@') => shown(pair),
        Some((key, _)) => format!("{}=…", shown(key)),
        None => "…".to_owned(),
    }
}

/// A word as a shell takes it, unless it looks like something that must not be typed: a token, an address with a
/// password, a whole text.
pub(crate) fn shown(word: &str) -> String {
    let secret = word.split('=').find_map(seems).or_else(|| seems(word)).is_some();
    let login = word.contains("://") && word.contains('@');
    if secret || login || word.len() > LENGTH || word.contains(char::is_control) {
        return "…".to_owned();
    }
    let plain = |char: char| char.is_ascii_alphanumeric() || "_/+=.,:@%-".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_as_it_was_typed() {
        for (typed, told) in [
            ("exoscale", "exoscale"),
            ("exoscale ci --mount exo --and aws=web", "exoscale ci --mount exo --and aws=web"),
            ("aws --format json --region eu-west-1 -v", "aws --region eu-west-1 -v"),
            ("aws --format=json -- terraform apply --mount x", "aws"),
            ("exoscale --proxy http://u:p@proxy --role-id=abc", "exoscale --proxy … --role-id …"),
            ("exoscale --addr https://u:p@vault", "exoscale --addr …"),
            ("exoscale hvs.CAESIJsuRbWTPhYHmLVFZfkaNqhgGxcdOiS2uOMn7bq9F0q6", "exoscale …"),
            ("read p A=b --data k=v --data c=@f d=-", "read p A=b --data k=… --data c=@f d=-"),
            (
                "scaleway --application-id 6170692e-7363-616c-6577-61792e636f6d --mint",
                "scaleway --application-id 6170692e-7363-616c-6577-61792e636f6d --mint",
            ),
            ("read p A=@b --path {role}", "read p A=@b --path '{role}'"),
        ] {
            let words: Vec<OsString> =
                std::iter::once("ci-creds").chain(typed.split(' ')).map(OsString::from).collect();
            assert_eq!(doctor(&words), format!("ci-creds doctor {told}"));
        }
        let quoted = doctor(&["ci-creds", "aws", "it's"].map(OsString::from));
        assert_eq!(quoted, r"ci-creds doctor aws 'it'\''s'");
    }
}
