//! AWS for the tests: moto's IAM and STS, and botocore's signatures.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::python;

/// A running moto; it ends with its standard input, which ends with this process.
pub struct Moto {
    pub addr: String,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    process: Child,
}

/// Temporary credentials.
#[derive(Clone)]
pub struct Keys {
    pub access_key: String,
    pub secret_key: String,
    pub token: String,
    pub expiration: String,
}

impl Moto {
    /// None where there is no Python.
    pub fn start() -> Option<Self> {
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks/requirements.txt");
        let python = python("test-sdks", &packages)?.join("python");
        let mut process = Command::new(python)
            .args(["-c", include_str!("moto.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let addr = line(&mut stdout).as_str().unwrap().to_owned();
        let pipes = Mutex::new((process.stdin.take().unwrap(), stdout));
        Some(Self { addr, pipes, process })
    }

    fn ask(&self, command: &Value) -> Value {
        let mut pipes = self.pipes.lock().unwrap();
        writeln!(pipes.0, "{command}").unwrap();
        line(&mut pipes.1)
    }

    /// Makes an IAM role and assumes it.
    pub fn assume(&self, role: &str) -> Keys {
        let keys = self.ask(&json!({"do": "assume", "role": role}));
        let text = |name: &str| keys[name].as_str().unwrap().to_owned();
        Keys {
            access_key: text("access_key"),
            secret_key: text("secret_key"),
            token: text("token"),
            expiration: text("expiration"),
        }
    }

    /// The Authorization header that botocore gives a request.
    pub fn sign(&self, url: &str, body: &str, headers: &Value, region: &str, keys: &Keys) -> String {
        let command = json!({"do": "sign", "url": url, "body": body, "headers": headers, "region": region,
            "access_key": keys.access_key, "secret_key": keys.secret_key, "token": keys.token});
        self.ask(&command).as_str().unwrap().to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(stdout: &mut BufReader<ChildStdout>) -> Value {
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    serde_json::from_str(&text).expect("moto.py answers; run it by hand to see why not")
}
