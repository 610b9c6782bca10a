//! An engine with real leases, and the "cloud" behind it: OpenBao's rabbitmq engine in front of a stub of that
//! broker's API. Like Exoscale's, it makes an upstream object for each GET, gives it a renewable lease, and removes
//! it on revocation, so that a test can count what exists upstream and what Vault knows of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CANARY, Space};

/// The alphabet of generated passwords, by which the search for secrets knows them.
pub const PASSWORD_LETTERS: &str = "Qq";

/// A mounted engine: GET `MOUNT/creds/ROLE` → `username` and `password`, with a lease.
pub struct Engine<'a> {
    /// Where it is mounted.
    pub mount: String,
    space: &'a Space<'a>,
    upstream: Arc<Mutex<Upstream>>,
}

#[derive(Default)]
struct Upstream {
    /// By name, with the password.
    objects: BTreeMap<String, String>,
    requests: usize,
    delay: Duration,
    failing: bool,
}

impl<'a> Engine<'a> {
    /// Mounts one whose leases live for `lease` (`{"ttl": "15m", "max_ttl": "1h"}`).
    pub fn new(space: &'a Space<'a>, name: &str, lease: Value) -> Self {
        let upstream = Arc::new(Mutex::new(Upstream::default()));
        let uri = serve(Arc::clone(&upstream));
        let mount = space.mount(name, json!({"type": "rabbitmq"}));
        let policy = space.name("passwords");
        let rule = format!("length = 24\nrule \"charset\" {{ charset = \"{PASSWORD_LETTERS}\" }}");
        space.write(&format!("sys/policies/password/{policy}"), json!({"policy": rule}));
        let connection = json!({
            "connection_uri": uri, "username": "admin", "password": super::secret(), "verify_connection": false,
            "password_policy": policy, "username_template": format!("{CANARY}-{{{{.DisplayName}}}}-{{{{random 12}}}}"),
        });
        space.write(&format!("{mount}/config/connection"), connection);
        space.write(&format!("{mount}/config/lease"), lease);
        Self { mount, space, upstream }
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
        self.upstream.lock().unwrap().requests
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

fn serve(upstream: Arc<Mutex<Upstream>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, upstream) = (stream.unwrap(), Arc::clone(&upstream));
            thread::spawn(move || answer(&stream, &upstream));
        }
    });
    uri
}

/// One request and its answer: PUT and DELETE of /api/users/NAME change what exists, all else is agreed to.
fn answer(mut stream: &TcpStream, upstream: &Mutex<Upstream>) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    let _ = reader.read_line(&mut line);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let password = body["password"].as_str().unwrap_or_default();
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, delay) = {
        let mut upstream = upstream.lock().unwrap();
        upstream.requests += 1;
        let failing = upstream.failing && method == "PUT";
        match (method, path.strip_prefix("/api/users/")) {
            ("PUT", Some(name)) if !failing => {
                _ = upstream.objects.insert(name.to_owned(), password.to_owned());
            }
            ("DELETE", Some(name)) => _ = upstream.objects.remove(name),
            _ => {}
        }
        (if failing { "500 Internal Server Error" } else { "204 No Content" }, upstream.delay)
    };
    thread::sleep(delay);
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
