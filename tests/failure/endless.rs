//! A file that never ends, and a reader that never reads: a stop is heard all the same, and what was issued is taken
//! back. Where a file does end, it may be a FIFO: `<(…)` of a shell is one.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread::scope;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::cmd::PROGRAM;
use crate::support::pki::self_signed;
use crate::support::{Cmd, Fake, Pki, Reply, Running, eventually, fifo, jwt, require, secret};

/// What is asked: variables and arguments. FIFO, FILE and FOLDER stand for paths, SERVER for an address; AWS and GITLAB
/// for a login with AWS's credentials, and for the variables of a job.
const READS: &[&str] = &[
    "exoscale ci --ca-cert FIFO",
    "VAULT_CACERT=FIFO exoscale ci",
    "VAULT_ADDR=SERVER VAULT_CACERT=FIFO doctor exoscale ci",
    "SSL_CERT_FILE=FIFO exoscale ci",
    "SSL_CERT_FILE=FIFO SSL_CERT_DIR=FOLDER exoscale ci",
    "exoscale ci --client-cert FIFO --client-key FILE --tls-skip-verify",
    "exoscale ci --client-cert FILE --client-key FIFO --tls-skip-verify",
    "VAULT_ADDR=http://127.0.0.1:9 exoscale ci --auth jwt --id-token-file FIFO",
    "VAULT_ADDR=http://127.0.0.1:9 CI_CREDS_ID_TOKEN_FILE=FIFO exoscale ci --auth jwt",
    "VAULT_ADDR=http://127.0.0.1:9 exoscale ci --auth kubernetes --id-token-file FIFO",
    "VAULT_ADDR=http://127.0.0.1:9 VAULT_ROLE_ID=r CI_CREDS_SECRET_ID_FILE=FIFO exoscale ci",
    "AWS_SHARED_CREDENTIALS_FILE=FIFO AWS_PROFILE=p AWS",
    "AWS_CONFIG_FILE=FIFO AWS_PROFILE=p AWS",
    "AWS_WEB_IDENTITY_TOKEN_FILE=FIFO AWS_ROLE_ARN=arn:aws:iam::123456789012:role/ci AWS",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/x AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=FIFO AWS",
    "SSL_CERT_FILE=FIFO AWS_ACCESS_KEY_ID=AKIAX AWS_SECRET_ACCESS_KEY=s AWS",
    "GITLAB rotate --gitlab-access-token --gitlab-ca-cert FIFO",
    "GITLAB CI_SERVER_TLS_CA_FILE=FIFO rotate --gitlab-access-token",
    "GITLAB rotate --gitlab-access-token --gitlab-token-file FIFO",
];

/// Takes connections, and never answers.
static SILENT: LazyLock<TcpListener> = LazyLock::new(|| TcpListener::bind("127.0.0.1:0").unwrap());

/// The command of a row.
fn asked(row: &str, path: &Path, dir: &Path) -> Cmd {
    let file = dir.join("file");
    fs::write(&file, "x").unwrap();
    let given = |word: &str| match word {
        "SERVER" => format!("https://{}", SILENT.local_addr().unwrap()),
        "FIFO" => path.to_str().unwrap().to_owned(),
        "FILE" => file.to_str().unwrap().to_owned(),
        "FOLDER" => dir.to_str().unwrap().to_owned(),
        word => word.to_owned(),
    };
    let cmd = Cmd::new([] as [&str; 0])
        .env("VAULT_ADDR", "https://127.0.0.1:9")
        .env("VAULT_AUTH_ROLE", "ci")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("CI_CREDS_GITLAB_TOKEN", secret());
    let logs_in = row.contains("--auth") || row.contains("AWS") || row.contains("ROLE_ID");
    let cmd = if logs_in { cmd } else { cmd.env("VAULT_ID_TOKEN", jwt::mint(json!({}))) };
    row.split(' ').fold(cmd, |cmd, word| match (word, word.split_once('=')) {
        ("AWS", _) => cmd.env("VAULT_ADDR", "http://127.0.0.1:9").args(["exoscale", "ci", "--auth", "aws"]),
        ("GITLAB", _) => {
            let api = ("CI_API_V4_URL", "https://127.0.0.1:9/api/v4");
            cmd.envs([("CI", "true"), ("CI_PROJECT_ID", "22"), api])
        }
        (_, Some((name, value))) if cmd.first().is_none() => cmd.env(name, given(value)),
        _ => cmd.args([given(word)]),
    })
}

/// Waits until the process has opened this, or has ended, as it must not.
fn wait_until_open(running: &Running, path: &Path) {
    eventually(&format!("{} is being read", path.display()), || {
        let open = fs::read_dir(format!("/proc/{}/fd", running.pid())).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target == path)
            || running.has_ended()
    });
}

/// A FIFO that something holds open for writing: it can be opened, and never ends.
fn endless(dir: &Path) -> (PathBuf, File) {
    let path = dir.canonicalize().unwrap().join("fifo");
    fifo(&path);
    let held = File::options().read(true).write(true).open(&path).unwrap();
    (path, held)
}

#[test]
fn a_stop_is_heard_while_any_file_is_read() {
    scope(|scope| {
        for row in READS {
            scope.spawn(move || {
                let dir = tempfile::tempdir().unwrap();
                let (path, _held) = endless(dir.path());
                for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
                    let running = asked(row, &path, dir.path()).spawn();
                    wait_until_open(&running, &path);
                    let asked = Instant::now();
                    running.signal(signal);
                    let run = running.wait();
                    assert_eq!((run.code, run.signal), (code, None), "{row}: {run}");
                    assert!(asked.elapsed() < Duration::from_secs(6), "{row}: {:?}", asked.elapsed());
                }
            });
        }
    });
}

/// Nobody has opened the FIFO for writing: to open it waits as well.
#[test]
fn a_stop_is_heard_while_a_file_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    fifo(&path);
    for row in ["exoscale ci --ca-cert FIFO", "AWS_SHARED_CREDENTIALS_FILE=FIFO AWS_PROFILE=p AWS"] {
        let running = asked(row, &path, dir.path()).spawn();
        std::thread::sleep(Duration::from_secs(1));
        running.signal(Signal::TERM);
        let run = running.wait();
        assert_eq!((run.code, run.signal), (143, None), "{row}: {run}");
        assert!(run.elapsed < Duration::from_secs(10), "{row}: {run}");
    }
}

/// These are looked into only where there are regular files.
#[test]
fn what_may_be_missing_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".vault");
    fifo(&path);
    for row in ["HOME=FOLDER exoscale ci --tls-skip-verify", "exoscale ci --ca-path FOLDER"] {
        let run = asked(row, &path, dir.path()).args(["--max-retries", "0"]).run();
        assert!(matches!(run.code, 3 | 5) && run.elapsed < Duration::from_secs(30), "{row}: {run}");
    }
}

#[test]
fn a_file_without_an_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let zero = Path::new("/dev/zero");
    let rows = [
        "exoscale ci --ca-cert FIFO",
        "exoscale ci --client-cert FILE --client-key FIFO --tls-skip-verify",
        "AWS_SHARED_CREDENTIALS_FILE=FIFO AWS_PROFILE=p AWS",
        "VAULT_ADDR=http://127.0.0.1:9 exoscale ci --auth jwt --id-token-file FIFO",
    ];
    for row in rows {
        let run = asked(row, zero, dir.path()).run().expect(3);
        assert!(run.stderr.contains("/dev/zero") && run.stderr.contains("longer than 4 MiB"), "{row}: {run}");
    }
}

/// The token is there when the cloud's certificates are read.
#[test]
fn a_stop_takes_back_the_token_while_a_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _held) = endless(dir.path());
    let vault = Fake::new(|seen| match seen.line.as_str() {
        line if line.starts_with("GET") => {
            Reply::Json(200, json!({"data": {"access_key": "S", "secret_key": secret(), "token": secret()}}))
        }
        _ => Reply::Vault,
    });
    let mint = ["scaleway", "ci", "--mint", "--application-id", "2f0b5c4e-6a3c-4a53-9a5e-0c1d2e3f4a5b"];
    let rotate = ["rotate", "--gitlab-token-path", "kv/gitlab#token", "--token-role", "ci"];
    let access = ["rotate", "--gitlab-access-token", "--gitlab-token-path", "kv/gitlab#token"];
    for args in [&mint[..], &rotate, &access] {
        let before = vault.seen().len();
        let running = Cmd::new(args)
            .env("VAULT_ADDR", &vault.addr)
            .env("VAULT_AUTH_METHOD", "jwt")
            .env("VAULT_AUTH_ROLE", "ci")
            .env("VAULT_ID_TOKEN", jwt::mint(json!({})))
            .env("SSL_CERT_FILE", &path)
            .env("CI", "true")
            .env("CI_PROJECT_ID", "22")
            .env("CI_API_V4_URL", "https://127.0.0.1:9/api/v4")
            .env("CI_CREDS_APPROLE", "ci")
            .spawn();
        wait_until_open(&running, &path);
        let since =
            |kind: fn(&crate::support::fake::Seen) -> bool| vault.seen().iter().skip(before).any(kind);
        assert!(since(|seen| seen.is_login()), "{args:?}");
        let asked = Instant::now();
        running.signal(Signal::TERM);
        let run = running.wait().expect(143);
        assert!(asked.elapsed() < Duration::from_secs(8), "{args:?}: {:?}", asked.elapsed());
        assert!(since(|seen| seen.is_revocation()), "{args:?}: {run}");
    }
}

/// Process substitution and standard input.
#[test]
fn certificates_may_come_through_a_pipe() {
    let pki = Pki::new("A test's CA");
    let (config, pem) = self_signed(&["127.0.0.1"], |_| {});
    let server = Fake::tls(config, |_| Reply::Vault);
    let file = pki.file("server.pem", &pem);
    let given = |cmd: Cmd| {
        cmd.env("VAULT_ADDR", &server.addr).env("VAULT_ID_TOKEN", jwt::mint(json!({}))).env("PEM", &file)
    };
    given(Cmd::new(["exoscale", "ci", "--ca-cert", "/dev/stdin"])).stdin(pem.as_bytes()).run().expect(0);
    let path = pki.dir.path().join("fifo");
    fifo(&path);
    scope(|scope| {
        scope.spawn(|| File::options().write(true).open(&path).unwrap().write_all(pem.as_bytes()).unwrap());
        given(Cmd::new(["exoscale", "ci"])).env("VAULT_CACERT", &path).run().expect(0);
    });
    if let Some(bash) = require("bash") {
        let script =
            format!("exec {} exoscale ci --ca-cert <(printf '%s\\n' \"$(<\"$PEM\")\")", PROGRAM.as_str());
        given(Cmd::program(bash).args(["-c", &script])).run().expect(0);
    }
}

/// Whatever is printed into a pipe that is full and that nobody reads.
#[test]
fn a_stop_is_heard_while_nobody_reads() {
    for args in [&["completions", "bash"][..], &["completions", "zsh"], &["--help"], &["exoscale", "--help"]]
    {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'x'; 64 * 1024]).unwrap();
        let mut command = Command::new(PROGRAM.as_str());
        let mut child =
            command.args(args).process_group(0).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if asked.elapsed() > Duration::from_secs(10) {
                child.kill().unwrap();
                panic!("{args:?} is deaf to SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(143), "{args:?}");
        drop(reader);
    }
}
