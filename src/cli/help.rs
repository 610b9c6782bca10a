//! What --help says beside the options: three calls that work, for each command; and -h, which fits one screen. It must
//! not list options by hand.

use std::ffi::OsString;

use clap::Command;

use crate::{options, provider};

/// Lines for each command that work as they stand.
const EXAMPLES: &[(&str, [&str; 3])] = &[
    (
        "exoscale",
        [
            "eval \"$(ci-creds exoscale)\"",
            "ci-creds exoscale -- packer build hello.json",
            "ci-creds exoscale ci --and aws=web -- terraform apply",
        ],
    ),
    (
        "aws",
        [
            "eval \"$(ci-creds aws web)\"",
            "ci-creds aws web --region eu-west-1 -- aws s3 ls",
            "ci-creds aws web --path static-creds/{role} -- terraform apply",
        ],
    ),
    (
        "scaleway",
        [
            "eval \"$(ci-creds scaleway)\"",
            "ci-creds scaleway ci -- scw instance server list",
            "ci-creds scaleway ci --s3 --region fr-par -- terraform init",
        ],
    ),
    (
        "read",
        [
            "ci-creds read web-db/creds/web PGUSER=username PGPASSWORD=password -- psql",
            "eval \"$(ci-creds read secret/data/app API_KEY=key)\"",
            "ci-creds read pki/issue/web CERT=@certificate KEY=@private_key --data common_name=web.example -- deploy",
        ],
    ),
    (
        "env",
        [
            "API_KEY=vault:secret/data/app#key ci-creds env -- make deploy",
            "eval \"$(ci-creds env --only API_KEY)\"",
            "ci-creds env --except NOTES --require -- make deploy",
        ],
    ),
    (
        "login",
        [
            "eval \"$(ci-creds login)\"",
            "ci-creds login -- terraform plan",
            "ci-creds login --auth jwt --auth-role web -- vault kv get secret/app",
        ],
    ),
    ("revoke", ["ci-creds revoke", "ci-creds revoke --best-effort", "ci-creds revoke --state-file auto"]),
    (
        "scan",
        [
            "ci-creds scan dist/ report.xml",
            "ci-creds scan --revoke public",
            "ci-creds exoscale --scan dist/ -- make dist",
        ],
    ),
    ("status", ["ci-creds status", "ci-creds status --format json", "ci-creds status --state-file auto"]),
    (
        "doctor",
        [
            "ci-creds doctor exoscale",
            "ci-creds doctor aws web --mount web-aws --issue",
            "ci-creds doctor auth/jwt/role/web --claims claims.json",
        ],
    ),
    (
        "setup",
        [
            "ci-creds setup exoscale ci --project 22 --protected",
            "ci-creds setup aws web --project 22 --ref main --cli bao",
            "ci-creds setup login --auth approle --bound-cidr 192.0.2.0/24",
        ],
    ),
    (
        "rotate",
        [
            "ci-creds rotate --token-role issuer --approle web --dry-run",
            "ci-creds rotate --token-role issuer --project 22 --grace 2h",
            "ci-creds rotate --token-role issuer --group 7 --variable VAULT_TOKEN",
        ],
    ),
    (
        "completions",
        [
            "source <(ci-creds completions bash)",
            "ci-creds completions zsh > ~/.zfunc/_ci-creds",
            "ci-creds completions fish > ~/.config/fish/completions/ci-creds.fish",
        ],
    ),
];

/// The lines of a command. A cloud without lines of its own gets those that hold for every cloud.
fn examples(command: &str) -> Vec<String> {
    let found = EXAMPLES.iter().find(|(name, _)| *name == command);
    let own = || found.map(|(_, lines)| lines.map(str::to_owned).to_vec());
    let usual = || {
        vec![
            format!("eval \"$(ci-creds {command})\""),
            format!("ci-creds {command} web -- ./deploy"),
            format!("ci-creds {command} web --dry-run"),
        ]
    };
    own().or_else(|| provider::find(command).map(|_| usual())).unwrap_or_default()
}

/// What stands at the end of --help.
pub(super) fn with_examples(command: Command) -> Command {
    let lines = examples(command.get_name());
    if lines.is_empty() {
        return command;
    }
    let before = command.get_after_long_help().map(ToString::to_string);
    let text = lines.iter().fold("Examples:".to_owned(), |text, line| format!("{text}\n  {line}"));
    let text = before.map_or(text.clone(), |before| format!("{text}\n\n{before}"));
    command.after_long_help(text)
}

/// Whether this line asks for -h, and not for --help.
pub(super) fn is_brief(line: &[OsString]) -> bool {
    let words = || line.iter().skip(1).take_while(|word| *word != "--");
    words().any(|word| word == "-h") && words().all(|word| word != "--help")
}

/// -h of this command: at most 24 lines of 80 columns.
pub(super) fn brief(command: &mut Command, name: &str) -> Option<String> {
    command.build();
    let command = command.find_subcommand_mut(name)?;
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let mut text = format!("{about}\n\n{usage}\n\n");
    for line in examples(name).iter().filter(|line| line.len() <= WIDTH - 2) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push('\n');
    for (heading, options) in headings(command) {
        text.push_str(&flowing(&format!("{heading}:"), &options));
    }
    let vault = options::VAULT
        .options
        .iter()
        .any(|option| command.get_arguments().any(|argument| argument.get_long() == Some(option.name)));
    let rest = if vault { "The options, and those of Vault and of the login" } else { "More" };
    text.push_str(&format!("\n{rest}: ci-creds {name} --help\n"));
    Some(text)
}

/// The size of a screen.
const WIDTH: usize = 80;
/// The column in which the options begin.
const INDENT: usize = 13;

/// The options that -h names, by their headings.
fn headings(command: &Command) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for argument in command.get_arguments().filter(|one| !one.is_hide_set() && !one.is_hide_short_help_set())
    {
        let Some(long) = argument.get_long() else { continue };
        let heading = argument.get_help_heading().unwrap_or("Options");
        let word = match argument.get_short() {
            Some(short) => format!("-{short}, --{long}"),
            None => format!("--{long}"),
        };
        match all.iter_mut().find(|(known, _)| known == heading) {
            Some((_, words)) => words.push(word),
            None => all.push((heading.to_owned(), vec![word])),
        }
    }
    all
}

/// Words behind a heading, broken between words.
fn flowing(heading: &str, words: &[String]) -> String {
    let (mut text, mut line) = (String::new(), format!("{heading:<INDENT$}"));
    let mut fresh = true;
    for word in words {
        if !fresh && line.len() + 2 + word.len() > WIDTH {
            text.push_str(&format!("{}\n", line.trim_end()));
            line = " ".repeat(INDENT);
            fresh = true;
        }
        if !fresh {
            line.push_str("  ");
        }
        line.push_str(word);
        fresh = false;
    }
    format!("{text}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command has three lines, and each of them is understood.
    #[test]
    fn examples_are_understood() {
        for command in crate::cli::command().get_subcommands() {
            let lines = examples(command.get_name());
            assert_eq!(lines.len(), 3, "{}", command.get_name());
            for line in lines {
                let (_, call) = line.split_once("ci-creds ").unwrap();
                let call = call.split([')', '>']).next().unwrap().trim();
                let words: Vec<_> =
                    std::iter::once("ci-creds").chain(call.split(' ')).map(OsString::from).collect();
                if let Err(error) = crate::cli::parse(&words) {
                    panic!("{line}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_short_help_fits_one_screen() {
        let names: Vec<_> =
            crate::cli::command().get_subcommands().map(|one| one.get_name().to_owned()).collect();
        for name in names {
            let text = brief(&mut crate::cli::command(), &name).unwrap();
            assert!(text.lines().count() <= 24, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            assert!(text.contains(&format!("ci-creds {name} --help")), "{text}");
        }
    }
}
