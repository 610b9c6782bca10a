//! An engine with real leases, and the "cloud" behind it: OpenBao's rabbitmq engine in front of a fake of that
//! broker's API. Like Exoscale's, it makes an upstream object for each GET, gives it a renewable lease, and removes
//! it on revocation, so that a test can count what exists upstream and what Vault knows of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::fake::Seen;
use super::{CANARY, Fake, Reply, Space};

/// The alphabet of generated passwords, by which the search for secrets knows them.
pub const PASSWORD_LETTERS: &str = "Qq";

/// A mounted engine: GET `MOUNT/creds/ROLE` → `username` and `password`, with a lease.
pub struct Engine<'a> {
    /// Where it is mounted.
    pub mount: String,
    space: &'a Space<'a>,
    fake: Fake,
    upstream: Arc<Mutex<Upstream>>,
}

#[derive(Default)]
struct Upstream {
    /// By name, with the password.
    objects: BTreeMap<String, String>,
    delay: Duration,
    failing: bool,
}

impl<'a> Engine<'a> {
    /// Mounts one whose leases live for `lease` (`{"ttl": "15m", "max_ttl": "1h"}`).
    pub fn new(space: &'a Space<'a>, name: &str, lease: Value) -> Self {
        let upstream = Arc::new(Mutex::new(Upstream::default()));
        let shared = Arc::clone(&upstream);
        let fake = Fake::new(move |seen| answer(seen, &shared));
        let mount = space.mount(name, json!({"type": "rabbitmq"}));
        let policy = space.name("passwords");
        let rule = format!("length = 24\nrule \"charset\" {{ charset = \"{PASSWORD_LETTERS}\" }}");
        space.write(&format!("sys/policies/password/{policy}"), json!({"policy": rule}));
        let connection = json!({
            "connection_uri": fake.addr, "username": "admin", "password": super::secret(), "verify_connection": false,
            "password_policy": policy, "username_template": format!("{CANARY}-{{{{.DisplayName}}}}-{{{{random 12}}}}"),
        });
        space.write(&format!("{mount}/config/connection"), connection);
        space.write(&format!("{mount}/config/lease"), lease);
        Self { mount, space, fake, upstream }
    }

    /// Adds a role.
    pub fn role(&self, name: &str) {
        self.space.write(&format!("{}/roles/{name}", self.mount), json!({"tags": "management"}));
    }

    /// What exists upstream now.
    pub fn objects(&self) -> Vec<String> {
        self.upstream.lock().unwrap().objects.keys().cloned().collect()
    }

    /// What exists upstream now, with its passwords.
    pub fn pairs(&self) -> BTreeMap<String, String> {
        self.upstream.lock().unwrap().objects.clone()
    }

    /// How many requests have reached the upstream: to see that one is under way.
    pub fn upstream_requests(&self) -> usize {
        self.fake.seen().len()
    }

    /// The leases that Vault knows of.
    pub fn leases(&self) -> Vec<String> {
        self.space.leases(&format!("{}/creds", self.mount))
    }

    /// From now on the upstream creates at once, and answers only after this time.
    pub fn answer_after(&self, delay: Duration) {
        self.upstream.lock().unwrap().delay = delay;
    }

    /// From now on the upstream refuses to create anything (500), or no longer does.
    pub fn fail(&self, failing: bool) {
        self.upstream.lock().unwrap().failing = failing;
    }
}

/// PUT and DELETE of /api/users/NAME change what exists, all else is agreed to.
fn answer(seen: &Seen, upstream: &Mutex<Upstream>) -> Reply {
    let (status, delay) = {
        let mut upstream = upstream.lock().unwrap();
        let failing = upstream.failing && seen.method() == "PUT";
        match (seen.method(), seen.target().strip_prefix("/api/users/")) {
            ("PUT", Some(name)) if !failing => {
                let password = seen.json()["password"].as_str().unwrap_or_default().to_owned();
                upstream.objects.insert(name.to_owned(), password);
            }
            ("DELETE", Some(name)) => _ = upstream.objects.remove(name),
            _ => {}
        }
        (if failing { 500 } else { 204 }, upstream.delay)
    };
    thread::sleep(delay);
    Reply::text(status, "")
}
