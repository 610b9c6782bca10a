//! Man pages and completions: they say what the program takes, and what reads them has no complaint.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::manual::pages;
use crate::support::{Cmd, require, script};

/// The completions of a shell, in a file of this name.
fn completions(shell: &str, folder: &Path, name: &str) -> String {
    let run = Cmd::new(["completions", shell]).run().expect(0);
    assert_eq!(run.stderr, "");
    fs::write(folder.join(name), &run.stdout).unwrap();
    run.stdout
}

/// What `shell` says to this, in the folder with the completions.
fn said(shell: &str, folder: &Path, text: &str) -> String {
    let run = script(shell, text).env("HOME", folder).env("DIR", folder).dir(folder).run().expect(0);
    assert_eq!(run.stderr, "", "{run}");
    run.stdout
}

/// The long options of a command.
fn options(command: &clap::Command) -> impl Iterator<Item = &str> {
    command.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(clap::Arg::get_long)
}

#[test]
fn a_man_page_for_each_command_has_its_options_and_variables() {
    let mut command = ci_creds::testing::cli::command();
    command.build();
    let pages = pages();
    assert_eq!(pages.len(), 1 + command.get_subcommands().count());
    for command in command.get_subcommands() {
        let name = format!("ci-creds-{}.1", command.get_name());
        let (_, text) = pages.iter().find(|(page, _)| *page == name).unwrap();
        let text = String::from_utf8(text.clone()).unwrap().replace("\\-", "-");
        for option in options(command) {
            assert!(text.contains(&format!("--{option}")), "{name} has no --{option}");
        }
        let variables = Cmd::new([command.get_name(), "--help"]).run().expect(0).stdout;
        for variable in variables.split("[env: ").skip(1).map(|rest| rest.split([',', ']']).next().unwrap()) {
            assert!(text.contains(variable.trim()), "{name} has no {variable}");
        }
    }
}

#[test]
fn man_pages_are_read_without_a_warning() {
    let Some(groff) = require("groff") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in pages() {
        let file = folder.path().join(&name);
        fs::write(&file, text).unwrap();
        let output =
            Command::new(&groff).args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(&file).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.contains("NAME") && page.contains("SYNOPSIS"), "{page}");
        assert!(page.contains(name.trim_end_matches(".1")), "{page}");
    }
}

/// Lines to complete, and values that must be offered.
const VALUES: [(&str, &[&str]); 5] = [
    (
        "aws --format ",
        &["sh", "fish", "dotenv", "json", "aws-credential-process", "aws-credentials", "scw-config"],
    ),
    ("aws --auth ", &["approle", "jwt", "kubernetes", "aws", "cert", "agent", "token"]),
    ("aws --aws-source ", &["env", "web-identity", "profile", "container", "imds"]),
    ("doctor ", &["exoscale", "aws", "scaleway", "login", "read", "env"]),
    ("exoscale --and ", &["exoscale", "aws", "scaleway", "login"]),
];

#[test]
fn bash_completes() {
    if require("bash").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    completions("bash", folder.path(), "completions");
    let text = "set +eu; . ./completions; compopt() { :; }; complete -p ci-creds
        ask() { COMP_WORDS=(ci-creds \"$@\"); COMP_CWORD=$#; COMPREPLY=(); _ci__creds ci-creds \"${@: -1}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[*]}\"; }
        ask exo; ask aws --role-; ask completions ''; ask aws --format ''; ask aws --auth ''; ask aws --aws-source ''
        ask doctor ''; ask exoscale --and ''";
    let said = said("bash", folder.path(), text);
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("complete ")
            && lines[0].contains("-F _ci__creds")
            && lines[0].ends_with(" ci-creds"),
        "{said}"
    );
    assert_eq!(lines[1..3], ["exoscale", "--role-arn --role-session-name --role-id"], "{said}");
    assert!(lines[3].contains("bash") && lines[3].contains("zsh"), "{said}");
    for (line, values) in lines[4..].iter().zip(VALUES) {
        assert!(values.1.iter().all(|value| line.split(' ').any(|word| word == *value)), "{said}");
    }
    assert_eq!(lines.len(), 4 + VALUES.len(), "{said}");
}

#[test]
fn zsh_completes() {
    if require("zsh").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = completions("zsh", folder.path(), "_ci-creds");
    let text = "set +eu; fpath=($DIR $fpath); autoload -Uz compinit; compinit -u -D
        echo $_comps[ci-creds]; autoload -Uz +X _ci-creds && whence -w _ci-creds
        source $DIR/_ci-creds && echo ${+functions[_ci-creds__subcmd__aws_commands]}${+functions[_ci-creds_commands]}";
    let said = said("zsh", folder.path(), text);
    assert!(said.starts_with("_ci-creds\n_ci-creds: function\n"), "{said}");
    let mut command = ci_creds::testing::cli::command();
    command.build();
    for option in command.get_subcommands().flat_map(options) {
        assert!(script.contains(&format!("--{option}")), "--{option}");
    }
}

/// Zsh completes only on a terminal: it gets one of its own, a line, and the key that lists what fits.
#[test]
fn zsh_offers_values() {
    if require("zsh").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    completions("zsh", folder.path(), "_ci-creds");
    for (line, values) in VALUES.into_iter().chain([("completions ", &["bash", "zsh", "fish"][..])]) {
        let text = format!(
            "set +eu; zmodload zsh/zpty; zpty z 'zsh -f -i'; ask() {{ zpty -w z \"$1\" }}
            ask 'setopt no_list_ambiguous; unsetopt menu_complete auto_menu; stty cols 200 rows 50'
            ask 'fpath=('$DIR' $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=200; PS1=RE\"\"ADY'
            until zpty -r z said '*READY*'; do :; done; sleep 0.3
            zpty -w -n z $'ci-creds {line}\\x04'; sleep 1; zpty -w -n z $'\\x15'; ask 'print do\"\"ne'
            zpty -r z said '*done*'; print -r -- $said; zpty -d z"
        );
        let said = said("zsh", folder.path(), &text);
        let words: Vec<&str> = said.split(|c: char| c.is_whitespace() || c.is_control()).collect();
        assert!(values.iter().all(|value| words.contains(value)), "{line}: {said:?}");
    }
}

#[test]
fn fish_completes() {
    if require("fish").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    completions("fish", folder.path(), "completions.fish");
    let text = "source completions.fish; complete -C 'ci-creds exo'; complete -C 'ci-creds aws --role-'";
    let words = |text: &str| -> Vec<String> {
        let said = said("fish", folder.path(), text);
        said.lines().filter_map(|line| Some(line.split('\t').next()?.to_owned())).collect()
    };
    assert_eq!(words(text), ["exoscale", "--role-arn", "--role-id", "--role-session-name"]);
    let shells = ("completions ", &["bash", "zsh", "fish"][..]);
    for (line, values) in VALUES.into_iter().chain([shells]) {
        let offered = words(&format!("source completions.fish; complete -C 'ci-creds {line}'"));
        assert!(values.iter().all(|value| offered.iter().any(|word| word == value)), "{line}: {offered:?}");
    }
}
