//! The `data` of an answer: a tree in which every value is a secret from the moment it is parsed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::secret::Secret;

/// A JSON value of an answer. Numbers and booleans are kept as their text: that is what a variable gets.
#[derive(Debug, Clone)]
pub enum Data {
    /// `null`.
    Null,
    /// A string.
    Text(Secret),
    /// A number or boolean.
    Bare(Secret),
    /// A list.
    List(Vec<Data>),
    /// An object, in the order of the answer.
    Map(Vec<(String, Data)>),
}

impl Data {
    /// Whether there is nothing in it: `null`, or a text of nothing but blanks.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.reveal().trim().is_empty(),
            _ => false,
        }
    }

    /// The value, if it is a single one.
    pub fn text(&self) -> Option<Secret> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The field of this name; `a.b` is b inside a, unless a field has that very name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        let exact = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        exact(name).or_else(|| {
            name.match_indices('.').find_map(|(dot, _)| exact(&name[..dot])?.field(&name[dot + 1..]))
        })
    }

    /// The same as JSON, open: for configuration, which holds no secret.
    pub fn open(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Text(text) => text.reveal().into(),
            Self::Bare(text) => serde_json::from_str(text.reveal()).unwrap_or_default(),
            Self::List(list) => list.iter().map(Self::open).collect(),
            Self::Map(fields) => fields.iter().map(|(name, value)| (name.clone(), value.open())).collect(),
        }
    }

    /// The names of the fields.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Map(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The secret itself, where this is KV version 2's `{data: {…}, metadata: {version: …}}`.
    pub fn unversioned(&self) -> &Self {
        match (self.field("data"), self.field("metadata")) {
            (Some(data @ Self::Map(_)), Some(metadata)) if metadata.field("version").is_some() => data,
            _ => self,
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bare(Secret::new(value.to_string())))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Bare(Secret::new(value.to_string())))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(Data::Bare(Secret::new(value.to_string())))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Bare(Secret::new(value.to_string())))
    }
    fn visit_str<E>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Text(Secret::from(value)))
    }
    fn visit_string<E>(self, value: String) -> Result<Data, E> {
        Ok(Data::Text(Secret::new(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Data::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Data::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: &str) -> Data {
        serde_json::from_str(json).unwrap()
    }

    fn text(data: &Data, name: &str) -> Option<String> {
        Some(data.field(name)?.text()?.reveal().to_owned())
    }

    #[test]
    fn an_exact_name_comes_before_a_nested_one() {
        let data = data(r#"{"a.b":"exact","a":{"b":"nested","c":1},"x":{"y.z":true}}"#);
        assert_eq!(text(&data, "a.b").as_deref(), Some("exact"));
        assert_eq!(text(&data, "a.c").as_deref(), Some("1"));
        assert_eq!(text(&data, "x.y.z").as_deref(), Some("true"));
        assert_eq!(text(&data, "a"), None);
    }

    #[test]
    fn version_2_is_unwrapped_and_a_field_called_data_is_not() {
        let versioned = data(r#"{"data":{"k":"v"},"metadata":{"version":3}}"#);
        assert_eq!(text(versioned.unversioned(), "k").as_deref(), Some("v"));
        let plain = data(r#"{"data":{"k":"v"},"metadata":"mine"}"#);
        assert_eq!(plain.unversioned().names(), ["data", "metadata"]);
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", data(r#"{"a":["CANARY",{"b":"CANARY"}]}"#)).contains("CANARY"));
    }
}
