//! Finds the secret in an answer of either version of the KV engine. It must not guess where both are possible.

use super::{Ask, Body, Data, Envelope, Error, Value, Vault};
use crate::secret::Secret;

/// Nobody can tell from this answer whether it is of KV version 2, or a secret of version 1 that looks like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untold;

impl Envelope {
    /// The secret in the answer of a GET of `path`: of KV version 2 what is inside `data`, else all of it.
    ///
    /// `version` is the mount's, where it is known. Where it is not, an answer is of version 2 if three things hold: the
    /// path is `MOUNT/data/…`; there is no lease and no TTL, one of which version 1 always sends; and there are only
    /// `data` and `metadata`, with every field of metadata (vault-plugin-secrets-kv: `path_data.go`, `passthrough.go`).
    pub fn secret(&self, path: &str, version: Option<u32>) -> Result<Option<&Data>, Untold> {
        let Some(all) = &self.data else { return Ok(None) };
        let (Some(data @ Data::Map(_)), Some(metadata)) = (all.field("data"), all.field("metadata")) else {
            return Ok(Some(all));
        };
        let has_version = metadata.field("version").is_some();
        let by_path = path.split('/').skip(1).any(|part| part == "data");
        let leased = self.lease_duration > 0 || self.lease_id.as_ref().is_some_and(|id| !id.is_empty());
        match version {
            Some(2) => Ok(Some(data)),
            Some(_) => Ok(Some(all)),
            None if !has_version || !by_path || leased => Ok(Some(all)),
            None if is_versioned(all, metadata) => Ok(Some(data)),
            None => Err(Untold),
        }
    }
}

/// A secret that has one field, as it was read.
#[derive(Debug)]
pub struct Kept {
    /// The field's value.
    pub value: Secret,
    /// The version of the secret; only KV version 2 counts them.
    pub version: Option<u64>,
}

impl Vault {
    /// The secret at `path`, as the engine of version `kv` has it; `None` if it has other fields than `field`.
    pub async fn kept(&self, by: &Secret, path: &str, kv: u32, field: &str) -> Result<Option<Kept>, Error> {
        let answer = self.issue(by, path, &[], false).await?;
        let Ok(Some(Data::Map(fields))) = answer.secret(path, Some(kv)) else { return Ok(None) };
        let version = answer.data.as_ref().and_then(|all| all.field("metadata.version")?.text());
        let version = version.and_then(|text| text.reveal().parse().ok()).filter(|_| kv == 2);
        Ok(match &fields[..] {
            [(name, value)] if name == field => value.text().map(|value| Kept { value, version }),
            _ => None,
        })
    }

    /// Writes that field anew; version 2 takes it only if nobody has written meanwhile (`cas`).
    pub async fn keep(
        &self,
        by: &Secret,
        path: &str,
        kept: &Kept,
        field: &str,
        value: &Secret,
    ) -> Result<(), Error> {
        let fields = Body(vec![(field.to_owned(), Value::Secret(value.clone()))]);
        let body = match kept.version {
            None => fields,
            Some(version) => Body::from([
                ("data", Value::Nested(fields)),
                ("options", Value::Plain(serde_json::json!({"cas": version}))),
            ]),
        };
        let ask = Ask::write(format!("the write to {path}"), path).by(by).within(self.namespace.as_deref());
        self.ask(ask.with(body)).await.map(drop)
    }
}

/// Whether this has the form that version 2 gives every secret.
fn is_versioned(all: &Data, metadata: &Data) -> bool {
    let Data::Map(fields) = all else { return false };
    let is_time = |name| match metadata.field(name) {
        Some(Data::Text(text)) => {
            text.reveal().is_empty() || text.reveal().parse::<jiff::Timestamp>().is_ok()
        }
        _ => false,
    };
    let bare = |name, fits: fn(&str) -> bool| match metadata.field(name) {
        Some(Data::Bare(text)) => fits(text.reveal()),
        _ => false,
    };
    fields.iter().all(|(name, _)| name == "data" || name == "metadata")
        && is_time("created_time")
        && is_time("deletion_time")
        && bare("destroyed", |text| text == "true" || text == "false")
        && bare("version", |text| text.parse::<u64>().is_ok_and(|version| version > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#""created_time":"2026-11-21T10:00:00.1Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":3"#;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Is {
        Inner,
        Outer,
        Untold,
    }

    fn seen(json: &str, path: &str, version: Option<u32>) -> Is {
        let answer: Envelope = serde_json::from_str(json).unwrap();
        match answer.secret(path, version) {
            Ok(Some(data)) if data.field("in").is_some() => Is::Inner,
            Ok(_) => Is::Outer,
            Err(Untold) => Is::Untold,
        }
    }

    /// Each form of an answer, where the mount's version is 2, is 1, and is not known.
    #[test]
    fn forms_by_engine() {
        use Is::*;
        let data = r#""data":{"in":"v"}"#;
        let whole = format!(r#""data":{{{data},"metadata":{{{METADATA}}}}}"#);
        let without = |name: &str| {
            let kept: Vec<_> = METADATA.split(',').filter(|part| !part.contains(name)).collect();
            format!(r#""data":{{{data},"metadata":{{{}}}}}"#, kept.join(","))
        };
        let with = |from: &str, to: &str| {
            format!(r#""data":{{{data},"metadata":{{{}}}}}"#, METADATA.replace(from, to))
        };
        // The answer, and what it is taken for at MOUNT/data/x without a TTL. With a TTL it is always `Outer`.
        let forms = [
            (whole.clone(), Inner),
            (without("custom_metadata"), Inner),
            (with(r#""deletion_time":"""#, r#""deletion_time":"2027-01-01T00:00:00Z""#), Inner),
            (with(r#""version":3"#, r#""version":3,"extra":1"#), Inner),
            (without("created_time"), Untold),
            (without("deletion_time"), Untold),
            (without("destroyed"), Untold),
            (without(r#""version""#), Outer),
            (with("2026-11-21T10:00:00.1Z", "yesterday"), Untold),
            (with("false", r#""false""#), Untold),
            (with(":3", r#":"3""#), Untold),
            (with(":3", ":0"), Untold),
            (with(":3", ":null"), Untold),
            (format!(r#""data":{{{data},"metadata":{{"version":3}}}}"#), Untold),
            (format!(r#""data":{{{data},"metadata":{{}}}}"#), Outer),
            (format!(r#""data":{{{data},"metadata":"mine"}}"#), Outer),
            (format!(r#""data":{{{data},"metadata":null}}"#), Outer),
            (format!(r#""data":{{{data},"metadata":[3]}}"#), Outer),
            (format!(r#""data":{{{data}}}"#), Outer),
            (format!(r#""data":{{{data},"metadata":{{{METADATA}}},"ttl":"0"}}"#), Untold),
            (format!(r#""data":{{"a":"outer",{data},"metadata":{{{METADATA}}}}}"#), Untold),
            (format!(r#""data":{{"data":null,"metadata":{{{METADATA}}}}}"#), Outer),
            (format!(r#""data":{{"data":"text","metadata":{{{METADATA}}}}}"#), Outer),
            (format!(r#""data":{{"data":["in"],"metadata":{{{METADATA}}}}}"#), Outer),
            (format!(r#""data":{{"metadata":{{{METADATA}}}}}"#), Outer),
            (r#""data":{"a":"b"}"#.to_owned(), Outer),
            (r#""data":{}"#.to_owned(), Outer),
            (r#""data":null"#.to_owned(), Outer),
            (r#""data":{"data":{"in":"v"},"metadata":{"version":3,"a":"b"}}"#.to_owned(), Untold),
            (r#""data":{"data":{"deep":{"in":"v"}},"metadata":{"version":3}}"#.to_owned(), Untold),
        ];
        assert_eq!(forms.len(), 30);
        for (form, is) in forms {
            let plain = format!(r#"{{"lease_duration":0,{form}}}"#);
            let leased = format!(r#"{{"lease_duration":2764800,{form}}}"#);
            let of_lease = format!(r#"{{"lease_id":"x/y/z",{form}}}"#);
            assert_eq!(seen(&plain, "secret/data/x", None), is, "{form}");
            assert_eq!(seen(&plain, "team/secret/data/x/y", None), is, "{form}");
            // The same form on another path is not version 2.
            assert_eq!(seen(&plain, "secret/x", None), Outer, "{form}");
            assert_eq!(seen(&plain, "data/x", None), Outer, "{form}");
            assert_eq!(seen(&plain, "secret/database/x", None), Outer, "{form}");
            assert_eq!(seen(&leased, "secret/data/x", None), Outer, "{form}");
            assert_eq!(seen(&of_lease, "secret/data/x", None), Outer, "{form}");
            // Where the version is known, the form does not count.
            assert_eq!(seen(&plain, "secret/data/x", Some(1)), Outer, "{form}");
            let has_inner = form.contains(r#""data":{"in""#) && form.contains("metadata");
            let inner = if has_inner { Inner } else { Outer };
            assert_eq!(seen(&plain, "secret/data/x", Some(2)), inner, "{form}");
        }
    }
}
