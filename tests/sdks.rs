//! What the real SDKs take from the environment and the files that ci-creds makes, with stale variables around.
//!
//! The AWS side is moto with its access control on: it refuses a wrong key, signature or session token.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ci_creds::testing::merge;
use serde_json::{Value, json};

use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Run, Space, python, script, secret, unique};

/// The environment's bin directory, and a file of this folder.
fn sdks() -> Option<PathBuf> {
    python("test-sdks", &file("requirements.txt"))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks").join(name)
}

/// moto, until it is dropped.
struct Moto {
    child: Child,
    url: String,
    /// An assumed role's triple.
    role: Value,
    /// An IAM user's pair.
    user: Value,
}

impl Moto {
    fn start(bin: &Path) -> Self {
        let mut command = Command::new(bin.join("python"));
        command.arg(file("aws_server.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut told: Value = serde_json::from_str(&line).expect("moto starts");
        let url = told["url"].as_str().unwrap().to_owned();
        Self { child, url, role: told["role"].take(), user: told["user"].take() }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A job that may read a KV entry in place of an engine's role, and the script that it runs.
struct Job<'a> {
    space: &'a Space<'static>,
    provider: &'static str,
    token: String,
    mount: String,
    bin: &'a Path,
    home: tempfile::TempDir,
}

impl<'a> Job<'a> {
    fn new(
        space: &'a Space<'static>,
        bin: &'a Path,
        provider: &'static str,
        path: &str,
        data: Value,
    ) -> Self {
        let mount = space.kv1(&unique());
        space.write(&format!("{mount}/{path}"), data);
        let token = space.token(&[&space.may_read(&[&format!("{mount}/{path}")])], json!({}));
        Self { space, provider, token, mount, bin, home: tempfile::tempdir().unwrap() }
    }

    fn home(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs `text` with `$probe` and `$aws` set, and reads the JSON that it prints.
    fn sees(&self, text: &str) -> Value {
        let run = self.run(text).expect(0);
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}:\n{run}"))
    }

    fn run(&self, text: &str) -> Run {
        let python = self.bin.join("python").display().to_string();
        let head = format!("probe='{python} {}'\naws='{python} -m awscli'\n", file("probe.py").display());
        self.env(script("dash", &format!("{head}{text}"))).run()
    }

    fn env(&self, cmd: Cmd) -> Cmd {
        cmd.vault(self.space.server)
            .env("VAULT_TOKEN", &self.token)
            .env(format!("CI_CREDS_{}_MOUNT", self.provider.to_uppercase()), &self.mount)
            .env("CI_CREDS_ROLE", "deploy")
            .env("HOME", self.home.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }
}

const STALE_AWS: &str = "
export AWS_ACCESS_KEY_ID=STALE AWS_SECRET_ACCESS_KEY=STALE AWS_SESSION_TOKEN=STALE AWS_SECURITY_TOKEN=STALE
export AWS_CREDENTIAL_EXPIRATION=2020-01-01T00:00:00Z AWS_PROFILE=stale AWS_DEFAULT_PROFILE=stale
";

#[test]
fn aws_sdks_take_the_environment() {
    let Some(bin) = sdks() else { return };
    let (space, moto) = (Space::new(), Moto::start(&bin));
    for (keys, arn) in [(&moto.role, ":assumed-role/deploy/job"), (&moto.user, ":user/ci")] {
        let mut data = keys.clone();
        data["ttl"] = json!("30m");
        let job = Job::new(&space, &bin, "aws", "sts/deploy", data);
        let eval = "eval $(ci-creds aws --region eu-west-1)";
        let seen = job.sees(&format!("{STALE_AWS}{eval}\n$probe aws {}", moto.url));
        assert_eq!(seen["method"], "env");
        assert_eq!((&seen["key"], &seen["secret"]), (&keys["access_key"], &keys["secret_key"]));
        assert_eq!((&seen["token"], &seen["region"]), (&keys["session_token"], &json!("eu-west-1")));
        assert!(seen["arn"].as_str().unwrap().ends_with(arn), "{seen}");
        let caller = format!(
            "{STALE_AWS}{eval}\n$aws sts get-caller-identity --output json --endpoint-url {}",
            moto.url
        );
        assert!(job.sees(&caller)["Arn"].as_str().unwrap().ends_with(arn));
        // What the stale variables would have done.
        assert_ne!(
            job.run(&format!("{eval}\nexport AWS_SECURITY_TOKEN=STALE\n$probe aws {}", moto.url)).code,
            0
        );
    }
}

#[test]
fn aws_sdks_take_credential_process_and_the_file() {
    let Some(bin) = sdks() else { return };
    let (space, moto) = (Space::new(), Moto::start(&bin));
    let mut data = moto.role.clone();
    data["ttl"] = json!("30m");
    let job = Job::new(&space, &bin, "aws", "sts/deploy", data);
    let process =
        format!("[default]\ncredential_process = {} aws --format aws-credential-process\n", PROGRAM.as_str());
    fs::write(job.home("config"), process).unwrap();
    // A token alone belongs to no key.
    let stale = "export AWS_SESSION_TOKEN=STALE AWS_SECURITY_TOKEN=STALE\n";
    let by_process = format!("{stale}export AWS_CONFIG_FILE={}", job.home("config").display());
    let write = "ci-creds aws --region eu-west-1 --format aws-credentials --output";
    let path = job.home("credentials").display().to_string();
    let by_file = format!("{stale}{write} {path} --force\nexport AWS_SHARED_CREDENTIALS_FILE={path}");
    let by_profile = format!("{by_file}\n{write} {path} --force --profile web\nexport AWS_PROFILE=web");
    let shared = job.home("shared").display().to_string();
    fs::write(&shared, "# mine\r\n[default]\r\naws_access_key_id = AKIAMINE\r\naws_secret_access_key = mine")
        .unwrap();
    let by_merge =
        format!("{stale}{write} {shared} --merge --profile ci\nexport AWS_SHARED_CREDENTIALS_FILE={shared}");
    let by_merge = format!("{by_merge} AWS_PROFILE=ci");
    for (before, method) in [
        (&by_process, "custom-process"),
        (&by_merge, "shared-credentials-file"),
        (&by_file, "shared-credentials-file"),
        (&by_profile, "shared-credentials-file"),
    ] {
        let seen = job.sees(&format!("{before}\n$probe aws {}", moto.url));
        assert_eq!(seen["method"], method);
        assert_eq!((&seen["key"], &seen["secret"]), (&moto.role["access_key"], &moto.role["secret_key"]));
        assert_eq!(seen["token"], moto.role["session_token"]);
        assert!(seen["arn"].as_str().unwrap().ends_with(":assumed-role/deploy/job"), "{seen}");
        let region = if method == "custom-process" { Value::Null } else { json!("eu-west-1") };
        assert_eq!(seen["region"], region);
        let caller =
            format!("{before}\n$aws sts get-caller-identity --output json --region eu-west-1 --endpoint-url");
        let caller = job.sees(&format!("{caller} {}", moto.url));
        assert!(caller["Arn"].as_str().unwrap().ends_with(":assumed-role/deploy/job"), "{caller}");
    }
    let until = job.sees(&format!("{by_process}\n$probe expiry"))["until"].as_str().unwrap().to_owned();
    let until: jiff::Timestamp = until.parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((1_500..=1_800).contains(&left), "{until}");
}

#[test]
fn a_failing_credential_process_says_why() {
    let Some(bin) = sdks() else { return };
    let space = Space::new();
    let job = Job::new(&space, &bin, "aws", "sts/other", json!({"access_key": "A"}));
    let process =
        format!("[default]\ncredential_process = {} aws --format aws-credential-process\n", PROGRAM.as_str());
    fs::write(job.home("config"), process).unwrap();
    let run = job.run(&format!("export AWS_CONFIG_FILE={}\n$probe expiry", job.home("config").display()));
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("Vault refused") && run.stderr.contains("the policy must have"), "{run}");
}

#[test]
fn scaleways_sdk_takes_the_environment_and_the_file() {
    let Some(bin) = sdks() else { return };
    let space = Space::new();
    let (project, organization) =
        ("11111111-2222-3333-4444-555555555555", "1e111111-2222-3333-4444-666666666666");
    let data = json!({
        "access_key": "SCW1234567890ABCDEFG", "secret_key": "77777777-8888-9999-aaaa-bbbbbbbbbbbb",
        "project_id": project, "organization_id": organization, "region": "nl-ams", "zone": "nl-ams-1",
    });
    let job = Job::new(&space, &bin, "scaleway", "creds/deploy", data.clone());
    let stale = format!(
        "export SCW_ACCESS_KEY=SCWSTALE SCW_SECRET_KEY=STALE SCW_DEFAULT_PROJECT_ID=STALE SCW_TOKEN=STALE\n\
         export SCALEWAY_TOKEN=STALE SCALEWAY_ACCESS_KEY=STALE SCW_ORGANIZATION=STALE SCW_PROFILE=stale\n\
         mkdir -p {home}/.config/scw\n\
         echo 'profiles: {{stale: {{access_key: STALE, secret_key: STALE, default_zone: fr-par-9}}}}' >{home}/.config/scw/config.yaml\n",
        home = job.home.path().display()
    );
    let expected = json!({
        "access_key": data["access_key"], "secret_key": data["secret_key"], "default_project_id": project,
        "default_organization_id": organization, "default_region": "nl-ams", "default_zone": "nl-ams-1",
    });
    let seen = job.sees(&format!("{stale}eval \"$(ci-creds scaleway)\"\n$probe scaleway"));
    assert_eq!(seen, expected);
    let path = job.home("scw.yaml").display().to_string();
    let write = format!("ci-creds scaleway --format scw-config --output {path}");
    let by_file = format!("{write}\nexport SCW_CONFIG_PATH={path}\n$probe scaleway");
    assert_eq!(job.sees(&by_file), expected);
    let by_profile = format!(
        "{write} --force --profile web\nexport SCW_CONFIG_PATH={path} SCW_PROFILE=web\n$probe scaleway"
    );
    assert_eq!(job.sees(&by_profile), expected);
    let own = "# mine\naccess_key: SCWMINE\nprofiles:\n    # another\n    other:\n        secret_key: mine\nactive_profile: other";
    fs::write(&path, own).unwrap();
    let by_merge = format!(
        "{write} --merge --profile web\nexport SCW_CONFIG_PATH={path} SCW_PROFILE=web\n$probe scaleway"
    );
    assert_eq!(job.sees(&by_merge), expected);
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("    # another\n    other:\n        secret_key: mine\nactive_profile: other")
    );
}

/// Beside the profile that is put in, the parsers of the SDKs read what they read before.
#[test]
fn a_merged_file_reads_as_before() {
    let Some(bin) = sdks() else { return };
    let ini = [
        "",
        "\n\n",
        "# a\n",
        "[a]\nb = c",
        "[a]\r\nb = c\r\n",
        "[a]\nb: c\n\n; d\n[e]\n",
        "[a]\ns3 =\n  x = 1\n  y = 2\n",
        "[a]\nb = c\n   # d\n",
        "[a]\nb =\n",
        "[default]\nb = [x]\n[profile x]\nb = c = d\n",
        "[a]\nb = \u{e4}\n",
    ];
    let scw = [
        "",
        "---\na: b",
        "# a\na: b\n",
        "a: b\r\nprofiles:\r\n  x:\r\n    k: v\r\n",
        "profiles:",
        "profiles:\n\n",
        "profiles: # all\n",
        "profiles:\n    # x's\n    x:\n        k: 'v' # w\n        l: \"1\"\n\n# end\na: b",
        "a:\n  b:\n    c: d\n",
        "profiles:\n  x:\n  y:\n    k: v",
        "a: https://x.example/y\nb: 1e5\nc: true\nprofiles:\n  \"x y\":\n    k: -\n",
        "access_key: x\nactive_profile: x\nprofiles:\n x:\n  k: v\n",
    ];
    let mut cases = Vec::new();
    for (name, texts, values) in [
        ("aws-credentials", &ini[..], ("k = A+/=\nl = 1e5\n", json!({"k": "A+/=", "l": "1e5"}))),
        ("scw-config", &scw[..], ("k: \"A+/=\"\nl: \"1e5\"\n", json!({"k": "A+/=", "l": "1e5"}))),
    ] {
        let form = merge::FORMS.into_iter().find(|form| form.name == name).unwrap();
        for before in texts {
            if let Some(after) = merge::merged(form, "ci", values.0, before) {
                cases.push(json!({"form": name, "before": before, "after": after, "values": values.1}));
            }
        }
    }
    assert!(cases.len() > 20, "{} are understood", cases.len());
    let read = Cmd::program(bin.join("python")).args([file("merged.py")]).stdin(json!(cases).to_string());
    assert_eq!(read.run().expect(0).stdout, "ok\n");
}

#[test]
fn exoscales_sdk_takes_the_environment() {
    let Some(bin) = sdks() else { return };
    let space = Space::new();
    let key = secret();
    let data = json!({"api_key": "EXO0123456789abcdef01234567", "api_secret": key});
    let job = Job::new(&space, &bin, "exoscale", "apikey/deploy", data);
    let stale = "export EXOSCALE_API_KEY=S EXOSCALE_API_SECRET=S EXOSCALE_KEY=S EXOSCALE_SECRET=S EXOSCALE_SECRET_KEY=S";
    let seen = job.sees(&format!("{stale}\neval $(ci-creds exoscale)\n$probe exoscale"));
    assert_eq!(seen, json!({"secret": key, "credential": "EXO0123456789abcdef01234567"}));
}
