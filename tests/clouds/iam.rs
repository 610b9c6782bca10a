//! A fake of Scaleway's IAM API that checks what the real one checks (scaleway-sdk-go: `api/iam/v1alpha1`,
//! `validation/is.go`, `scw/errors.go`), keeps the keys, and can be told to misbehave.

mod api;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use crate::support::fake::Seen;
use crate::support::{Fake, Reply, unique};

/// A key as the API knows it.
#[derive(Clone, Debug)]
pub struct Key {
    pub secret_key: String,
    pub application_id: String,
    pub description: String,
    pub expires_at: Option<Timestamp>,
    pub project_id: Option<String>,
}

/// What goes wrong with the next creations, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// 429, without doing it.
    TooMany,
    /// It is done, and the connection breaks.
    Lost,
    /// It is done, and the answer is a gateway's 504.
    Gateway,
    /// 500, without doing it.
    Broken,
    /// It is done, without an end.
    Endless,
    /// It is done, and the answer takes a while.
    Slow,
}

#[derive(Default)]
pub struct State {
    pub keys: BTreeMap<String, Key>,
    /// `POST 201`, `DELETE 204 SCW…`, …
    pub log: Vec<String>,
    pub faults: Vec<Fault>,
    /// How often a new key is still unknown.
    pub lag: usize,
    /// From now on nothing can be deleted or listed.
    pub down: bool,
    unknown: BTreeMap<String, usize>,
}

/// The running fake.
pub struct Iam {
    pub url: String,
    /// The parent: access key, secret key.
    pub parent: (String, String),
    pub application_id: String,
    state: Arc<Mutex<State>>,
}

impl Iam {
    pub fn new() -> Self {
        let (parent, application_id) = ((access_key(), uuid()), uuid());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, secret, application) = (Arc::clone(&state), parent.1.clone(), application_id.clone());
        let fake = Fake::new(move |seen| answer(seen, &shared, &secret, &application));
        Self { url: fake.addr, parent, application_id, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn keys(&self) -> BTreeMap<String, Key> {
        self.state().keys.clone()
    }

    /// A key that some other job made.
    pub fn other(&self, description: &str) -> String {
        let key = Key {
            secret_key: uuid(),
            application_id: self.application_id.clone(),
            description: description.to_owned(),
            expires_at: Some(Timestamp::now()),
            project_id: None,
        };
        let name = access_key();
        self.state().keys.insert(name.clone(), key);
        name
    }
}

fn access_key() -> String {
    format!("SCW{:X<17}", unique().to_uppercase())
}

/// Random; the canary can't be in it, so the caller searches for the value itself.
pub fn uuid() -> String {
    let hex = format!("{}{}{}", unique(), unique(), unique());
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}

fn answer(seen: &Seen, state: &Mutex<State>, parent: &str, application: &str) -> Reply {
    let (fault, (status, body)) = {
        let mut state = state.lock().unwrap();
        let fault = (seen.method() == "POST" && !state.faults.is_empty()).then(|| state.faults.remove(0));
        (fault, api::carry_out(&mut state, seen, parent, application, fault))
    };
    match fault {
        Some(Fault::Lost) => return Reply::Drop,
        Some(Fault::Gateway) => return Reply::text(504, ""),
        Some(Fault::Slow) => thread::sleep(Duration::from_secs(2)),
        _ => {}
    }
    Reply::Json(status, body)
}
