//! Several at once: one login, reads at the same time, and never a mixed pair.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Cmd, Engine, Space};

/// How many runs at the same time.
const RUNS: usize = if cfg!(feature = "soak") { 200 } else { 20 };

#[test]
fn every_pair_belongs_together() {
    let space = Space::new();
    let engine = Engine::new(&space, "exoscale", json!({"ttl": "15m", "max_ttl": "1h"}));
    engine.role("ci");
    let kv = space.kv1("scaleway");
    let policy = space.may_read(&[&format!("{}/creds/ci", engine.mount), &format!("{kv}/creds/*")]);
    let login = space.approle("ci", json!({"token_policies": policy, "token_ttl": "20m"}));
    for run in 0..RUNS {
        let pair = json!({"access_key": format!("SCW{run}"), "secret_key": format!("secret-of-{run}")});
        space.write(&format!("{kv}/creds/r{run}"), pair);
    }
    let seen: Mutex<BTreeMap<String, String>> = Mutex::default();
    let one = &|run: usize| {
        let cmd = Cmd::new(["exoscale", "ci", "--and", &format!("scaleway=r{run}"), "--format", "json"]);
        let cmd = cmd
            .vault(space.server)
            .approle(&login)
            .env("CI_CREDS_EXOSCALE_MOUNT", &engine.mount)
            .env("CI_CREDS_EXOSCALE_PATH", "creds/{role}")
            .env("CI_CREDS_EXOSCALE_FIELDS", "api_key=username,api_secret=password")
            .env("CI_CREDS_SCALEWAY_MOUNT", &kv);
        let given: Value = serde_json::from_str(&cmd.run().expect(0).stdout).unwrap();
        let (exoscale, scaleway) = (&given["credentials"][0], &given["credentials"][1]["variables"]);
        assert_eq!(scaleway["SCW_ACCESS_KEY"], json!(format!("SCW{run}")));
        assert_eq!(scaleway["SCW_SECRET_KEY"], json!(format!("secret-of-{run}")));
        let text = |name: &str| exoscale["variables"][name].as_str().unwrap().to_owned();
        seen.lock().unwrap().insert(text("EXOSCALE_API_KEY"), text("EXOSCALE_API_SECRET"));
    };
    thread::scope(|scope| {
        for run in 0..RUNS {
            scope.spawn(move || one(run));
        }
    });
    // What the server made, as it made it: each name with its own password.
    let seen = seen.into_inner().unwrap();
    assert_eq!(engine.objects(), seen.keys().cloned().collect::<Vec<_>>());
    assert_eq!(engine.leases().len(), RUNS);
    assert_eq!(engine.pairs(), seen);
}
