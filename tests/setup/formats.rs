//! The other formats: each says the same plan, and is what its readers take.

use serde_json::{Value, json};

use super::world::World;
use crate::support::jwt::AUDIENCE;
use crate::support::{Cmd, say, shell};

/// Names that a format could read as something of its own.
const HOSTILE: [&str; 6] =
    ["g/${path.cwd}", "g/%{ if true }", "g/\"; x = \"", "g/a|b`c`", "g/<b>, x", "g/\\n\\u0041"];

fn printed(format: &str, words: &[&str]) -> String {
    let usual = ["--gitlab-url", "https://gitlab.example.com", "--audience", AUDIENCE, "--format", format];
    Cmd::new(["setup"]).args(usual).args(words).env("VAULT_ADDR", AUDIENCE).run().expect(0).stdout
}

const JOB: [&str; 9] =
    ["aws", "web", "--role-arn", "arn:aws:iam::1:role/web", "--project", "22", "--ref", "main", "--cli=bao"];

/// The resources of Terraform's Vault provider and the attributes that they have, as its release 5 documents them.
const TOKEN: [&str; 9] = [
    "token_bound_cidrs",
    "token_explicit_max_ttl",
    "token_max_ttl",
    "token_no_default_policy",
    "token_num_uses",
    "token_period",
    "token_policies",
    "token_ttl",
    "token_type",
];
const SCHEMA: [(&str, &[&str]); 12] = [
    ("vault_mount", &["path", "type", "options"]),
    ("vault_generic_endpoint", &["path", "data_json", "ignore_absent_fields", "depends_on"]),
    (
        "vault_aws_secret_backend_role",
        &["backend", "name", "credential_type", "role_arns", "default_sts_ttl", "max_sts_ttl"],
    ),
    ("vault_policy", &["name", "policy"]),
    ("vault_auth_backend", &["path", "type"]),
    ("vault_jwt_auth_backend", &["path", "type", "oidc_discovery_url", "bound_issuer"]),
    (
        "vault_jwt_auth_backend_role",
        &[
            "backend",
            "role_name",
            "role_type",
            "bound_audiences",
            "bound_claims_type",
            "bound_claims",
            "bound_subject",
            "user_claim",
            "user_claim_json_pointer",
            "groups_claim",
            "claim_mappings",
            "expiration_leeway",
            "not_before_leeway",
            "clock_skew_leeway",
            "disable_bound_claims_parsing",
        ],
    ),
    (
        "vault_approle_auth_backend_role",
        &[
            "backend",
            "role_name",
            "bind_secret_id",
            "secret_id_bound_cidrs",
            "secret_id_num_uses",
            "secret_id_ttl",
        ],
    ),
    (
        "vault_token_auth_backend_role",
        &[
            "role_name",
            "allowed_policies",
            "allowed_policies_glob",
            "disallowed_policies",
            "disallowed_policies_glob",
            "orphan",
            "renewable",
            "path_suffix",
        ],
    ),
    (
        "vault_kubernetes_auth_backend_role",
        &[
            "backend",
            "role_name",
            "bound_service_account_names",
            "bound_service_account_namespaces",
            "alias_name_source",
        ],
    ),
    ("vault_aws_auth_backend_client", &["backend", "iam_server_id_header_value"]),
    (
        "vault_aws_auth_backend_role",
        &["backend", "role", "auth_type", "bound_iam_principal_arns", "resolve_aws_unique_ids"],
    ),
];

/// A sketch that is filled in is HCL like the rest.
fn uncommented(text: &str) -> String {
    assert!(text.contains("\n#~ resource "), "{text}");
    text.lines()
        .map(|line| line.strip_prefix("#~").map_or(line, |line| line.strip_prefix(' ').unwrap_or(line)))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// Every resource has a known kind, and every attribute is one of it.
fn assert_schema(text: &str) {
    let mut kind = "";
    let mut known: &[&str] = &[];
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("resource \"") {
            kind = rest.split('"').next().unwrap();
            known = SCHEMA.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("{kind}")).1;
        } else if line.starts_with("variable ") {
            known = &["description", "type", "default"];
        } else if let Some((name, _)) = line.strip_prefix("  ").and_then(|line| line.split_once(" =")) {
            let name = name.trim_end();
            if !name.starts_with(' ') {
                let of_token = kind.ends_with("_role") && TOKEN.contains(&name);
                assert!(known.contains(&name) || of_token, "{kind}: {name}");
            }
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
    for text in &texts {
        assert_schema(text);
    }
    let Some(terraform) = shell::find("terraform").or_else(|| shell::find("tofu")) else {
        return say("skipped: neither terraform nor tofu is here to look at the form of --format terraform");
    };
    let dir = tempfile::tempdir().unwrap();
    let rc = dir.path().join("rc");
    std::fs::write(&rc, "").unwrap();
    for text in texts {
        let cmd = Cmd::program(&terraform).args(["fmt", "-check", "-diff", "-"]).stdin(text);
        cmd.env("TF_CLI_CONFIG_FILE", &rc).env("HOME", dir.path()).run().expect(0);
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
        assert!(text.contains("VAULT_ID_TOKEN:\n      aud: \"https://vault.example.com\"\n"), "{text}");
    }
    let text =
        printed("gitlab", &[&JOB[..], &["--environment", "production", "--", "terraform", "apply"]].concat());
    assert!(text.starts_with("job:\n  environment: \"production\"\n"), "{text}");
    assert!(text.contains("-- COMMAND\"\n"), "{text}");
}
