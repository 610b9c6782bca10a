//! A role of an auth method as Vault returns it. It must not judge the role.

use serde_json::{Map, Value};

use super::lookup::text;

/// A role and its mount's configuration, as Vault reads them out.
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// `auth/MOUNT/role/NAME`.
    pub role: Map<String, Value>,
    /// `auth/MOUNT/config`; empty where it may not be read.
    pub config: Map<String, Value>,
}

impl Role {
    /// A text field of the role; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.role.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the role; 0 where there is none.
    pub fn number(&self, name: &str) -> i64 {
        self.role.get(name).and_then(Value::as_i64).unwrap_or(0)
    }

    /// A list of texts of the role.
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.role.get(name).and_then(Value::as_array).into_iter().flatten();
        items.map(text).collect()
    }

    /// The role's object of this name.
    pub fn map(&self, name: &str) -> Map<String, Value> {
        self.role.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Whether bound claims are globs.
    pub fn globs(&self) -> bool {
        self.text("bound_claims_type") == "glob"
    }

    /// A text field of the mount's configuration; empty where there is none.
    pub fn config_text(&self, name: &str) -> &str {
        self.config.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}
