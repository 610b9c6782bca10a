//! A tour of the main job: split custody with Exoscale, against a real OpenBao server that is fetched and started
//! here. Run it with `cargo run --example quickstart`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a tour that breaks stops")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::print_stdout, reason = "it talks to a person")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

#[path = "../tests/support/openbao.rs"]
mod openbao;

use openbao::{Options, Server};

const ROLE: &str = "gitlab-ci-runner";

/// What the job's script does with the credentials: it shows that they are there, and no more of them.
const JOB: &str = r#"eval $(ci-creds exoscale)
echo "EXOSCALE_API_KEY is $(echo "$EXOSCALE_API_KEY" | cut -c 1-6)…, EXOSCALE_API_SECRET has ${#EXOSCALE_API_SECRET} characters"
echo "EXOSCALE_KEY, a leftover that Terraform would prefer, is ${EXOSCALE_KEY-unset}""#;

const DENIED_JOB: &str = r#"eval $(ci-creds exoscale admin)
echo "this line is never reached""#;

fn main() -> ExitCode {
    println!("== ci-creds, and an OpenBao server to try it with\n");
    let folder = build();
    let server = Server::start(&Options::default());
    println!("the server runs at {}, and goes when this tour ends\n", server.addr);

    println!("== What a Vault operator sets up once");
    let (role_id, issuing_token) = set_up(&server);

    println!("\n== What GitLab knows");
    let variables = [
        ("VAULT_ADDR", server.addr.as_str(), "in the runner's configuration"),
        ("VAULT_ROLE_ID", &role_id, "in the runner's configuration: half of a login"),
        ("VAULT_TOKEN", &issuing_token, "a masked variable: the other half, good for nothing else"),
        ("VAULT_AUTH_ROLE", ROLE, "the AppRole, and the role in the engine"),
        ("EXOSCALE_KEY", "a-leftover", "set by some older script"),
    ];
    for (name, value, about) in variables {
        let shown = if name == "VAULT_TOKEN" { "[masked]" } else { value };
        println!("  {name}={shown}   ({about})");
    }

    println!("\n== A job");
    let job = run(JOB, &variables, &folder);
    println!("\n== A job that asks for a role which its policy does not give");
    let denied = run(DENIED_JOB, &variables, &folder);

    match (job, denied) {
        (Some(0), Some(4)) => {
            println!("\nThe first job got its key and went on; the second stopped with 4, \"refused\".");
            println!(
                "README.md and docs/ have the rest: other logins, AWS and Scaleway, formats, exit codes."
            );
            ExitCode::SUCCESS
        }
        _ => {
            println!("\nThis is not what should have happened: the jobs should end with 0 and 4");
            ExitCode::FAILURE
        }
    }
}

/// The policies, the AppRole, the issuing token, and a stand-in for the engine, as an operator would make them.
fn set_up(server: &Server) -> (String, String) {
    let step = |about: &str, method: &str, path: &str, body: Value| {
        println!(
            "  {about}\n      {method} {path} {}",
            if body.is_null() { String::new() } else { body.to_string() }
        );
        server.ok(method, path, body)
    };
    step(
        "a KV mount that stands in for the Exoscale engine: the same path, the same answer, but no real key",
        "POST",
        "sys/mounts/exoscale",
        json!({"type": "kv", "options": {"version": "1"}}),
    );
    let key = json!({"api_key": "EXO0123456789abcdef01234567", "api_secret": "not-a-real_secret/0123456789",
        "name": "vault-quickstart"});
    server.ok("POST", &format!("exoscale/apikey/{ROLE}"), key);
    let read = format!(r#"path "exoscale/apikey/{ROLE}" {{ capabilities = ["read"] }}"#);
    step(
        "a policy for the job: this one key",
        "PUT",
        "sys/policies/acl/exoscale-create-apikey",
        json!({"policy": read}),
    );
    let issue = format!(r#"path "auth/approle/role/{ROLE}/secret-id" {{ capabilities = ["update"] }}"#);
    step(
        "a policy for the issuing token: secret_ids of this AppRole",
        "PUT",
        "sys/policies/acl/issue",
        json!({"policy": issue}),
    );
    step("the AppRole method", "POST", "sys/auth/approle", json!({"type": "approle"}));
    let role = json!({"token_policies": "exoscale-create-apikey", "token_ttl": "15m", "token_max_ttl": "30m",
        "secret_id_num_uses": 1, "secret_id_ttl": "5m"});
    step(
        "the AppRole: a secret_id is good for one login",
        "POST",
        &format!("auth/approle/role/{ROLE}"),
        role,
    );
    let role_id = server.ok("GET", &format!("auth/approle/role/{ROLE}/role-id"), Value::Null);
    let token = json!({"policies": ["issue"], "ttl": "768h", "renewable": true});
    let token = step("the issuing token", "POST", "auth/token/create", token);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&role_id["data"]["role_id"]), text(&token["auth"]["client_token"]))
}

/// Runs a job's script as GitLab does, stopping at the first failure; its status.
fn run(script: &str, variables: &[(&str, &str, &str)], folder: &Path) -> Option<i32> {
    println!("{}\n", script.lines().map(|line| format!("  $ {line}\n")).collect::<String>().trim_end());
    let path = std::env::var("PATH").unwrap_or_default();
    let status = Command::new("sh")
        .args(["-euc", script])
        .env_clear()
        .envs(variables.iter().map(|(name, value, _)| (name, value)))
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("CI", "true")
        .stdin(Stdio::null())
        .status()
        .expect("there is a sh");
    println!("\n  the script ended with {}", status.code().unwrap_or(-1));
    status.code()
}

/// Builds ci-creds itself, and returns its folder.
fn build() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let folder = me.parent().and_then(Path::parent).unwrap().to_owned();
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args(["build", "--quiet", "--bin", "ci-creds"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "ci-creds does not build");
    folder
}
