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
    let mut command = ci_creds::cli::command();
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

#[test]
fn bash_completes() {
    if require("bash").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    completions("bash", folder.path(), "completions");
    let text = "set +eu; . ./completions; complete -p ci-creds
        ask() { COMP_WORDS=(ci-creds \"$@\"); COMP_CWORD=$#; COMPREPLY=(); _ci__creds ci-creds \"${@: -1}\" x; echo \"${COMPREPLY[*]}\"; }
        ask exo; ask aws --role-; ask completions ''";
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
    let mut command = ci_creds::cli::command();
    command.build();
    for option in command.get_subcommands().flat_map(options) {
        assert!(script.contains(&format!("--{option}")), "--{option}");
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
    let said = said("fish", folder.path(), text);
    let words: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(words, ["exoscale", "--role-arn", "--role-id", "--role-session-name"], "{said}");
}
