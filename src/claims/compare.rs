//! How Vault compares a claim with a role's value for it (vault-plugin-auth-jwt `claims.go`). It must not be stricter
//! or laxer than the plugin.

use serde_json::{Value, json};

use super::lookup;

/// A value as the plugin compares it.
pub(super) struct Item {
    pub(super) value: Value,
    /// A number inside a list of the token's stays a float in Go, which equals no number of the role's.
    float: bool,
}

impl Item {
    /// Whether what the role has, this, is what the token has.
    pub(super) fn equals(&self, has: &Self, globs: bool) -> bool {
        match (&self.value, &has.value) {
            (Value::String(want), Value::String(has)) if globs => lookup::glob(want, has),
            _ if globs => false,
            (Value::Number(want), Value::Number(number)) => {
                !has.float && want.to_string() == number.to_string()
            }
            (Value::Array(_) | Value::Object(_), _) => false,
            (want, has) => want == has,
        }
    }
}

/// `normalizeList`, with `getClaim`'s numbers.
pub(super) fn normal(value: &Value, of_token: bool) -> Option<Vec<Item>> {
    match value {
        Value::Array(list) => {
            let item = |value: &Value| Item { float: of_token && value.is_number(), value: value.clone() };
            Some(list.iter().map(item).collect())
        }
        Value::Number(number) if of_token => {
            // Go cuts the fraction off.
            let whole = number.as_f64().map_or(0, |number| number as i64);
            Some(vec![Item { value: json!(whole), float: false }])
        }
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            Some(vec![Item { value: value.clone(), float: false }])
        }
        _ => None,
    }
}
