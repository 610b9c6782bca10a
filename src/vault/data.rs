//! The `data` of an answer: a tree in which every value is a secret from the moment it is parsed. It must not show a
//! value.

use std::fmt;
use std::io::{self, Write};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::secret::Secret;

/// A JSON value of an answer. Numbers and booleans are kept as the text that was sent, byte by byte: that is what a
/// variable gets. `1.10` is no number of a machine's.
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
    /// Whether it is empty: `null`, or a text of blanks only.
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

    /// The value as a variable gets it: a single one as it is, a list or an object as its JSON, compact and in the
    /// order of the answer.
    pub fn written(&self) -> Secret {
        match self {
            Self::Text(text) | Self::Bare(text) => text.clone(),
            _ => {
                // As large as it gets: growing would leave copies of secrets in freed memory.
                let mut size = Count(0);
                let _ = self.write(&mut size);
                let mut json = Vec::with_capacity(size.0);
                let _ = self.write(&mut json);
                Secret::new(String::from_utf8(json).unwrap_or_default())
            }
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Null => out.write_all(b"null"),
            Self::Text(text) => Ok(serde_json::to_writer(out, text.reveal())?),
            Self::Bare(text) => out.write_all(text.reveal().as_bytes()),
            Self::List(list) => {
                out.write_all(b"[")?;
                for (index, item) in list.iter().enumerate() {
                    out.write_all(if index == 0 { b"" } else { b"," })?;
                    item.write(out)?;
                }
                out.write_all(b"]")
            }
            Self::Map(fields) => {
                out.write_all(b"{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    out.write_all(if index == 0 { b"" } else { b"," })?;
                    serde_json::to_writer(&mut *out, name)?;
                    out.write_all(b":")?;
                    value.write(out)?;
                }
                out.write_all(b"}")
            }
        }
    }

    /// What `name` names: a [`field`](Self::field), or, as `a[]`, the texts of the list a, each on lines of its own.
    /// `null` is nothing.
    pub fn value(&self, name: &str) -> Option<Secret> {
        if let Some(field) = self.field(name) {
            return (!matches!(field, Self::Null)).then(|| field.written());
        }
        let Self::List(list) = self.field(name.strip_suffix("[]")?)? else { return None };
        let texts = list.iter().map(Self::written).collect::<Vec<_>>();
        let mut lines = String::with_capacity(texts.iter().map(|text| text.reveal().len() + 1).sum());
        for (index, text) in texts.iter().enumerate() {
            lines.push_str(if index == 0 { "" } else { "\n" });
            lines.push_str(text.reveal().trim_end_matches('\n'));
        }
        Some(Secret::new(lines))
    }

    /// The field of this name; `a.b` is b inside a, and `a[0]` the first of the list a, unless a field has that very
    /// name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        let exact = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let ends = || name.match_indices(['.', '[']).map(|(at, _)| name.split_at(at));
        exact(name).or_else(|| ends().find_map(|(start, rest)| exact(start)?.inside(rest)))
    }

    /// What `.b` or `[0]` names, and what is behind it.
    fn inside(&self, rest: &str) -> Option<&Self> {
        if rest.is_empty() {
            return Some(self);
        }
        if let Some(name) = rest.strip_prefix('.') {
            return self.field(name);
        }
        let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
        let Self::List(list) = self else { return None };
        let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
        list.get(index.parse::<usize>().ok().filter(|_| is_number)?)?.inside(rest)
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
}

/// How deep lists and objects may lie in each other, as serde_json has it.
const DEEPEST: usize = 128;

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tree(<&RawValue>::deserialize(deserializer)?, DEEPEST).map_err(D::Error::custom)
    }
}

/// Parses a value from its raw text, because serde gives the text of a number in no other way.
fn tree(raw: &RawValue, depth: usize) -> Result<Data, serde_json::Error> {
    let deeper = || depth.checked_sub(1).ok_or_else(|| serde_json::Error::custom("too deep"));
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => Data::Text(serde_json::from_str(text)?),
        Some(b'n') => Data::Null,
        Some(b'[') => {
            let depth = deeper()?;
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Data::List(items.into_iter().map(|item| tree(item, depth)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => {
            let depth = deeper()?;
            let Fields(fields) = serde_json::from_str(text)?;
            let field = |(name, value)| Ok((name, tree(value, depth)?));
            Data::Map(fields.into_iter().map(field).collect::<Result<_, serde_json::Error>>()?)
        }
        _ => Data::Bare(Secret::from(text)),
    })
}

/// An object's fields, in its order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Counts what is written.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::emit::tests::seeded;

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
    fn lists_and_objects_are_json_and_can_be_reached_into() {
        let data = data(
            r#"{"o": {"z": 1.10, "a": ["x\u003c", null, {"k": "v"}]}, "pem": ["A\n", "B\n"], "p[0]": "exact"}"#,
        );
        let value = |name| data.value(name).map(|secret| secret.reveal().to_owned());
        assert_eq!(value("o").as_deref(), Some(r#"{"z":1.10,"a":["x<",null,{"k":"v"}]}"#));
        assert_eq!(value("o.a").as_deref(), Some(r#"["x<",null,{"k":"v"}]"#));
        assert_eq!(value("o.a[0]").as_deref(), Some("x<"));
        assert_eq!(value("o.a[2].k").as_deref(), Some("v"));
        assert_eq!(value("pem[]").as_deref(), Some("A\nB"));
        assert_eq!(value("pem[1]").as_deref(), Some("B\n"));
        assert_eq!(value("p[0]").as_deref(), Some("exact"));
        for nothing in [
            "o.a[1]", "o.a[3]", "o.a[+0]", "o.a[-1]", "o.a[", "o.a[0]x", "o[]", "o[0]", "pem[0].x", "[]", "x",
        ] {
            assert_eq!(value(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(serde_json::from_str::<Data>(&nested(DEEPEST)).is_ok());
            assert!(serde_json::from_str::<Data>(&nested(DEEPEST + 1)).is_err());
            assert!(serde_json::from_str::<Data>(&nested(200_000)).is_err());
        }
    }

    proptest! {
        #![proptest_config(seeded())]

        /// Each number of JSON's grammar (RFC 8259), in each place.
        #[test]
        fn a_number_is_the_text_that_was_sent(
            number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?", spaces in "[ \n]{0,2}",
        ) {
            let data = data(&format!(r#"{{"n":{spaces}{number}{spaces},"l":[{number}{spaces},{{"n":{number}}}]}}"#));
            for name in ["n", "l[0]", "l[1].n"] {
                prop_assert_eq!(data.value(name).unwrap().reveal().to_owned(), &*number);
            }
            prop_assert_eq!(data.value("l").unwrap().reveal().to_owned(), format!(r#"[{number},{{"n":{number}}}]"#));
            let _ = data.open();
        }
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", data(r#"{"a":["CANARY",{"b":"CANARY"}]}"#)).contains("CANARY"));
    }
}
