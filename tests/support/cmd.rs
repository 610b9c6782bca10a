//! The command under test, in an environment that holds only what the test puts into it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ci_creds::testing::process;
use rustix::process::Signal;

use super::Server;
use super::jwt::Jwt;
use super::run::Run;
use super::running::Running;
use super::space::AppRole;

/// The built ci-creds.
///
/// Cargo tells it at run time; a compiler wrapper that is a shell script can't pass on a name with a hyphen.
#[allow(clippy::disallowed_methods, reason = "the rule is for src/")]
pub static PROGRAM: LazyLock<String> =
    LazyLock::new(|| std::env::var("CARGO_BIN_EXE_ci-creds").expect("cargo test tells where ci-creds is"));

/// A command to be built up and run, as often as the test likes.
#[derive(Clone)]
pub struct Cmd {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    dir: Option<PathBuf>,
    may_show: bool,
}

impl Cmd {
    /// ci-creds with these arguments: no PATH, no HOME, nothing inherited.
    pub fn new<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::program(&*PROGRAM).args(args)
    }

    /// Another program, run and checked in the same way.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        let (args, env, stdin) = (Vec::new(), Vec::new(), Vec::new());
        Self { program: program.into(), args, env, stdin, dir: None, may_show: false }
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Puts arguments before the others: `doctor` before a run's.
    pub fn before<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.splice(0..0, args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The first argument, if it is text.
    pub fn first(&self) -> Option<&str> {
        self.args.first()?.to_str()
    }

    /// Sets a variable; the last value counts.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(known, _)| known != name.as_ref());
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The value of a variable that was set.
    pub fn get_env(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// Removes a variable again.
    pub fn no_env(mut self, name: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self
    }

    /// Sets several variables.
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(self, all: impl IntoIterator<Item = (N, V)>) -> Self {
        all.into_iter().fold(self, |cmd, (name, value)| cmd.env(name, value))
    }

    /// Takes over the environment of another command, and where it runs.
    pub fn inherit(mut self, other: &Self) -> Self {
        self.env.clone_from(&other.env);
        self.dir.clone_from(&other.dir);
        self
    }

    /// The same run by another program: `PROGRAM ARGS… CI-CREDS ITS-ARGS…`.
    pub fn wrapped<A: AsRef<OsStr>>(
        self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        let args = args.chain([self.program.into_os_string()]).chain(self.args).collect();
        Self { program: program.into(), args, ..self }
    }

    /// The working directory.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// What standard input holds; it is empty otherwise.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// VAULT_ADDR, and VAULT_CACERT for a server with TLS.
    pub fn vault(self, server: &Server) -> Self {
        let tls = server.addr.starts_with("https:").then(|| ("VAULT_CACERT", server.ca_cert()));
        self.env("VAULT_ADDR", &server.addr).envs(tls)
    }

    /// Logs in by AppRole: the mount, role_id, and secret_id if there is one.
    pub fn approle(self, login: &AppRole) -> Self {
        let secret_id = login.secret_id.as_ref().map(|value| ("VAULT_SECRET_ID", value));
        self.env("VAULT_AUTH_PATH", &login.mount).env("VAULT_ROLE_ID", &login.role_id).envs(secret_id)
    }

    /// Logs in by split custody: the runner has the role_id, a variable the token that issues the secret_id.
    pub fn split_custody(self, login: &AppRole, issuing_token: &str) -> Self {
        let login = AppRole { secret_id: None, ..login.clone() };
        self.approle(&login).env("VAULT_AUTH_ROLE", &login.role).env("VAULT_TOKEN", issuing_token)
    }

    /// Logs in by an ID token.
    pub fn jwt(self, jwt: &Jwt<'_>, role: &str, id_token: &str) -> Self {
        self.env("VAULT_AUTH_PATH", &jwt.mount).env("VAULT_AUTH_ROLE", role).env("VAULT_ID_TOKEN", id_token)
    }

    /// The variables of a GitLab job whose project directory is `dir`, which becomes the working directory.
    /// They agree with the claims of [`super::jwt::claims`].
    pub fn job(self, dir: &Path) -> Self {
        let project = dir.join("project");
        fs::create_dir_all(&project).unwrap();
        let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.envs(JOB.iter().copied())
            .env("CI_JOB_STARTED_AT", started)
            .env("CI_PROJECT_DIR", &project)
            .env("CI_BUILDS_DIR", dir)
            .dir(project)
    }

    /// The run may print secrets: it was asked to, or the command after `--` does it itself.
    pub fn may_show_secrets(mut self) -> Self {
        self.may_show = true;
        self
    }

    /// The same at `-vv`; what comes after `--` belongs to somebody else.
    pub fn very_verbose(mut self) -> Self {
        let end = self.args.iter().position(|arg| arg == "--").unwrap_or(self.args.len());
        self.args.insert(end, "-vv".into());
        self
    }

    /// Whether what it prints is for people and logs even when it succeeds.
    fn only_reports(&self) -> bool {
        self.args.first().is_some_and(|first| first == "doctor")
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self) -> Run {
        self.spawn().wait()
    }

    /// Runs it twice, at `-vv` first, and returns the second run. Both must end in the same way; both are searched
    /// for secrets. For whatever can be done twice: not for a single-use secret_id.
    #[track_caller]
    pub fn run_both(&self) -> Run {
        let loud = self.clone().very_verbose().run();
        let quiet = self.run();
        assert_eq!(loud.code, quiet.code, "-vv changes the outcome:\n{loud}\n{quiet}");
        quiet
    }

    /// Starts it, for tests that send signals.
    #[track_caller]
    pub fn spawn(&self) -> Running {
        let mut command = with_usual_signals(&self.program);
        command.args(&self.args).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        Running::start(command, self.stdin.clone(), self.may_show, self.only_reports())
    }
}

/// A command that hears Ctrl-C and its like, even where these tests run in the background of a script: then they are
/// ignored, and all that is started inherits that.
fn with_usual_signals(program: &Path) -> Command {
    let ignored = [Signal::INT, Signal::QUIT, Signal::HUP].iter().any(|one| process::ignores(one.as_raw()));
    if !ignored {
        return Command::new(program);
    }
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal", "--"]).arg(program);
    command
}

/// What GitLab sets in every job, as far as anything reads it.
const JOB: &[(&str, &str)] = &[
    // What a job's log shows in colour is compared as plain text.
    ("NO_COLOR", "1"),
    ("CI", "true"),
    ("GITLAB_CI", "true"),
    ("CI_SERVER_URL", "https://gitlab.example.com"),
    ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
    ("CI_PROJECT_PATH", "group/project"),
    ("CI_PROJECT_NAMESPACE", "group"),
    ("CI_PROJECT_ID", "22"),
    ("CI_PIPELINE_ID", "1212"),
    ("CI_PIPELINE_SOURCE", "push"),
    ("CI_JOB_ID", "4242"),
    ("CI_JOB_NAME", "deploy"),
    ("CI_JOB_STAGE", "deploy"),
    ("CI_JOB_TIMEOUT", "3600"),
    ("CI_COMMIT_REF_NAME", "main"),
    ("CI_COMMIT_BRANCH", "main"),
    ("CI_COMMIT_REF_PROTECTED", "true"),
    ("CI_DEFAULT_BRANCH", "main"),
];
