//! How Vault finds and compares claims: JSON pointers as mitchellh/pointerstructure reads them, globs as
//! ryanuber/go-glob does, and values as vault-plugin-auth-jwt `claims.go` does. It must not be stricter or
//! laxer than they are.

use serde_json::{Map, Value, json};

/// `getClaim`: a name, or a pointer if it starts with a slash; null is nothing.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name).filter(|value| !value.is_null());
    };
    let mut parts = pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
    let first = claims.get(&parts.next()?)?;
    let found = parts.try_fold(first, |value, part| match value {
        Value::Object(map) => map.get(&part),
        Value::Array(list) => list.get(if part.is_empty() { 0 } else { part.parse::<usize>().ok()? }),
        _ => None,
    });
    found.filter(|value| !value.is_null())
}

/// `Glob`: only * is special.
pub(super) fn glob(pattern: &str, subject: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == subject };
    let Some(mut subject) = subject.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match subject.find(part) {
            Some(start) => subject = &subject[start + part.len()..],
            None => return false,
        }
    }
    subject.ends_with(last)
}

/// A value as people read it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A value as the plugin compares it.
pub(super) struct Item {
    pub(super) value: Value,
    /// A number inside a list of the token's stays a float in Go, which equals no number of the role's.
    float: bool,
}

impl Item {
    /// Whether this value, the role's, equals the token's `has`.
    pub(super) fn equals(&self, has: &Self, globs: bool) -> bool {
        match (&self.value, &has.value) {
            (Value::String(want), Value::String(has)) if globs => glob(want, has),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_go_globs() {
        for (pattern, subject, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("feature/*", "feature/", true),
            ("feature/*", "my-feature/x", false),
            ("*-prod", "web-prod", true),
            ("*-prod", "web-prod-1", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("release-?", "release-1", false),
            ("**", "x", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn pointers_lead_into_lists_and_maps() {
        let claims: Value =
            serde_json::from_str(r#"{"a":{"b/c":["x",{"d":1}],"~":true},"/a":"flat","n":null}"#).unwrap();
        let claims = claims.as_object().unwrap();
        let found = |name| find(claims, name).map(text);
        assert_eq!(found("/a/b~1c/0").as_deref(), Some("x"));
        assert_eq!(found("/a/b~1c/1/d").as_deref(), Some("1"));
        assert_eq!(found("/a/~0").as_deref(), Some("true"));
        assert_eq!((found("/a/b~1c/2"), found("n"), found("/n/x"), found("a/b")), (None, None, None, None));
    }
}
