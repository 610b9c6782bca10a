//! What the token is and may do, how long it lasts, and where the credentials would go.

use super::{Status, Step};
use crate::auth::{Ingredient, Login, Origin};
use crate::config::Config;
use crate::credentials::Life;
use crate::duration::show;
use crate::emit::sink;
use crate::error::Code;
use crate::provider::Request;
use crate::session::{self, Token};
use crate::vault::{self, TokenInfo, Vault};

/// Its policies, life and type.
pub(super) async fn token(vault: &Vault, token: &mut Token) -> Step {
    let info = match vault.lookup_self(&token.secret).await {
        Ok(info) => info,
        Err(error) if token.given => {
            return Step::failed("token", &error).hint("set VAULT_TOKEN to a token that is alive");
        }
        Err(error) => return Step::skip("token", format!("it may not look itself up: {error}")),
    };
    if token.given {
        token.life = info.ttl.and_then(|ttl| Life::new(ttl, vault::now()));
        token.renewable = info.renewable;
    }
    let seen = described(&info);
    if info.policies.iter().any(|policy| policy == "root") {
        return Step::warn(
            "token",
            seen,
            "a root token can do anything: give the job one with a policy of its own",
        );
    }
    if !token.given && info.ttl.is_none() {
        return Step::warn("token", seen, "set token_ttl on the login's role: this token never ends");
    }
    if info.num_uses > 0 && info.num_uses < 3 {
        let hint =
            "set token_num_uses to 0, or to 3 and more: the login's token is used to read and to revoke";
        return Step::warn("token", seen, hint);
    }
    Step::ok("token", seen)
}

fn described(info: &TokenInfo) -> String {
    let ttl = info.ttl.map_or("no end".to_owned(), show);
    let renewable = if info.renewable { ", renewable" } else { "" };
    let uses =
        if info.num_uses > 0 { format!(", good for {} more requests", info.num_uses) } else { String::new() };
    format!("a {} token, {ttl}{renewable}{uses}; policies {}", info.kind, info.policies.join(", "))
}

/// Capabilities on every path that a run would use.
pub(super) async fn policy(vault: &Vault, token: &Token, config: &Config) -> Vec<Step> {
    let reads: Vec<_> = config.requests.iter().map(|one| (one, ways(one))).collect();
    let mut paths: Vec<&str> =
        reads.iter().flat_map(|(_, ways)| ways.iter().map(|read| &*read.path)).collect();
    paths.push("auth/token/revoke-self");
    paths.dedup();
    let granted = match vault.capabilities(&token.secret, &paths).await {
        Ok(granted) => granted,
        Err(error) => {
            let hint =
                "the policy should have: path \"sys/capabilities-self\" { capabilities = [\"update\"] }";
            return vec![Step {
                hints: vec![hint.to_owned()],
                ..Step::skip("policy", format!("not looked at: {error}"))
            }];
        }
    };
    let of = |path: &str| {
        let found = paths.iter().position(|one| *one == path).and_then(|index| granted.get(index));
        found.map(Vec::as_slice).unwrap_or_default()
    };
    let mut steps: Vec<Step> = reads.iter().map(|(request, ways)| allowed(request, ways, of)).collect();
    let may_revoke = of("auth/token/revoke-self").iter().any(|one| one == "update" || one == "root");
    if !may_revoke && !token.given {
        let hint = "the policy should have: path \"auth/token/revoke-self\" { capabilities = [\"update\"] }";
        steps.push(Step::warn("policy", "the token can't be revoked when the job is done", hint));
    }
    steps
}

fn ways(request: &Request) -> Vec<&crate::provider::Read> {
    std::iter::once(&request.read).chain(&request.fallbacks).collect()
}

/// Beyond these a policy is wider than a read.
const NARROW: &[&str] = &["read", "update", "create", "deny"];

fn allowed<'a>(
    request: &Request,
    ways: &[&crate::provider::Read],
    of: impl Fn(&str) -> &'a [String],
) -> Step {
    let Some(read) = ways.iter().find(|read| session::allows(of(&read.path), read)) else {
        let read = &request.read;
        let seen = format!("the token may not {} {}", read.capability(), read.path);
        let policy = format!(
            "the policy must have: path \"{}\" {{ capabilities = [\"{}\"] }}",
            read.path,
            read.capability()
        );
        let shout = crate::cli::options::shout(&request.provider);
        let mount = format!(
            "or the engine or its role is another one: CI_CREDS_{shout}_MOUNT, CI_CREDS_{shout}_ROLE"
        );
        return Step::fail("policy", Code::Refused, seen).hint(policy).hint(mount);
    };
    let granted = of(&read.path);
    let seen = format!("{} on {}", granted.join(", "), read.path);
    match granted.iter().any(|one| !NARROW.contains(&one.as_str())) {
        true => {
            let hint = format!(
                "{} is enough: a narrower policy limits what a stolen token can do",
                read.capability()
            );
            Step::warn("policy", seen, hint)
        }
        false => Step::ok("policy", seen),
    }
}

/// Split custody: what the issuing token may do, beside the one thing that it is for.
pub(super) async fn issuer(vault: &Vault, login: &Login) -> Option<Step> {
    let issuer = login.ingredients.iter().find_map(|one| match &one.origin {
        Origin::Issued(issuer) => Some(issuer),
        _ => None,
    })?;
    let (source, role) = (issuer.source.clone(), &issuer.role);
    let origin = Origin::Value { value: issuer.token.clone(), source: source.clone() };
    let token = session::gather_here(vault, &Ingredient { name: "token", origin }).await.ok()?;
    let info = vault.lookup_self(&token).await.ok()?;
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

/// The token's life beside the job's.
pub(super) fn lifetime(token: &Token, config: &Config) -> Step {
    let Some(life) = token.life else { return Step::ok("lifetime", "the token has no end") };
    let seen = format!("the token ends at {}, after {}", life.until, show(life.ttl));
    if let Some(wanted) = config.min_ttl.filter(|wanted| *wanted > life.ttl && !token.renewable) {
        return Step::fail("lifetime", Code::Output, seen).hint(format!(
            "raise token_ttl of the login's role to {} or more, or lower --min-ttl",
            show(wanted)
        ));
    }
    match config.job.time_after(life.until) {
        Some(rest) if !config.requests.is_empty() => {
            let hint = "leased keys end with it: raise token_ttl, or issue them shortly before they are used";
            let seen = format!("{seen}; the job may run {} longer", show(rest));
            Step { status: Status::Ok, ..Step::ok("lifetime", seen).hint(hint) }
        }
        _ => Step::ok("lifetime", seen),
    }
}

/// Where the credentials would go.
pub(super) fn output(config: &Config) -> Step {
    let output = &config.output;
    let place = output.file.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string());
    let seen = format!("{} to {place}", output.format.name);
    let traced = config.job.debug_trace && !output.show && output.format.failure.is_some();
    let checked = match &output.file {
        Some(_) => sink::check(output, &config.job),
        None if traced => Err(sink::Error::DebugTrace),
        None => Ok(()),
    };
    match checked {
        Ok(()) => Step::ok("output", seen),
        Err(error) => Step::failed("output", &error),
    }
}
