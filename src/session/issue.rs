//! One request to an engine, and the way that a policy allows for it.

use crate::credentials::Credentials;
use crate::provider::{Read, Request};
use crate::secret::Secret;
use crate::vault::{self, Envelope, Vault};

use super::{Error, Token};

/// Issues what `request` asks for.
pub async fn one(vault: &Vault, token: &Token, request: &Request) -> Result<Credentials, Error> {
    let (path, answer) = answer(vault, token, request).await?;
    let decoded = request.decode(&path, &answer, vault::now());
    if let (Err(_), true, Some(lease)) = (&decoded, token.given, &answer.lease_id) {
        // It is in no ledger yet, and does not end with a token of ours.
        if !lease.is_empty()
            && let Err(error) = vault.unstoppable().revoke_lease(&token.secret, lease).await
        {
            tracing::warn!("{lease} could not be revoked and ends with its TTL: {error}");
        }
    }
    Ok(decoded?)
}

async fn answer(vault: &Vault, token: &Token, request: &Request) -> Result<(String, Envelope), Error> {
    let ask = async |read: &Read| {
        let answer = vault.issue(&token.secret, &read.path, &request.parameters, read.post).await;
        answer.map(|answer| (read.path.clone().into_owned(), answer))
    };
    let error = match ask(&request.read).await {
        Err(error) if error.refusal().is_some_and(|(status, _)| status == 403) => error,
        outcome => return outcome.map_err(|error| explained(error, request, &request.read)),
    };
    // A token that is good for so many requests gets no optional one.
    if !request.fallbacks.is_empty()
        && !token.counted
        && let Some(allowed) = allowed(vault, &token.secret, &request.fallbacks).await
    {
        tracing::debug!("the policy allows {} on {} instead", allowed.capability(), allowed.path);
        return ask(allowed).await.map_err(|error| explained(error, request, allowed));
    }
    Err(explained(error, request, &request.read))
}

/// The first of `reads` that the token's policies allow.
async fn allowed<'a>(vault: &Vault, token: &Secret, reads: &'a [Read]) -> Option<&'a Read> {
    let paths: Vec<&str> = reads.iter().map(|read| &*read.path).collect();
    let capabilities = vault.capabilities(token, &paths).await.ok()?;
    reads.iter().zip(&capabilities).find(|(read, granted)| allows(granted, read)).map(|(read, _)| read)
}

/// Whether these capabilities suffice for `read`.
pub fn allows(granted: &[String], read: &Read) -> bool {
    granted.iter().any(|one| one == read.capability() || one == "root" || (read.post && one == "create"))
}

/// What the engines' known texts mean.
const TEXTS: &[(&str, &str)] = &[
    (
        "Invalid path for a versioned",
        "this is KV version 2: put data/ behind the mount, as in secret/data/app",
    ),
    ("not in allowed role arns", "--role-arn must be one of the role_arns of the Vault role"),
    ("unable to determine one", "the Vault role allows several AWS roles: choose one with --role-arn"),
    ("minimum field value of 900", "AWS gives no assumed role for less than 15m: raise --ttl"),
    ("token had one use left", "the login's token_num_uses must be 3 or more: read, and revocation"),
    ("no handler for route", "no secrets engine is mounted there: --mount names another mount"),
];

fn explained(error: vault::Error, request: &Request, read: &Read) -> Error {
    let mut hints = Vec::new();
    if let Some((_, hint)) = TEXTS.iter().find(|(text, _)| error.says(text)) {
        hints.push((*hint).to_owned());
    }
    match error.refusal() {
        Some((403, _)) => {
            hints.push(format!(
                "the policy must have: path \"{}\" {{ capabilities = [\"{}\"] }}",
                read.path,
                read.capability()
            ));
            hints
                .push("an unknown mount, and a token that has ended, are refused in the same way".to_owned());
        }
        Some((status, _))
            if hints.is_empty()
                && (status == 404 || error.says("not found") || error.says("unknown role")) =>
        {
            hints.push(missing(request));
        }
        _ => {}
    }
    vault::Advised { error, hints, notes: Vec::new() }.into()
}

fn missing(request: &Request) -> String {
    match &request.role {
        Some(role) => format!(
            "is there a role {role} in this engine? ROLE, CI_CREDS_{0}_ROLE and --mount, CI_CREDS_{0}_MOUNT choose them",
            crate::cli::options::shout(&request.provider)
        ),
        None => "is there a secret at this path, mount included?".to_owned(),
    }
}
