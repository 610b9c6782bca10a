//! Getting the program: from a package registry with the job's token by curl, or from a mirror without it, by curl or
//! wget, and never run before its sum is right, whatever an earlier job has left in the folder beside the checkout.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::shell::scripts;
use crate::support::fake::Seen;
use crate::support::{Cmd, Fake, Reply, Run, fifo, require, secret};

/// A stand-in for ci-creds: what matters here is whether it is run.
const PROGRAM: &str = "#!/bin/sh\necho \"ran $*\" >&2\n";

/// Stands in for cosign, which asks the Internet: notes its arguments, and takes one signature for good.
const COSIGN: &str =
    "#!/bin/sh\necho \"$@\" >\"${0%/*}/../cosign\"\nread -r signature <\"$4\"\n[ \"$signature\" = good ]\n";

/// A registry with version 1.2.3; under `forged/` with a signature of somebody else's, under `another/` with the signed
/// sum of another program.
fn registry(sum: String) -> Fake {
    Fake::new(move |seen| {
        if let Some((folder, file)) = seen.target().split_once("/1.2.3/SHA256SUMS") {
            let signature = if folder.ends_with("/forged") { "bad\n" } else { "good\n" };
            let sum = if folder.ends_with("/another") { "0".repeat(64) } else { sum.clone() };
            let sums = format!("1234  ci-creds.rb\n{sum}  ci-creds-linux-{}\n", std::env::consts::ARCH);
            return Reply::text(200, if file.is_empty() { sums } else { signature.to_owned() });
        }
        if let Some(rest) = seen.target().strip_prefix("/stored-elsewhere/") {
            // As GitLab does with object storage: another host.
            let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
            let location = format!("Location: http://localhost:{port}/{rest}\r\n");
            return Reply::Full(302, location, Vec::new());
        }
        if seen.target().contains("/1.2.3/ci-creds-linux-") {
            Reply::text(200, PROGRAM)
        } else {
            Reply::Json(404, serde_json::json!({"message": "404 Not found"}))
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
    tool: &'static str,
    shell_path: PathBuf,
    dir: tempfile::TempDir,
    registry: Fake,
    token: String,
    sum: String,
}

/// The shells of GitLab Runner's images, what each downloads with here, and the program that this is.
const IMAGES: [(&str, &str, &str); 5] = [
    ("bash", "curl", "curl"),
    ("dash", "curl", "curl"),
    ("busybox", "curl", "curl"),
    ("dash", "wget", "wget"),
    ("busybox", "wget", "busybox"),
];

impl Image {
    /// Those that this machine can stand in for.
    fn all() -> Vec<Self> {
        IMAGES.into_iter().filter_map(|(shell, tool, program)| Self::new(shell, tool, program)).collect()
    }

    fn new(shell: &'static str, tool: &'static str, program: &str) -> Option<Self> {
        let (shell_path, tool_path) = (require(shell)?, require(program)?);
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(tool_path, bin.join(tool)).unwrap();
        for name in ["sha256sum", "uname", "mkdir", "mktemp", "head", "cat", "cp", "mv", "rm", "chmod"] {
            symlink(require(name)?, bin.join(name)).unwrap();
        }
        // The machine's own tool computes the sum.
        let file = dir.path().join("program");
        fs::write(&file, PROGRAM).unwrap();
        let sum = Cmd::program(bin.join("sha256sum")).args([&file]).run().expect(0).stdout[..64].to_owned();
        Some(Self { shell, tool, shell_path, dir, registry: registry(sum.clone()), token: secret(), sum })
    }

    /// Inputs that download from here.
    fn inputs(url: &str, sum: &str) -> String {
        format!("{{provider: none, install: '{url}', version: 1.2.3, sha256: '{sum}'}}")
    }

    /// Those that are right: the registry's address where there is curl, else a mirror's.
    fn good(&self) -> String {
        let sums = format!("00 {}", self.sum);
        match self.tool {
            "curl" => Self::inputs("$CI_API_V4_URL/projects/1/packages/generic/ci-creds", &sums),
            _ => Self::inputs(&self.mirror(), &sums),
        }
    }

    fn mirror(&self) -> String {
        self.registry.addr.replace("127.0.0.1", "localhost")
    }

    /// Runs a job with these inputs, and calls the program.
    fn run(&self, inputs: &str) -> Run {
        let [before, _] = scripts(inputs);
        self.shell(&format!("{before}\nci-creds later"))
    }

    /// Runs this in a shell of the job's, with the trace on, as CI_DEBUG_TRACE does it: what it prints is searched for the
    /// job's token.
    fn shell(&self, text: &str) -> Run {
        let args: &[&str] = if self.shell == "busybox" { &["sh", "-euc"] } else { &["-euc"] };
        Cmd::program(&self.shell_path)
            .args(args)
            .args([format!("set -x\n{text}")])
            .job(self.dir.path())
            .env("PATH", self.dir.path().join("bin"))
            .env("CI_API_V4_URL", &self.registry.addr)
            .env("CI_JOB_TOKEN", &self.token)
            .run()
    }

    /// The folder that outlives the job.
    fn lasting(&self) -> PathBuf {
        self.dir.path().join("project.tmp")
    }

    /// What is kept for the next job.
    fn kept(&self) -> PathBuf {
        self.lasting().join(format!("ci-creds-1.2.3-{}", std::env::consts::ARCH))
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
        assert_eq!(image.tokens_seen(), [image.tool == "curl"], "{}: once", image.shell);
        // Somebody changed what lies there: it is fetched again, not run.
        fs::write(image.kept(), "#!/bin/sh\necho evil >&2\n").unwrap();
        let run = image.run(&image.good()).expect(0);
        assert!(!run.stderr.contains("evil") && image.tokens_seen().len() == 2, "{}: {run}", image.shell);
    }
}

/// An earlier job of the same runner leaves programs wherever this one may look.
#[test]
fn what_an_earlier_job_has_planted_is_never_run() {
    for image in Image::all() {
        fs::create_dir_all(image.lasting()).unwrap();
        let evil = "#!/bin/sh\necho evil >&2\n";
        let plant = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        // Where this and earlier versions of the template keep the program, and where this job's folder will be.
        for folder in ["ci-creds-1.2.3", "ci-creds-4242.XXXXXX", "ci-creds-4242.abcdef"] {
            // A sum that fits whatever is there.
            let sum = format!("#!/bin/sh\necho evil >&2\necho '{}  -'\n", image.sum);
            plant(image.lasting().join(folder).join("sha256sum"), &sum);
            for name in ["ci-creds", "packer", "cat", "mktemp", "chmod", "uname", "curl", "wget"] {
                plant(image.lasting().join(folder).join(name), evil);
            }
        }
        plant(image.kept(), evil);
        let [before, after] = scripts(&image.good());
        let script =
            format!("{before}\nci-creds later\nif command -v packer; then exit 9; fi\necho \"$PATH\"");
        let run = image.shell(&script).expect(0);
        assert!(run.stderr.contains("ran later") && !run.stderr.contains("evil"), "{}: {run}", image.shell);
        // A genuine program with others beside it.
        let folder = PathBuf::from(run.stdout.lines().last().unwrap().split(':').next().unwrap());
        let there: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!((there, fs::metadata(&folder).unwrap().mode() & 0o777), (vec!["ci-creds".into()], 0o700));
        // after_script is another shell: it looks again.
        plant(image.kept(), evil);
        fs::write(image.lasting().join("ci-creds.state"), "").unwrap();
        let run = image.shell(&after).expect(0);
        let called = run.stderr.contains("ran revoke --state-file=auto --best-effort");
        assert!(called && !run.stderr.contains("evil"), "{}: {run}", image.shell);
        assert!(!folder.exists(), "{}", image.shell);
    }
}

/// What is no file is not waited for, and a link is not written through.
#[test]
fn what_is_kept_may_be_anything() {
    for image in Image::all() {
        fs::create_dir_all(image.lasting()).unwrap();
        let (kept, prey) = (image.kept(), image.dir.path().join("prey"));
        fs::write(&prey, "mine").unwrap();
        let elsewhere = image.dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let links = |path: &Path| symlink(&prey, path).unwrap();
        let leads = |path: &Path| symlink(&elsewhere, path).unwrap();
        // More than any disk has, and all of it a hole.
        let endless = |path: &Path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        let folder = |path: &Path| fs::create_dir(path).unwrap();
        let kinds: [&dyn Fn(&Path); 5] = [&fifo, &links, &leads, &endless, &folder];
        for make in kinds {
            let _ = fs::remove_file(&kept);
            make(&kept);
            let script = format!("ulimit -f 262144\n{}\nci-creds later", scripts(&image.good())[0]);
            let run = image.shell(&script).expect(0);
            assert!(run.stderr.contains("ran later"), "{}: {run}", image.shell);
            let stopped = ["xceeded", "too large"].iter().any(|end| run.stderr.contains(end));
            assert!(!stopped, "{} copied too much: {run}", image.shell);
            assert_eq!(fs::read_to_string(&prey).unwrap(), "mine");
            assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "{}", image.shell);
        }
    }
}

/// An earlier job of this user has let others in: they could exchange this job's folder.
#[test]
fn others_may_not_write_beside_this_jobs_folder() {
    for image in Image::all() {
        fs::create_dir_all(image.lasting()).unwrap();
        fs::set_permissions(image.lasting(), fs::Permissions::from_mode(0o777)).unwrap();
        image.run(&image.good()).expect(0);
        assert_eq!(fs::metadata(image.lasting()).unwrap().mode() & 0o777, 0o755, "{}", image.shell);
    }
}

#[test]
fn what_is_not_the_program_is_refused_before_it_is_run() {
    for image in Image::all() {
        let url = image.mirror();
        for bad in ["0123", ""] {
            let run = image.run(&Image::inputs(&url, bad)).expect(3);
            assert!(run.stderr.contains("not the program with the sha256"), "{}: {run}", image.shell);
            // Whoever has none yet is shown it.
            assert!(run.stderr.contains(&format!("its sha256 is {}", image.sum)), "{run}");
            assert!(!run.stderr.contains("ran") && !image.kept().exists(), "{run}");
            assert_eq!(fs::read_dir(image.lasting()).unwrap().count(), 0);
        }
        let run = image.run(&image.good().replace("1.2.3", "9.9.9")).expect(3);
        assert!(run.stderr.contains("error: no ci-creds at "), "{}: {run}", image.shell);
    }
}

/// Without a sum of one's own: that of the release, if its pipeline has signed it.
#[test]
fn sums_that_the_release_has_signed_are_taken_and_no_others() {
    let inputs = |url: &str| {
        let signer = "https://gitlab.example.com/tools/ci-creds";
        format!("{{provider: none, install: '{url}', version: 1.2.3, signed-by: '{signer}'}}")
    };
    for image in Image::all() {
        let run = image.run(&inputs(&image.mirror())).expect(3);
        assert!(run.stderr.contains("error: signed-by needs cosign"), "{}: {run}", image.shell);
        let cosign = image.dir.path().join("bin/cosign");
        fs::write(&cosign, COSIGN).unwrap();
        fs::set_permissions(&cosign, fs::Permissions::from_mode(0o755)).unwrap();
        for (folder, text) in
            [("forged", "are not signed by https://gitlab"), ("another", "not the program with the sha256")]
        {
            let run = image.run(&inputs(&format!("{}/{folder}", image.mirror()))).expect(3);
            assert!(run.stderr.contains(text) && !run.stderr.contains("ran"), "{}: {run}", image.shell);
            assert!(!image.kept().exists() && fs::read_dir(image.lasting()).unwrap().count() == 0);
        }
        let run = image.run(&inputs(&image.mirror())).expect(0);
        assert!(run.stderr.contains("ran later"), "{}: {run}", image.shell);
        // As .ci/sign and docs/install.md have it.
        let asked = fs::read_to_string(image.dir.path().join("cosign")).unwrap();
        assert!(asked.starts_with("verify-blob ") && asked.contains(" --bundle "), "{asked}");
        let identity = "--certificate-identity https://gitlab.example.com/tools/ci-creds//.gitlab-ci.yml@refs/tags/1.2.3 \
                        --certificate-oidc-issuer https://gitlab.example.com\n";
        assert!(asked.ends_with(identity), "{asked}");
        // What is kept is looked at all the same, and a sum of one's own comes first.
        fs::write(image.kept(), "#!/bin/sh\necho evil >&2\n").unwrap();
        let run = image.run(&inputs(&image.mirror())).expect(0);
        assert!(run.stderr.contains("ran later") && !run.stderr.contains("evil"), "{run}");
        fs::remove_file(&cosign).unwrap();
        let own = format!("sha256: {}, signed-by", image.sum);
        image.run(&inputs(&image.mirror()).replace("signed-by", &own)).expect(0);
    }
}

#[test]
fn neither_a_mirror_nor_the_registrys_storage_gets_the_jobs_token() {
    for image in Image::all() {
        image.run(&Image::inputs(&image.mirror(), &image.sum)).expect(0);
        assert_eq!(image.tokens_seen(), [false], "{}", image.shell);
        fs::remove_file(image.kept()).unwrap();
        let stored = format!("$CI_API_V4_URL/stored-elsewhere/{}", "projects/1/packages/generic/ci-creds");
        let stored = Image::inputs(&stored, &image.sum);
        if image.tool == "curl" {
            image.run(&stored).expect(0);
            assert_eq!(image.tokens_seen(), [false, true, false]);
        } else {
            // wget has no way to keep the token out of its arguments, nor from the storage.
            let run = image.run(&stored).expect(3);
            assert!(run.stderr.contains("error: this image needs curl"), "{}: {run}", image.shell);
            assert_eq!(image.tokens_seen(), [false], "nothing was asked");
        }
    }
}
