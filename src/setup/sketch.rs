//! The engine behind a run, and its role, as far as they can be told: a sketch that people fill in. No format writes it
//! as something that runs as it is.

use serde_json::{Map, Value};

use super::Order;
use crate::provider::Request;

/// One engine and one role.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    /// The cloud, as people write it.
    pub title: &'static str,
    /// The namespace that it is in.
    pub namespace: Option<String>,
    /// The mount.
    pub mount: String,
    /// The type of the engine.
    pub engine: &'static str,
    /// What it is enabled with.
    pub options: &'static [(&'static str, &'static str)],
    /// Where the role is written.
    pub path: String,
    /// Its name.
    pub role: String,
    /// Its fields; none where people write a secret there.
    pub fields: Map<String, Value>,
    /// What is to be known and done beside it. `{cli}` stands for `vault` or `bao`.
    pub notes: Vec<String>,
    /// The resource of Terraform's Vault provider; empty where it has none.
    pub resource: &'static str,
}

/// What a sketch says of itself, in each format.
pub(super) const ABOUT: &str = "A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.";

/// The sketches of a run: one for each cloud's engine that it reads as its table says.
pub(super) fn of_run(order: &Order) -> Vec<Sketch> {
    let mut all: Vec<Sketch> =
        order.requests.iter().filter_map(|request| of_request(order, request)).collect();
    all.dedup_by(|one, other| one.path == other.path);
    all
}

fn of_request(order: &Order, request: &Request) -> Option<Sketch> {
    let (cloud, role) = (request.origin.cloud()?, request.role.clone()?);
    // Where --path is another than the table's, the engine or the kind of role is another too, and the sketch would
    // not fit.
    let inside = cloud.read.path.replace("{role}", &role);
    let mount = request.read.path.strip_suffix(&inside)?.strip_suffix('/')?.to_owned();
    let sketch = &cloud.sketch;
    if sketch.engine.is_empty() {
        return None;
    }
    let fill = |text: &str| {
        let text = text.replace("{mount}", &mount).replace("{role}", &role);
        request.parameters.iter().fold(text, |text, (name, value)| {
            let value = value.reveal();
            let plain = super::can_be_in_policy(value) && crate::input::seems(value).is_none();
            if plain { text.replace(&format!("<{name}>"), value) } else { text }
        })
    };
    let notes = if request.steps.iter().any(|(step, _)| step.makes) { sketch.of_parent } else { &[] };
    Some(Sketch {
        title: cloud.title,
        namespace: order.engine_namespace.clone(),
        engine: sketch.engine,
        options: sketch.options,
        path: match sketch.role {
            "" => request.read.path.to_string(),
            _ => format!("{mount}/{}", cloud.role_config.replace("{role}", &role)),
        },
        fields: serde_json::from_str(&fill(sketch.role)).unwrap_or_default(),
        notes: sketch.notes.iter().chain(notes).map(|line| fill(line)).collect(),
        resource: sketch.resource,
        mount,
        role,
    })
}
