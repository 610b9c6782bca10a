//! State files as somebody would write them who wants something of `revoke`: lines of this job and of another, plain ones
//! with their own addresses, tokens, leases, keys and files, each changed here and there.

use ci_creds::testing::ledger::Ledger;
use ci_creds::testing::ledger::state::{Entry, StateFile};
use ci_creds::testing::secret::Secret;
use ci_creds::testing::shutdown::Shutdown;
use serde_json::{Value, json};

use super::properties::state::{
    CONFIGURED, DEVICE, DIGEST, INODES, Prey, READERS, configured, decide_as, keep, run, seal,
};

/// How many files are written.
const FILES: u32 = if cfg!(feature = "soak") { 1_000_000 } else { 50_000 };
/// What one in this many names is taken back, with real files.
const TAKEN_BACK: u32 = 5;
/// How many of them are kept as files: one in this many.
const KEPT: u32 = 100;

/// Small and fast; the same numbers each time (Marsaglia, Xorshift RNGs).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

#[test]
fn whatever_a_state_file_says_nothing_goes_where_it_must_not() {
    let sealed = [line("ours"), line("another's")].concat();
    let mut random = Random(0x5eed);
    let (prey, mut went) = (Prey::new(), 0);
    for number in 0..FILES {
        let file = file(&mut random, &sealed);
        let reader = random.of(&*READERS);
        let outcome = std::panic::catch_unwind(|| {
            decide_as(reader.as_ref(), &file);
            if number % KEPT == 0 {
                keep(&file);
            }
            number % TAKEN_BACK == 0 && prey.hunt(&file)
        });
        assert!(outcome.is_ok(), "file {number}: {}", String::from_utf8_lossy(&file));
        went += u32::from(outcome.unwrap_or_default());
    }
    assert!(went > FILES / 5000, "only {went} of {FILES} describe a file as it is");
}

/// A line that is sealed with this key.
fn line(key: &str) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let place =
        StateFile { path: dir.path().join("state"), auto: false, project: None, seal: Some(seal(key)) };
    let server = configured().server.unwrap();
    run(async {
        let shutdown = Shutdown::never();
        let mut ledger = Ledger::with(Some(Entry::new(place.clone(), &server, &shutdown).await.unwrap()));
        ledger.token(&Secret::from("s.sealed"), "accessor", None, false);
        ledger.write_ahead(&shutdown).await.unwrap();
    });
    let text = std::fs::read(&place.path).unwrap();
    vec![text.trim_ascii_end().to_vec()]
}

fn file(random: &mut Random, sealed: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for _ in 0..=random.below(3) {
        let mut line = match random.below(3) {
            0 => random.of(sealed).clone(),
            _ => plain(random).to_string().into_bytes(),
        };
        // Most lines are whole: what is damaged is soon known for it.
        if random.below(3) == 0 {
            spoil(random, &mut line);
        }
        file.extend(line);
        file.push(b'\n');
    }
    file
}

/// Changes some bytes, or cuts.
fn spoil(random: &mut Random, line: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(line.len());
        match random.below(4) {
            0 => line.truncate(at.max(1)),
            1 => line[at] = random.below(256) as u8,
            2 => line.insert(at, random.below(256) as u8),
            _ => line[at] ^= 1 << random.below(8),
        }
    }
}

fn plain(random: &mut Random) -> Value {
    let times =
        [json!(null), json!("2020-01-01T00:00:00Z"), json!("2199-01-01T00:00:00Z"), json!("never"), json!(7)];
    let addresses = [
        CONFIGURED,
        "https://vault.example.com:8443/",
        "http://vault.example.com/",
        "http://192.0.2.1/",
        "http://[::1]:1/",
        "http://localhost:1/",
        "http://localhost.example.com/",
        "https://user:s.x@vault.example.com/",
        "unix:///run/x",
        "file:///etc/passwd",
        "https://VAULT.example.com:443",
        "",
    ];
    let proxy = [
        json!(null),
        json!({"url": "http://192.0.2.1:3128", "except": ""}),
        json!({"url": "", "except": "*"}),
    ];
    let sockets = [json!(null), json!(null), json!("/run/x.sock"), json!("")];
    let ca = [
        json!({"system": {"file": null, "dir": null}}),
        json!({"file": "/dev/tty"}),
        json!({"pem": "x"}),
        json!({"dir": "/"}),
        json!({"system": {"file": "/dev/zero", "dir": "/proc"}}),
    ];
    let tokens =
        [json!([]), json!([]), json!([{"token": "s.x", "accessor": "a", "ends": random.of(&times)}])];
    let leases = [
        json!([]),
        json!([{"id": "a/b", "ends": random.of(&times)}]),
        json!([{"id": "a/b", "ends": random.of(&times), "token": "b.x"}]),
    ];
    let apis = [
        "https://api.scaleway.com",
        "https://api.scaleway.com/",
        "https://192.0.2.1/",
        "http://127.0.0.1:1/",
    ];
    let minted = [
        json!([]),
        json!([{"key": "SCWX", "path": "secret/data/parent", "fields": ["secret_key"],
        "url": random.of(&apis), "ends": random.of(&times)}]),
    ];
    let digests = [DIGEST, "4fd30542fe3f61b14bd4a4b2dc0b6fb30fa6f63ebce52dd1778aaa8c4dc02cff", "", "x"];
    let paths = ["%/prey", "%/.ci-creds-x", "%/config", "%/../prey", "%", "/dev/tty", "", "prey"];
    // Most entries mean one of the files that are there, and are right or nearly so.
    let which = random.below(INODES.len());
    let made = if random.below(3) == 0 { random.of(&paths) } else { paths[which] };
    let device = *random.of(&[DEVICE, DEVICE, DEVICE, 1]);
    let inode = *random.of(&[INODES[which], INODES[which], INODES[which], INODES[0], 1]);
    let goal = match random.below(3) {
        0 => json!(null),
        1 => json!(made),
        _ => json!(random.of(&paths)),
    };
    let entry = json!({"made": made, "goal": goal, "device": device, "inode": inode,
        "size": random.of(&[4, 4, 4, 3, 5, 0]), "digest": random.of(&digests)});
    let files = [json!([]), json!([entry]), json!([entry]), json!(["%/prey"])];
    let profile = json!({"path": random.of(&["%/config", "%/config", "%/prey", "%/none"]),
        "format": random.of(&["aws-credentials", "scw-config", "x"]), "profile": random.of(&["default", "mine", "a\nb"]),
        "size": random.of(&[20, 21, 4]), "digest": random.of(&digests), "check": "x", "creates": random.below(2) == 0,
        "made": made, "device": device, "inode": inode});
    let profiles = [json!([]), json!([]), json!([profile])];
    let server = json!({"address": random.of(&addresses), "namespace": null, "auth_namespace": "team", "ca": random.of(&ca),
        "server_name": "elsewhere", "skip_verify": random.below(2) == 0, "proxy": random.of(&proxy),
        "unix_socket": random.of(&sockets), "timeout": random.of(&[0, 60, u64::MAX]), "redirect_hosts": ["192.0.2.1"],
        "follow_redirects": true, "allow_http": random.below(2) == 0});
    json!({"version": random.of(&[2, 2, 2, 1, 3]), "written": random.of(&times[1..]), "id": random.below(4).to_string(),
        "server": server, "tokens": random.of(&tokens), "leases": random.of(&leases), "files": random.of(&files), "profiles": random.of(&profiles),
        "minted": random.of(&minted)})
}
