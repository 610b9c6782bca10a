//! Each command block of README and docs/ runs as a reader types it, page by page, against a server that has what the
//! pages speak of. The programs behind `--` are stand-ins: they fail where the credentials do not reach them. A block
//! with a comment `<!-- not run by the tests: … -->` before it needs what can't be had here.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cmd::PROGRAM;
use crate::support::jwt::{self, AUDIENCE};
use crate::support::pages::pages;
use crate::support::{CANARY, Cmd, Fake, Options, Server, openbao, require, secret};

const NOT_RUN: &str = "<!-- not run by the tests: ";

/// The programs that get credentials.
const STAND_INS: [&str; 9] =
    ["terraform", "packer", "docker", "kubectl", "psql", "ssh", "aws", "deploy", "migrate"];

/// What the jobs of all pages may do; each page prints its own part of it.
const POLICY: &str = r#"
path "exoscale/apikey/*" { capabilities = ["read"] }
path "aws/sts/*" { capabilities = ["read"] }
path "scaleway/creds/*" { capabilities = ["read"] }
path "secret/data/*" { capabilities = ["read"] }
path "web-db/creds/*" { capabilities = ["read"] }
path "pki/issue/*" { capabilities = ["update"] }
path "ssh/sign/*" { capabilities = ["update"] }
path "auth/token/create" { capabilities = ["update"] }
"#;

const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Wg1ZxJ3Vd0m1Yy7n2q0d4b6l8x9c3v5b7n9m1k3j5 web@example.com\n";

/// A fenced block: its language, its text, what stands before it.
struct Block {
    language: String,
    text: String,
    before: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut all, mut before) = (Vec::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            before.push_str(line);
            before.push('\n');
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let text = lines.by_ref().take_while(|line| line.trim_start() != "```");
        let text = text.map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
        all.push(Block { language: language.to_owned(), text, before: std::mem::take(&mut before) });
    }
    all
}

/// The parts of a block, which may be alternatives ("before", "after"): each gets a shell of its own.
fn shells(block: &str) -> Vec<String> {
    block.split("\n\n").map(str::to_owned).collect()
}

/// Who types a block.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    /// A job that logs in by its ID token.
    Job,
    /// A job of split custody.
    SplitCustody,
    /// An administrator of Vault.
    Operator,
}

fn who(block: &str) -> Who {
    let first = block.lines().next().unwrap_or_default();
    if block.contains("apikey/gitlab-ci-runner") || block.contains("exoscale gitlab-ci-runner)") {
        Who::SplitCustody
    } else if first.starts_with("vault ")
        || ["export VAULT_", "ci-creds setup", "doctor --audit", "doctor auth/"]
            .iter()
            .any(|text| block.contains(text))
    {
        Who::Operator
    } else {
        Who::Job
    }
}

struct Reader {
    server: Server,
    gitlab: Fake,
    dir: TempDir,
    role_id: String,
    issuing_token: String,
}

impl Reader {
    /// `trusts` GitLab: not where the page itself shows how that is done.
    fn new(trusts: bool) -> Self {
        let server = Server::start(&Options { root_token: secret(), ..Options::default() });
        let gitlab = jwt::issuer();
        engines(&server);
        server.ok("PUT", "sys/policies/acl/pages", json!({"policy": POLICY}));
        if trusts {
            server.ok("POST", "sys/auth/jwt", json!({"type": "jwt"}));
            server.ok("POST", "auth/jwt/config", jwt::trust());
            let role = json!({
                "role_type": "jwt", "user_claim": "project_path", "bound_audiences": [AUDIENCE],
                "bound_claims": {"project_id": "22", "ref": "main", "ref_type": "branch", "ref_protected": "true"},
                "token_policies": ["pages"], "token_ttl": "15m", "token_max_ttl": "1h",
            });
            server.ok("POST", "auth/jwt/role/web-pipeline", role);
        }
        server.ok("POST", "sys/auth/approle", json!({"type": "approle"}));
        let role = json!({"token_policies": ["pages"], "token_ttl": "15m", "secret_id_num_uses": 1});
        server.ok("POST", "auth/approle/role/gitlab-ci-runner", role);
        let role_id = server.ok("GET", "auth/approle/role/gitlab-ci-runner/role-id", Value::Null);
        let issue = r#"path "auth/approle/role/gitlab-ci-runner/secret-id" { capabilities = ["update"] }"#;
        server.ok("PUT", "sys/policies/acl/issue", json!({"policy": issue}));
        let token = server.ok("POST", "auth/token/create", json!({"policies": ["issue"], "ttl": "1h"}));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let role_id = text(&role_id["data"]["role_id"]);
        let issuing_token = text(&token["auth"]["client_token"]);
        let dir = tempfile::tempdir().unwrap();
        let reader = Self { server, gitlab, dir, role_id, issuing_token };
        reader.tools();
        reader
    }

    /// The programs that a page calls, ci-creds included, which notes how each call of it ended.
    fn tools(&self) {
        let folder = self.dir.path().join("bin");
        fs::create_dir(&folder).unwrap();
        for name in ["vault", "bao"] {
            symlink(openbao::binary(), folder.join(name)).unwrap();
        }
        let log = self.dir.path().join("calls");
        let note = format!(
            "#!/bin/sh\n{} \"$@\"\ncode=$?\necho \"$code $*\" >>{}\nexit $code\n",
            *PROGRAM,
            log.display()
        );
        program(&folder.join("ci-creds"), &note);
        let check = format!(
            "#!/bin/sh\nenv | grep -q {CANARY} || [ -n \"${{VAULT_TOKEN-}}\" ] || grep -q {CANARY} \"${{KUBECONFIG-}}\" || [ -s \"${{SSH_CERT-}}\" ]\n"
        );
        for name in STAND_INS {
            program(&folder.join(name), &check);
        }
        for name in ["deploy", "migrate"] {
            symlink(folder.join(name), self.dir.path().join(name)).unwrap();
        }
        fs::write(self.dir.path().join("id_ed25519.pub"), PUBLIC_KEY).unwrap();
        fs::write(self.dir.path().join("token.jwt"), jwt::mint(json!({}))).unwrap();
    }

    /// Runs a block in a shell; how often it called ci-creds.
    fn types(&self, page: &str, block: &str) -> usize {
        let who = who(block);
        let text = block
            .replace("jwks_url=https://gitlab.example.com", &format!("jwks_url={}", self.gitlab.addr))
            .replace("--gitlab-url https://gitlab.example.com", &format!("--gitlab-url {}", self.gitlab.addr))
            .replace("VAULT_ADDR=https://vault.example.com", "VAULT_ADDR=\"$VAULT_ADDR\"")
            .replace("VAULT_ADDR=…", "VAULT_ADDR=\"$VAULT_ADDR\"")
            .replace("VAULT_TOKEN=…", "VAULT_TOKEN=\"$VAULT_TOKEN\"");
        // doctor at the desk may say no, and the next question comes all the same.
        let asks = text.contains("ci-creds doctor");
        let options = if asks { "-uc" } else { "-euc" };
        let cmd = Cmd::program(require("bash").unwrap()).args([options, &text]).may_show_secrets();
        let run = self.env(cmd, who).run();
        let calls = calls(self.dir.path());
        let refused =
            |(code, words): &&(i32, String)| *code != 0 && !(words.starts_with("doctor") && *code == 4);
        assert!(
            calls.iter().find(refused).is_none() && (asks || run.code == 0),
            "{page}:\n{block}\n{run}\n{calls:#?}"
        );
        // "Read the script, then run it", says that page, and its next block relies on it.
        if page == "docs/setup.md" && block.contains("| tee setup.sh") {
            let cmd = Cmd::program("/bin/sh").args(["setup.sh"]).may_show_secrets();
            self.env(cmd, Who::Operator).run().expect(0);
        }
        calls.len()
    }

    fn env(&self, cmd: Cmd, who: Who) -> Cmd {
        let path = format!("{}:/usr/bin:/bin", self.dir.path().join("bin").display());
        let cmd = cmd
            .env("PATH", path)
            .env("VAULT_ADDR", &self.server.addr)
            .dir(self.dir.path())
            .env("HOME", self.dir.path());
        match who {
            Who::Operator => cmd.env("VAULT_TOKEN", &self.server.root_token),
            Who::Job => {
                let token = jwt::mint(json!({}));
                cmd.env("VAULT_ID_TOKEN", token)
                    .env("VAULT_AUTH_ROLE", "web-pipeline")
                    .env("CI_CREDS_EXOSCALE_ROLE", "gitlab-ci-runner")
            }
            Who::SplitCustody => cmd
                .env("VAULT_ROLE_ID", &self.role_id)
                .env("VAULT_TOKEN", &self.issuing_token)
                .env("VAULT_AUTH_METHOD", "approle")
                .env("VAULT_AUTH_ROLE", "gitlab-ci-runner"),
        }
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What the pages read: KV with leases in place of engines that need a cloud, and the real ones of the rest.
fn engines(server: &Server) {
    let key = |first: &str, second: &str| json!({first: secret(), second: secret(), "ttl": "15m"});
    let leased = json!({"type": "kv", "options": {"version": "1", "leased_passthrough": "true"}});
    for (mount, paths, (first, second)) in [
        ("exoscale", &["apikey/gitlab-ci-runner"][..], ("api_key", "api_secret")),
        ("aws", &["sts/web-pipeline", "sts/web"][..], ("access_key", "secret_key")),
        ("scaleway", &["creds/dev"][..], ("access_key", "secret_key")),
        ("web-db", &["creds/web"][..], ("username", "password")),
    ] {
        server.ok("POST", &format!("sys/mounts/{mount}"), leased.clone());
        for path in paths {
            server.ok("POST", &format!("{mount}/{path}"), key(first, second));
        }
    }
    let app = json!({"data": {"token": secret(), "password": secret(), "db": {"port": 5432}}});
    for _ in 0..3 {
        server.ok("POST", "secret/data/app", app.clone());
    }
    server.ok("POST", "secret/data/npm", json!({"data": {"token": secret()}}));
    server.ok("POST", "secret/data/kube", json!({"data": {"config": format!("token: {}\n", secret())}}));
    server.ok("POST", "sys/mounts/pki", json!({"type": "pki"}));
    server.ok("POST", "pki/root/generate/internal", json!({"common_name": "example.com", "key_type": "ec"}));
    server.ok("POST", "pki/roles/web", json!({"allow_any_name": true, "key_type": "ec", "ttl": "1h"}));
    server.ok("POST", "sys/mounts/ssh", json!({"type": "ssh"}));
    server.ok("POST", "ssh/config/ca", json!({"generate_signing_key": true, "key_type": "ed25519"}));
    let role = json!({"key_type": "ca", "allow_user_certificates": true, "allowed_users": "*", "ttl": "5m"});
    server.ok("POST", "ssh/roles/deploy", role);
}

/// How each call of ci-creds ended that a shell made: its code, and its words.
fn calls(folder: &Path) -> Vec<(i32, String)> {
    let log = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    let _ = fs::remove_file(folder.join("calls"));
    let call =
        |line: &str| line.split_once(' ').map(|(code, words)| (code.parse().unwrap(), words.to_owned()));
    log.lines().filter_map(call).collect()
}

#[test]
fn every_command_block_does_what_the_page_says() {
    if require("jq").is_none() {
        return;
    }
    let (mut count, mut run_calls, mut left_out) = (0, 0, Vec::new());
    for (page, text) in pages() {
        let all = blocks(&text);
        if !all.iter().any(|block| block.language == "sh") {
            continue;
        }
        let shows_trust = text.contains("vault auth enable jwt") || page == "docs/setup.md";
        let reader = Reader::new(!shows_trust);
        for block in all {
            // "Put it into `role.json`": the reader does.
            let file = block.before.rsplit_once("into `").and_then(|(_, rest)| rest.split_once("`:"));
            if block.language != "sh" {
                if let Some((name, "\n\n")) = file
                    && !name.contains('/')
                {
                    fs::write(reader.dir.path().join(name), &block.text).unwrap();
                }
                continue;
            }
            let mark = block.before.rsplit_once(NOT_RUN).filter(|(_, rest)| rest.ends_with("-->\n"));
            if let Some((_, why)) = mark {
                left_out.push(format!("{page}: {}", why.trim_end_matches(" -->\n")));
                continue;
            }
            for part in shells(&block.text) {
                count += 1;
                run_calls += reader.types(&page, &part);
            }
        }
    }
    println!("{count} command blocks, {run_calls} calls of ci-creds; not run: {left_out:#?}");
    assert!(count >= 25 && run_calls >= 30, "only {count} blocks with {run_calls} calls were found");
}
