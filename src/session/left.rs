//! What a request without an answer may have left behind, for people who look for it.

use jiff::Timestamp;

use super::{Error, Order, Token};
use crate::ledger::Ledger;
use crate::provider::Request;

/// What a login without an answer may have made.
pub(super) fn left_by_login(order: &Order, error: &Error, since: Timestamp) -> String {
    let login = &order.login;
    match error {
        Error::Login(_) => format!(
            "{} may have made a token at about {since}, without any credentials: it ends with the role's token TTL",
            login.name()
        ),
        _ => format!(
            "a secret_id may have been made at auth/{} at about {since}: it ends with the role's secret_id TTL",
            login.mount
        ),
    }
}

/// What an engine without an answer may have made.
pub(super) fn left_by_engine(request: &Request, since: Timestamp) -> String {
    let role = request.role.as_ref().map(|role| format!(", role {role},")).unwrap_or_default();
    let what = match request.origin.cloud().map(|provider| provider.key_prefix) {
        Some(names) if !names.is_empty() => format!("a key whose name starts with {names}"),
        _ => "credentials".to_owned(),
    };
    format!("{}{role} may have made {what} at about {since}", request.read.path)
}

/// When that ends, after taking back.
pub(super) fn end_of_lease(token: &Token, ledger: &Ledger) -> &'static str {
    match token {
        token if token.is_agents() => {
            "with a lease they end with it, or with the agent's token; without one nothing ends them"
        }
        Token { given: true, .. } => {
            "with a lease they end with it, or when VAULT_TOKEN is revoked; without one nothing ends them"
        }
        Token { batch: true, .. } => "with a lease they end with it; without one nothing ends them",
        token if ledger.lists(&token.secret) => {
            "with a lease they end with it, or with the login's token, which was not revoked; without one nothing \
             ends them"
        }
        // A node that steps down between writing a lease and tying it to its token (measured: OpenBao, 1 in some 100
        // restarts under load).
        _ => {
            "with a lease they ended with the login's token, or end after their TTL if the server lost the tie; \
             without one nothing ends them"
        }
    }
}
