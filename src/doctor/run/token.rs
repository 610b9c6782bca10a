//! Checks the token's policies, life and type. It must not revoke a token that was made before this login, which came
//! out of a cache that does not say so.

use jiff::{SignedDuration, Timestamp};

use super::{Step, Walk};
use crate::credentials::Life;
use crate::duration;
use crate::ledger::Ledger;
use crate::session::Token;
use crate::vault::{self, TokenInfo, Vault};

/// The tolerance: the server rounds its times, and the clocks were compared to the second.
const SLACK: SignedDuration = SignedDuration::from_secs(3);

pub(super) async fn look(walk: &mut Walk, vault: &Vault, token: &mut Token) -> Vec<Step> {
    vec![looked_up(vault, token, walk.asked, &mut walk.ledger).await]
}

/// `asked`: when the login began.
async fn looked_up(vault: &Vault, token: &mut Token, asked: Timestamp, ledger: &mut Ledger) -> Step {
    let info = match vault.lookup_self(&token.secret).await {
        Ok(info) => info,
        Err(error) if error.is_by_front() => return Step::not_told("token", &error),
        Err(error) if token.is_agents() && !error.is_by_policy() => {
            return Step::failed("token", &error).hint(
                "does the agent have auto_auth and use_auto_auth_token, and has it logged in? Its log tells",
            );
        }
        Err(error) if token.given && !error.is_by_policy() => {
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

pub(super) fn described(info: &TokenInfo) -> String {
    let ttl = info.ttl.map_or("no expiry".to_owned(), duration::life);
    let renewable = if info.renewable { ", renewable" } else { "" };
    let uses =
        if info.num_uses > 0 { format!(", good for {} more requests", info.num_uses) } else { String::new() };
    format!("a {} token, {ttl}{renewable}{uses}; policies {}", info.kind, info.policies.join(", "))
}
