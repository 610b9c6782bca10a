//! The operations, as the real API carries them out or refuses them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Fault, Key, State, access_key, uuid};
use crate::support::CANARY;
use crate::support::fake::Seen;

struct Asked {
    path: String,
    query: BTreeMap<String, String>,
    token: String,
    body: Value,
}

impl Asked {
    fn new(seen: &Seen) -> Self {
        let url = reqwest::Url::parse(&format!("http://x{}", seen.target())).unwrap();
        Self {
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            token: seen.header("x-auth-token").unwrap_or_default().to_owned(),
            body: seen.json(),
        }
    }
}

/// One request, which is logged; the fault is a creation's.
pub(super) fn carry_out(
    state: &mut State,
    seen: &Seen,
    parent: &str,
    application: &str,
    fault: Option<Fault>,
) -> (u16, Value) {
    let (method, asked) = (seen.method(), Asked::new(seen));
    let below = asked.path.strip_prefix("/iam/v1alpha1/api-keys").map(|rest| rest.trim_start_matches('/'));
    let answer = match (method, below) {
        ("POST", Some("")) => create(state, &asked, parent, application, fault),
        ("GET", Some("")) => list(state, &asked, parent),
        ("GET", Some(key)) => get(state, &asked, parent, key),
        ("DELETE", Some(key)) => delete(state, &asked, parent, key),
        _ => (404, json!({"type": "not_found", "message": "resource is not found"})),
    };
    let key = below.unwrap_or_default();
    state.log.push(format!("{method} {} {key}", answer.0).trim().to_owned());
    answer
}

fn create(
    state: &mut State,
    asked: &Asked,
    parent: &str,
    application: &str,
    fault: Option<Fault>,
) -> (u16, Value) {
    match fault {
        Some(Fault::TooMany) => return (429, json!({"type": "too_many_requests", "message": "slow down"})),
        Some(Fault::Broken) => return (500, json!({"type": "internal", "message": "internal error"})),
        _ => {}
    }
    if asked.token != parent {
        return denied(&asked.token);
    }
    let text = |name: &str| asked.body[name].as_str().map(str::to_owned);
    let wrong = |name: &str| {
        let detail =
            json!([{"argument_name": name, "reason": "constraint", "help_message": "is not acceptable"}]);
        (400, json!({"type": "invalid_arguments", "message": "invalid argument(s)", "details": detail}))
    };
    let Some(application_id) = text("application_id").filter(|id| is_uuid(id)) else {
        return wrong("application_id");
    };
    if application_id != application {
        return (
            404,
            json!({"type": "not_found", "resource": "application", "resource_id": application_id,
            "message": "resource is not found"}),
        );
    }
    let Some(description) = text("description").filter(|text| text.chars().count() <= 200) else {
        return wrong("description");
    };
    let expires_at = text("expires_at").and_then(|text| text.parse::<Timestamp>().ok());
    if expires_at.is_none_or(|end| end <= Timestamp::now()) {
        return wrong("expires_at");
    }
    let project_id = text("default_project_id");
    if project_id.as_ref().is_some_and(|id| !is_uuid(id)) {
        return wrong("default_project_id");
    }
    let key = Key {
        secret_key: uuid(),
        application_id,
        description,
        expires_at: expires_at.filter(|_| fault != Some(Fault::Endless)),
        project_id,
    };
    let name = access_key();
    let body = json!({"access_key": name, "secret_key": key.secret_key, "application_id": key.application_id,
        "description": key.description, "expires_at": key.expires_at.map(|end| end.to_string()),
        "default_project_id": key.project_id, "editable": true, "deletable": true, "managed": false,
        "creation_ip": "127.0.0.1"});
    let lag = state.lag;
    state.unknown.insert(name.clone(), lag);
    state.keys.insert(name, key);
    (200, body)
}

/// As the real one: whoever may list, sees all keys whose description contains the filter.
fn list(state: &State, asked: &Asked, parent: &str) -> (u16, Value) {
    if state.down {
        return (503, json!({"type": "unavailable", "message": "come back later"}));
    }
    if asked.token != parent {
        return denied(&asked.token);
    }
    let matches = |key: &&Key| {
        asked.query.get("bearer_id").is_none_or(|id| *id == key.application_id)
            && asked.query.get("description").is_none_or(|part| key.description.contains(part.as_str()))
    };
    let found = state.keys.iter().filter(|(_, key)| matches(key)).map(|(name, key)| {
        json!({"access_key": name, "secret_key": null, "description": key.description,
            "application_id": key.application_id, "expires_at": key.expires_at.map(|end| end.to_string())})
    });
    let found: Vec<Value> = found.collect();
    (200, json!({"total_count": found.len(), "api_keys": found}))
}

fn get(state: &mut State, asked: &Asked, parent: &str, key: &str) -> (u16, Value) {
    if let Some(left) = state.unknown.get_mut(key).filter(|left| **left > 0) {
        *left -= 1;
        return denied(&asked.token);
    }
    let own = state.keys.get(key).is_some_and(|known| known.secret_key == asked.token);
    match (own, asked.token == parent) {
        // A key of an application without IAM rights.
        (true, _) => (
            403,
            json!({"type": "permissions_denied", "message": "insufficient permissions",
            "details": [{"resource": "api_key", "action": "read"}]}),
        ),
        (_, true) => (200, json!({"access_key": key})),
        _ => denied(&asked.token),
    }
}

fn delete(state: &mut State, asked: &Asked, parent: &str, key: &str) -> (u16, Value) {
    if state.down {
        return (503, json!({"type": "unavailable", "message": "come back later"}));
    }
    if asked.token != parent {
        return denied(&asked.token);
    }
    match state.keys.remove(key) {
        Some(_) => (204, Value::Null),
        None => (404, json!({"type": "not_found", "resource": "api_key", "resource_id": key})),
    }
}

/// It says the token back: nothing of it may be printed.
fn denied(token: &str) -> (u16, Value) {
    let message = format!("authentication is denied for {token} {CANARY}").replace(CANARY, "");
    (
        401,
        json!({"type": "denied_authentication", "message": message.trim(), "method": "api_key", "reason": "not_found"}),
    )
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|char| char == '-' || char.is_ascii_hexdigit())
}
