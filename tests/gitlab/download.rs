//! Getting the program: from a package registry with the job's token, or from a mirror without it, by curl or wget, and
//! never run before its sum is right.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::shell::scripts;
use crate::support::stub::{self, Request, Response};
use crate::support::{Cmd, require, secret};

/// A stand-in for ci-creds: what matters here is whether it is run.
const PROGRAM: &str = "#!/bin/sh\necho \"ran $*\" >&2\n";
/// Its SHA-256 is computed by the machine's own tool.
fn sum(dir: &Path) -> String {
    let file = dir.join("program");
    fs::write(&file, PROGRAM).unwrap();
    let run = Cmd::program(require("sha256sum").unwrap()).args([&file]).run().expect(0);
    run.stdout.split(' ').next().unwrap().to_owned()
}

struct Registry {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

fn registry() -> Registry {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let addr = stub::serve(move |request: &Request| {
        record.lock().unwrap().push(request.clone());
        if let Some(rest) = request.target.strip_prefix("/stored-elsewhere/") {
            // As GitLab does with object storage: another host.
            let port = request.headers["host"].rsplit_once(':').unwrap().1;
            let headers = format!("Location: http://localhost:{port}/{rest}\r\n");
            return Some(Response::new("302 Found", &headers, b""));
        }
        let known = request.target.contains("/1.2.3/ci-creds-linux-");
        Some(match known {
            true => Response::new("200 OK", "", PROGRAM.as_bytes()),
            false => Response::json("404 Not Found", &serde_json::json!({"message": "404 Not found"})),
        })
    });
    Registry { url: format!("http://{addr}"), seen }
}

/// Whether a request has the job's token, as GitLab takes it: in its own header, or as a password.
fn has_token(request: &Request, token: &str) -> bool {
    let password = format!("Basic {}", STANDARD.encode(format!("gitlab-ci-token:{token}")));
    request.headers.get("job-token").is_some_and(|given| given == token)
        || request.headers.get("authorization").is_some_and(|given| *given == password)
}

#[test]
fn the_program_is_downloaded_once_and_checked_each_time() {
    // With the trace on, as CI_DEBUG_TRACE does it: the run is searched for the job's token.
    for (shell, tool, program) in
        [("bash", "curl", "curl"), ("dash", "wget", "wget"), ("busybox", "wget", "busybox")]
    {
        let (Some(shell_path), Some(tool_path)) = (require(shell), require(program)) else { continue };
        let (dir, registry, token) = (tempfile::tempdir().unwrap(), registry(), secret());
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(tool_path, bin.join(tool)).unwrap();
        for name in ["sha256sum", "uname", "mkdir", "mv", "rm", "chmod"] {
            symlink(require(name).unwrap(), bin.join(name)).unwrap();
        }
        let job = |inputs: &str| {
            let [before, _] = scripts(inputs);
            let args: &[&str] = if shell == "busybox" { &["sh", "-euc"] } else { &["-euc"] };
            Cmd::program(&shell_path)
                .args(args)
                .args([format!("set -x\n{before}\nci-creds later")])
                .job(dir.path())
                .env("PATH", &bin)
                .env("CI_API_V4_URL", &registry.url)
                .env("CI_JOB_TOKEN", &token)
        };
        let inputs = |url: &str, sum: &str| {
            format!("{{provider: none, install: '{url}', version: 1.2.3, sha256: '{sum}'}}")
        };
        let good =
            inputs("$CI_API_V4_URL/projects/1/packages/generic/ci-creds", &format!("00 {}", sum(dir.path())));
        for _ in 0..2 {
            assert!(job(&good).run().expect(0).stderr.contains("ran later"));
        }
        {
            let seen = registry.seen.lock().unwrap();
            assert_eq!(seen.len(), 1, "{shell}: once");
            assert!(has_token(&seen[0], &token), "{shell}: {seen:?}");
        }
        // Somebody changed what lies there: it is fetched again, not run.
        let program = dir.path().join("project.tmp/ci-creds-1.2.3/ci-creds");
        fs::write(&program, "#!/bin/sh\necho evil >&2\n").unwrap();
        let run = job(&good).run().expect(0);
        assert!(!run.stderr.contains("evil") && registry.seen.lock().unwrap().len() == 2, "{run}");
        // A mirror gets no token; another sum, another version, and no sum at all are refused.
        fs::remove_file(&program).unwrap();
        let mirror = inputs(&registry.url.replace("127.0.0.1", "localhost"), &sum(dir.path()));
        job(&mirror).run().expect(0);
        assert!(!has_token(registry.seen.lock().unwrap().last().unwrap(), &token), "{shell}");
        fs::remove_file(&program).unwrap();
        for bad in ["0123", ""] {
            let run = job(&inputs(&registry.url, bad)).run().expect(3);
            assert!(run.stderr.contains("not the program with the sha256"), "{shell}: {run}");
            assert!(!run.stderr.contains("ran") && !program.exists(), "{run}");
        }
        if tool == "curl" {
            let stored = good.replace("$CI_API_V4_URL/", "$CI_API_V4_URL/stored-elsewhere/");
            job(&stored).run().expect(0);
            let seen = registry.seen.lock().unwrap();
            let [.., asked, storage] = &seen[..] else { panic!("{seen:?}") };
            assert!(has_token(asked, &token) && !has_token(storage, &token), "{asked:?} {storage:?}");
        }
        let run = job(&good.replace("1.2.3", "9.9.9")).run().expect(3);
        assert!(run.stderr.contains("error: no ci-creds at "), "{shell}: {run}");
    }
}
