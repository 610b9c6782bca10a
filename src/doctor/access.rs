//! What the token is and may do, how long it lasts, and where the credentials would go.

use jiff::{SignedDuration, Timestamp};

use super::{Status, Step, policy};
use crate::auth::{Login, LoginParameter, Origin};
use crate::config::Config;
use crate::credentials::Life;
use crate::duration::show;
use crate::emit::sink;
use crate::error::Code;
use crate::input;
use crate::ledger::Ledger;
use crate::session::{self, Token};
use crate::vault::{self, TokenInfo, Vault};

/// The server rounds its times, and the clocks were compared to the second.
const SLACK: SignedDuration = SignedDuration::from_secs(3);

/// Its policies, life and type. One that was made before the login, which began at `asked`, came out of a cache that does
/// not say so: it is not taken back.
pub(super) async fn token(vault: &Vault, token: &mut Token, asked: Timestamp, ledger: &mut Ledger) -> Step {
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
    token.counted |= info.num_uses > 0;
    let seen = described(&info);
    let asked = asked - vault.ahead().unwrap_or_default() - SLACK;
    if !token.given && info.created.is_some_and(|created| created < asked) {
        ledger.shared(&token.secret);
        token.renewable = false;
        let hint = "a cache on the way gives several jobs one token, which the first to end revokes: turn it off for logins";
        return Step::warn("token", seen, hint)
            .line("it was made before this login, so that others have it too");
    }
    if info.policies.iter().any(|policy| policy == "root") {
        return Step::warn(
            "token",
            seen,
            "a root token can do anything: give the job one with a policy of its own",
        );
    }
    if !token.given && info.ttl.is_none() {
        return Step::warn(
            "token",
            seen,
            "set token_ttl=15m, or what the job takes, on the login's role: this token never ends",
        );
    }
    if info.num_uses > 0 && info.num_uses < 3 {
        let hint =
            "set token_num_uses=0 (or 3 and more) on the login's role: the token reads, and is revoked";
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

/// Split custody: what the issuing token may do, beside the one thing that it is for.
pub(super) async fn issuer(vault: &Vault, login: &Login) -> Option<Step> {
    let issuer = login.ingredients.iter().find_map(|one| match &one.origin {
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
        return Some(step.hint(policy::line(
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

/// The token's life beside the job's.
pub(super) fn lifetime(token: &Token, config: &Config) -> Step {
    let Some(life) = token.life else { return Step::ok("lifetime", "the token has no end") };
    let seen = format!("the token ends at {}, after {}", life.until, show(life.ttl));
    let wanted = config.requests.iter().filter_map(|one| one.min_ttl).max();
    if let Some(wanted) = wanted.filter(|wanted| *wanted > life.ttl && !token.renewable) {
        return Step::fail("lifetime", Code::Output, seen)
            .hint(format!("set token_ttl={} or more on the login's role, or lower --min-ttl", show(wanted)));
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
    if let Some(command) = &config.command {
        let program = command.argv.first().map(|program| input::shown(&program.to_string_lossy()));
        return Step::ok("output", format!("to {} alone; nothing is printed", program.unwrap_or_default()));
    }
    let output = &config.output;
    let place = output.file.as_ref().map_or("standard output".to_owned(), |path| input::path(path));
    let seen = format!("{} to {place}", output.format.name);
    let traced = config.job.debug_trace.filter(|_| !output.show && output.format.failure.is_some());
    let checked = match (&output.file, traced) {
        (Some(_), _) => sink::check(output, &config.job),
        (None, Some(variable)) => Err(sink::Error::DebugTrace(variable)),
        (None, None) => Ok(()),
    };
    match checked {
        Ok(()) => Step::ok("output", seen),
        Err(error) => Step::failed("output", &error),
    }
}
