//! A project with a pipeline, and gitlab-ci-local to run its jobs with its shell executor, one after the other.
//!
//! It reads pipelines as GitLab does (all four kinds of include, inputs, extends, !reference, rules) and runs
//! before_script and script in one shell, after_script in another. What it does not do, and other tests do by hand or not
//! at all: containers, with their services and entrypoints; issue ID tokens; mask or protect variables; run after_script
//! when a job is cancelled; schedules, resource groups, `retry`, and runners with their `tags`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools::{gitlab_ci_local, output};
use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Run, canary, require};

/// Stands in for a cloud's program: notes its name, its arguments and the variables that it was given.
const RECORDER: &str = r#"#!/bin/sh
{ printf 'call %s\n' "${0##*/} $*"; env; } >>RECORD
"#;

/// What a job is given that must not be in its log, whatever it looks like.
const SECRETS: [&str; 6] = [
    "VAULT_TOKEN",
    "EXOSCALE_API_SECRET",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SCW_SECRET_KEY",
    "DB_PASSWORD",
];

/// A checkout in a runner's builds directory.
pub struct Project {
    dir: tempfile::TempDir,
    program: PathBuf,
    path: String,
    variables: Vec<(String, serde_json::Value)>,
}

/// One call of a recorder.
#[derive(Debug)]
pub struct Call {
    /// Name and arguments.
    pub line: String,
    env: Vec<(String, String)>,
}

impl Call {
    /// A variable that it was given.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Project {
    /// A project with the template and this pipeline; None where Node is missing.
    pub fn new(pipeline: &str, recorders: &[&str]) -> Option<Self> {
        let (program, node) = gitlab_ci_local()?;
        let (git, dir) = (require("git")?, tempfile::tempdir().unwrap());
        let root = dir.path().join("project");
        let tools = dir.path().join("tools");
        fs::create_dir_all(root.join("templates/ci-creds")).unwrap();
        fs::create_dir_all(&tools).unwrap();
        fs::copy(source("templates/ci-creds/template.yml"), root.join("templates/ci-creds/template.yml"))
            .unwrap();
        fs::write(root.join(".gitlab-ci.yml"), without_containers(pipeline)).unwrap();
        symlink(&*PROGRAM, tools.join("ci-creds")).unwrap();
        // gitlab-ci-local copies the checkout for containers, of which there are none here.
        fs::write(tools.join("rsync"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(tools.join("rsync"), fs::Permissions::from_mode(0o755)).unwrap();
        let recorder = RECORDER.replace("RECORD", &dir.path().join("record").display().to_string());
        for name in recorders {
            let path = if name.starts_with("./") { root.join(name) } else { tools.join(name) };
            fs::write(&path, &recorder).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for args in [
            &["init", "-q", "-b", "main"][..],
            &["add", "."],
            &["-c", "user.name=alice", "-c", "user.email=alice@example.com", "commit", "-qm", "start"],
            &["remote", "add", "origin", "git@gitlab.example.com:group/project.git"],
        ] {
            output(Command::new(&git).current_dir(&root).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null"));
        }
        let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", tools.display(), node.display());
        Some(Self { dir, program, path, variables: Vec::new() })
    }

    /// The pipeline of an example.
    pub fn example(name: &str, recorders: &[&str]) -> Option<Self> {
        let pipeline = fs::read_to_string(source(&format!("examples/{name}/.gitlab-ci.yml"))).unwrap();
        Self::new(&pipeline, recorders)
    }

    /// Sets variables of the project, or of the runner.
    pub fn set<N: AsRef<str>, V: AsRef<str>>(&mut self, all: impl IntoIterator<Item = (N, V)>) -> &mut Self {
        for (name, value) in all {
            self.variables.retain(|(known, _)| known != name.as_ref());
            self.variables.push((name.as_ref().to_owned(), value.as_ref().into()));
        }
        self
    }

    /// Sets a variable of the project that has one value for each environment scope.
    pub fn set_scoped(&mut self, name: &str, values: &serde_json::Value) {
        let scoped = serde_json::json!({"type": "variable", "values": values});
        self.variables.push((name.to_owned(), scoped));
    }

    /// Runs jobs and searches the whole log for secrets.
    #[track_caller]
    pub fn run(&self, jobs: &[&str]) -> Run {
        let _ = fs::remove_file(self.dir.path().join("record"));
        let root = self.dir.path().join("project");
        let lines = self.variables.iter().map(|(name, value)| format!("{name}: {value}\n"));
        fs::write(root.join(".gitlab-ci-local-variables.yml"), lines.collect::<String>()).unwrap();
        let run = Cmd::program(&self.program)
            .args(["--force-shell-executor", "--concurrency", "1", "--no-color"])
            // It takes half of the time, and the tests of the schema do it with GitLab's newest.
            .args(["--no-json-schema-validation"])
            .args(jobs)
            .env("PATH", &self.path)
            .env("HOME", self.dir.path())
            .dir(root)
            .run();
        let leak = canary::find(&run.stdout);
        assert!(leak.is_none(), "a secret in the log: {leak:?}\n{run}");
        for (call, name) in self.calls().iter().flat_map(|call| SECRETS.map(|name| (call, name))) {
            let shown = call.env(name).is_some_and(|value| run.stdout.contains(value));
            assert!(!shown, "{name} in the log:\n{run}");
        }
        run
    }

    /// Where it is checked out.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// Where the jobs' programs are.
    pub fn tools(&self) -> PathBuf {
        self.dir.path().join("tools")
    }

    /// Where git and Node look for their settings.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// What the recorders noted in the last run.
    pub fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(self.dir.path().join("record")).unwrap_or_default();
        let mut calls: Vec<Call> = Vec::new();
        for line in text.lines() {
            match (line.strip_prefix("call "), line.split_once('='), calls.last_mut()) {
                (Some(line), ..) => calls.push(Call { line: line.trim().to_owned(), env: Vec::new() }),
                (None, Some((name, value)), Some(call)) => call.env.push((name.to_owned(), value.to_owned())),
                _ => {}
            }
        }
        calls
    }

    /// gitlab-ci-local's view of the pipeline, with all includes and references resolved.
    pub fn preview(&self) -> String {
        let mut command = Command::new(&self.program);
        command
            .args(["--preview", "--no-json-schema-validation"])
            .current_dir(self.dir.path().join("project"));
        let text = output(command.env_clear().env("PATH", &self.path).env("HOME", self.dir.path()));
        // It warns first of what it does not check itself, such as `regex`.
        text.split_once("---\n").map_or_else(|| text.clone(), |(_, pipeline)| format!("---\n{pipeline}"))
    }
}

/// The same pipeline for a machine without containers: gitlab-ci-local would start the services all the same, and tell a
/// job that names an image that it is in /builds.
fn without_containers(pipeline: &str) -> String {
    let mut in_services = false;
    let kept = pipeline.lines().filter(|line| {
        in_services = *line == "  services:" || in_services && line.starts_with("   ");
        !in_services && !line.trim_start().starts_with("image: ")
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// A file of this repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
