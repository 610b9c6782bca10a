//! `--output`: the file is this user's alone, nothing else is touched, and stdout stays empty.

mod merge;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::{CANARY, Cmd, Engine, Run, Space, eventually, fifo, say, secret};

/// A job that may read one secret; whatever it writes goes into its directory.
struct Job {
    space: Space<'static>,
    path: String,
    token: String,
    dir: tempfile::TempDir,
}

impl Job {
    fn new() -> Self {
        let space = Space::new();
        let path = format!("{}/sts/ci", space.kv1("aws"));
        let triple = json!({"access_key": "AKIA1", "secret_key": secret(), "session_token": secret()});
        space.write(&path, triple);
        let token = space.token(&[&space.may_read(&[&path])], json!({}));
        Self { space, path, token, dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `ci-creds aws ci …`, started by a shell that first does `before`.
    fn aws(&self, before: &str, args: &[&str]) -> Cmd {
        let program = crate::support::cmd::PROGRAM.as_str();
        let cmd =
            Cmd::program("/bin/sh").args(["-c", &format!("{before}\nexec {program} aws ci \"$@\""), "sh"]);
        let mount = self.path.split('/').next().unwrap();
        let cmd = cmd.args(args).vault(self.space.server).dir(self.dir.path());
        cmd.env("VAULT_TOKEN", &self.token).env("CI_CREDS_AWS_MOUNT", mount)
    }

    /// Writes to `path`, which must work and leave stdout empty.
    fn writes(&self, before: &str, path: &str) -> Run {
        let run = self.aws(before, &["--output", path]).run().expect(0);
        assert_eq!(run.stdout, "", "{path}");
        run
    }

    /// Is refused for this reason, without a word on stdout, and leaves nothing behind.
    fn refuses(&self, args: &[&str], reason: &str) {
        let names = || {
            let names = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let before = names();
        let run = self.aws("", args).run().expect(6);
        assert!(run.stderr.contains(reason), "{args:?}: {run}");
        assert_eq!(run.stdout, "", "{args:?}");
        assert_eq!(names(), before, "{args:?}");
    }
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn the_file_is_private_whatever_the_umask() {
    let job = Job::new();
    for umask in ["000", "002", "022", "077", "177", "277", "777"] {
        let path = job.file(umask);
        job.writes(&format!("umask {umask}"), path.to_str().unwrap());
        assert_eq!(mode(&path), 0o600, "umask {umask}");
        assert!(fs::read_to_string(&path).unwrap().contains(CANARY));
    }
    // Names without a folder, and odd ones.
    for name in ["here", "./there", "a b'c"] {
        job.writes("", name);
        assert_eq!(mode(&job.file(name)), 0o600, "{name}");
    }
}

#[test]
fn an_existing_file_is_replaced_and_not_reused() {
    let job = Job::new();
    let (path, link) = (job.file("out"), job.file("link"));
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::hard_link(&path, &link).unwrap();
    // Somebody may have opened it while it was readable.
    let open = fs::File::open(&path).unwrap();
    job.writes("", path.to_str().unwrap());
    assert_ne!(path.metadata().unwrap().ino(), link.metadata().unwrap().ino());
    assert_eq!((mode(&path), fs::read_to_string(&link).unwrap().as_str()), (0o600, "old"));
    assert_eq!(std::io::read_to_string(open).unwrap(), "old");
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    let job = Job::new();
    let name = |name: &str| job.file(name).display().to_string();
    fs::write(job.file("prey"), "prey").unwrap();
    symlink(job.file("prey"), job.file("symlink")).unwrap();
    symlink(job.file("nothing"), job.file("dangling")).unwrap();
    fs::create_dir(job.file("dir")).unwrap();
    fifo(&job.file("fifo"));
    for (path, reason) in [
        (name("symlink"), "it is a symbolic link"),
        (name("dangling"), "it is a symbolic link"),
        (name("fifo"), "it is not a regular file"),
        (name("dir"), "it is not a regular file"),
        (name("dir/"), "it is the name of a folder"),
        (name("dir/.."), "it is the name of a folder"),
        (name("no/where"), "does not exist"),
        (name("prey/file"), "is not a folder"),
        // Nothing in /dev: a program that gets it wrong would take it from the whole machine.
        ("/proc/self/fd/1".to_owned(), "it is a symbolic link"),
    ] {
        job.refuses(&["--output", &path], reason);
    }
    if rustix::process::geteuid().is_root() {
        fs::write(job.file("foreign"), "").unwrap();
        chown(job.file("foreign"), Some(65_534), None).unwrap();
        job.refuses(&["--output", &name("foreign")], "it is somebody else's");
    } else {
        say("SKIPPED: only root can make the file of somebody else");
    }
    assert_eq!(fs::read_to_string(job.file("prey")).unwrap(), "prey");
    assert!(!job.file("nothing").exists());
}

#[test]
fn refused_places_cost_no_credentials() {
    let space = Space::new();
    let engine = Engine::new(&space, "engine", json!({"ttl": "15m"}));
    engine.role("ci");
    let path = format!("{}/creds/ci", engine.mount);
    let token = space.token(&[&space.may_read(&[&path])], json!({}));
    let cmd = Cmd::new(["read", &path, "A=password"]).vault(space.server).env("VAULT_TOKEN", &token);
    cmd.clone().args(["--output", "/proc/self/fd/1"]).run().expect(6);
    cmd.args(["--output", "/no/where"]).run().expect(6);
    assert_eq!(engine.upstream_requests(), 0);
}

#[test]
fn folders_of_others_are_named() {
    let job = Job::new();
    let dir = job.file("dir");
    fs::create_dir(&dir).unwrap();
    let path = dir.join("out").display().to_string();
    for (mode, warned) in [(0o700, false), (0o755, false), (0o1777, false), (0o775, true), (0o777, true)] {
        fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
        let run = job.writes("", &path);
        assert_eq!(run.stderr.contains("warning: others can replace files in"), warned, "{mode:o}: {run}");
        assert_eq!(self::mode(Path::new(&path)), 0o600);
    }
    // GitLab's docker executor checks out with umask 0: there, the folder is the job's own.
    let run = job.aws("", &["--output", &path]).env("CI_PROJECT_DIR", job.dir.path()).run().expect(0);
    assert!(!run.stderr.contains("warning"), "{run}");
}

#[test]
fn profile_files_are_replaced_only_by_force() {
    let job = Job::new();
    let path = job.file("credentials").display().to_string();
    let write = ["--format", "aws-credentials", "--output", &path];
    job.aws("", &write).run().expect(0);
    assert!(fs::read_to_string(&path).unwrap().starts_with("[default]\naws_access_key_id = AKIA1\n"));
    for mine in ["[default]\naws_access_key_id = MINE\n", ""] {
        fs::write(&path, mine).unwrap();
        job.refuses(&write, "exists, and is neither edited nor replaced");
        assert_eq!(fs::read_to_string(&path).unwrap(), mine);
    }
    let forced = job.aws("", &write).args(["--force", "--profile", "web"]).run().expect(0);
    assert_eq!(forced.stdout, "");
    assert!(fs::read_to_string(&path).unwrap().starts_with("[web]\n"));
    assert_eq!(mode(Path::new(&path)), 0o600);
    symlink(job.file("prey"), job.file("link")).unwrap();
    let link = job.file("link").display().to_string();
    job.refuses(&["--format", "aws-credentials", "--force", "--output", &link], "it is a symbolic link");
    // Formats that nobody else writes need no force.
    fs::write(job.file("env"), "A=1\n").unwrap();
    job.writes("", job.file("env").to_str().unwrap());
}

#[test]
fn a_dash_is_standard_output() {
    let job = Job::new();
    let run = job.aws("", &["--output", "-", "--format", "dotenv"]).run().expect(0);
    assert!(run.stdout.starts_with("AWS_ACCESS_KEY_ID=AKIA1\n"), "{run}");
    assert!(!job.file("-").exists());
    let run = job.aws("", &["--output", "-", "--nope-at", "x"]).run().expect(2);
    assert_eq!(run.stdout, " false && true; (exit 2) && false\n");
    let run = job.aws("", &["--output", "-"]).no_env("VAULT_ADDR").run().expect(3);
    assert!(run.stdout.ends_with("; (exit 3) && false\n"), "{run}");
}

/// Somebody swaps the target for a symlink while ci-creds runs, as fast as possible.
#[test]
fn a_symlink_at_any_moment_is_not_followed() {
    let job = Job::new();
    let (path, prey, spare) = (job.file("out"), job.file("prey"), job.file("spare"));
    fs::write(&prey, "prey").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::remove_file(&path);
                let _ = symlink(&prey, &spare);
                let _ = fs::rename(&spare, &path);
                std::thread::sleep(std::time::Duration::from_micros(300));
                let _ = fs::remove_file(&path);
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        });
        for _ in 0..if cfg!(feature = "soak") { 1_000 } else { 40 } {
            let run = job.aws("", &["--output", path.to_str().unwrap()]).run();
            assert!(run.code == 0 || run.code == 6, "{run}");
            assert_eq!(fs::read_to_string(&prey).unwrap(), "prey");
        }
        done.store(true, Ordering::Relaxed);
    });
    let left = fs::read_dir(job.dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".ci-creds-"));
    assert_eq!(left.count(), 0, "a temporary file is left behind");
}

/// Full and read-only file systems, where this user may mount some.
#[test]
fn file_systems_that_take_nothing() {
    let job = Job::new();
    let dir = job.file("mount");
    fs::create_dir(&dir).unwrap();
    let mount = |options: &str, then: &str| {
        let text = format!("mount -t tmpfs -o {options} tmpfs '{}' && {{ {then}; }}", dir.display());
        let cmd = job.aws("", &["--output", dir.join("out").to_str().unwrap()]);
        // The shell and its arguments run in a name space of their own.
        Cmd::program("/usr/bin/unshare").args(["-rm", "/bin/sh", "-c", &text]).inherit(&cmd)
    };
    let may =
        Command::new("/usr/bin/unshare").args(["-rm", "/bin/sh", "-c", "mount -t tmpfs tmpfs /mnt"]).status();
    if !may.is_ok_and(|status| status.success()) {
        say("SKIPPED: full and read-only file systems need `unshare -rm` and mount");
        return;
    }
    let program =
        format!("{} aws ci --output '{}'", crate::support::cmd::PROGRAM.as_str(), dir.join("out").display());
    let run = mount("ro", &program).run().expect(6);
    assert!(run.stderr.contains("Read-only file system") && run.stdout.is_empty(), "{run}");
    let fill = format!(
        "cat /dev/zero >'{0}/fill' 2>/dev/null; {program}; code=$?; ls -A '{0}'; exit $code",
        dir.display()
    );
    let run = mount("size=4k", &fill).run().expect(6);
    assert!(run.stderr.contains("No space left on device"), "{run}");
    assert_eq!(run.stdout, "fill\n", "something is left behind");
    eventually("the mount is gone with its name space", || fs::read_dir(&dir).unwrap().count() == 0);
}
