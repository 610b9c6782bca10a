//! What each input of the template becomes: one argument, whatever is in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ci_creds::testing::auth::METHODS;
use ci_creds::testing::provider::PROVIDERS;

use super::pipeline::source;
use super::shell::scripts;
use crate::support::{require, script};

/// Prints its arguments, one in a line, and an assignment for `eval`.
const RECORDER: &str = "#!/bin/sh\nprintf '<%s>\\n' \"$@\" >&2\necho 'GIVEN=yes;'\n";

/// The arguments of a job with these inputs, and what its script says of the ID token.
fn arguments(shell: &str, inputs: &str) -> (Vec<String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("ci-creds");
    fs::write(&program, RECORDER).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let [before, _] = scripts(inputs);
    let text = format!("{before}\necho \"$GIVEN ${{VAULT_ID_TOKEN-none}} $- $IFS\"");
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let run = script(shell, &text)
        .job(dir.path())
        .env("PATH", path)
        .env("VAULT_ID_TOKEN", "there")
        .env("FILE", "/ca x");
    let run = run.run().expect(0);
    let arguments =
        run.stderr.lines().filter_map(|line| Some(line.strip_prefix('<')?.strip_suffix('>')?.to_owned()));
    (arguments.collect(), run.stdout)
}

/// When the script has ended, whatever it did, its files are searched; a find fails the job, and so does its own failure.
#[test]
fn the_paths_of_scan_are_searched_at_the_end() {
    let program = "#!/bin/sh\ncase $1 in scan) printf '<%s>\\n' \"$@\" >&2; exit $FOUND ;; *) echo 'GIVEN=yes;' ;; esac\n";
    for shell in ["bash", "dash", "busybox"].into_iter().filter(|shell| require(shell).is_some()) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ci-creds");
        fs::write(&file, program).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let [before, _] = scripts("{provider: exoscale, role: ci, scan: 'dist/ report.xml'}");
        for (last, found, code) in [
            ("true", 0, 0),
            ("true", 7, 7),
            ("false", 0, 1),
            ("exit 9", 7, 7),
            ("exit 9", 3, 9),
            ("true", 3, 3),
        ] {
            let path = format!("{}:/usr/bin:/bin", dir.path().display());
            let cmd = script(shell, &format!("set -e\n{before}\n{last}")).job(dir.path()).env("PATH", path);
            let run = cmd.env("FOUND", found.to_string()).run().expect(code);
            assert!(
                run.stderr.contains("<scan>\n<--state-file=auto>\n<dist/>\n<report.xml>\n"),
                "{shell}: {run}"
            );
        }
    }
}

#[test]
fn each_input_is_one_argument() {
    for shell in ["bash", "dash", "busybox"].into_iter().filter(|shell| require(shell).is_some()) {
        let (given, said) = arguments(
            shell,
            "{provider: aws, role: 'my role', ttl: 30m, mount: 'a;b', path: 'x/{role} * ~', region: eu-west-1, \
             dead-man: 90s, role-arn: arn:aws:iam::1:role/ci, zone: z, ca-cert: $FILE, vault-addr: https://v, namespace: n}",
        );
        let expected = [
            "aws",
            "my role",
            "--state-file=auto",
            "--auth=approle",
            "--addr=https://v",
            "--namespace=n",
            "--ca-cert=/ca x",
            "--ttl=30m",
            "--mount=a;b",
            "--path=x/{role} * ~",
            "--dead-man=90s",
            "--role-arn=arn:aws:iam::1:role/ci",
            "--region=eu-west-1",
            "--zone=z",
            "--format=sh",
        ];
        assert_eq!(given, expected, "{shell}");
        // The script has its shell as it was, and no ID token to log in with again.
        assert!(
            said.starts_with("yes none ") && !said.split(' ').nth(2).unwrap().contains('f'),
            "{shell}: {said}"
        );
        assert!(said.ends_with(" \t\n\n"), "{shell}: {said:?}");
        let (given, said) = arguments(
            shell,
            "{provider: read, read: 'kv/data/app A=a B=@b', and: 'aws=ci login', keep-id-token: true, revoke: false}",
        );
        let expected = [
            "read",
            "kv/data/app",
            "A=a",
            "B=@b",
            "--and=aws=ci",
            "--and=login",
            "--auth=approle",
            "--format=sh",
        ];
        assert_eq!(given, expected, "{shell}");
        assert!(said.starts_with("yes there "), "{shell}: {said}");
    }
}

/// GitLab refuses an input with anything in it that a shell would act on, but for $NAME.
#[test]
fn no_input_can_end_its_quotes() {
    let text = fs::read_to_string(source("templates/ci-creds/template.yml")).unwrap();
    let (header, jobs) = text.split_once("\n---\n").unwrap();
    let mut inputs: Vec<String> = Vec::new();
    for line in header.lines() {
        match (line.strip_prefix("    "), inputs.last_mut()) {
            (Some(name), _) if !name.starts_with([' ', '#']) => inputs.push(name.to_owned()),
            (Some(rest), Some(input)) => *input += &format!("\n{rest}"),
            _ => {}
        }
    }
    assert!(inputs.len() > 20, "{inputs:?}");
    for input in &inputs {
        let is_safe = ["type: boolean", "options: [", "regex: *text", "regex: &text"];
        assert!(is_safe.iter().any(|safe| input.contains(safe)), "{input}");
    }
    let regex = header.split("&text '").nth(1).unwrap().split("'\n").next().unwrap();
    let regex = regex::Regex::new(regex).unwrap();
    for good in
        ["", "image", "$CI_API_V4_URL/projects/1", "$VAULT_ADDR", "static-creds/{role}", "a b=@c * 'd' ; é"]
    {
        assert!(regex.is_match(good), "{good}");
    }
    for bad in ["\"", "a\"b", "`id`", "$(id)", "${x:-$(id)}", "$", "\\", "a\nb", "$$x", "$1"] {
        assert!(!regex.is_match(bad), "{bad}");
    }
    // Each stands in double quotes, but for the audience, which is GitLab's own.
    for line in jobs.lines() {
        for (at, _) in line.match_indices("$[[ inputs.") {
            let (before, name) = line.split_at(at);
            let is_quoted = before.matches('"').count() % 2 == 1;
            assert!(is_quoted || name.starts_with("$[[ inputs.audience ]]"), "{line}");
        }
    }
}

#[test]
fn the_template_downloads_the_version_that_it_belongs_to() {
    let text = fs::read_to_string(source("templates/ci-creds/template.yml")).unwrap();
    let version = text.split("\n    version:\n").nth(1).unwrap();
    assert!(version.contains(&format!("default: \"{}\"\n", env!("CARGO_PKG_VERSION"))), "{version}");
    // GitLab before 18.6 refuses any other key of `spec`, such as `component`, which would tell the version.
    let (header, _) = text.split_once("\n---\n").unwrap();
    let keys: Vec<_> =
        header.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert_eq!(keys, ["  inputs:"]);
}

/// The component's page has a row for each input, with its default.
#[test]
fn each_input_is_on_the_page_of_the_component() {
    let text = fs::read_to_string(source("templates/ci-creds/template.yml")).unwrap();
    let page = fs::read_to_string(source("templates/ci-creds/README.md")).unwrap();
    let (header, _) = text.split_once("\n---\n").unwrap();
    let mut expected: Vec<(String, String)> = Vec::new();
    for line in header.lines() {
        if let (Some(default), Some((_, shown))) = (line.strip_prefix("      default: "), expected.last_mut())
        {
            let default = default.trim_matches('"');
            *shown = if default.is_empty() { "empty".to_owned() } else { format!("`{default}`") };
        } else if let Some(name) = line.strip_prefix("    ").filter(|name| !name.starts_with([' ', '#'])) {
            expected.push((name.trim_end_matches(':').to_owned(), "**must be given**".to_owned()));
        }
    }
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
    };
    assert_eq!(page.lines().filter_map(row).collect::<Vec<_>>(), expected);
    assert!(page.contains("catalog"));
}

/// The names that an input takes, and what the component's page says of it.
fn options_of(input: &str) -> (Vec<String>, String) {
    let text = fs::read_to_string(source("templates/ci-creds/template.yml")).unwrap();
    let part = text.split(&format!("\n    {input}:\n")).nth(1).unwrap();
    let list = part.split("options: [").nth(1).unwrap().split(']').next().unwrap();
    let page = fs::read_to_string(source("templates/ci-creds/README.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| `{input}` |"))).unwrap();
    (list.split(", ").map(str::to_owned).collect(), row.to_owned())
}

/// What the program can do, the template can: no login and no provider is forgotten.
#[test]
fn the_inputs_have_every_login_and_every_provider() {
    let logins: Vec<_> = METHODS.iter().map(|method| method.name).collect();
    let providers = PROVIDERS.iter().map(|provider| provider.name);
    let providers: Vec<_> = providers.chain(["read", "env", "login", "none"]).collect();
    for (input, mut expected) in [("auth-method", logins), ("provider", providers)] {
        let (mut options, row) = options_of(input);
        options.sort_unstable();
        expected.sort_unstable();
        assert_eq!(options, expected, "{input}");
        let unsaid: Vec<_> = expected.iter().filter(|name| !row.contains(&format!("`{name}`"))).collect();
        assert!(unsaid.is_empty(), "{input}: the page has no {unsaid:?}");
    }
}
