//! The policy of a run: one line for each request that the run makes. It must not allow anything else.

use super::{ACCESSOR, Order};
use crate::provider::{Effect, Read, Request, other_version};
use crate::vault::{self, Mount};

/// What a policy can allow at a path.
pub(crate) const CAPABILITIES: [&str; 7] = ["create", "read", "update", "patch", "delete", "list", "sudo"];

/// A policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Its name.
    pub name: String,
    /// What it is for: one sentence.
    pub about: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One path of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it is for: one sentence.
    pub about: String,
    /// The path.
    pub path: String,
    /// The one capability.
    pub capability: &'static str,
    /// The parameters that may be sent, each with the values that it may have; an empty list allows any. No parameter
    /// at all: nothing is said of them.
    pub parameters: Vec<(String, Vec<String>)>,
}

impl Line {
    /// A line without parameters.
    pub(super) fn new(about: &str, path: &str, capability: &'static str) -> Self {
        Self { about: about.to_owned(), path: path.to_owned(), capability, parameters: Vec::new() }
    }

    /// As it stands in a policy.
    pub(crate) fn text(&self) -> String {
        if self.parameters.is_empty() {
            return vault::policy(&self.path, self.capability);
        }
        let parameter = |(name, values): &(String, Vec<String>)| {
            let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
            format!("    {} = [{}]\n", quoted(name), values.join(", "))
        };
        let parameters: String = self.parameters.iter().map(parameter).collect();
        format!(
            "path {} {{\n  capabilities = [{}]\n  allowed_parameters = {{\n{parameters}  }}\n}}",
            quoted(&self.path),
            quoted(self.capability)
        )
    }
}

impl Policy {
    /// The whole policy, as it is written.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&format!("# {}\n{}\n", line.about, line.text()));
        }
        text
    }
}

/// A text of a policy. What HCL would fill in is kept out by [`can_be_in_policy`].
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a policy's path stands for this path alone: a `*` at its end, a part `+` and `{{…}}` mean something else.
pub(crate) fn can_be_in_policy(path: &str) -> bool {
    let odd = |part: &str| part == "+" || part.contains(char::is_control);
    !path.ends_with('*') && !path.contains(['"', '\\', '{', '}', '$']) && !path.split('/').any(odd)
}

/// What the run asks for with the login's token.
pub(super) fn of_run(order: &Order) -> Policy {
    let mut lines: Vec<Line> = Vec::new();
    for request in &order.requests {
        let mut line = of_request(request, order.takes_kv_version);
        line.path = format!("{}{}", order.below, line.path);
        if let Some(claim) = order.claim {
            let template = format!("{{{{identity.entity.aliases.{ACCESSOR}.metadata.{}}}}}", claim.name);
            line.path = claim.filled(&line.path, &template);
        }
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    for (path, capability) in &order.allowed {
        lines.push(Line::new("What the job does with the token itself.", path, capability));
    }
    if renews(order) {
        let why = "The token lives as long as what was read with it.";
        lines.push(Line::new(why, vault::RENEW_SELF, "update"));
    }
    if order.runs_command && order.requests.iter().any(has_lease) {
        let why = "What was read is kept alive while the command runs.";
        lines.push(Line::new(why, &format!("{}{}", order.below, vault::RENEW_LEASE), "update"));
    }
    lines.push(Line::new("The token ends with the job.", vault::REVOKE_SELF, "update"));
    Policy { name: order.role.clone(), about: format!("What `{}` does", order.call), lines }
}

/// Whether the token must be renewed: what was read ends with it, or a command has it.
fn renews(order: &Order) -> bool {
    let depends = order
        .requests
        .iter()
        .any(|request| has_lease(request) || request.steps.iter().any(|(step, _)| step.makes));
    depends || order.has_window || order.refreshes || order.runs_command && order.hands_over
}

/// Whether what is read may have a lease. KV has none; what outlives the token needs none.
fn has_lease(request: &Request) -> bool {
    request.kv_version.is_none() && !is_kv2(&request.read) && request.outlives_token.is_none()
}

pub(super) fn is_kv2(read: &Read) -> bool {
    !read.post && read.path.split('/').nth(1) == Some("data")
}

fn of_request(request: &Request, takes_kv_version: bool) -> Line {
    let mount = Mount {
        path: format!("{}/", read_mount(&request.read)),
        kv_version: request.kv_version,
        ..Mount::default()
    };
    // The version that the user says has its own path.
    let read = match request.kv_version {
        Some(2) => other_version(&request.read, &mount).map(|(read, _)| read),
        _ => None,
    };
    let read = read.as_ref().unwrap_or(&request.read);
    let what = match request.origin.cloud() {
        Some(cloud) => format!("{} credentials of one role.", cloud.title),
        None if is_assumed(request) => {
            let how =
                if takes_kv_version { "--kv-version 2 puts it there" } else { "write it into the reference" };
            format!(
                "What the job reads, as from any engine but KV version 2, which has data/ in the path: {how}."
            )
        }
        None => "What the job reads.".to_owned(),
    };
    Line { parameters: parameters(request), ..Line::new(&what, &read.path, read.capability()) }
}

/// Whether the version of KV is assumed, because neither the path nor an option says it.
fn is_assumed(request: &Request) -> bool {
    let told = request.origin.cloud().is_some() || request.kv_version.is_some();
    !told && !request.read.post && !is_kv2(&request.read)
}

fn read_mount(read: &Read) -> &str {
    read.path.split('/').next().unwrap_or_default()
}

/// What the run may send: what was typed has its value, what comes from a file or from the job may have any.
fn parameters(request: &Request) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    let sessions = request.origin.cloud().into_iter().flat_map(|cloud| cloud.options);
    let session = |name: &str| {
        sessions
            .clone()
            .any(|option| matches!(option.effect, Effect::AsksForSession(parameter) if parameter == name))
    };
    for (name, value) in &request.parameters {
        let value = value.reveal();
        // A value that may be a secret, and one that HCL would read as something else, is not written down.
        let plain = can_be_in_policy(value) && !value.contains('*') && crate::input::seems(value).is_none();
        let values = if plain && !session(name) { vec![value.to_owned()] } else { Vec::new() };
        all.push((name.clone(), values));
    }
    for option in sessions.clone() {
        if let Effect::AsksForSession(parameter) = option.effect
            && all.iter().all(|(name, _)| name != parameter)
        {
            all.push((parameter.to_owned(), Vec::new()));
        }
    }
    all.extend(request.from_files.iter().map(|(name, _)| (name.clone(), Vec::new())));
    all
}

/// What this plan can't know, and what to check by hand.
pub(super) fn notes(order: &Order) -> Vec<Vec<String>> {
    let mut notes = Vec::new();
    for request in order.requests.iter().filter(|request| is_assumed(request)) {
        let mount = read_mount(&request.read);
        let how = if order.takes_kv_version {
            format!("Where {mount} is KV, say --kv-version 1 or 2")
        } else {
            format!("Where {mount} is KV version 2, write data/ into the references")
        };
        notes.push(vec![format!(
            "{how}: the policy of version 2 has data/ in the path. --check looks at the mount."
        )]);
    }
    if order.hands_over && order.allowed.is_empty() {
        notes.push(vec![
            "The job has the token itself: --allow PATH=CAPABILITY adds a line for each thing that it does with it."
                .to_owned(),
            "Terraform's Vault provider makes a child token: --allow auth/token/create=update".to_owned(),
        ]);
    }
    notes.dedup();
    notes
}
