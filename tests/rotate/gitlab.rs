//! GitLab's API for variables as documented (and as `lib/api/ci/variables.rb` does it): scopes and their ambiguity,
//! the rules of masked values, hidden ones, and who may do what.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::secret;
use crate::support::stub::{self, Request, Response};

/// An instance under a path prefix, with one project (22, `group/project`) and one group (7, `group`).
#[derive(Clone)]
pub struct Gitlab {
    /// What a job has as CI_API_V4_URL.
    pub url: String,
    /// The access token that may do everything.
    pub token: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// `projects/22` or `groups/7`, and what GitLab keeps.
    variables: Vec<(String, Value)>,
    requests: Vec<Request>,
    fault: Option<Fault>,
}

/// Decides what becomes of a request: the second function carries it out.
pub type Fault = Box<dyn FnMut(&Request, &dyn Fn() -> Response) -> Option<Response> + Send>;

impl Gitlab {
    pub fn new() -> Self {
        let (state, token) = (Arc::new(Mutex::new(State::default())), secret());
        let addr = stub::serve(handler(&state, &token));
        Self { url: format!("http://{addr}/git/api/v4"), token, state }
    }

    /// With TLS; the PEM is what CI_SERVER_TLS_CA_FILE holds.
    pub fn with_tls() -> (Self, String) {
        let (state, token) = (Arc::new(Mutex::new(State::default())), secret());
        let (addr, pem) = stub::serve_tls(handler(&state, &token));
        (Self { url: format!("https://{addr}/git/api/v4"), token, state }, pem)
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

    /// `METHOD target` of every request so far.
    pub fn requests(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    /// From now on.
    pub fn fault(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().fault = fault;
    }
}

fn handler(
    state: &Arc<Mutex<State>>,
    token: &str,
) -> impl Fn(&Request) -> Option<Response> + Send + Sync + 'static {
    let (state, token) = (Arc::clone(state), token.to_owned());
    move |request| {
        let fault = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            state.fault.take()
        };
        let act = || act(&mut state.lock().unwrap().variables, request, &token);
        let Some(mut fault) = fault else { return Some(act()) };
        let response = fault(request, &act);
        let mut state = state.lock().unwrap();
        if state.fault.is_none() {
            state.fault = Some(fault);
        }
        response
    }
}

fn act(variables: &mut [(String, Value)], request: &Request, token: &str) -> Response {
    let said = |status: &str, message: Value| Response::json(status, &json!({"message": message}));
    match request.headers.get("private-token").map(String::as_str) {
        Some(given) if given == token => {}
        Some("read-only") => {
            return Response::json(
                "403 Forbidden",
                &json!({"error": "insufficient_scope",
                "error_description": "The request requires higher privileges than provided by the access token."}),
            );
        }
        Some("developer") => return said("403 Forbidden", json!("403 Forbidden")),
        _ => return said("401 Unauthorized", json!("401 Unauthorized")),
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let path = path.strip_prefix("/git/api/v4/").unwrap_or_default().replace("%2F", "/");
    let path = path.replace("group/project", "22").replace("groups/group", "groups/7");
    let Some((owner, key)) = path.split_once("/variables/") else {
        return said("404 Not Found", json!("404 Project Not Found"));
    };
    let scope = query.strip_prefix("filter%5Benvironment_scope%5D=").map(|text| text.replace("%2F", "/"));
    let mut found: Vec<_> = variables
        .iter_mut()
        .filter(|(of, one)| of == owner && one["key"] == key)
        .filter(|(_, one)| scope.as_ref().is_none_or(|scope| one["environment_scope"] == json!(scope)))
        .map(|(_, one)| one)
        .collect();
    let variable = match &mut found[..] {
        [] => return said("404 Not Found", json!("404 Variable Not Found")),
        [one] => one,
        _ => {
            return said(
                "409 Conflict",
                json!(
                    "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
                ),
            );
        }
    };
    if request.method == "PUT" {
        let change: Value = serde_json::from_slice(&request.body).unwrap();
        let mut changed = variable.clone();
        for (name, value) in change.as_object().unwrap() {
            changed[name] = value.clone();
        }
        if changed["masked"] == json!(true) && !maskable(&changed) {
            return said("400 Bad Request", json!({"value": ["is invalid"]}));
        }
        **variable = changed;
    }
    let mut shown = variable.clone();
    if shown["hidden"] == json!(true) {
        shown["value"] = Value::Null;
    }
    Response::json("200 OK", &shown)
}

/// What GitLab masks (`app/models/concerns/ci/maskable.rb`): where `$` is expanded, only some characters.
fn maskable(variable: &Value) -> bool {
    let value = variable["value"].as_str().unwrap_or_default();
    let fits = |letter: char| match variable["raw"] == json!(true) {
        true => !letter.is_whitespace(),
        false => letter.is_ascii_alphanumeric() || "_+=/@:.~-".contains(letter),
    };
    value.len() >= 8 && value.chars().all(fits)
}
