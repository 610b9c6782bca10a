//! The other formats: each says the same plan, and is what its readers take.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::world::World;
use crate::support::jwt::AUDIENCE;
use crate::support::plugins::{hclfmt, terraform_provider};
use crate::support::{Cmd, Run, say, shell};

/// Names that a format could read as something of its own.
const HOSTILE: [&str; 6] =
    ["g/${path.cwd}", "g/%{ if true }", "g/\"; x = \"", "g/a|b`c`", "g/<b>, x", "g/\\n\\u0041"];

fn printed(format: &str, words: &[&str]) -> String {
    let usual = ["--gitlab-url", "https://gitlab.example.com", "--audience", AUDIENCE, "--format", format];
    Cmd::new(["setup"]).args(usual).args(words).env("VAULT_ADDR", AUDIENCE).run().expect(0).stdout
}

const JOB: [&str; 9] =
    ["aws", "web", "--role-arn", "arn:aws:iam::1:role/web", "--project", "22", "--ref", "main", "--cli=bao"];

/// The resources of Terraform's Vault provider, and their attributes: the type of each, and whether it is required. The
/// file says which release it is of, and where it is from. The provider itself can't be had where only the registries of
/// packages are reached: Terraform fetches it from a registry of providers, and as a Go module it has no release after
/// 1.9.0, because its path lacks the major version. `terraform validate` runs with a provider that has this schema alone.
fn schema() -> Value {
    serde_json::from_str(include_str!("provider-vault.json")).unwrap()
}

/// A sketch that is filled in is HCL like the rest.
fn uncommented(text: &str) -> String {
    assert!(text.contains("\n#~ resource "), "{text}");
    text.lines()
        .map(|line| line.strip_prefix("#~").map_or(line, |line| line.strip_prefix(' ').unwrap_or(line)))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// The type of an expression, as far as its first sign tells it; empty for a reference.
fn type_of(expression: &str) -> &'static str {
    match expression.as_bytes()[0] {
        b'"' | b'<' => "string",
        b'[' => "set(string) list(string)",
        b'{' => "map(string)",
        b'0'..=b'9' => "number",
        _ if ["true", "false"].contains(&expression) => "bool",
        _ => "",
    }
}

/// Every resource is one of the provider's, every attribute is one of it and has its type, and no required one is missing.
fn assert_schema(text: &str, schema: &Value, seen: &mut BTreeSet<String>) {
    for part in text.split("\nresource \"").skip(1) {
        let (kind, part) = part.split_once('"').unwrap();
        let body = part.split_once("\n}\n").unwrap().0;
        let known = schema["resources"][kind].as_object().unwrap_or_else(|| panic!("{kind}"));
        let own = body
            .lines()
            .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with([' ', '}'])));
        let mut given = vec![];
        for (name, value) in own.filter_map(|line| line.split_once(" = ")) {
            let name = name.trim_end();
            given.push(name);
            seen.insert(format!("{kind}.{name}"));
            // Terraform's own.
            if name == "depends_on" {
                continue;
            }
            let wanted = known.get(name).unwrap_or_else(|| panic!("{kind}: {name}")).as_str().unwrap();
            assert!(!wanted.ends_with(", exported"), "{kind}: {name} can't be set");
            let wanted = wanted.trim_end_matches(", required");
            let has = type_of(value);
            assert!(
                has.is_empty() || has.split(' ').any(|one| one == wanted),
                "{kind}: {name} = {value}: {wanted}"
            );
        }
        let required = known.iter().filter(|(_, about)| about.as_str().unwrap().ends_with(", required"));
        for (name, _) in required {
            assert!(given.contains(&&**name), "{kind} lacks {name}:\n{body}");
        }
    }
}

#[test]
fn terraform_is_formatted_and_has_attributes_of_the_provider() {
    let logins: [&[&str]; 4] = [
        &JOB,
        &["exoscale", "ci", "--auth", "approle", "--bound-cidr", "10.0.0.0/8"],
        &["exoscale", "ci", "--auth", "kubernetes", "--service-account", "ci/deployer"],
        &[
            "exoscale",
            "ci",
            "--auth",
            "aws",
            "--principal",
            "arn:aws:iam::1:role/r",
            "--aws-server-id",
            "v.example.com",
        ],
    ];
    let mut texts: Vec<String> = logins.iter().map(|words| printed("terraform", words)).collect();
    for name in HOSTILE {
        let words = ["exoscale", "ci", "--project", name, "--ref", "a,b", "--environment", name];
        let text = printed("terraform", &words);
        // What Terraform would fill in is doubled.
        assert!(!text.replace("$${", "").contains("${") && !text.replace("%%{", "").contains("%{"), "{text}");
        assert!(text.contains("disable_bound_claims_parsing"), "{text}");
        texts.push(text);
    }
    texts.extend(logins.iter().map(|words| uncommented(&printed("terraform", words))));
    texts.push(uncommented(&printed("terraform", &["scaleway", "dev", "--project", "22"])));
    for who in [&["--group", "group"][..], &["--project", "1", "--project", "2"]] {
        let run = ["read", "kv/{project_id}/app", "T=t", "--kv-version", "1", "--group-claim"];
        texts.push(printed("terraform", &[&run, who].concat()));
    }
    let (schema, mut seen) = (schema(), BTreeSet::new());
    for text in &texts {
        assert_schema(text, &schema, &mut seen);
    }
    assert!(seen.len() >= 80, "{}: {seen:?}", seen.len());
    // Terraform's own formatter, or the part of it that can be had everywhere: nothing of this is skipped.
    let dir = tempfile::tempdir().unwrap();
    let terraform = shell::find("terraform").or_else(|| shell::find("tofu"));
    let (program, words) = match &terraform {
        Some(terraform) => (terraform.clone(), &["fmt", "-"][..]),
        None => (hclfmt().unwrap(), &[][..]),
    };
    let formatted = |text: &str| {
        let cmd = Cmd::program(&program).args(words).stdin(text).env("HOME", dir.path());
        let rc = dir.path().join("rc");
        std::fs::write(&rc, "").unwrap();
        cmd.env("TF_CLI_CONFIG_FILE", &rc).run().expect(0).stdout
    };
    assert_eq!(formatted("a   = 1\nbb = 2\n"), "a  = 1\nbb = 2\n");
    for text in &texts {
        assert_eq!(formatted(text), *text);
    }
    // Elsewhere the names and types are held against the schema by this test alone.
    let Some(terraform) = terraform.filter(|program| program.ends_with("terraform")) else {
        return say("there is no terraform here: `terraform validate` did not run");
    };
    let validate = validator(&terraform);
    for text in &texts {
        validate(text).expect(0);
    }
    for (odd, says) in [
        ("  nmae = \"x\"\n", "Unsupported argument"),
        ("  policy = [\"x\"]\n  name = \"x\"\n", "Incorrect attribute value type"),
        ("  policy = vault_policy.other.name\n  name = \"x\"\n", "Reference to undeclared resource"),
        ("  name = \"x\"\n", "Missing required argument"),
    ] {
        let run = validate(&format!("resource \"vault_policy\" \"one\" {{\n{odd}}}\n")).expect(1);
        assert!(run.stderr.contains(says), "{odd}\n{run}");
    }
}

/// Runs `terraform validate` with the stand-in of the provider.
fn validator(terraform: &Path) -> impl Fn(&str) -> Run {
    let (provider, dir) = (terraform_provider().unwrap(), tempfile::tempdir().unwrap());
    let rc = format!(
        "provider_installation {{\n  dev_overrides {{ \"hashicorp/vault\" = {:?} }}\n  direct {{}}\n}}\n",
        provider.display().to_string()
    );
    std::fs::write(dir.path().join("rc"), rc).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup/provider-vault.json");
    let terraform = terraform.to_owned();
    move |text| {
        std::fs::write(dir.path().join("main.tf"), text).unwrap();
        let cmd = Cmd::program(&terraform).args(["validate", "-no-color"]).dir(dir.path());
        let cmd = cmd.env("HOME", dir.path()).env("VAULT_SCHEMA", schema).env("CHECKPOINT_DISABLE", "1");
        cmd.env("TF_CLI_CONFIG_FILE", dir.path().join("rc")).run()
    }
}

#[test]
fn json_and_hcl_say_what_the_script_does() {
    let world = World::new("kv1").unwrap();
    let script = world.printed(&[]);
    let plan: Value = serde_json::from_str(&world.printed(&["--format", "json"])).unwrap();
    world.shell(&script).run().expect(0);
    let role = world.space.ok("GET", "auth/jwt/role/job", Value::Null);
    assert_eq!(plan["version"], 1);
    assert_eq!(plan["roles"][0]["path"], "auth/jwt/role/job");
    for (name, value) in plan["roles"][0]["fields"].as_object().unwrap() {
        assert!(
            role["data"][name] == *value || (value == &json!({}) && role["data"][name].is_null()),
            "{name}"
        );
    }
    let policy = world.space.ok("GET", "sys/policies/acl/job", Value::Null);
    assert_eq!(plan["policies"][0]["text"], policy["data"]["policy"]);
    let hcl = world.printed(&["--format", "hcl"]);
    let (_, hcl) = hcl.split_once('\n').unwrap();
    assert_eq!(json!(hcl), policy["data"]["policy"]);
}

/// What setup can't know is said in each form of the policy.
#[test]
fn the_assumed_version_of_kv_is_said() {
    for format in ["sh", "terraform", "hcl", "json", "markdown"] {
        let says =
            |words: &[&str]| printed(format, words).contains("any engine but KV version 2, which has data/");
        let read = ["read", "secret/app", "TOKEN=token", "--project", "22"];
        assert!(says(&read) && printed(format, &read).contains("--kv-version 2 puts it there"), "{format}");
        for told in [
            &["read", "secret/data/app", "TOKEN=token", "--project", "22"][..],
            &["read", "secret/app", "TOKEN=token", "--kv-version", "1", "--project", "22"],
            &["exoscale", "ci", "--project", "22"],
        ] {
            assert!(!says(told), "{format}: {told:?}");
        }
    }
}

#[test]
fn the_proof_of_each_role_has_its_name() {
    let list = ["read", "kv/{project_id}/app", "T=t", "--project", "22", "--project", "23", "--group-claim"];
    let page = printed("markdown", &list);
    for role in ["kv-app-22", "kv-app-23"] {
        assert_eq!(page.matches(&format!("\n## Proof of the role `{role}`\n")).count(), 1, "{page}");
    }
    let plan: Value = serde_json::from_str(&printed("json", &list)).unwrap();
    assert_eq!(
        (&plan["proof"][0]["role"], &plan["proof"][8]["role"]),
        (&json!("kv-app-22"), &json!("kv-app-23"))
    );
}

/// The other projects of a group are meant: only who is not is warned of.
#[test]
fn a_group_is_let_in_without_a_warning() {
    let setup = |who: &[&str]| {
        let usual = ["setup", "exoscale", "ci", "--audience", AUDIENCE, "--format", "markdown"];
        Cmd::new(usual).args(["--gitlab-url", "https://gitlab.example.com"]).args(who).run().expect(0)
    };
    for group in ["platform", "72"] {
        let run = setup(&["--group", group]);
        assert_eq!(run.stderr, "");
        assert!(run.stdout.contains("| another project of the group | let in, as is meant |"), "{run}");
    }
    let run = setup(&["--group", "platform/*"]);
    assert!(
        run.stderr.is_empty() && run.stdout.contains("that a * stands for | let in, as is meant |"),
        "{run}"
    );
    let run = setup(&["--group", "platform", "--ref", "main", "--unprotected"]);
    assert!(
        run.stderr.contains("lets in a merge request's pipeline") && run.stderr.lines().count() == 1,
        "{run}"
    );
    let run = setup(&["--project", "group/*"]);
    assert!(run.stderr.contains("also lets in another project that a * stands for"), "{run}");
}

#[test]
fn the_proof_stands_in_the_page() {
    let page = printed("markdown", &JOB);
    for row in [
        "| the job that it is for | **let in** |  |",
        "| a fork of the project | refused | project_id |",
        "| another project of the group | refused | project_id |",
        "| a feature branch | refused | ref, ref_protected |",
        "| a merge request's pipeline | refused | ref_protected |",
        "| another GitLab | refused | iss |",
        "| another audience | refused | aud |",
        "| `aws/sts/web` | read | `role_arn` = `arn:aws:iam::1:role/web`; `role_session_name` (any value) |",
    ] {
        assert!(page.contains(row), "{row}\n{page}");
    }
    // What is wider than it looks is said.
    let wide = [
        "setup",
        "exoscale",
        "ci",
        "--project",
        "22",
        "--ref",
        "main",
        "--unprotected",
        "--audience",
        AUDIENCE,
    ];
    let run = Cmd::new(wide).args(["--gitlab-url", "https://gitlab.example.com"]).run().expect(0);
    assert!(run.stderr.contains("this also lets in a merge request's pipeline"), "{run}");
    let narrow = Cmd::new(["setup", "exoscale", "ci", "--project", "22", "--audience", AUDIENCE]);
    let run = narrow.args(["--gitlab-url", "https://gitlab.example.com"]).run().expect(0);
    assert_eq!(run.stderr, "");
}

/// The call in the job is the run's own: a command line that ci-creds takes.
#[test]
fn the_jobs_lines_are_the_run() {
    for (words, line) in [
        (&JOB[..], "ci-creds aws web --role-arn arn:aws:iam::1:role/web"),
        (
            &["read", "pki/issue/web", "C=certificate", "--kv-version=2", "--project", "1"][..],
            "ci-creds read pki/issue/web C=certificate --kv-version 2",
        ),
        (
            &["scaleway", "dev", "--s3", "--region", "fr-par", "--mount", "it's", "--project", "1"],
            "ci-creds scaleway dev --mount 'it'\\\\''s' --region fr-par --s3",
        ),
        (&["env", "--only", "A", "--only", "B", "--project", "1"], "ci-creds env --only A --only B"),
        (&["exoscale", "ci", "--and", "aws=web", "--project", "1"], "ci-creds exoscale ci --and aws=web"),
    ] {
        let text = printed("gitlab", words);
        assert!(text.contains(&format!("    - \"eval \\\"$({line})\\\"\"\n")), "{line}\n{text}");
        assert!(text.contains("    CI_CREDS_STATE_FILE: auto\n"), "{text}");
        assert!(text.ends_with("  after_script:\n    - ci-creds revoke\n"), "{text}");
        assert!(text.contains("VAULT_ID_TOKEN:\n      aud: \"https://vault.example.com\"\n"), "{text}");
    }
    let text =
        printed("gitlab", &[&JOB[..], &["--environment", "production", "--", "terraform", "apply"]].concat());
    assert!(text.starts_with("job:\n  environment: \"production\"\n"), "{text}");
    assert!(text.ends_with("-- COMMAND\"\n") && !text.contains("STATE_FILE"), "{text}");
}
