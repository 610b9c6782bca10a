//! How the credentials leave the process, and what never does.

use std::os::unix::fs::PermissionsExt as _;

use super::story::Story;
use crate::support::{CANARY, Cmd, Space, require};

#[test]
fn a_terminal_is_refused_unless_asked_for() {
    let Some(python) = require("python3") else { return };
    let space = Space::new();
    let story = Story::new(&space);
    let pty = "import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let at_a_terminal = |args: &[&str]| {
        let program =
            Cmd::program(&python).args(["-c", pty, &crate::support::cmd::PROGRAM, "exoscale"]).args(args);
        let [(_, job), ..] = story.logins(&program);
        job.may_show_secrets().run()
    };
    let run = at_a_terminal(&[]).expect(6);
    assert!(run.stdout.contains("error: secrets are not printed to a terminal"), "{run}");
    assert!(run.stdout.contains("hint: run the command under `ci-creds … -- COMMAND`"), "{run}");
    assert!(!run.stdout.contains("(exit") && !run.stdout.contains(CANARY), "{run}");
    let run = at_a_terminal(&["--show"]).expect(0);
    assert!(run.stdout.contains("export EXOSCALE_API_SECRET="), "{run}");
}

#[test]
fn a_debug_trace_is_refused_unless_the_script_says_so() {
    let space = Space::new();
    let story = Story::new(&space);
    let run = story.run(["exoscale"]).env("CI_DEBUG_TRACE", "true").run().expect(6);
    assert!(
        run.stdout.ends_with(" false && true; (exit 6) && false\n") && run.stderr.contains("CI_DEBUG_TRACE"),
        "{run}"
    );
    story.run(["exoscale", "--show"]).env("CI_DEBUG_TRACE", "true").run().expect(0);
    story.run(["exoscale", "--format", "json"]).env("CI_DEBUG_TRACE", "1").run().expect(0);
}

#[test]
fn a_file_is_private_and_appears_whole() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("creds.env");
    let run =
        story.run(["exoscale", "--format", "dotenv", "--output", file.to_str().unwrap()]).run().expect(0);
    assert_eq!(run.stdout, "", "never in both places");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("EXOSCALE_API_KEY=") && text.lines().count() == 2, "{text}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let run = story.run(["exoscale", "--output", link.to_str().unwrap()]).run().expect(6);
    assert!(run.stderr.contains("it is a symbolic link"), "{run}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "files stay as they were");
}

#[test]
fn json_has_everything() {
    let space = Space::new();
    let story = Story::new(&space);
    let run = story.run(["exoscale", "--format", "json"]).run().expect(0);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let one = &json["credentials"][0];
    assert_eq!((json["version"].as_u64(), one["provider"].as_str()), (Some(1), Some("exoscale")));
    assert_eq!((one["ttl_seconds"].as_u64(), one["renewable"].as_bool()), (Some(900), Some(true)));
    assert_eq!(story.engine.leases(), [one["lease_id"].as_str().unwrap()]);
    assert!(one["variables"]["EXOSCALE_API_SECRET"].is_string(), "{json}");
}

#[test]
fn help_shows_no_value_of_any_variable() {
    let mut command = ci_creds::testing::cli::command();
    command.build();
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    assert!(names.len() >= 6);
    for name in names {
        let plain = Cmd::new([name.as_str(), "--help"]).run().expect(0);
        let variables = plain.stdout.split(['[', ']', ',', ' ', '\n']).filter(|word| word.contains('_'));
        let variables: Vec<&str> =
            variables.filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_')).collect();
        assert!(
            name == "completions"
                || variables.len()
                    > if ["revoke", "scan", "status"].contains(&name.as_str()) { 0 } else { 20 },
            "{name}: {variables:?}"
        );
        let set = variables.iter().map(|variable| (variable, CANARY));
        let run = Cmd::new([name.as_str(), "--help"]).envs(set).run().expect(0);
        assert_eq!(run.stdout, plain.stdout, "{name}");
    }
}

#[test]
fn the_error_stream_may_be_closed() {
    let space = Space::new();
    let story = Story::new(&space);
    story.script("bash", "ci-creds exoscale -vv 2>&- >/dev/null").run().expect(0);
    story.script("bash", "ci-creds exoscal 2>&- >/dev/null").run().expect(2);
}
