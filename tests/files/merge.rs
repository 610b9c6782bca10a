//! `--merge`: one profile goes into a file that has others, and out again; every other byte stays. What the SDKs make of
//! such a file is in `sdks`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Job, mode};
use crate::support::{CANARY, Cmd, Run, fifo};

/// Somebody's own file: comments, an order, odd blanks.
const OWN: &str = "# my keys\n[default]\naws_access_key_id=AKIAMINE\naws_secret_access_key  =  mine/+=\n\n; old\n[prod]\nregion = x\n";

/// A job with a state file, and a file to merge into.
struct Merge {
    job: Job,
    path: PathBuf,
}

impl Merge {
    fn new(content: Option<&str>) -> Self {
        let job = Job::new();
        let path = job.file("credentials");
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        Self { job, path }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn cmd(&self, profile: &str) -> Cmd {
        let path = self.path.to_str().unwrap();
        let args = ["--format", "aws-credentials", "--merge", "--output", path, "--profile", profile];
        self.job.aws("", &args).env("CI_CREDS_STATE_FILE", self.state())
    }

    fn state(&self) -> PathBuf {
        self.job.file("state/file")
    }

    /// Merges, without a word on stdout.
    fn merges(&self, profile: &str) -> Run {
        fs::create_dir_all(self.job.file("state")).unwrap();
        let run = self.cmd(profile).run().expect(0);
        assert_eq!(run.stdout, "");
        run
    }

    #[track_caller]
    fn refuses(&self, profile: &str, reason: &str) {
        fs::create_dir_all(self.job.file("state")).unwrap();
        let content = || self.path.is_file().then(|| fs::read(&self.path).unwrap());
        let before = content();
        let run = self.cmd(profile).run().expect(6);
        assert!(run.stderr.contains(reason), "{reason}: {run}");
        assert!(run.stderr.contains("hint: "), "{run}");
        assert_eq!(run.stdout, "");
        assert_eq!(content(), before);
        assert_eq!(self.left_over(), 0, "{reason}");
    }

    fn revoke(&self) -> Run {
        let cmd = Cmd::new(["revoke"]).vault(self.job.space.server).env("VAULT_TOKEN", &self.job.token);
        cmd.env("CI_CREDS_STATE_FILE", self.state()).run()
    }

    /// New files that never took the place of the old one, with something in them. A process that is killed before its
    /// line is in the state file leaves an empty one.
    fn left_over(&self) -> usize {
        let all = fs::read_dir(self.job.dir.path()).unwrap().flatten();
        let new = all.filter(|entry| entry.file_name().to_string_lossy().starts_with(".ci-creds-"));
        new.filter(|entry| entry.metadata().unwrap().len() > 0).count()
    }
}

#[test]
fn a_profile_comes_and_goes_and_every_other_byte_stays() {
    for content in [OWN.to_owned(), OWN.trim_end().to_owned(), OWN.replace('\n', "\r\n"), String::new()] {
        let merge = Merge::new(Some(&content));
        merge.merges("ci");
        let text = merge.text();
        assert!(text.starts_with(&content) && text[content.len()..].contains(CANARY), "{content:?}");
        assert_eq!(text.ends_with('\n'), content.ends_with('\n') || content.is_empty());
        assert_eq!(text.matches("\r\n").count() == text.matches('\n').count(), content.contains('\r'));
        assert_eq!(mode(&merge.path), 0o600);
        let status = Cmd::new(["status"]).env("CI_CREDS_STATE_FILE", merge.state());
        let status = status.vault(merge.job.space.server).run().expect(0);
        assert!(
            status.stdout.contains("✓ profile") && status.stdout.contains("as it was written"),
            "{status}"
        );
        merge.revoke().expect(0);
        assert_eq!(merge.text(), content);
        assert_eq!((merge.left_over(), merge.state().exists()), (0, false));
        // Twice is no failure.
        merge.revoke().expect(0);
    }
    // A file that was not there is not there afterwards.
    let merge = Merge::new(None);
    merge.merges("ci");
    assert_eq!(mode(&merge.path), 0o600);
    assert!(merge.text().starts_with("[ci]\n# ci-creds: "));
    merge.revoke().expect(0);
    assert!(!merge.path.exists());
}

/// Others could read it before; the keys of the job are not for them.
#[test]
fn the_file_is_private_afterwards() {
    let merge = Merge::new(Some(OWN));
    fs::set_permissions(&merge.path, Permissions::from_mode(0o644)).unwrap();
    merge.merges("ci");
    assert_eq!(mode(&merge.path), 0o600);
}

#[test]
fn somebody_s_own_profile_is_never_overwritten() {
    let merge = Merge::new(Some(OWN));
    for profile in ["default", "prod"] {
        merge.refuses(profile, &format!("the profile {profile} in "));
    }
    let run = merge.cmd("prod").run().expect(6);
    assert!(
        run.stderr.contains("is not one that ci-creds wrote, and stays\nhint: --profile names another one"),
        "{run}"
    );
    // An own one of an earlier run is replaced, and only by the same job, or when it has ended.
    merge.merges("ci");
    let first = merge.text();
    merge.merges("ci");
    assert_eq!(merge.text(), first, "the same values, in the same place");
    let other =
        Merge::new(Some(&first.replace("# ci-creds: ", "# ci-creds: job 7, until 9999-01-01T00:00:00Z, ")));
    other.refuses("ci", "is that of the job 7, and good until 9999-01-01T00:00:00Z");
    other.cmd("ci").env("GITLAB_CI", "true").env("CI_JOB_ID", "7").run().expect(0);
    let other =
        Merge::new(Some(&first.replace("# ci-creds: ", "# ci-creds: job 7, until 2020-01-01T00:00:00Z, ")));
    other.merges("ci");
    assert!(other.text().starts_with(OWN) && !other.text().contains("job 7"));
}

#[test]
fn what_can_t_be_read_safely_is_refused_before_anything_is_issued() {
    let merge = Merge::new(None);
    let hostile = |make: &dyn Fn(&Path), reason: &str| {
        let _ = fs::remove_file(&merge.path);
        make(&merge.path);
        merge.refuses("ci", reason);
        let _ = fs::remove_file(&merge.path);
    };
    fs::write(merge.job.file("prey"), OWN).unwrap();
    let open = |mode| {
        move |path: &Path| {
            fs::write(path, OWN).unwrap();
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
    };
    hostile(&|path| symlink(merge.job.file("prey"), path).unwrap(), "it is a symbolic link");
    hostile(&|path| fs::hard_link(merge.job.file("prey"), path).unwrap(), "it has a second name (hard link)");
    hostile(&|path| fifo(path), "it is not a regular file");
    hostile(&open(0o620), "others can write it");
    hostile(&open(0o602), "others can write it");
    hostile(&|path| fs::write(path, [b'[', 0xff, b']']).unwrap(), "it is not UTF-8");
    hostile(&|path| fs::write(path, " ".repeat((1 << 20) + 1)).unwrap(), "it is longer than 1 MiB");
    hostile(
        &|path| fs::write(path, "[a]\nb = c\nsecret\n").unwrap(),
        "line 3 is neither a header, nor key = value",
    );
    hostile(&|path| fs::write(path, "[ci]\n[ci]\n").unwrap(), "more than once");
    if rustix::process::geteuid().is_root() {
        let foreign = |path: &Path| {
            fs::write(path, OWN).unwrap();
            chown(path, Some(65_534), None).unwrap();
        };
        hostile(&foreign, "it is somebody else's");
    }
    assert_eq!(fs::read_to_string(merge.job.file("prey")).unwrap(), OWN);
    assert!(!merge.state().exists());
}

#[test]
fn other_tools_may_write_the_file_in_between() {
    let merge = Merge::new(Some(OWN));
    merge.merges("ci");
    // Written anew in another place, with more profiles around it.
    let text = merge.text().replace("AKIAMINE", "AKIAOTHER") + "\n# theirs\n[later]\nregion = y\n";
    fs::remove_file(&merge.path).unwrap();
    fs::write(&merge.path, &text).unwrap();
    fs::set_permissions(&merge.path, Permissions::from_mode(0o600)).unwrap();
    merge.revoke().expect(0);
    let expected = OWN.replace("AKIAMINE", "AKIAOTHER") + "\n# theirs\n[later]\nregion = y\n";
    assert_eq!(merge.text(), expected);
    // Somebody has changed the profile itself.
    merge.merges("ci");
    let changed = merge.text().replace("[ci]\n", "[ci]\nregion = z\n");
    fs::write(&merge.path, &changed).unwrap();
    let run = merge.revoke().expect(0);
    assert!(run.stderr.contains("warning: profile ci in ") && run.stderr.contains("and stays"), "{run}");
    assert_eq!(merge.text(), changed);
}

#[test]
fn a_run_whose_state_file_fails_leaves_nothing() {
    let merge = Merge::new(Some(OWN));
    fs::create_dir(merge.job.file("state")).unwrap();
    // The state file can't be written any more: its folder is gone when the credentials are there.
    fs::write(merge.state(), "").unwrap();
    fs::set_permissions(merge.state(), Permissions::from_mode(0o644)).unwrap();
    assert_ne!(merge.cmd("ci").run().code, 0);
    assert_eq!((merge.text().as_str(), merge.left_over()), (OWN, 0));
}

/// A file that another process holds is waited for, and not for ever.
#[test]
fn a_lock_is_waited_for_and_not_for_ever() {
    let merge = Merge::new(Some(OWN));
    fs::create_dir(merge.job.file("state")).unwrap();
    let held = fs::File::open(&merge.path).unwrap();
    held.lock().unwrap();
    let began = Instant::now();
    let run = merge.cmd("ci").run().expect(6);
    assert!(run.stderr.contains("is locked by another process, for more than 5s"), "{run}");
    assert!(began.elapsed() > Duration::from_secs(4));
    assert_eq!((merge.text().as_str(), merge.left_over()), (OWN, 0));
    drop(held);
    merge.merges("ci");
}

#[test]
fn many_at_once_lose_nothing() {
    for content in [None, Some(OWN)] {
        let merge = Merge::new(content);
        fs::create_dir(merge.job.file("state")).unwrap();
        let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        let runs: Vec<_> = names.iter().map(|name| merge.cmd(name).spawn()).collect();
        for run in runs {
            run.wait().expect(0);
        }
        let text = merge.text();
        for name in &names {
            assert_eq!(text.matches(&format!("[{name}]\n")).count(), 1, "{text}");
        }
        assert_eq!(text.matches("aws_session_token").count(), names.len());
        // Two that take back at once, and one that merges meanwhile.
        let revoke = || {
            let cmd = Cmd::new(["revoke"]).vault(merge.job.space.server).env("VAULT_TOKEN", &merge.job.token);
            cmd.env("CI_CREDS_STATE_FILE", merge.state()).spawn()
        };
        let (first, second, late) = (revoke(), revoke(), merge.cmd("late").spawn());
        first.wait().expect(0);
        second.wait().expect(0);
        let late = late.wait();
        // They take back what is being written as well; that run then fails, and says why.
        if late.code != 0 {
            let late = late.expect(6);
            let why = format!("the new file for {} was deleted", merge.path.display());
            assert!(late.stderr.contains(&why), "{late}");
        }
        merge.revoke().expect(0);
        // Who came second does not know that ci-creds made the file.
        let rest = fs::read_to_string(&merge.path).unwrap_or_default();
        assert_eq!(rest, content.unwrap_or_default(), "all of it is taken out");
        assert_eq!(merge.left_over(), 0);
    }
}

#[test]
fn what_does_not_go_with_it_is_said() {
    let job = Job::new();
    let path = job.file("x").display().to_string();
    for (args, reason) in [
        (&["--merge"][..], "--merge takes --format aws-credentials or scw-config"),
        (&["--merge", "--format", "aws-credentials"], "--merge takes --output FILE"),
        (&["--merge", "--format", "aws-credentials", "--output", "-"], "--merge takes --output FILE"),
        (
            &["--merge", "--format", "aws-credentials", "--output", &path, "--force"],
            "--force replaces all of it",
        ),
        (&["--merge", "--format", "json", "--output", &path], "--merge takes --format"),
    ] {
        let run = job.aws("", args).run().expect(2);
        assert!(run.stderr.contains(reason), "{args:?}: {run}");
    }
    let run = job.aws("", &["--merge", "--", "true"]).run().expect(2);
    assert!(run.stderr.contains("--merge does not go with `-- COMMAND`"), "{run}");
    // A variable may be that of a whole project.
    let run = job.aws("", &[]).env("CI_CREDS_MERGE", "true").run().expect(0);
    assert!(run.stdout.contains("export AWS_ACCESS_KEY_ID"), "{run}");
    let exists = job.file("there");
    fs::write(&exists, "").unwrap();
    job.refuses(
        &["--format", "aws-credentials", "--output", exists.to_str().unwrap()],
        "--merge adds the profile to it",
    );
}

/// Killed at any moment: the file is whole, and `revoke` takes back what there is.
#[test]
fn a_killed_process_leaves_a_whole_file() {
    let merge = Merge::new(Some(OWN));
    fs::create_dir(merge.job.file("state")).unwrap();
    let began = Instant::now();
    merge.cmd("ci").run().expect(0);
    let whole = began.elapsed();
    merge.revoke().expect(0);
    for step in 0..if cfg!(feature = "soak") { 400 } else { 24 } {
        let running = merge.cmd("ci").spawn();
        std::thread::sleep(whole.mul_f64(f64::from(step % 24) / 20.0));
        running.signal_group(rustix::process::Signal::KILL);
        running.wait();
        let text = merge.text();
        assert!(text == OWN || text.starts_with(OWN) && text[OWN.len()..].starts_with("[ci]\n"), "{text:?}");
        merge.revoke().expect(0);
        assert_eq!((merge.text().as_str(), merge.left_over()), (OWN, 0), "step {step}");
    }
}

/// What stands in the way of taking a profile out is said, with a code, and can be mended: the state file keeps it.
#[test]
fn a_profile_that_can_t_be_taken_out_now_is_taken_out_later() {
    type Change = fn(&Path);
    let ways: [(&str, Change, Change); 4] = [
        (
            "second name",
            |path| fs::hard_link(path, path.with_extension("link")).unwrap(),
            |path| fs::remove_file(path.with_extension("link")).unwrap(),
        ),
        (
            "others can write it",
            |path| fs::set_permissions(path, Permissions::from_mode(0o622)).unwrap(),
            |path| fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap(),
        ),
        (
            "symbolic link",
            |path| {
                fs::rename(path, path.with_extension("moved")).unwrap();
                symlink(path.with_extension("moved"), path).unwrap();
            },
            |path| fs::rename(path.with_extension("moved"), path).unwrap(),
        ),
        (
            "UTF-8",
            |path| fs::write(path, [&fs::read(path).unwrap()[..], b"# \xe4\n"].concat()).unwrap(),
            |path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..bytes.len() - 4]).unwrap();
            },
        ),
    ];
    for (reason, spoil, mend) in ways {
        let merge = Merge::new(Some(OWN));
        merge.merges("ci");
        spoil(&merge.path);
        let run = merge.revoke().expect(6);
        assert!(run.stderr.contains(reason), "{reason}: {run}");
        assert!(run.stderr.contains("run `ci-creds revoke` again"), "{run}");
        mend(&merge.path);
        merge.revoke().expect(0);
        assert_eq!(merge.text(), OWN, "{reason}");
    }
}

/// A process that was killed while it wrote leaves a copy of the whole file.
#[test]
fn what_a_killed_process_left_is_removed() {
    let merge = Merge::new(Some(OWN));
    let (old, young) = (merge.job.file(".ci-creds-abCD12"), merge.job.file(".ci-creds-abCD13"));
    let (other, wide) = (merge.job.file(".ci-creds-notes.txt"), merge.job.file(".ci-creds-abCD14"));
    for file in [&old, &young, &other, &wide] {
        fs::write(file, OWN).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        let opened = fs::File::options().write(true).open(file).unwrap();
        opened.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
    fs::File::options().write(true).open(&young).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    fs::set_permissions(&wide, Permissions::from_mode(0o644)).unwrap();
    merge.merges("ci");
    assert!(!old.exists() && young.exists() && other.exists() && wide.exists());
}

/// A pipeline's variables can have lines, and INI's readers take `[DEFAULT]` for a part of every profile.
#[test]
fn names_from_outside_stay_names() {
    let merge = Merge::new(Some(OWN));
    fs::create_dir_all(merge.job.file("state")).unwrap();
    let cmd = |profile| merge.cmd(profile).env("CI", "true").env("CI_JOB_TOKEN", "a-token-of-this-job");
    cmd("ci").env("CI_JOB_ID", "1\n[default]\naws_access_key_id = EVIL\n#").run().expect(0);
    assert!(
        !merge.text().contains("EVIL\n") && merge.text().matches("[default]").count() == 1,
        "{}",
        merge.text()
    );
    let run = cmd("DEFAULT").run().expect(6);
    assert!(run.stderr.contains("give --profile a name"), "{run}");
}
