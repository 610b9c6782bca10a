//! Getting the program: from a package registry with the job's token, or from a mirror without it, by curl or wget, and
//! never run before its sum is right.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::shell::scripts;
use crate::support::fake::Seen;
use crate::support::{Cmd, Fake, Reply, Run, require, secret};

/// A stand-in for ci-creds: what matters here is whether it is run.
const PROGRAM: &str = "#!/bin/sh\necho \"ran $*\" >&2\n";

fn registry() -> Fake {
    Fake::new(|seen| {
        if let Some(rest) = seen.target().strip_prefix("/stored-elsewhere/") {
            // As GitLab does with object storage: another host.
            let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
            let location = format!("Location: http://localhost:{port}/{rest}\r\n");
            return Reply::Full(302, location, Vec::new());
        }
        match seen.target().contains("/1.2.3/ci-creds-linux-") {
            true => Reply::text(200, PROGRAM),
            false => Reply::Json(404, serde_json::json!({"message": "404 Not found"})),
        }
    })
}

/// Whether a request has the job's token, as GitLab takes it: in its own header, or as a password.
fn has_token(request: &Seen, token: &str) -> bool {
    let password = format!("Basic {}", STANDARD.encode(format!("gitlab-ci-token:{token}")));
    request.header("job-token") == Some(token) || request.header("authorization") == Some(&password)
}

/// A job in an image that has one shell, one tool for downloads, and little else.
struct Image {
    shell: &'static str,
    shell_path: PathBuf,
    dir: tempfile::TempDir,
    registry: Fake,
    token: String,
    sum: String,
}

/// The shells of GitLab Runner's images, what each downloads with here, and the program that this is.
const IMAGES: [(&str, &str, &str); 3] =
    [("bash", "curl", "curl"), ("dash", "wget", "wget"), ("busybox", "wget", "busybox")];

impl Image {
    /// Those that this machine can stand in for.
    fn all() -> Vec<Self> {
        IMAGES.into_iter().filter_map(|(shell, tool, program)| Self::new(shell, tool, program)).collect()
    }

    fn new(shell: &'static str, tool: &str, program: &str) -> Option<Self> {
        let (shell_path, tool_path) = (require(shell)?, require(program)?);
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(tool_path, bin.join(tool)).unwrap();
        for name in ["sha256sum", "uname", "mkdir", "mv", "rm", "chmod"] {
            symlink(require(name)?, bin.join(name)).unwrap();
        }
        // The machine's own tool computes the sum.
        let file = dir.path().join("program");
        fs::write(&file, PROGRAM).unwrap();
        let sum = Cmd::program(bin.join("sha256sum")).args([&file]).run().expect(0).stdout[..64].to_owned();
        Some(Self { shell, shell_path, dir, registry: registry(), token: secret(), sum })
    }

    /// Inputs that download from here.
    fn inputs(url: &str, sum: &str) -> String {
        format!("{{provider: none, install: '{url}', version: 1.2.3, sha256: '{sum}'}}")
    }

    /// Those that are right.
    fn good(&self) -> String {
        Self::inputs("$CI_API_V4_URL/projects/1/packages/generic/ci-creds", &format!("00 {}", self.sum))
    }

    /// Runs a job with these inputs, and with the trace on, as CI_DEBUG_TRACE does it: what it prints is searched for the
    /// job's token.
    fn run(&self, inputs: &str) -> Run {
        let [before, _] = scripts(inputs);
        let args: &[&str] = if self.shell == "busybox" { &["sh", "-euc"] } else { &["-euc"] };
        Cmd::program(&self.shell_path)
            .args(args)
            .args([format!("set -x\n{before}\nci-creds later")])
            .job(self.dir.path())
            .env("PATH", self.dir.path().join("bin"))
            .env("CI_API_V4_URL", &self.registry.addr)
            .env("CI_JOB_TOKEN", &self.token)
            .run()
    }

    /// What was downloaded.
    fn program(&self) -> PathBuf {
        self.dir.path().join("project.tmp/ci-creds-1.2.3/ci-creds")
    }

    /// Whether the job's token came with each request so far.
    fn tokens_seen(&self) -> Vec<bool> {
        self.registry.seen().iter().map(|request| has_token(request, &self.token)).collect()
    }
}

#[test]
fn the_program_is_downloaded_once_and_checked_each_time() {
    for image in Image::all() {
        for _ in 0..2 {
            assert!(image.run(&image.good()).expect(0).stderr.contains("ran later"));
        }
        assert_eq!(image.tokens_seen(), [true], "{}: once, with the token", image.shell);
        // Somebody changed what lies there: it is fetched again, not run.
        fs::write(image.program(), "#!/bin/sh\necho evil >&2\n").unwrap();
        let run = image.run(&image.good()).expect(0);
        assert!(!run.stderr.contains("evil") && image.tokens_seen().len() == 2, "{}: {run}", image.shell);
    }
}

#[test]
fn what_is_not_the_program_is_refused_before_it_is_run() {
    for image in Image::all() {
        let url = &image.registry.addr;
        for bad in ["0123", ""] {
            let run = image.run(&Image::inputs(url, bad)).expect(3);
            assert!(run.stderr.contains("not the program with the sha256"), "{}: {run}", image.shell);
            assert!(!run.stderr.contains("ran") && !image.program().exists(), "{run}");
        }
        let run = image.run(&image.good().replace("1.2.3", "9.9.9")).expect(3);
        assert!(run.stderr.contains("error: no ci-creds at "), "{}: {run}", image.shell);
    }
}

#[test]
fn neither_a_mirror_nor_the_registrys_storage_gets_the_jobs_token() {
    for image in Image::all() {
        let mirror = image.registry.addr.replace("127.0.0.1", "localhost");
        image.run(&Image::inputs(&mirror, &image.sum)).expect(0);
        assert_eq!(image.tokens_seen(), [false], "{}", image.shell);
        fs::remove_file(image.program()).unwrap();
        // wget has no way to say that.
        if image.shell == "bash" {
            let stored = image.good().replace("$CI_API_V4_URL/", "$CI_API_V4_URL/stored-elsewhere/");
            image.run(&stored).expect(0);
            assert_eq!(image.tokens_seen(), [false, true, false]);
        }
    }
}
