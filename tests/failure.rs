//! What a failing command leaves, for each error and each format: stdout, the file, the exit status, and what the
//! script does next. The script must never go on with old or partial credentials.

mod endless;
mod examples;
mod places;
mod signals;
mod table;

use std::fs::File;

use ci_creds::testing::emit::sink::Failure;
use ci_creds::testing::emit::{FORMATS, Format};
use rustix::stdio::dup2_stdout;

use crate::support::{Cmd, Run, require};

/// What stdout of a shell format holds when a command fails that would have set A and unset B.
fn statement(format: &Format, code: i32) -> String {
    match format.name {
        "sh" => format!(" unset A B; false && true; (exit {code}) && false\n"),
        "fish" => {
            let define = "function __ci_creds_failed; functions -e __ci_creds_failed; return";
            format!("set -e A; set -e B; {define} {code}; end; __ci_creds_failed\n")
        }
        _ => String::new(),
    }
}

/// This program as the command that fails: libtest's own words go to /dev/null, descriptor 3 is the real stdout.
fn child(test: &str, case: &str, format: &Format) -> String {
    let program = std::env::current_exe().unwrap();
    let (program, name) = (program.display(), format.name);
    format!("CASE='{case}' FORMAT={name} {program} failure::{test} --exact --ignored 3>&1 >/dev/null")
}

/// The script that uses `command`, as this format is meant to be used; it may not reach its last line.
fn goes_on(format: &Format, command: &str) -> Option<Run> {
    let (shell, text) = match format.name {
        "sh" => ("dash", format!("eval $({command})\necho went on")),
        "fish" => ("fish", format!("eval (env {command}); or exit\necho went on")),
        _ => ("dash", format!("{command}\necho went on")),
    };
    require(shell)?;
    Some(crate::support::script(shell, &text).env("A", "old").run())
}

#[test]
fn every_error_in_every_format() {
    for (number, (what, error)) in examples::all().into_iter().enumerate() {
        let code = error.code() as i32;
        assert!((1..=7).contains(&code) || (129..=143).contains(&code), "{what}: {code}");
        for format in FORMATS {
            let child = child("an_error_ends_the_run", &number.to_string(), format);
            let run = Cmd::program("/bin/sh").args(["-c", &child]).run().expect(code);
            assert_eq!(run.stdout, statement(format, code), "{what} as {}", format.name);
            assert!(run.stderr.starts_with("error: "), "{what}: {}", run.stderr);
            // The formats that no shell reads are alike: the status is all that a script has.
            if format.failure.is_some() || format.name == "json" {
                let Some(run) = goes_on(format, &child) else { continue };
                assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{what} as {}", format.name);
            }
        }
    }
}

#[test]
fn a_panic_in_every_format() {
    for format in FORMATS {
        let child = child("a_panic_ends_the_run", "", format);
        let run = Cmd::program("/bin/sh").args(["-c", &child]).run().expect(1);
        assert_eq!(run.stdout, statement(format, 1), "{}", format.name);
        assert!(run.stderr.starts_with("error: ci-creds failed at tests/failure.rs:"), "{}", run.stderr);
        let Some(run) = goes_on(format, &child) else { continue };
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", format.name);
    }
}

fn failure_of_this_case() -> Failure {
    dup2_stdout(File::options().write(true).open("/dev/fd/3").unwrap()).unwrap();
    let format = ci_creds::testing::emit::find(&variable("FORMAT"));
    Failure::new(format, vec!["A".to_owned(), "B".to_owned()])
}

#[test]
#[ignore = "the command of every_error_in_every_format"]
#[allow(clippy::exit, clippy::disallowed_methods, reason = "it is a command")]
fn an_error_ends_the_run() {
    let failure = failure_of_this_case();
    let (_, error) = examples::all().swap_remove(variable("CASE").parse().unwrap());
    std::process::exit(ci_creds::end(Err(error), &failure).into());
}

#[test]
#[ignore = "the command of a_panic_in_every_format"]
fn a_panic_ends_the_run() {
    failure_of_this_case().print_on_panic();
    panic!("{}", crate::support::secret());
}

#[allow(clippy::disallowed_methods, reason = "the command's own environment")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap()
}
