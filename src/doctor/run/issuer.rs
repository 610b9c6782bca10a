//! Split custody: the token that issues secret_ids (it is not the issuer of an ID token), and what it may do beyond that.
//! It must not issue one.

use super::token::described;
use super::{Step, Walk};
use crate::auth::{Login, LoginParameter, Origin};
use crate::doctor::policy_line;
use crate::error::Code;
use crate::session;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, vault: &Vault) -> Vec<Step> {
    issuer(vault, &walk.config.login).await.into_iter().collect()
}

async fn issuer(vault: &Vault, login: &Login) -> Option<Step> {
    let issuer = login.parameters.iter().find_map(|one| match &one.origin {
        Origin::Issued(issuer) => Some(issuer),
        _ => None,
    })?;
    let (source, role) = (issuer.source.clone(), &issuer.role);
    let origin = Origin::Value { value: issuer.token.clone(), source: source.clone() };
    let token = session::gather_here(vault, &LoginParameter { name: "token", origin }).await.ok()?;
    let path = format!("auth/{}/role/{role}/secret-id", login.mount);
    let info = match vault.lookup_self(&token).await {
        Ok(info) => info,
        Err(error) if error.refusal().is_some() => {
            let seen =
                format!("{source} can't look itself up: it has ended, or its policies leave out `default`");
            let hint = format!("if it has ended, make a new one, and put it into {source}");
            return Some(Step::warn("issuer", seen, hint));
        }
        Err(_) => return None,
    };
    let granted = vault.login_capabilities(&token, &path).await.unwrap_or_default();
    if granted == ["deny"] {
        let step =
            Step::fail("issuer", Code::Refused, format!("{source} may not issue secret_ids for {role}"));
        let step = step.hint(format!("is {role} the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it"));
        return Some(step.hint(policy_line(
            &format!("else the policy of {source} must have"),
            &path,
            "update",
        )));
    }
    let seen = format!("{source} issues secret_ids for {role}: {}", described(&info));
    Some(match info.ttl {
        Some(ttl) if ttl.as_secs() < 7 * 86_400 => {
            Step::warn("issuer", seen, "it ends within a week: renew or replace it")
        }
        _ if info.policies.iter().any(|policy| policy == "root") => Step::warn(
            "issuer",
            seen,
            "it must not be a root token: give it nothing but the update on secret-id",
        ),
        _ => Step::ok("issuer", seen),
    })
}
