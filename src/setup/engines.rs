//! The engines behind a run, against the mounts that Vault has. It must not ask Vault.

use serde_json::{Map, Value};

use super::check::{Finding, Fit};
use super::policy::is_kv2;
use crate::provider::Request;

/// What a run reads, as far as it tells the engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// The path, in the namespace of the engines.
    path: String,
    /// The cloud, and the type of its engine; empty for any.
    cloud: (&'static str, &'static str),
    /// The version of KV that the user names.
    kv_version: Option<u32>,
    /// Whether the path has the form of KV version 2.
    has_data: bool,
    /// What to say where the version is another one.
    remedy: &'static str,
}

/// The types of built-in engines: one of them can't be another cloud's engine. A plugin may have any other name.
const KNOWN: [&str; 19] = [
    "ad",
    "alicloud",
    "aws",
    "azure",
    "consul",
    "cubbyhole",
    "database",
    "gcp",
    "identity",
    "kubernetes",
    "ldap",
    "nomad",
    "pki",
    "rabbitmq",
    "ssh",
    "system",
    "terraform",
    "totp",
    "transit",
];

impl Engine {
    /// What this request is to an engine. `by_option` tells whether the run takes --kv-version.
    pub(super) fn of(request: &Request, by_option: bool) -> Self {
        let cloud = request.origin.cloud().map_or(("", ""), |cloud| (cloud.name, cloud.sketch.engine));
        Self {
            path: request.read.path.to_string(),
            cloud,
            kv_version: request.kv_version,
            has_data: is_kv2(&request.read),
            remedy: if by_option { "say --kv-version 2" } else { "write it into the reference" },
        }
    }

    /// Compares it with `mounts`, as `sys/mounts` has them.
    pub(crate) fn check(&self, mounts: &Map<String, Value>) -> Finding {
        let serves = |name: &str| name.ends_with('/') && format!("{}/", self.path).starts_with(name);
        let mount = mounts.iter().filter(|(name, _)| serves(name)).max_by_key(|(name, _)| name.len());
        let Some((name, found)) = mount else {
            let place = format!("engine {}/", self.path.split('/').next().unwrap_or_default());
            return Finding::new(Fit::Missing, &place, "no secrets engine is mounted there");
        };
        let kind = found.get("type").and_then(Value::as_str).unwrap_or_default();
        let version = found.get("options").and_then(|options| options.get("version")?.as_str()?.parse().ok());
        let is_kv = kind == "kv" || kind == "generic";
        let place = format!("engine {name}");
        let flaw = if is_kv { self.of_kv(version.unwrap_or(1)) } else { self.of_other(kind) };
        match flaw {
            Some(seen) => Finding::new(Fit::Missing, &place, seen),
            None if is_kv => Finding::new(Fit::Same, &place, format!("KV version {}", version.unwrap_or(1))),
            None => Finding::new(Fit::Same, &place, kind),
        }
    }

    /// What is wrong with KV of this version.
    fn of_kv(&self, version: u32) -> Option<String> {
        match self.kv_version {
            Some(wanted) if wanted != version => Some(format!(
                "it is KV version {version}, and the policy has the paths of version {wanted}: say --kv-version {version}"
            )),
            // Without the option, data/ is a part of what was typed.
            None if version == 2 && !self.has_data => Some(format!(
                "it is KV version 2, and the policy lacks the data/ of its paths: {}",
                self.remedy
            )),
            _ => None,
        }
    }

    /// What is wrong with an engine of another kind.
    fn of_other(&self, kind: &str) -> Option<String> {
        let (cloud, engine) = self.cloud;
        let own = kind == engine || kind.contains(cloud);
        let wanted = match self.kv_version {
            Some(version) => format!("KV version {version}"),
            None if !KNOWN.contains(&kind) => return None,
            None if cloud.is_empty() && self.has_data => "KV version 2".to_owned(),
            None if cloud.is_empty() || own => return None,
            None => engine.to_owned(),
        };
        Some(format!("it is a {kind} engine, {wanted} is needed"))
    }
}
