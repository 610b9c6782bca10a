//! The names that mean something to a shell, as the shells of this machine tell them: `read` sets none of them there.

use crate::support::{Cmd, require, shells};

/// A script that lists what a shell has set up itself, and what it protects.
fn own_names(shell: &str) -> Vec<String> {
    let (args, list): (&[&str], &str) = match shell {
        "bash" => (&["--norc", "-c"], "compgen -v; readonly -p; typeset -p"),
        "zsh" => (&["-f", "-c"], "zmodload zsh/parameter; print -l ${(k)parameters}; typeset -p; typeset -r"),
        "ksh93" | "mksh" | "yash" => (&["-c"], "set; typeset -p; readonly -p"),
        "busybox" => (&["sh", "-c"], "set; readonly -p"),
        "fish" => (&["--no-config", "-c"], "set --names"),
        _ => (&["-c"], "set; readonly -p"),
    };
    let program = require(shell).unwrap();
    let run = Cmd::program(program)
        .args(args)
        .args([list])
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent");
    let run = run.run();
    let name = |line: &str| {
        let line = line.split('=').next()?.split_ascii_whitespace().last()?.to_owned();
        let fits = |char: char| char.is_ascii_alphanumeric() || char == '_';
        (line.chars().all(fits) && !line.starts_with(|char: char| char.is_ascii_digit())).then_some(line)
    };
    let mut names: Vec<_> = run.stdout.lines().filter_map(name).collect();
    names.sort();
    names.dedup();
    assert!(names.len() > 5 && names.iter().any(|name| name == "PATH"), "{shell}: {run}");
    names
}

/// The names of `all` that `read` takes in this format.
fn taken(format: &str, all: &[String]) -> Vec<String> {
    let takes = |name: &&String| {
        let run = Cmd::new(["read", "kv/app", "--format", format]).args([format!("{name}=x")]).run();
        // The next thing that is missing is the address.
        assert!(matches!(run.code, 2 | 3), "{name}: {run}");
        run.code == 3
    };
    all.iter().filter(takes).cloned().collect()
}

#[test]
fn read_sets_no_name_of_a_shell_s_own() {
    for shell in shells() {
        for format in ["sh", "dotenv"] {
            assert_eq!(taken(format, &own_names(shell)), Vec::<String>::new(), "{shell} {format}");
        }
    }
    if require("fish").is_some() {
        assert_eq!(taken("fish", &own_names("fish")), Vec::<String>::new(), "fish");
    }
    let ours = ["DB_USER", "TOKEN", "PASSWORD", "KUBECONFIG"].map(str::to_owned);
    assert_eq!(taken("sh", &ours), ours);
}
