//! GitLab's API for variables as documented (and as `lib/api/ci/variables.rb` does it): scopes and their ambiguity,
//! the rules of masked values, hidden ones, and who may do what.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::support::fake::Seen;
use crate::support::pki::self_signed;
use crate::support::{Fake, Reply, secret};

/// An instance under a path prefix, with one project (22, `group/project`) and one group (7, `group`).
#[derive(Clone)]
pub struct Gitlab {
    /// What a job has as CI_API_V4_URL.
    pub url: String,
    /// The access token that may do everything.
    pub token: String,
    state: Arc<Mutex<State>>,
    fake: Fake,
}

#[derive(Default)]
struct State {
    /// `projects/22` or `groups/7`, and what GitLab keeps.
    variables: Vec<(String, Value)>,
    fault: Option<Fault>,
    /// The access token that may do everything, as it is now.
    token: String,
}

/// Decides what becomes of a request: the second function carries it out.
pub type Fault = Box<dyn FnMut(&Seen, &dyn Fn() -> Reply) -> Reply + Send>;

impl Gitlab {
    pub fn new() -> Self {
        Self::on(None)
    }

    /// With TLS; the PEM is what CI_SERVER_TLS_CA_FILE holds.
    pub fn with_tls() -> (Self, String) {
        let (config, pem) = self_signed(&["127.0.0.1"], |_| {});
        (Self::on(Some(Arc::new(config))), pem)
    }

    fn on(tls: Option<Arc<ServerConfig>>) -> Self {
        let token = secret();
        let state = Arc::new(Mutex::new(State { token: token.clone(), ..State::default() }));
        let fake = Fake::on("127.0.0.1:0", tls, handler(&state));
        Self { url: format!("{}/git/api/v4", fake.addr), token, state, fake }
    }

    /// Adds a variable; `changes` are its attributes.
    pub fn variable(&self, owner: &str, key: &str, value: &str, changes: &Value) {
        let mut variable = json!({"key": key, "value": value, "variable_type": "env_var", "protected": true,
            "masked": true, "hidden": false, "raw": true, "environment_scope": "*", "description": null});
        for (name, value) in changes.as_object().unwrap() {
            variable[name] = value.clone();
        }
        self.state.lock().unwrap().variables.push((owner.to_owned(), variable));
    }

    /// What GitLab keeps of a variable.
    pub fn kept(&self, owner: &str, key: &str, scope: &str) -> Value {
        let state = self.state.lock().unwrap();
        let mut all = state.variables.iter().filter(|(of, _)| of == owner).map(|(_, variable)| variable);
        all.find(|one| one["key"] == key && one["environment_scope"] == scope).unwrap().clone()
    }

    /// The value of project 22's VAULT_TOKEN.
    pub fn value(&self) -> String {
        self.kept("projects/22", "VAULT_TOKEN", "*")["value"].as_str().unwrap().to_owned()
    }

    /// The access token as it is now.
    pub fn token_now(&self) -> String {
        self.state.lock().unwrap().token.clone()
    }

    /// `METHOD target` of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.fake.lines()
    }

    /// From now on.
    pub fn fault(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().fault = fault;
    }
}

fn handler(state: &Arc<Mutex<State>>) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    let state = Arc::clone(state);
    move |request| {
        let fault = state.lock().unwrap().fault.take();
        let act = || act(&mut state.lock().unwrap(), request);
        let Some(mut fault) = fault else { return act() };
        let reply = fault(request, &act);
        let mut state = state.lock().unwrap();
        if state.fault.is_none() {
            state.fault = Some(fault);
        }
        reply
    }
}

fn act(state: &mut State, request: &Seen) -> Reply {
    let State { variables, token, .. } = state;
    let said = |status, message: Value| Reply::Json(status, json!({"message": message}));
    match request.header("private-token") {
        Some(given) if given == token.as_str() => {}
        Some("read-only") => {
            return Reply::Json(
                403,
                json!({"error": "insufficient_scope",
                "error_description": "The request requires higher privileges than provided by the access token."}),
            );
        }
        Some("developer") => return said(403, json!("403 Forbidden")),
        _ => return said(401, json!("401 Unauthorized")),
    }
    let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    let path = path.strip_prefix("/git/api/v4/").unwrap_or_default().replace("%2F", "/");
    let path = path.replace("group/project", "22").replace("groups/group", "groups/7");
    // `lib/api/personal_access_tokens/self_information.rb`, `self_rotation.rb`.
    let mut told =
        json!({"id": 42, "name": "ci-creds", "active": true, "scopes": ["api"], "expires_at": "2026-12-24"});
    match (request.method(), path.as_str()) {
        ("GET", "personal_access_tokens/self") => return Reply::Json(200, told),
        ("POST", "personal_access_tokens/self/rotate") => {
            *token = secret();
            told["id"] = json!(43);
            told["expires_at"] = request.json()["expires_at"].clone();
            told["token"] = json!(token);
            return Reply::Json(200, told);
        }
        _ => {}
    }
    let Some((owner, key)) = path.split_once("/variables/") else {
        return said(404, json!("404 Project Not Found"));
    };
    let scope = query.strip_prefix("filter%5Benvironment_scope%5D=").map(|text| text.replace("%2F", "/"));
    let mut found: Vec<_> = variables
        .iter_mut()
        .filter(|(of, one)| of == owner && one["key"] == key)
        .filter(|(_, one)| scope.as_ref().is_none_or(|scope| one["environment_scope"] == json!(scope)))
        .map(|(_, one)| one)
        .collect();
    let variable = match &mut found[..] {
        [] => return said(404, json!("404 Variable Not Found")),
        [one] => one,
        _ => {
            return said(
                409,
                json!(
                    "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
                ),
            );
        }
    };
    if request.method() == "PUT" {
        let change: Value = serde_json::from_str(&request.body).unwrap();
        let mut changed = variable.clone();
        for (name, value) in change.as_object().unwrap() {
            changed[name] = value.clone();
        }
        if changed["masked"] == json!(true) && !maskable(&changed) {
            return said(400, json!({"value": ["is invalid"]}));
        }
        **variable = changed;
    }
    let mut shown = variable.clone();
    if shown["hidden"] == json!(true) {
        shown["value"] = Value::Null;
    }
    Reply::Json(200, shown)
}

/// What GitLab masks (`app/models/concerns/ci/maskable.rb`): where `$` is expanded, only some characters.
fn maskable(variable: &Value) -> bool {
    let value = variable["value"].as_str().unwrap_or_default();
    let fits = |letter: char| {
        if variable["raw"] == json!(true) {
            !letter.is_whitespace()
        } else {
            letter.is_ascii_alphanumeric() || "_+=/@:.~-".contains(letter)
        }
    };
    value.len() >= 8 && value.chars().all(fits)
}
