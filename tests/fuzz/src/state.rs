//! The state file, which others can write: whatever is in it, `revoke` opens no line that another key sealed, sends no
//! secret of the environment to an address that is not configured, deletes no file that ci-creds did not write, and
//! leaves the lines of others as they are.

use std::fs;
use std::future::Future;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use ci_creds::testing::http::{self, Ca, Endpoint, Pem, Proxy, Tls};
use ci_creds::testing::ledger::Ledger;
use ci_creds::testing::ledger::state::{Configured, Content, Entry, Seal, StateFile};
use ci_creds::testing::policy::MachinePolicy;
use ci_creds::testing::secret::Secret;
use ci_creds::testing::shutdown::Shutdown;
use ci_creds::testing::vault::{self, Server};

/// The address that is configured.
pub const CONFIGURED: &str = "https://vault.example.com/";
/// A folder with a file that was there before, `prey`: `%` stands for it in an input.
const FOLDER: &str = "%";

/// What stands in an input for the device, and for the inodes of the files of [`Prey`].
pub const DEVICE: u64 = 424_242_000;
pub const INODES: [u64; 3] = [424_242_001, 424_242_002, 424_242_003];

/// Runs what needs a clock.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// A key, as a job has one.
pub fn seal(key: &str) -> Seal {
    Seal { key: Secret::from(key), context: "4711".to_owned() }
}

/// Whatever must go nowhere else is configured.
pub fn configured() -> Configured {
    let pem =
        |text: &str| Pem::Text { text: Secret::from(text), source: "VAULT_CLIENT_KEY_BYTES".to_owned() };
    let proxy = Proxy {
        url: Secret::from("http://proxy:1"),
        source: "HTTPS_PROXY".to_owned(),
        except: String::new(),
    };
    let http = http::Settings {
        tls: Tls {
            ca: Ca::System { file: None, dir: None },
            client: Some((pem("certificate"), pem("key"))),
            server_name: Some("configured".to_owned()),
            skip_verify: false,
        },
        needs_tls: true,
        proxy: Some(proxy),
        unix_socket: None,
        timeout: Duration::from_secs(60),
        max_retries: None,
        redirect_hosts: Vec::new(),
        follow_redirects: true,
        allow_http: false,
        policy: ci_creds::testing::policy::MachinePolicy::default(),
    };
    let scaleway = Endpoint { url: "https://api.scaleway.com".parse().unwrap(), settings: http.clone() };
    let address = CONFIGURED.parse().unwrap();
    let server = Server { address, namespace: None, auth_namespace: None, http };
    let token = Some(Secret::from("s.given"));
    Configured {
        server: Some(server),
        allow_http: false,
        skip_verify: false,
        token,
        policy: MachinePolicy::default(),
        apis: vec![("scaleway", scaleway)],
    }
}

/// The whole file.
pub fn state(input: &[u8]) {
    decide(input);
    keep(input);
}

/// Whose eyes a file is read with: nobody's in particular, this job's, and those of one that sealed nothing.
pub static READERS: LazyLock<[Option<Seal>; 3]> =
    LazyLock::new(|| [None, Some(seal("ours")), Some(seal("a stranger's"))]);

/// What is made of each line, by each reader.
pub fn decide(input: &[u8]) {
    READERS.iter().for_each(|seal| decide_as(seal.as_ref(), input));
}

/// What one reader makes of each line.
pub fn decide_as(seal: Option<&Seal>, input: &[u8]) {
    static NOW: LazyLock<Configured> = LazyLock::new(configured);
    let now = &*NOW;
    let count = lines(input).len();
    let content = Content::of(input, seal, vault::now());
    let told = content.records.len() + content.others + content.old + content.damaged;
    assert_eq!(told, count);
    let stranger = seal.is_some_and(|seal| seal.key.reveal() != "ours");
    assert!(!stranger || content.records.is_empty(), "a line was opened without its key");
    for record in content.records {
        let _ = record.ended(vault::now());
        let Ok(way) = record.way(now) else { continue };
        let server = &way.server;
        let is_configured = server.address.as_str() == CONFIGURED && server.http.unix_socket.is_none();
        let by_now = server.http.tls.server_name.as_deref() == Some("configured")
            && server.http.proxy.as_ref().is_some_and(|proxy| proxy.source == "HTTPS_PROXY");
        if way.given.is_some() || server.http.tls.client.is_some() {
            assert!(is_configured && by_now && !server.http.tls.skip_verify);
        }
        let (plain, here) = (server.address.scheme() != "https", http::is_loopback(&server.address));
        assert!(!plain || here || server.http.unix_socket.is_some(), "{}", server.address);
        assert!(!server.http.allow_http && (seal.is_some() || !server.http.tls.skip_verify));
        record.fill(&mut Ledger::default(), &way, now);
    }
}

/// What becomes of the file, and of those that it names.
pub fn keep(input: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let prey = dir.path().join("prey");
    fs::write(&prey, "mine").unwrap();
    let input = placed(input, dir.path());
    run(keep_in(&input, dir.path()));
    assert_eq!(fs::read(&prey).unwrap(), b"mine");
}

async fn keep_in(input: &[u8], dir: &Path) {
    let shutdown = Shutdown::never();
    let place = StateFile { path: dir.join("state"), auto: false, project: None, seal: None };
    let write = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place.path);
    std::io::Write::write_all(&mut write.unwrap(), input).unwrap();

    // A run's own line comes and goes; the others stay.
    let before = lines(input);
    let known = place.read(&shutdown).await.unwrap();
    for seal in [None, Some(seal("ours"))] {
        let place = StateFile { seal, ..place.clone() };
        let server = configured().server.unwrap();
        let mut ledger = Ledger::with(Some(Entry::new(place.clone(), &server, &shutdown).await.unwrap()));
        ledger.token(&Secret::from("s.mine"), "accessor", Some(Duration::from_secs(60)), false);
        ledger.write_ahead(&shutdown).await.unwrap();
        let with_ours = lines(&fs::read(&place.path).unwrap());
        assert_eq!(with_ours[..with_ours.len() - 1], before);
        let sealed = place.seal.is_some();
        assert_eq!(String::from_utf8_lossy(with_ours.last().unwrap()).contains("s.mine"), !sealed);
        let ours = place.read(&shutdown).await.unwrap().records.pop().unwrap();
        assert!(known.records.iter().all(|record| record.id != ours.id));
        Ledger::with(Some(Entry::of(place.clone(), &ours))).write_ahead(&shutdown).await.unwrap();
        assert_eq!(lines(&fs::read(&place.path).unwrap_or_default()), before);
    }

    // What is none goes aside, and the files that are named stay.
    let kept = place.sweep(&known, &shutdown).await.unwrap();
    assert_eq!(kept.is_some(), known.damaged > 0);
    let rest = lines(&fs::read(&place.path).unwrap_or_default()).len();
    assert!(rest >= known.records.len().min(1) && rest <= before.len());
    for record in known.records {
        let mut ledger = Ledger::default();
        record.fill_files(&mut ledger);
        ledger.take_back_files(&shutdown).await;
    }
}

/// Files that are the user's, in a folder: `prey`, one with a name that only ci-creds gives, and one with profiles.
pub struct Prey {
    dir: tempfile::TempDir,
    paths: [PathBuf; 3],
}

/// What is in each.
const CONTENT: [&str; 3] = ["mine", "mine", "[default]\nkey = mine\n"];
/// SHA-256 of "mine".
pub const DIGEST: &str = "3fd30542fe3f61b14bd4a4b2dc0b6fb30fa6f63ebce52dd1778aaa8c4dc02cff";

impl Prey {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["prey", ".ci-creds-x", "config"].map(|name| dir.path().join(name));
        Self { dir, paths }
    }

    /// Takes back what the plain lines of `input` name here. Only a file that an entry describes in every particular
    /// may go. Returns whether one went.
    pub fn hunt(&self, input: &[u8]) -> bool {
        for (path, content) in self.paths.iter().zip(CONTENT).filter(|(path, _)| !path.exists()) {
            fs::write(path, content).unwrap();
        }
        let there = self.paths.each_ref().map(|path| fs::metadata(path).unwrap());
        let mut text = String::from_utf8_lossy(&placed(input, self.dir.path())).into_owned();
        text = text.replace(&DEVICE.to_string(), &there[0].dev().to_string());
        for (stand_in, there) in INODES.iter().zip(&there) {
            text = text.replace(&stand_in.to_string(), &there.ino().to_string());
        }
        run(async {
            for record in Content::of(text.as_bytes(), None, vault::now()).records {
                let mut ledger = Ledger::default();
                record.fill_files(&mut ledger);
                ledger.take_back_files(&Shutdown::never()).await;
            }
        });
        let went = self.paths.each_ref().map(|path| !path.exists());
        for (index, there) in there.iter().enumerate() {
            assert!(
                !went[index] || may_go(&text, index, there),
                "{} went: {text}",
                self.paths[index].display()
            );
            assert!(
                went[index] || fs::read_to_string(&self.paths[index]).unwrap() == CONTENT[index],
                "{text}"
            );
        }
        went.contains(&true)
    }
}

/// Whether an entry of `text` describes the file of this number.
fn may_go(text: &str, index: usize, there: &fs::Metadata) -> bool {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let all = |line: serde_json::Value, list: &str| line[list].as_array().cloned().unwrap_or_default();
    let is_it = |entry: &serde_json::Value| entry["device"] == there.dev() && entry["inode"] == there.ino();
    // One that was begun under a name of ci-creds' own is known by its inode alone.
    let begun = |entry: &serde_json::Value| {
        index == 1 && entry["made"].as_str().is_some_and(|made| made.ends_with("/.ci-creds-x"))
    };
    lines.into_iter().any(|line| {
        let same = |entry: &serde_json::Value| entry["size"] == 4 && entry["digest"] == DIGEST;
        let longer = |entry: &serde_json::Value| entry["size"].as_u64() > Some(4);
        let file = |entry: &serde_json::Value| {
            is_it(entry) && (index != 2 && same(entry) || begun(entry) && longer(entry))
        };
        all(line.clone(), "files").iter().any(file)
            || all(line, "profiles").iter().any(|entry| is_it(entry) && begun(entry))
    })
}

/// `%` becomes the folder.
fn placed(input: &[u8], dir: &Path) -> Vec<u8> {
    let dir = dir.to_str().unwrap().as_bytes();
    input.split(|byte| *byte == FOLDER.as_bytes()[0]).collect::<Vec<_>>().join(dir)
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(<[u8]>::to_vec).collect()
}
