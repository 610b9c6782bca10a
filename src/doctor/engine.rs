//! The engine behind a provider: what is mounted there, and what its role says, as far as the token may look.

use serde_json::{Map, Value};

use super::Step;
use crate::error::{Code, Explain as _};
use crate::provider::{self, Request};
use crate::session::Token;
use crate::vault::Vault;

/// What of an engine's role is worth a look (wire.md: the engines' role fields); policy documents are long.
const TOLD: &[&str] = &[
    "ttl",
    "max_ttl",
    "renewable",
    "iam-role-name",
    "iam-role-id",
    "operations",
    "resources",
    "credential_type",
    "role_arns",
    "policy_arns",
    "default_sts_ttl",
    "max_sts_ttl",
];

/// The mount and the role of a request.
pub(super) async fn look(vault: &Vault, token: &Token, request: &Request) -> Vec<Step> {
    let mut steps = Vec::new();
    let path = request.read.path.to_string();
    let mount = mounted(vault, token, &path).await;
    match &mount {
        Ok((mount, kind)) => steps.push(kind_of(request, mount, kind)),
        Err(step) => {
            steps.push(step.clone());
            return steps;
        }
    }
    if let Ok((mount, kind)) = mount
        && let Some(step) = role(vault, token, request, &mount, &kind).await
    {
        steps.push(step);
    }
    steps
}

/// Where the engine is mounted, and of which kind it is: any token that may do something below a mount may ask.
async fn mounted(vault: &Vault, token: &Token, path: &str) -> Result<(String, String), Step> {
    let ask = format!("sys/internal/ui/mounts/{path}");
    match vault.look(&token.secret, &ask).await {
        Ok(found) => {
            let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (mount, kind) = (text("path"), text("type"));
            Ok((mount.trim_matches('/').to_owned(), kind))
        }
        Err(error) if error.refusal().is_some() => {
            let step =
                Step::fail("engine", Code::Refused, format!("no engine is mounted that {path} belongs to"));
            Err(step
                .hint("mount it, or name another mount: --mount, CI_CREDS_<PROVIDER>_MOUNT; for `read`, the path begins with it"))
        }
        Err(error) => Err(Step::failed("engine", &error)).map_err(|step| Step { code: error.code(), ..step }),
    }
}

fn kind_of(request: &Request, mount: &str, kind: &str) -> Step {
    let seen = format!("{mount}/ is mounted, an engine of type {kind}");
    let cloud = provider::find(&request.provider);
    match (cloud, kind) {
        (Some(cloud), "kv" | "generic" | "cubbyhole") => {
            let hint = format!(
                "this is a key that never ends, kept by hand: the {} engine would make a new one for each job",
                cloud.title
            );
            Step::warn("engine", seen, hint)
        }
        _ => Step::ok("engine", seen),
    }
}

async fn role(vault: &Vault, token: &Token, request: &Request, mount: &str, kind: &str) -> Option<Step> {
    let (cloud, role) = (provider::find(&request.provider)?, request.role.as_ref()?);
    if kind == "kv" {
        return None;
    }
    let path = format!("{mount}/{}", cloud.role_config.replace("{role}", role));
    match vault.look(&token.secret, &path).await {
        Ok(found) => Some(told(&path, found.as_object()?)),
        Err(error) => match error.refusal() {
            Some((403, _)) => {
                Some(Step::skip("role", format!("the token may not read {path}; --issue tries it out")))
            }
            Some((404 | 400, _)) => {
                let names = crate::cli::options::shout(cloud.name);
                let hint =
                    format!("write {path}, or name another role: ROLE, CI_CREDS_{names}_ROLE, CI_CREDS_ROLE");
                Some(
                    Step::fail("role", Code::Refused, format!("there is no role {role} in {mount}/"))
                        .hint(hint),
                )
            }
            _ => Some(Step::skip("role", format!("not read: {error}"))),
        },
    }
}

fn told(path: &str, role: &Map<String, Value>) -> Step {
    let told = TOLD.iter().filter_map(|name| {
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
