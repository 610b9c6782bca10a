//! A tour of the main job: split custody with Exoscale, against a real OpenBao server that is fetched and started
//! here. Run it with `cargo run --example quickstart`; with `-- --keep` the server stays for what you want to try.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a tour that breaks stops")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::print_stdout, reason = "it talks to a person")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

#[path = "../tests/support/openbao.rs"]
mod openbao;

use openbao::{Options, Server};

const ROLE: &str = "gitlab-ci-runner";

/// What a Vault operator types once, and why. CLI stands for the server's own program: `bao` or `vault`.
const VAULT_SIDE: [(&str, &str); 6] = [
    (
        "a KV mount that stands in for the Exoscale engine: the same path, the same answer, but no real key",
        "CLI secrets enable -path=exoscale -version=1 kv
CLI write exoscale/apikey/gitlab-ci-runner api_key=EXO0123456789abcdef01234567 api_secret=not-a-real_secret/0123456789",
    ),
    (
        "a policy for the job: this one key",
        "CLI policy write exoscale-create-apikey - <<'EOF'
path \"exoscale/apikey/gitlab-ci-runner\" { capabilities = [\"read\"] }
EOF",
    ),
    (
        "a policy for the issuing token: secret_ids of this AppRole",
        "CLI policy write issue - <<'EOF'
path \"auth/approle/role/gitlab-ci-runner/secret-id\" { capabilities = [\"update\"] }
EOF",
    ),
    (
        "the AppRole: a secret_id is good for one login",
        "CLI auth enable approle
CLI write auth/approle/role/gitlab-ci-runner token_policies=exoscale-create-apikey \\
  token_ttl=15m token_max_ttl=30m secret_id_num_uses=1 secret_id_ttl=5m",
    ),
    ("half of the login, for the runner", "CLI read -field=role_id auth/approle/role/gitlab-ci-runner/role-id"),
    ("the other half, for GitLab: the issuing token", "CLI token create -policy=issue -ttl=768h -field=token"),
];

/// A job: what it shows, its script, and how it must end.
const JOBS: [(&str, &str, i32); 5] = [
    // It shows that the credentials are there, and no more of them.
    (
        "A job",
        r#"eval "$(ci-creds exoscale)"
echo "EXOSCALE_API_KEY is $(echo "$EXOSCALE_API_KEY" | cut -c 1-6)…, EXOSCALE_API_SECRET has ${#EXOSCALE_API_SECRET} characters"
echo "EXOSCALE_KEY, a leftover that Terraform would prefer, is ${EXOSCALE_KEY-unset}""#,
        0,
    ),
    (
        "A job that is one command: its output is masked",
        "ci-creds exoscale -- sh -c 'echo the secret is \"$EXOSCALE_API_SECRET\"'",
        0,
    ),
    (
        "A job that takes the token as well, and its after_script",
        r#"eval "$(ci-creds exoscale --and login --state-file "$STATE")"
ci-creds revoke --state-file "$STATE""#,
        0,
    ),
    ("What doctor says of the first job", "ci-creds doctor exoscale", 0),
    (
        "A job that asks for a role which its policy does not give",
        r#"eval "$(ci-creds exoscale admin)"
echo "this line is never reached""#,
        4,
    ),
];

fn main() -> ExitCode {
    let keep = std::env::args().any(|argument| argument == "--keep");
    println!("== ci-creds, and an OpenBao server to try it with");
    println!("The first time, the server is fetched and ci-creds is built: that takes some minutes.\n");
    let folder = build();
    let server = Server::start(&Options::default());
    println!("the server runs at {}, and goes when this tour ends\n", server.addr);

    println!("== What a Vault operator sets up once");
    let (role_id, issuing_token) = set_up(&server);

    println!("\n== What GitLab knows");
    let state = server.dir.join("state").display().to_string();
    let variables = [
        ("VAULT_ADDR", server.addr.as_str(), "in the runner's configuration"),
        ("VAULT_ROLE_ID", &role_id, "in the runner's configuration: half of a login"),
        ("VAULT_TOKEN", &issuing_token, "a masked variable: the other half, good for nothing else"),
        ("VAULT_AUTH_ROLE", ROLE, "the AppRole, and the role in the engine"),
        ("EXOSCALE_KEY", "a-leftover", "set by some older script"),
        ("STATE", &state, "a file of the job: what has to be taken back"),
    ];
    for (name, value, about) in variables {
        let shown = if name == "VAULT_TOKEN" { "[masked]" } else { value };
        println!("  {name}={shown}   ({about})");
    }

    for (title, script, expected) in JOBS {
        println!("\n== {title}");
        let status = run(script, &variables, &folder);
        if status != Some(expected) {
            println!("\nThis is not what should have happened: the script should end with {expected}");
            return ExitCode::FAILURE;
        }
    }
    println!("\nThe jobs got their keys and went on. The last one stopped with 4, \"refused\".");
    println!("README.md and docs/ have the rest: other logins, AWS and Scaleway, formats, exit codes.");
    if keep {
        wait(&variables, &folder);
    }
    ExitCode::SUCCESS
}

/// Keeps the server until somebody interrupts, and says what to type meanwhile.
fn wait(variables: &[(&str, &str, &str)], folder: &Path) {
    println!("\n== The server stays until you press Ctrl-C. In another terminal:\n");
    println!("  export PATH={}:$PATH", folder.display());
    for (name, value, _) in variables {
        println!("  export {name}={value}");
    }
    println!("  ci-creds doctor exoscale");
    loop {
        std::thread::park();
    }
}

/// Types what an operator types: the role_id and the issuing token that come of it.
fn set_up(server: &Server) -> (String, String) {
    let program = openbao::binary();
    let (folder, cli) = (program.parent().unwrap(), program.file_name().unwrap().to_str().unwrap());
    println!("  $ export VAULT_ADDR={} VAULT_TOKEN={}", server.addr, server.root_token);
    let mut last = Vec::new();
    for (about, commands) in VAULT_SIDE {
        let commands = commands.replace("CLI ", &format!("{cli} "));
        println!(
            "\n  # {about}\n{}",
            commands.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end()
        );
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-euc", &commands])
            .env_clear()
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("HOME", &server.dir)
            .env("VAULT_ADDR", &server.addr)
            .env("VAULT_TOKEN", &server.root_token)
            .stdin(Stdio::null())
            .output()
            .expect("there is a sh");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        last.push(String::from_utf8(output.stdout).unwrap().trim().to_owned());
    }
    let token = last.pop().unwrap();
    (last.pop().unwrap(), token)
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
