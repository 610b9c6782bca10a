//! /etc/ci-creds/policy.toml: what the machine's administrator allows, no variable and no flag gets around. Each run has
//! a mount namespace of its own, in which it finds a folder of the test at /etc.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::fake::redirect;
use crate::support::{Cmd, Fake, Reply, jwt, require, say, secret};

const FILE: &str = "/etc/ci-creds/policy.toml";

/// A machine: a folder that stands for /etc.
pub(crate) struct Machine(tempfile::TempDir);

impl Machine {
    /// `None` where the tools are missing that make a mount namespace.
    fn new() -> Option<Self> {
        (require("unshare").is_some() && require("mount").is_some())
            .then(|| Self(tempfile::tempdir().unwrap()))
    }

    pub(crate) fn with(policy: &str) -> Option<Self> {
        let machine = Self::new()?;
        fs::create_dir(machine.folder()).unwrap();
        set_mode(&machine.folder(), 0o755);
        fs::write(machine.file(), policy).unwrap();
        set_mode(&machine.file(), 0o644);
        Some(machine)
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("ci-creds")
    }

    fn file(&self) -> PathBuf {
        self.folder().join("policy.toml")
    }

    /// The command on this machine.
    pub(crate) fn on(&self, cmd: Cmd) -> Cmd {
        let script = "mount --bind \"$ETC\" /etc && exec \"$@\"";
        cmd.wrapped("/usr/bin/unshare", ["-r", "-m", "--", "/bin/sh", "-c", script, "sh"])
            .env("ETC", self.0.path())
            .env("PATH", "/usr/bin:/bin")
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn to(addr: &str, words: &[&str]) -> Cmd {
    Cmd::new(words)
        .env("VAULT_ADDR", addr)
        .env("VAULT_TOKEN", secret())
        .env("VAULT_MAX_RETRIES", "0")
        .env("CI_CREDS_GITLAB_URL", "https://gitlab.example.com")
}

/// The commands that reach Vault, with what they need beside an address and a token.
fn commands(addr: &str) -> Vec<Cmd> {
    let rotate = ["rotate", "--token-role", "issuing", "--approle", "ci", "--project", "22", "--gitlab-url"];
    vec![
        to(addr, &["exoscale", "ci"]),
        to(addr, &["exoscale", "ci", "--", "true"]),
        to(addr, &["read", "kv/a", "A=b"]),
        to(addr, &["env"]).env("A", "vault:kv/a#b"),
        to(addr, &["login"]),
        to(addr, &["doctor", "exoscale", "ci"]),
        to(addr, &["doctor", "auth/jwt/role/ci", "--claims", "/dev/null"]),
        to(addr, &["doctor", "--audit", "auth/jwt"]),
        to(addr, &["revoke", "--state-file", "/nowhere/state"]),
        to(addr, &["status", "--state-file", "/nowhere/state"]),
        to(addr, &["scan", "--revoke", "--state-file", "/nowhere/state", "/nowhere"]),
        to(addr, &["setup", "--check", "exoscale", "ci", "--auth", "jwt", "--project", "22"]),
        to(addr, &["setup", "--check", "read", "kv/a", "A=b", "--auth", "jwt", "--project", "22"]),
        to(addr, &rotate).args(["https://gitlab.example.com"]).env("CI_CREDS_GITLAB_TOKEN", secret()),
    ]
}

#[test]
fn no_command_goes_to_an_address_that_the_policy_does_not_list() {
    let Some(machine) = Machine::with("addresses = [\"https://vault.example.com:8200\"]\n") else { return };
    let evil = Fake::vault();
    for cmd in commands(&evil.addr) {
        let run = machine.on(cmd).run().expect(3);
        let text = format!("{}{}", run.stdout, run.stderr).replace('\n', " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains(&format!(
                "{FILE} does not allow {} as the address of Vault (VAULT_ADDR)",
                evil.addr
            )),
            "{run}"
        );
        assert!(text.contains("set VAULT_ADDR to one of: https://vault.example.com:8200"), "{run}");
    }
    let flag = Cmd::new(["exoscale", "ci", "--addr", &evil.addr]).env("VAULT_TOKEN", secret());
    let flag = flag.env("VAULT_ADDR", "https://vault.example.com:8200");
    let run = machine.on(flag).run().expect(3);
    assert!(run.stderr.contains("as the address of Vault (--addr)"), "{run}");
    let socket = machine.on(to("unix:///run/evil.sock", &["exoscale", "ci"])).run().expect(3);
    assert!(socket.stderr.contains("does not allow unix:///run/evil.sock"), "{socket}");
    assert!(evil.seen().is_empty());
}

#[test]
fn an_address_that_the_policy_lists_is_used() {
    let fake = Fake::vault();
    let listed = fake.addr.to_uppercase().replace("HTTP", "http");
    let Some(machine) = Machine::with(&format!("addresses = [\"{listed}/\"]\nauth = [\"token\"]\n")) else {
        return;
    };
    machine.on(to(&fake.addr, &["exoscale", "ci"])).run().expect(0);
    let run = machine.on(to(&fake.addr, &["doctor", "exoscale", "ci"])).run();
    let seen = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(seen.contains(&format!("{FILE} is in force: addresses {}; auth token", fake.addr)), "{run}");
}

/// A server that is listed leads to one that is not: neither the login nor the token goes there.
#[test]
fn no_redirect_leads_to_an_address_that_the_policy_does_not_list() {
    let evil = Fake::vault();
    let to_evil = evil.addr.clone();
    let listed = Fake::new(move |seen| redirect(&format!("{to_evil}{}", seen.target())));
    let Some(machine) = Machine::with(&format!("addresses = [\"{}\"]\n", listed.addr)) else { return };
    let run = machine.on(to(&listed.addr, &["exoscale", "ci"])).run().expect(3);
    assert!(run.stderr.contains(&format!("which {FILE} does not list")), "{run}");
    assert!(evil.seen().is_empty(), "{run}");
    // Without the policy, the same host may answer at another port.
    to(&listed.addr, &["exoscale", "ci"]).run().expect(0);
}

#[test]
fn nothing_passes_for_an_address_that_the_policy_lists() {
    let Some(machine) = Machine::with("addresses = [\"https://vault.example.com\"]\n") else { return };
    for (name, flag) in
        [("VAULT_TLS_SERVER_NAME", "--tls-server-name"), ("CI_CREDS_REDIRECT_HOST", "--redirect-host")]
    {
        let cmd = to("https://vault.example.com", &["exoscale", "ci"]);
        let run = machine.on(cmd.clone().env(name, "evil.example")).run().expect(3);
        assert!(run.stderr.contains(&format!("with the host evil.example ({name})")), "{run}");
        let run = machine.on(cmd.args([flag, "evil.example"])).run().expect(3);
        assert!(run.stderr.contains(&format!("with the host evil.example ({flag})")), "{run}");
    }
}

#[test]
fn what_the_policy_forbids_is_refused_by_flag_and_by_variable() {
    let all = "forbid = [\"tls-skip-verify\", \"allow-http\", \"no-mask\", \"show\", \"ca-cert\", \"proxy\", \
               \"tls-server-name\"]\n";
    let Some(machine) = Machine::with(all) else { return };
    let fake = Fake::vault();
    let cmd = |more: &[&str]| to(&fake.addr, &["exoscale", "ci"]).args(more);
    for (flag, variable) in [
        ("--tls-skip-verify", "VAULT_SKIP_VERIFY"),
        ("--allow-http", "CI_CREDS_ALLOW_HTTP"),
        ("--show", "CI_CREDS_SHOW"),
    ] {
        for (run, source) in [(cmd(&[flag]), flag), (cmd(&[]).env(variable, "1"), variable)] {
            let run = machine.on(run).run().expect(3);
            assert!(run.stderr.contains(&format!("{FILE} forbids {source}")), "{run}");
        }
        machine.on(cmd(&[]).env(variable, "false")).run().expect(0);
    }
    let masked = machine.on(cmd(&["--no-mask", "--", "true"])).run().expect(3);
    assert!(masked.stderr.contains("forbids --no-mask"), "{masked}");
    for (variable, value) in [
        ("VAULT_CACERT", "/ca.pem"),
        ("VAULT_CACERT_BYTES", "-----BEGIN CERTIFICATE-----"),
        ("VAULT_CAPATH", "/ca"),
        ("SSL_CERT_FILE", "/ca.pem"),
        ("BAO_TLS_SERVER_NAME", "evil.example"),
        ("VAULT_PROXY_ADDR", "http://evil.example"),
        ("https_proxy", "http://evil.example"),
    ] {
        let away = to("https://vault.example.com", &["exoscale", "ci"]).env(variable, value);
        let run = machine.on(away).run().expect(3);
        assert!(run.stderr.contains(&format!("{FILE} forbids {variable}")), "{run}");
    }
    assert!(fake.seen().iter().all(|seen| !seen.line.contains("evil")));
    // This machine is reached without a proxy. What was meant for Vault is refused all the same; what all programs have is
    // not for it.
    let proxy = ("VAULT_PROXY_ADDR", "http://evil.example");
    for (run, source) in [(cmd(&["--proxy", proxy.1]), "--proxy"), (cmd(&[]).env(proxy.0, proxy.1), proxy.0)]
    {
        let run = machine.on(run).run().expect(3);
        assert!(run.stderr.contains(&format!("{FILE} forbids {source}")), "{run}");
    }
    machine.on(cmd(&[]).env("HTTPS_PROXY", proxy.1)).run().expect(0);
}

#[test]
fn a_login_that_the_policy_does_not_list_is_refused() {
    let Some(machine) = Machine::with("auth = [\"jwt\"]\n") else { return };
    let fake = Fake::vault();
    let run = machine.on(to(&fake.addr, &["exoscale", "ci"])).run().expect(3);
    assert!(run.stderr.contains(&format!("{FILE} does not allow the login token")), "{run}");
    let named = to(&fake.addr, &["login", "--auth", "cert"]);
    assert!(machine.on(named).run().expect(3).stderr.contains("does not allow the login cert"));
    assert!(fake.seen().is_empty());
    let jwt = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &fake.addr);
    machine.on(jwt.env("VAULT_ID_TOKEN", jwt::mint(json!({})))).run().expect(0);
    fs::write(machine.file(), "auth = [\"jtw\"]\n").unwrap();
    let run = machine.on(to(&fake.addr, &["exoscale", "ci"])).run().expect(3);
    assert!(run.stderr.contains("`jtw` in auth is no login"), "{run}");
}

#[test]
fn revoke_asks_no_server_of_a_line_that_the_policy_does_not_list() {
    let Some(machine) = Machine::with("") else { return };
    let fake = Fake::new(|seen| {
        if seen.is_login() {
            Reply::Json(200, json!({"auth": {"client_token": secret(), "lease_duration": 900}}))
        } else {
            Reply::Vault
        }
    });
    let state = machine.0.path().join("state");
    let login = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &fake.addr);
    let login = login.env("VAULT_ID_TOKEN", jwt::mint(json!({}))).env("CI_CREDS_STATE_FILE", &state);
    machine.on(login).run().expect(0);
    let before = fake.seen().len();
    fs::write(machine.file(), "addresses = [\"https://vault.example.com\"]\n").unwrap();
    let revoke = || machine.on(Cmd::new(["revoke"]).env("CI_CREDS_STATE_FILE", &state));
    let run = revoke().run().expect(3);
    assert!(run.stderr.contains(&format!("{FILE} does not list this address")), "{run}");
    assert_eq!(fake.seen().len(), before, "nothing was sent");
    fs::write(machine.file(), "").unwrap();
    // `status` asks by the same rules: the line is told, its server is not asked.
    let status = Cmd::new(["status"]).env("CI_CREDS_STATE_FILE", &state);
    fs::write(machine.file(), "addresses = [\"https://vault.example.com\"]\n").unwrap();
    let run = machine.on(status.clone()).run().expect(0);
    assert!(run.stdout.contains(&format!("{FILE} does not list this address")), "{run}");
    assert_eq!(fake.seen().len(), before, "nothing was sent");
    fs::write(machine.file(), "").unwrap();
    machine.on(status).run().expect(0);
    revoke().run().expect(0);
    assert!(fake.seen()[before..].iter().any(|seen| seen.is_revocation()));
}

/// What an operator asks of a machine is under its policy like a job.
#[test]
fn what_the_policy_forbids_is_forbidden_to_setup_status_and_scan() {
    let Some(machine) = Machine::with("forbid = [\"tls-skip-verify\", \"allow-http\", \"ca-cert\"]\n") else {
        return;
    };
    for words in [
        &["setup", "--check", "exoscale", "ci", "--auth", "jwt", "--project", "22"][..],
        &["status", "--state-file", "/nowhere/state"],
        &["scan", "--revoke", "--state-file", "/nowhere/state", "/nowhere"],
        &["doctor", "--audit", "auth/jwt"],
    ] {
        for (variable, value) in
            [("VAULT_SKIP_VERIFY", "1"), ("CI_CREDS_ALLOW_HTTP", "1"), ("VAULT_CACERT", "/nowhere/ca.pem")]
        {
            let run = machine.on(to("https://vault.example.com", words).env(variable, value)).run().expect(3);
            let all = format!("{}{}", run.stdout, run.stderr);
            assert!(all.contains(&format!("{FILE} forbids {variable}")), "{words:?}: {run}");
        }
    }
    // A lock that others could have written stops these as well.
    set_mode(&machine.file(), 0o666);
    for words in [&["setup", "exoscale", "ci"][..], &["status"], &["scan", "/nowhere"]] {
        let run = machine.on(to("https://vault.example.com", words)).run().expect(3);
        assert!(run.stderr.contains("can't be trusted: others than root can write it"), "{words:?}: {run}");
    }
}

#[test]
fn a_policy_that_others_could_have_written_is_an_error() {
    let Some(machine) = Machine::with("forbid = [\"show\"]\n") else { return };
    let fake = Fake::vault();
    let fails = |seen: &str| {
        let run = machine.on(to(&fake.addr, &["exoscale", "ci"])).run().expect(3);
        assert!(run.stderr.contains(seen) && run.stderr.contains("hint: as root: "), "{run}");
        assert!(run.stdout.contains("(exit 3)"), "{run}");
        let revoke = machine.on(to(&fake.addr, &["revoke", "--state-file", "/nowhere/state"]));
        assert!(revoke.run().expect(3).stderr.contains(seen));
    };
    for mode in [0o664, 0o646] {
        set_mode(&machine.file(), mode);
        fails(&format!("{FILE} can't be trusted: others than root can write it"));
    }
    set_mode(&machine.file(), 0o644);
    set_mode(&machine.folder(), 0o775);
    fails("/etc/ci-creds can't be trusted: others than root can write it");
    set_mode(&machine.folder(), 0o755);
    let other = machine.0.path().join("other.toml");
    fs::rename(machine.file(), &other).unwrap();
    symlink("../other.toml", machine.file()).unwrap();
    fails(&format!("{FILE} can't be read"));
    fs::remove_file(machine.file()).unwrap();
    fs::rename(&other, machine.file()).unwrap();
    for text in ["forbid = [", "forbidden = [\"show\"]", "forbid = [\"shwo\"]"] {
        fs::write(machine.file(), text).unwrap();
        let run = machine.on(to(&fake.addr, &["exoscale", "ci"])).run().expect(3);
        assert!(run.stderr.contains(&format!("error: {FILE} can't be used: ")), "{run}");
    }
    fs::write(machine.file(), "").unwrap();
    if rustix::process::geteuid().is_root() {
        chown(machine.file(), Some(1), Some(1)).unwrap();
        fails(&format!("{FILE} can't be trusted: its owner is not root"));
        chown(machine.file(), Some(0), Some(0)).unwrap();
        chown(machine.folder(), Some(1), Some(1)).unwrap();
        fails("/etc/ci-creds can't be trusted: its owner is not root");
    } else {
        say("SKIPPED: only root can give a policy to another owner");
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn without_a_policy_everything_is_as_it_was() {
    let Some(machine) = Machine::new() else { return };
    let fake = Fake::vault();
    let run = || machine.on(to(&fake.addr, &["exoscale", "ci", "--show"])).run().expect(0);
    run();
    fs::create_dir(machine.folder()).unwrap();
    set_mode(&machine.folder(), 0o755);
    run();
    let doctor = machine.on(to(&fake.addr, &["doctor", "exoscale", "ci"])).run();
    assert!(!doctor.stdout.contains(FILE), "{doctor}");
    // Completions and help reach nobody.
    fs::write(machine.file(), "nonsense").unwrap();
    machine.on(Cmd::new(["completions", "bash"])).run().expect(0);
    machine.on(Cmd::new(["--help"])).run().expect(0);
}
