//! The state file: lines that are not ours stay as they are, and ours says twice what it says once.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use ci_creds::ledger::Ledger;
use ci_creds::ledger::state::{Entry, Place, Record};
use ci_creds::secret::Secret;

/// A line as it is written.
pub const LINE: &str = r#"{"version":1,"id":"0123456789abcdef","server":{"address":"https://vault.example.com/","namespace":null,"auth_namespace":null,"ca":{"system":{"file":null,"dir":null}},"client":null,"server_name":null,"skip_verify":false,"proxy":null,"unix_socket":null,"timeout":60,"redirect_hosts":[],"follow_redirects":true,"allow_http":false},"tokens":[{"token":"s.x","accessor":"a","ends":"2026-11-21T10:15:00Z"}],"leases":[],"files":[]}"#;

/// The whole file.
pub fn state(input: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let place = Place { path: dir.path().join("state"), auto: false, project: None };
    let write = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place.path);
    std::io::Write::write_all(&mut write.unwrap(), input).unwrap();
    let before = lines(input);

    let content = place.read().unwrap();
    let damaged = content.damaged.is_some();
    assert_eq!(content.records.len() == before.len(), !damaged);
    let mut ids = Vec::new();
    for record in content.records {
        let text = serde_json::to_string(&record).unwrap();
        let again: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        let _ = record.server();
        ids.push(record.id.clone());
        record.fill(&mut Ledger::default(), None);
    }

    // A run's own line comes and goes; the others stay.
    let server = serde_json::from_str::<Record>(LINE).unwrap().server();
    let mut ledger = Ledger::with(Some(Entry::new(place.clone(), &server).unwrap()));
    ledger.token(&Secret::from("s.mine"), "accessor", Some(Duration::from_secs(60)), false);
    ledger.write_down().unwrap();
    let with_ours = fs::read(&place.path).unwrap();
    let (ours, others) =
        lines(&with_ours).split_last().map(|(last, rest)| (last.to_vec(), rest.len())).unwrap();
    assert_eq!(lines(&with_ours)[..others], before);
    let ours: Record = serde_json::from_slice(&ours).unwrap();
    assert!(!ids.contains(&ours.id));
    Ledger::with(Some(Entry::of(place.clone(), &ours))).write_down().unwrap();
    assert_eq!(lines(&fs::read(&place.path).unwrap_or_default()), before);
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(<[u8]>::to_vec).collect()
}
