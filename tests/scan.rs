//! `ci-creds scan PATH…` and `--scan PATH` with a command: what the job was given is found in what it leaves behind,
//! in every form and wherever it is packed, and nothing else is.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::life::shell;
use crate::main_job::story::{Story, nothing_is_left};
use crate::support::{CANARY, Cmd, Run, Space, secret, unique};

/// How many files the corpus has of each kind.
const CORPUS: usize = if cfg!(feature = "soak") { 2000 } else { 100 };

/// A job that was given two values, one of them in a file, and its folder.
struct Job {
    dir: tempfile::TempDir,
    secrets: Vec<String>,
    variables: Vec<(String, String)>,
    state: PathBuf,
}

impl Job {
    fn new() -> Self {
        let space = Space::new();
        let path = format!("{}/web", space.kv1("web"));
        let key = format!(
            "-----BEGIN KEY-----\n{CANARY}{}\n{}\n-----END KEY-----\n",
            unique().repeat(4),
            unique().repeat(5)
        );
        let secrets = vec![format!("p/{}+\"<{}>&%", secret(), unique()), secret(), key];
        space.write(
            &path,
            json!({"password": secrets[0], "token": secrets[1], "key": secrets[2], "user": "web"}),
        );
        let token = space.token(&[&space.may_read(&[&path])], json!({}));
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let run =
            Cmd::new(["read", &path, "PASSWORD=password", "TOKEN=token", "KEY=@key", "--format", "json"])
                .args(["--state-file", state.to_str().unwrap()])
                .vault(space.server)
                .env("VAULT_TOKEN", token)
                .run()
                .expect(0);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        let variables = json["credentials"][0]["variables"].as_object().unwrap();
        let variables =
            variables.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        fs::create_dir(dir.path().join("out")).unwrap();
        Self { secrets, variables: variables.collect(), state, dir }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join("out").join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn scan<P: AsRef<Path>>(&self, paths: &[P]) -> Cmd {
        let cmd = Cmd::new(["scan"]).args(paths.iter().map(|path| path.as_ref().as_os_str()));
        cmd.args(["--state-file".as_ref(), self.state.as_os_str()])
            .envs(self.variables.iter().cloned())
            .dir(self.dir.path())
    }
}

/// The places that a run names, each with its variable.
fn places(run: &Run) -> Vec<&str> {
    run.stderr.lines().skip(1).filter_map(|line| line.strip_prefix("  ")).collect()
}

#[test]
fn a_find_names_the_file_the_line_and_the_variable() {
    let job = Job::new();
    let [password, token, key] = &job.secrets[..] else { panic!() };
    job.file("app.js", format!("one\ntwo\n  key: '{token}'\n"));
    job.file("app.bin", [b"\0\0\0\0", password.as_bytes(), b"\0"].concat());
    job.file("ci.yml", key.replace('\n', "\n      "));
    job.file(&format!("of-{token}"), "");
    let run = job.scan(&["out"]).run_both().expect(7);
    assert!(run.stderr.starts_with("error: credentials found in what the job leaves behind\n"), "{run}");
    let found: BTreeSet<&str> = places(&run).into_iter().collect();
    let expected = [
        "out/app.js, line 3: TOKEN",
        "out/app.bin, offset 4: PASSWORD",
        "out/ci.yml, line 1: KEY",
        "the name out/of-[MASKED]: TOKEN",
    ];
    assert_eq!(found, expected.into());
    let clean = job.file("clean", "nothing\n");
    let run = job.scan(&[clean]).run_both().expect(0);
    assert_eq!(run.stderr, "ci-creds: scan: none of KEY, PASSWORD, TOKEN in 1 files\n");
}

/// Python's own encoders and archivers hide it; each file in which it is is named, and no other.
#[test]
fn it_is_found_in_every_form_wherever_it_is_packed() {
    let job = Job::new();
    let folder = job.dir.path().join("corpus");
    let mut python = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scan/corpus.py"))
        .args([folder.as_os_str(), CORPUS.to_string().as_ref()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // The PEM frame of a key is left out of its base64, and this corpus has exact values only.
    let secrets = serde_json::to_vec(&job.secrets[..2]).unwrap();
    python.stdin.take().unwrap().write_all(&secrets).unwrap();
    assert!(python.wait().unwrap().success());
    let files = |kind: &str| -> Vec<PathBuf> {
        let all = fs::read_dir(folder.join(kind)).unwrap();
        all.map(|entry| entry.unwrap().path().strip_prefix(job.dir.path()).unwrap().to_owned()).collect()
    };
    let (hit, miss) = (files("hit"), files("miss"));
    assert_eq!((hit.len(), miss.len()), (CORPUS, CORPUS));
    // So many are named in one run.
    for some in hit.chunks(100) {
        let run = job.scan(some).run().expect(7);
        let named: BTreeSet<&str> =
            places(&run).iter().map(|place| place.split([',', ':']).next().unwrap()).collect();
        let missed: Vec<_> = some.iter().filter(|path| !named.contains(path.to_str().unwrap())).collect();
        assert!(missed.is_empty(), "not found: {missed:#?}\n{run}");
    }
    let run = job.scan(&miss).run();
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn when_nothing_is_known_it_is_not_clean() {
    let job = Job::new();
    let clean = job.file("clean", "nothing\n");
    let unset = job.scan(&[&clean]).no_env("PASSWORD").no_env("TOKEN").no_env("KEY");
    let run = unset.run().expect(3);
    assert!(run.stderr.contains("there is nothing to look for: none of the variables"), "{run}");
    let run = job.scan(&[&clean]).no_env("TOKEN").run().expect(0);
    assert!(run.stderr.contains("TOKEN is not looked for: it is not set here"), "{run}");
    Cmd::new(["revoke", "--state-file"]).args([&job.state]).run().expect(0);
    assert!(!job.state.exists());
    let run = job.scan(&[&clean]).run_both().expect(3);
    assert!(run.stderr.contains("there is nothing to look for: "), "{run}");
    assert!(run.stderr.contains("lists no credentials of this job"), "{run}");
    Cmd::new(["scan", "out"]).run().expect(3);
    Cmd::new(["scan"]).run().expect(2);
}

/// What can't be searched is named, with code 3, and a find beside it still counts.
#[test]
fn what_can_not_be_searched_fails_and_ends() {
    let job = Job::new();
    let pack = |name: &str, bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes).unwrap();
        let whole = gzip.finish().unwrap();
        job.file(name, &whole[..whole.len() * 2 / 3])
    };
    let cut = pack("cut.gz", unique().repeat(1000).as_bytes());
    // 300 MiB of zeros in 300 kB.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..300 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = job.file("bomb.gz", bomb.finish().unwrap());
    let run = job.scan(&["out/cut.gz", "out/bomb.gz", "out/missing"]).run().expect(3);
    let expected = [
        "out/cut.gz: it ends in the middle",
        "out/bomb.gz: it expands to more than 256 MiB and 100 times its size",
        "out/missing: No such file or directory (os error 2)",
    ];
    assert_eq!(places(&run), expected, "{run}");
    let found = job.file("found", &job.secrets[1]);
    let run = job.scan(&[&cut, &bomb, &found]).run().expect(7);
    assert!(run.stderr.contains("found, line 1: TOKEN\n  not searched: "), "{run}");
}

/// `scan "$VAULT_ID_TOKEN"`: a token in the place of a path is no value that the state file knows.
#[test]
fn a_secret_in_the_place_of_a_path_is_not_shown() {
    let job = Job::new();
    for (content, kind) in [
        (format!("eyJhbGciOiJSUzI1NiJ9.eyJ{CANARY}wIn0.c2ln{CANARY}"), "a JWT"),
        (format!("hvs.{CANARY}CAESIJk3bXl0b2tlbg"), "a Vault token"),
        (format!("glpat-{CANARY}0123456789"), "a GitLab token"),
        (format!("web\n{CANARY}"), "text of several lines or with control characters"),
    ] {
        let run = job.scan(&[content]).run().expect(3);
        assert_eq!(
            places(&run),
            [format!("({kind}; not shown): No such file or directory (os error 2)")],
            "{run}"
        );
    }
}

/// Nothing in a folder is waited for, and nobody is led out of it.
#[test]
fn links_fifos_and_devices_are_passed_by() {
    let job = Job::new();
    job.file("clean", "nothing");
    let out = job.dir.path().join("out");
    let elsewhere = job.dir.path().join("elsewhere");
    fs::write(&elsewhere, &job.secrets[1]).unwrap();
    symlink(&elsewhere, out.join("link")).unwrap();
    symlink("/dev/zero", out.join("zero")).unwrap();
    symlink("..", out.join("loop")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        out.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let run = job.scan(&["out"]).run().expect(0);
    assert!(run.stderr.contains("in 1 files"), "{run}");
    // One that the user names is what it points to.
    job.scan(&["out/link"]).run().expect(7);
    job.scan(&["/dev/zero"]).run().expect(3);
    symlink(&job.secrets[1], out.join("pointer")).unwrap();
    let run = job.scan(&["out"]).run().expect(7);
    assert_eq!(places(&run), ["the name [MASKED]: TOKEN"], "{run}");
}

#[test]
fn a_find_is_revoked_when_that_is_asked_for() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let run =
        story.run(["exoscale", "--format", "json", "--state-file", state.to_str().unwrap()]).run().expect(0);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let value = json["credentials"][0]["variables"]["EXOSCALE_API_SECRET"].as_str().unwrap();
    let report = dir.path().join("report.xml");
    fs::write(&report, value).unwrap();
    let scan = story.run(["scan", "--revoke", "--state-file", state.to_str().unwrap()]).args([&report]);
    let scan = scan.env("EXOSCALE_API_SECRET", value);
    let run = scan.run().expect(7);
    assert!(run.stderr.contains("report.xml, line 1: EXOSCALE_API_SECRET"), "{run}");
    nothing_is_left(&story);
    scan.run().expect(3);
}

#[test]
fn a_command_is_followed_by_the_search() {
    let space = Space::new();
    let story = Story::new(&space);
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.xml");
    let report = report.to_str().unwrap();
    let leak = format!("echo \"$EXOSCALE_API_SECRET\" | gzip > {report}");
    for (script, code) in [(leak.clone(), 7), (format!("{leak}; exit 9"), 7)] {
        let run = shell(&story, &["--scan", report], &script).run().expect(code);
        assert!(run.stderr.contains("report.xml, line 1: EXOSCALE_API_SECRET"), "{run}");
        nothing_is_left(&story);
    }
    let run = shell(&story, &["--scan", report], &format!("echo clean > {report}")).run().expect(0);
    assert!(run.stderr.contains("scan: none of EXOSCALE_API_SECRET in 1 files"), "{run}");
    // The command's own failure comes first.
    for (script, code) in [("true", 3), ("exit 9", 9)] {
        let run = shell(&story, &["-q"], script).env("CI_CREDS_SCAN", "/nowhere").run().expect(code);
        assert!(run.stderr.contains("/nowhere: No such file"), "{run}");
    }
    story.run(["exoscale", "--scan", report]).run().expect(2);
    nothing_is_left(&story);
}
