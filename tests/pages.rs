//! README and docs/ keep their word: each policy suffices for what it is for, and each command line is one.

mod blocks;
mod form;

use std::ffi::OsString;

use serde_json::{Value, json};

use crate::support::pages::pages;
use crate::support::space::AppRole;
use crate::support::{Cmd, Space, bao};

const ROLE: &str = "gitlab-ci-runner";

/// The blocks of this language on all pages, in order.
fn blocks(language: &str) -> std::vec::IntoIter<String> {
    let fence = format!("```{language}\n");
    let of = |(_, text): &(String, String)| {
        let parts = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().trim_end());
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    pages().iter().flat_map(of).collect::<Vec<_>>().into_iter()
}

/// The policy whose comment begins like this, for the mounts of a space.
fn policy(space: &Space<'_>, start: &str) -> String {
    let mut found = blocks("hcl").filter(|block| block.starts_with(&format!("# {start}")));
    let text = found.next().unwrap_or_else(|| panic!("no page has a policy `{start}`"));
    assert!(found.next().is_none(), "there are two policies `{start}`");
    let own =
        |text: String, name: &str| text.replace(&format!("\"{name}/"), &format!("\"{}/", space.name(name)));
    let text = ["exoscale", "aws", "scaleway"].into_iter().fold(text, own);
    space.policy(&text)
}

/// The same for a policy about an auth method.
fn policy_at(space: &Space<'_>, start: &str, login: &AppRole) -> String {
    let text = blocks("hcl").find(|block| block.starts_with(&format!("# {start}"))).unwrap();
    space.policy(&text.replace("auth/approle/", &format!("auth/{}/", login.mount)))
}

/// The README's three engines: KV with leases, as the real ones have them.
fn engines(space: &Space<'_>) {
    for (name, path, pair) in [
        ("exoscale", "apikey/gitlab-ci-runner", json!({"api_key": "EXO1", "api_secret": "of-exoscale"})),
        ("aws", "sts/web-pipeline", json!({"access_key": "AKIA1", "secret_key": "of-aws"})),
        ("scaleway", "creds/dev", json!({"access_key": "SCW1", "secret_key": "of-scaleway"})),
    ] {
        let options = json!({"version": "1", "leased_passthrough": "true"});
        let mount = space.mount(name, json!({"type": "kv", "options": options}));
        let mut data = pair;
        data["ttl"] = json!("10m");
        space.write(&format!("{mount}/{path}"), data);
    }
}

fn exoscale(space: &Space<'_>, args: &[&str]) -> Cmd {
    Cmd::new(["exoscale", ROLE])
        .args(args)
        .vault(space.server)
        .env("CI_CREDS_EXOSCALE_MOUNT", space.name("exoscale"))
}

#[test]
fn the_policy_for_reading_suffices() {
    let space = Space::new();
    engines(&space);
    let token = space.token(&[&policy(&space, "What a job reads")], json!({"ttl": "10m"}));
    exoscale(&space, &["--and", "aws=web-pipeline", "--and", "scaleway=dev"])
        .env("CI_CREDS_AWS_MOUNT", space.name("aws"))
        .env("CI_CREDS_SCALEWAY_MOUNT", space.name("scaleway"))
        .env("VAULT_TOKEN", &token)
        .run()
        .expect(0);
}

#[test]
fn the_policies_of_split_custody_suffice_and_the_hardened_one_wants_wrapping() {
    let space = Space::new();
    engines(&space);
    let reading = policy(&space, "What a job reads");
    let login =
        space.approle(ROLE, json!({"token_policies": reading, "token_ttl": "10m", "secret_id_num_uses": 1}));
    let run = |issuing: &str| {
        let token = space.token(&[&policy_at(&space, issuing, &login)], json!({"ttl": "10m"}));
        exoscale(&space, &[]).split_custody(&login, &token)
    };
    run("Split custody: the issuing token").run().expect(0);
    let hardened = run("Split custody, hardened");
    hardened.clone().run().expect(4);
    hardened.env("VAULT_WRAP_TTL", "60s").run().expect(0);
}

#[test]
fn the_policy_for_a_given_token_lets_its_leases_be_taken_back() {
    let space = Space::new();
    engines(&space);
    let policies = [policy(&space, "What a job reads"), policy(&space, "A token that you give")];
    let token = space.token(&[&policies[0], &policies[1]], json!({"ttl": "20m"}));
    let run = exoscale(&space, &["--", "true"]).env("VAULT_TOKEN", &token).run().expect(0);
    assert!(!run.stderr.contains("warning"), "{run}");
    assert!(space.leases(&space.name("exoscale")).is_empty());
    // Without it they stay, and are named.
    let token = space.token(&[&policies[0]], json!({"ttl": "20m"}));
    let run = exoscale(&space, &["--", "true"]).env("VAULT_TOKEN", &token).run().expect(0);
    assert!(run.stderr.contains("warning"), "{run}");
    assert_eq!(space.leases(&space.name("exoscale")).len(), 1);
}

#[test]
fn the_policy_for_terraform_makes_a_child_token() {
    let space = Space::new();
    let token = space.token(&[&policy(&space, "Terraform's Vault provider")], json!({"ttl": "10m"}));
    assert_eq!(bao().api_as(&token, "POST", "auth/token/create", json!({"ttl": "5m"})).status, 200);
}

#[test]
fn a_token_without_the_default_policy_needs_no_more_than_it_says() {
    let space = Space::new();
    engines(&space);
    let policies =
        [policy(&space, "What a job reads"), policy(&space, "A role with token_no_default_policy")];
    let params = json!({"token_policies": policies, "token_ttl": "2m", "token_max_ttl": "1h", "token_no_default_policy": true});
    let login = space.approle(ROLE, params);
    let run = exoscale(&space, &["--", "true"]).approle(&login).run().expect(0);
    assert!(!run.stderr.contains("warning"), "{run}");
    assert!(space.login_tokens().is_empty() && space.leases(&space.name("exoscale")).is_empty());
}

#[test]
fn the_policy_for_rotation_is_the_example_s() {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let example = squeeze(include_str!("../examples/exoscale-approle/vault.sh"));
    for line in
        blocks("hcl").find(|block| block.starts_with("# The job that rotates")).unwrap().lines().skip(1)
    {
        assert!(example.contains(&squeeze(line)), "{line}");
    }
}

#[test]
fn every_policy_is_one_that_vault_takes() {
    for (number, block) in blocks("hcl").enumerate() {
        let name = format!("page-{number}");
        bao().ok("PUT", &format!("sys/policies/acl/{name}"), json!({"policy": block}));
        let back = bao().ok("GET", &format!("sys/policies/acl/{name}"), Value::Null);
        assert_eq!(back["data"]["policy"], json!(block));
    }
}

#[test]
fn every_cloud_is_on_the_page_and_in_the_template() {
    let template = include_str!("../templates/ci-creds/template.yml");
    let page = include_str!("../docs/clouds.md");
    let options = template.split("options: [").nth(1).unwrap().split(']').next().unwrap();
    for provider in ci_creds::testing::provider::PROVIDERS {
        assert!(options.split(", ").any(|name| name == provider.name), "{}", provider.name);
        assert!(page.contains(&format!("\n| {} | ", provider.name)), "{}", provider.name);
    }
}

#[test]
fn every_format_and_every_login_is_on_its_page() {
    let page = include_str!("../docs/output.md");
    for format in ci_creds::testing::emit::FORMATS {
        assert!(page.contains(&format!("\n| `{}` | ", format.name)), "docs/output.md lacks {}", format.name);
    }
    let help = Cmd::new(["login", "--help"]).run().expect(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = help.split("The login: ").nth(1).unwrap().split(" [default").next().unwrap();
    let page = include_str!("../docs/logins.md").to_lowercase();
    for method in ci_creds::testing::auth::METHODS {
        assert!(
            named.split([',', ' ']).any(|word| word == method.name),
            "--auth's help lacks {}",
            method.name
        );
        assert!(page.contains(method.name), "docs/logins.md lacks {}", method.name);
    }
}

/// The words of a command line as a shell has them, as far as the pages go.
fn words(line: &str) -> Vec<OsString> {
    let (mut words, mut quoted, mut open) = (vec![String::new()], false, false);
    for char in line.chars() {
        match char {
            '\'' => (quoted, open) = (!quoted, true),
            ' ' if !quoted => {
                if open || words.last().is_some_and(|word| !word.is_empty()) {
                    words.push(String::new());
                }
                open = false;
            }
            _ => words.last_mut().unwrap().push(char),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).map(OsString::from).collect()
}

#[test]
fn every_command_line_is_one() {
    let mut count = 0;
    let text = ["sh", "yaml", "ini"].into_iter().flat_map(blocks).collect::<Vec<_>>().join("\n");
    for line in text.lines() {
        let line = line.split(" #").next().unwrap();
        for (start, _) in line.match_indices("ci-creds ") {
            let before = line[..start].chars().next_back();
            if before.is_some_and(|char| !" (".contains(char)) || line[..start].ends_with("--upload-file ") {
                continue;
            }
            let text = &line[start..];
            let text = text.split([')', '|', ';']).next().unwrap().trim_end();
            let parsed = ci_creds::testing::cli::parse(&words(text));
            assert!(parsed.is_ok(), "{text}: {}", parsed.unwrap_err());
            count += 1;
        }
    }
    println!("{count} command lines");
    assert!(count >= 50, "only {count} were found");
}

/// Without quotes a shell splits the text at its IFS: every page, example, template and help has them.
#[test]
fn eval_is_recommended_with_quotes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = pages();
    let mut folders = vec![root.join("examples"), root.join("templates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match std::fs::read_to_string(&path) {
                Ok(text) => texts.push((path.display().to_string(), text)),
                Err(_) if path.is_dir() => folders.push(path),
                Err(_) => {}
            }
        }
    }
    let commands = ci_creds::testing::cli::command()
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .collect::<Vec<_>>();
    for words in commands.iter().map(|name| vec![name.as_str(), "--help"]).chain([vec!["--help"]]) {
        texts.push((words.join(" "), Cmd::new(&words).run().expect(0).stdout));
    }
    for (name, text) in texts {
        let bare = text.lines().find(|line| line.contains("eval $(") || line.contains("eval `"));
        assert!(bare.is_none(), "{name}: {bare:?}");
    }
}
