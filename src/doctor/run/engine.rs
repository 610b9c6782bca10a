//! Checks the engine behind a provider: what is mounted there, and what its role says, as far as the token may look. It
//! must not issue anything.

use serde_json::{Map, Value};

use super::{Step, Walk};
use crate::error::Code;
use crate::options::env_suffix;
use crate::provider::{Effect, Provider, ProviderOption, Request};
use crate::session::Token;
use crate::vault::{self, Mount, Vault};

/// What Vault says is mounted where a request reads: any token that may do something there may ask.
pub(super) type Mounted = Result<Mount, vault::Error>;

pub(super) async fn look(walk: &mut Walk, vault: &Vault, token: &mut Token) -> Vec<Step> {
    let mut steps = Vec::new();
    for (request, mount) in walk.config.requests.iter().zip(walk.mounted.drain(..)) {
        steps.extend(of_request(vault, token, request, mount, walk.refused).await);
    }
    steps
}

/// The mount and the role of a request. `refused`: the token may not read it, and may see nothing of the mount either.
async fn of_request(
    vault: &Vault,
    token: &Token,
    request: &Request,
    mount: Mounted,
    refused: bool,
) -> Vec<Step> {
    let mount = match mount {
        Ok(mount) => mount,
        // Vault does not say whether something is mounted there to a token that may do nothing there.
        Err(error) if refused && error.refusal().is_some() => {
            return vec![Step::skip(
                "engine",
                "not told: this token may see nothing of what is mounted there",
            )];
        }
        Err(error) if error.is_by_front() => return vec![Step::not_told("engine", &error)],
        Err(error) => return vec![unmounted(request, &error)],
    };
    let role = role(vault, token, request, &mount).await;
    std::iter::once(kind_of(request, &mount)).chain(role).collect()
}

/// Where the engine keeps the role itself.
pub(super) fn role_path(request: &Request, mount: &Mount) -> Option<String> {
    let (cloud, role) = (request.origin.cloud()?, request.role.as_ref()?);
    (mount.kind != "kv").then(|| format!("{}{}", mount.path, cloud.role_config.replace("{role}", role)))
}

fn unmounted(request: &Request, error: &vault::Error) -> Step {
    if error.refusal().is_none() {
        return Step::failed("engine", error);
    }
    let path = &request.read.path;
    let step = Step::fail("engine", Code::Refused, format!("no engine is mounted that {path} belongs to"))
        .absent(true);
    let mount = path.split('/').next().unwrap_or_default();
    step.hint(match request.origin.cloud() {
        Some(cloud) => {
            let suffix = env_suffix(cloud.name);
            format!("mount the engine at {mount}/, or name another mount: --mount, CI_CREDS_{suffix}_MOUNT")
        }
        None => format!("mount an engine at {mount}/, or begin the path with another mount"),
    })
}

fn kind_of(request: &Request, mount: &Mount) -> Step {
    let seen = format!("{} is mounted, an engine of type {}", mount.path, mount.kind);
    match (request.origin.cloud(), mount.kind.as_str()) {
        (Some(cloud), "kv" | "generic" | "cubbyhole") => {
            let kept = "this is a key that never ends, kept by hand";
            let mints =
                |option: &ProviderOption| matches!(option.effect, Effect::Switches(step) if step.makes);
            let hint = match cloud.options.iter().find(|option| mints(option)) {
                Some(option) => format!("{kept}: with --{} each job gets a key of its own", option.opt.name),
                None => format!(
                    "{kept}: the {} engine would make a new one for each job (--mount, CI_CREDS_{}_MOUNT)",
                    cloud.title,
                    env_suffix(cloud.name)
                ),
            };
            Step::warn("engine", seen, hint)
        }
        _ => Step::ok("engine", seen),
    }
}

async fn role(vault: &Vault, token: &Token, request: &Request, mount: &Mount) -> Option<Step> {
    let (cloud, role) = (request.origin.cloud()?, request.role.as_ref()?);
    let path = role_path(request, mount)?;
    let step = match vault.look(&token.secret, &path).await {
        Ok(found) => told(&path, cloud, found.as_object()?),
        Err(error) => match error.refusal() {
            Some((403, _)) => {
                Step::skip("role", format!("the token may not read {path}; --issue tries it out"))
            }
            Some((404 | 400, _)) => {
                let suffix = env_suffix(cloud.name);
                Step::fail("role", Code::Refused, format!("there is no role {role} in {}", mount.path))
                    .absent(true)
                    .hint(format!(
                        "write {path}, or name another role: ROLE, CI_CREDS_{suffix}_ROLE, CI_CREDS_ROLE"
                    ))
            }
            _ => Step::skip("role", format!("not read: {error}")),
        },
    };
    Some(step)
}

fn told(path: &str, cloud: &Provider, role: &Map<String, Value>) -> Step {
    let told = cloud.role_fields.iter().filter_map(|name| {
        let value = role.get(*name).filter(|value| !value.is_null())?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(list) if list.is_empty() => return None,
            other => other.to_string(),
        };
        (!text.is_empty()).then(|| format!("{name}={}", text.chars().take(200).collect::<String>()))
    });
    let told: Vec<_> = told.collect();
    Step::ok("role", if told.is_empty() { "it is there".to_owned() } else { told.join(" ") }).from(path)
}
