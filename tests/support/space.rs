//! A test's own corner of the server: mounts, policies and roles under a random prefix, so that tests run in
//! parallel and in any order. Nothing is removed: the server goes with the test process.

use serde_json::{Value, json};

use super::jwt::Jwt;
use super::{Server, bao, secret, unique};

/// A corner of a server.
pub struct Space<'a> {
    pub server: &'a Server,
    /// A namespace of its own; empty for the root's.
    pub namespace: String,
    prefix: String,
}

/// An AppRole: its mount (without `auth/`), its name and its two halves.
#[derive(Clone, Debug)]
pub struct AppRole {
    pub mount: String,
    pub role: String,
    pub role_id: String,
    /// Absent when the role has none (`bind_secret_id: false`) or the test drops it.
    pub secret_id: Option<String>,
}

impl Space<'static> {
    /// A corner of the common server.
    pub fn new() -> Self {
        Space::on(bao())
    }
}

impl<'a> Space<'a> {
    /// A corner of a server of the test's own.
    pub fn on(server: &'a Server) -> Self {
        Self { server, namespace: String::new(), prefix: format!("x{}-", unique()) }
    }

    /// The same in a new namespace.
    pub fn in_namespace(server: &'a Server) -> Self {
        let space = Self::on(server);
        let namespace = space.name("team");
        server.ok("POST", &format!("sys/namespaces/{namespace}"), json!({}));
        Self { namespace, ..space }
    }

    /// A call as root, inside the namespace.
    pub fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        self.server.ok(method, &self.full(path), body)
    }

    fn full(&self, path: &str) -> String {
        if self.namespace.is_empty() { path.to_owned() } else { format!("{}/{path}", self.namespace) }
    }

    /// A name nobody else has; snapshots show `X-name`.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Mounts a secrets engine and returns where.
    pub fn mount(&self, name: &str, engine: Value) -> String {
        let path = self.name(name);
        self.ok("POST", &format!("sys/mounts/{path}"), engine);
        path
    }

    /// KV version 1: stands in for any engine that is read with GET, as its answers have the same shape. A `ttl`
    /// entry becomes the lease_duration, without a lease.
    pub fn kv1(&self, name: &str) -> String {
        self.mount(name, json!({"type": "kv", "options": {"version": "1"}}))
    }

    /// KV version 2.
    pub fn kv2(&self, name: &str) -> String {
        let path = self.mount(name, json!({"type": "kv", "options": {"version": "2"}}));
        // For a moment after mounting, writes are refused while the engine upgrades itself.
        super::eventually("the KV v2 mount is writable", || {
            self.server.api("POST", &format!("{path}/config"), json!({})).status < 300
        });
        path
    }

    /// Writes at a full path (for KV v2, `MOUNT/data/NAME` and `{"data": …}`).
    pub fn write(&self, path: &str, data: Value) -> Value {
        self.ok("POST", path, data)
    }

    /// Writes a policy and returns its name.
    pub fn policy(&self, rules: &str) -> String {
        let name = self.name(&format!("policy-{}", unique()));
        self.ok("PUT", &format!("sys/policies/acl/{name}"), json!({"policy": rules}));
        name
    }

    /// A policy that may read these paths.
    pub fn may_read(&self, paths: &[&str]) -> String {
        let rule = |path: &&str| format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n");
        self.policy(&paths.iter().map(rule).collect::<String>())
    }

    /// An AppRole on a mount of its own; role_id and secret_id contain the canary. `params` are the role's.
    pub fn approle(&self, role: &str, params: Value) -> AppRole {
        let mount = self.auth("approle");
        let path = format!("auth/{mount}/role/{role}");
        let bound = params["bind_secret_id"] != json!(false);
        self.write(&path, params);
        let (role_id, secret_id) = (secret(), secret());
        self.write(&format!("{path}/role-id"), json!({"role_id": role_id}));
        if bound {
            self.write(&format!("{path}/custom-secret-id"), json!({"secret_id": secret_id}));
        }
        AppRole { mount, role: role.to_owned(), role_id, secret_id: bound.then_some(secret_id) }
    }

    /// Another secret_id for a role, with the parameters of custom-secret-id (ttl, num_uses, metadata, …).
    pub fn secret_id(&self, login: &AppRole, mut params: Value) -> String {
        let secret_id = secret();
        params["secret_id"] = json!(secret_id);
        self.write(&format!("auth/{}/role/{}/custom-secret-id", login.mount, login.role), params);
        secret_id
    }

    /// Split custody: a token that may do nothing but issue secret_ids of this role.
    pub fn issuing_token(&self, login: &AppRole) -> String {
        let path = format!("auth/{}/role/{}/secret-id", login.mount, login.role);
        let rules = format!("path \"{path}\" {{ capabilities = [\"create\", \"update\"] }}");
        self.token(&[&self.policy(&rules)], json!({}))
    }

    /// A token that contains the canary, with these policies and the parameters of auth/token/create.
    pub fn token(&self, policies: &[&str], mut params: Value) -> String {
        params["policies"] = json!(policies);
        // In a namespace the server makes the token itself; the search for secrets knows its form.
        if self.namespace.is_empty() {
            params["id"] = json!(secret());
        }
        let made = self.write("auth/token/create", params);
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// A jwt auth mount that trusts the harness's key.
    pub fn jwt(&self) -> Jwt<'_> {
        let mount = self.auth("jwt");
        self.write(&format!("auth/{mount}/config"), super::jwt::trust());
        Jwt { space: self, mount }
    }

    /// Mounts an auth method under its own name and returns where, without `auth/`.
    pub fn auth(&self, kind: &str) -> String {
        let mount = self.name(&format!("{kind}-{}", &unique()[..4]));
        self.write(&format!("sys/auth/{mount}"), json!({"type": kind}));
        mount
    }

    /// The leases that are alive under a path, such as `MOUNT/creds`.
    pub fn leases(&self, path: &str) -> Vec<String> {
        let path = path.trim_end_matches('/');
        let listing =
            self.server.api("LIST", &self.full(&format!("sys/leases/lookup/{path}")), Value::Null).body;
        let keys = listing["data"]["keys"].as_array().cloned().unwrap_or_default();
        let below = keys.iter().filter_map(Value::as_str).map(|key| format!("{path}/{key}"));
        below.flat_map(|key| if key.ends_with('/') { self.leases(&key) } else { vec![key] }).collect()
    }

    /// The tokens that are alive and came from a login at this space's mounts, as their accessors.
    pub fn login_tokens(&self) -> Vec<String> {
        let logins = format!("auth/{}", self.prefix);
        let all = self.server.ok("LIST", "auth/token/accessors", Value::Null);
        let accessors = all["data"]["keys"].as_array().unwrap().iter().filter_map(Value::as_str);
        let mine = accessors.filter(|accessor| {
            let body = json!({"accessor": accessor});
            let token = self.server.api("POST", "auth/token/lookup-accessor", body).body;
            token["data"]["path"].as_str().is_some_and(|path| path.starts_with(&logins))
        });
        mine.map(str::to_owned).collect()
    }

    /// Whether a token is still alive.
    pub fn is_alive(&self, token: &str) -> bool {
        self.server.api("POST", "auth/token/lookup", json!({"token": token})).status == 200
    }
}
