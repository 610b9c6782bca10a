//! Sends one request to an engine, by the verb and path that the policy allows. It must not try another path unless the
//! policy says that it is allowed.

use jiff::Timestamp;

use crate::credentials::{Credentials, Lease, Life};
use crate::input::shown;
use crate::ledger::Ledger;
use crate::provider::{Context, Read, Request, other_version};
use crate::secret::Secret;
use crate::vault::{self, Envelope, Vault};

use super::{Error, Token};

/// Why there are no credentials, and the lease that Vault made all the same.
pub(super) struct NotIssued {
    error: Error,
    lease: Option<Lease>,
    ends: Option<Timestamp>,
}

impl From<Error> for NotIssued {
    fn from(error: Error) -> Self {
        Self { error, lease: None, ends: None }
    }
}

/// Issues what `request` asks for. [`enter`] notes what must be revoked, also after an error.
pub(super) async fn one(vault: &Vault, token: &Token, request: &Request) -> Result<Credentials, NotIssued> {
    let found = answer(vault, token, request).await?;
    let lease = found.answer.lease();
    let ends = lease.as_ref().and_then(|lease| Some(Life::new(lease.ttl, vault::now())?.until));
    made_of(vault, request, found).await.map_err(|error| NotIssued { error, lease, ends })
}

/// Notes what was issued with `token`; where the answer could not be used, its lease must be revoked.
pub(super) fn enter(
    ledger: &mut Ledger,
    token: &Token,
    outcome: Result<Credentials, NotIssued>,
) -> Result<Credentials, Error> {
    match outcome {
        Ok(credentials) => {
            ledger.issued(&token.secret, &credentials);
            Ok(credentials)
        }
        Err(NotIssued { error, lease, ends }) => {
            lease.iter().for_each(|lease| ledger.leased(&token.secret, lease, ends));
            Err(error)
        }
    }
}

/// Turns an answer into credentials, with the steps of the cloud.
async fn made_of(vault: &Vault, request: &Request, found: Answered) -> Result<Credentials, Error> {
    let mut credentials = request.decode(&found.path, &found.answer, found.kv, vault::now())?;
    credentials.detour = found.detour;
    for (step, settled) in &request.steps {
        (step.check)(settled, &credentials)?;
    }
    for (step, settled) in &request.steps {
        credentials = (step.apply)(&Context { vault, request, settled }, credentials).await?;
    }
    Ok(credentials)
}

/// An answer, and the verb and path that gave it.
struct Answered {
    path: String,
    answer: Envelope,
    /// The version of the KV engine, where its mount was asked.
    kv: Option<u32>,
    /// The verb and path, and why, where they are not the usual ones.
    detour: Option<String>,
}

async fn answer(vault: &Vault, token: &Token, request: &Request) -> Result<Answered, Error> {
    // `known` is what the policy says of this read, where that was looked at.
    let ask = async |read: &Read, kv: Option<u32>, why: &str, known: Option<bool>| {
        let answer = vault.issue(&token.secret, &read.path, &request.parameters, read.post).await;
        let detour = Some(format!("by {}, {why}", read.show()));
        let found = |answer| Answered { path: read.path.clone().into_owned(), answer, kv, detour };
        match answer {
            Ok(answer) => Ok(found(answer)),
            Err(error) => {
                let granted = match known {
                    Some(known) => known,
                    None => granted(vault, token, read, &error).await,
                };
                Err(explained(error, granted, token, request, read))
            }
        }
    };
    let answer = vault.issue(&token.secret, &request.read.path, &request.parameters, request.read.post).await;
    let error = match answer {
        Ok(answer) => {
            return Ok(Answered {
                path: request.read.path.clone().into_owned(),
                answer,
                kv: None,
                detour: None,
            });
        }
        Err(error) => error,
    };
    // A token with a limited number of uses gets no optional request.
    let status = error.refusal().map(|(status, _)| status).filter(|_| !token.counted);
    if status == Some(403) && !request.fallbacks.is_empty() {
        let (of_read, fallbacks) = allowed(vault, &token.secret, request).await;
        let fallback = request.fallbacks.iter().zip(fallbacks).find(|(_, allowed)| *allowed);
        return match fallback {
            Some((read, _)) => ask(read, None, "as the policy allows", Some(true)).await,
            None => Err(explained(error, of_read, token, request, &request.read)),
        };
    }
    if matches!(status, Some(403 | 404))
        && request.fallbacks.is_empty()
        && let Ok(mount) = vault.mount_of(&token.secret, &request.read.path).await
        && let Some((read, why)) = other_version(&request.read, &mount)
    {
        return ask(&read, mount.kv_version, why, None).await;
    }
    let granted = granted(vault, token, &request.read, &error).await;
    Err(explained(error, granted, token, request, &request.read))
}

/// The time-out of a look after a refusal.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether the policies allow the path that was refused: then another rule of theirs refuses it.
async fn granted(vault: &Vault, token: &Token, read: &Read, error: &vault::Error) -> bool {
    if token.counted || error.refusal().is_none_or(|(status, _)| status != 403) {
        return false;
    }
    let paths = [&*read.path];
    let asked = tokio::time::timeout(PATIENCE, vault.capabilities(&token.secret, &paths)).await;
    matches!(asked, Ok(Ok(capabilities)) if capabilities.first().is_some_and(|granted| allows(granted, read)))
}

/// What a policy can require beside the capability (vault and openbao: policy syntax, "Fine-grained control").
fn limits(request: &Request, read: &Read) -> String {
    let files = request.from_files.iter().map(|(name, _)| name.as_str());
    let sent: Vec<_> = request.parameters.iter().map(|(name, _)| name.as_str()).chain(files).collect();
    let sent = if sent.is_empty() { "nothing".to_owned() } else { shown(&sent.join(", ")) };
    format!(
        "the policy allows {} at {}, so something else in it refuses: required_parameters, allowed_parameters or \
         denied_parameters (sent: {sent}), or min_wrapping_ttl, which no read can meet here",
        read.capability(),
        read.path
    )
}

/// Whether the token's policies allow a request's read, and each of its fallbacks: one look at all of them, because each
/// look takes a use of a token that is good for so many requests. Of a given token nothing else tells that it is.
async fn allowed(vault: &Vault, token: &Secret, request: &Request) -> (bool, Vec<bool>) {
    let reads: Vec<&Read> = std::iter::once(&request.read).chain(&request.fallbacks).collect();
    let paths: Vec<&str> = reads.iter().map(|read| &*read.path).collect();
    let granted = vault.capabilities(token, &paths).await.unwrap_or_default();
    let mut allowed = reads.iter().zip(&granted).map(|(read, granted)| allows(granted, read));
    (allowed.next().unwrap_or(false), allowed.collect())
}

/// Whether these capabilities suffice for `read`.
pub(crate) fn allows(granted: &[String], read: &Read) -> bool {
    granted.iter().any(|one| one == read.capability() || one == "root" || (read.post && one == "create"))
}

/// What the engines' known texts mean.
const TEXTS: &[(&str, &str)] = &[
    (
        "Invalid path for a versioned",
        "this is KV version 2: put data/ behind the mount, as in secret/data/app",
    ),
    ("token had one use left", "the login's token_num_uses must be 3 or more: read, and revocation"),
    ("no handler for route", "no secrets engine is mounted there: --mount names another mount"),
];

fn explained(error: vault::Error, granted: bool, token: &Token, request: &Request, read: &Read) -> Error {
    let mut hints = Vec::new();
    let of_cloud = request.origin.cloud().into_iter().flat_map(|cloud| cloud.refusals);
    if let Some((_, hint)) = of_cloud.chain(TEXTS).find(|(text, _)| error.says(text)) {
        hints.push((*hint).to_owned());
    }
    if read.path.contains('?') && matches!(error.refusal(), Some((403 | 404, _))) {
        hints.push("a ? is a part of the path here: `read` takes a version as --version N".to_owned());
    }
    match error.refusal() {
        Some((403, _)) if granted => hints.push(limits(request, read)),
        Some((403, _)) => {
            if token.is_agents() {
                hints.push(
                    "an agent or proxy at VAULT_AGENT_ADDR (or VAULT_ADDR) adds its token only with auto_auth and \
                     use_auto_auth_token in its configuration, and once it has logged in"
                        .to_owned(),
                );
            } else if token.given && !error.is_by_policy() {
                hints.push(
                    "VAULT_TOKEN has ended, most likely: give a new one; where `ci-creds login` set it, first `unset \
                     VAULT_TOKEN VAULT_AUTH_METHOD`"
                        .to_owned(),
                );
            } else if token.given {
                hints.push(
                    "if VAULT_TOKEN is there to issue secret_ids, leave its policy alone: VAULT_ROLE_ID is missing. Is this \
                     job on the runner that has it?"
                        .to_owned(),
                );
            }
            hints.push(format!("the policy must have: {}", vault::policy(&read.path, read.capability())));
            hints.extend(versioned(request, read));
            let role = request.role.as_ref().map(|role| format!("a wrong role (is it {role}?), "));
            hints.push(format!(
                "{}an unknown mount, and a token that has ended, are refused in the same way",
                role.unwrap_or_default()
            ));
        }
        Some((status, _))
            if hints.is_empty()
                && (status == 404 || error.says("not found") || error.says("unknown role")) =>
        {
            hints.push(missing(request));
        }
        _ => {}
    }
    // Where several paths are read, the variables tell best which one it was.
    let names: Vec<_> = request.sets().filter(|_| request.origin.cloud().is_none()).collect();
    let notes = (!names.is_empty()).then(|| format!("it is read for {}", names.join(", ")));
    vault::WithHints { error, hints, notes: notes.into_iter().collect() }.into()
}

/// The path in a policy for KV version 2 is not the one that people type.
fn versioned(request: &Request, read: &Read) -> Option<String> {
    let (mount, rest) =
        read.path.split_once('/').filter(|_| request.origin.cloud().is_none() && !read.post)?;
    let typed = rest.starts_with("data/") || rest.contains("/data/");
    (!typed)
        .then(|| format!("where {mount} is KV version 2, path and policy have data/: {mount}/data/{rest}"))
}

fn missing(request: &Request) -> String {
    match &request.role {
        Some(role) => format!(
            "is there a role {role} in this engine? ROLE, CI_CREDS_{0}_ROLE and --mount, CI_CREDS_{0}_MOUNT choose them",
            crate::options::env_suffix(request.origin.name())
        ),
        None => match request.secret_version {
            Some(version) => {
                format!(
                    "does the secret at this path have a version {version}? The path begins with the engine's mount"
                )
            }
            None => "is there a secret at this path? It begins with the engine's mount".to_owned(),
        },
    }
}
