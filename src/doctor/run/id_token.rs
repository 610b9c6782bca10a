//! Checks the ID token's claims, times and signature; for other logins it says nothing. It must judge the times by
//! Vault's clock, not by this machine's.

use super::{Status, Step, Walk};
use crate::ci;
use crate::claims::{Claims, Unusable};
use crate::doctor::signature;
use crate::error::Code;
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::vault::{self, Server, Vault};

pub(super) async fn look(walk: &mut Walk, vault: &Vault) -> Vec<Step> {
    let Some(token) = walk.gathered.as_ref().and_then(|gathered| gathered.get("jwt")) else {
        return Vec::new();
    };
    let login = &walk.config.login;
    let source = login.parameters.iter().find(|one| one.name == "jwt").map(|one| one.origin.source());
    let source = source.unwrap_or_default();
    let claims = match Claims::of(token) {
        // Only the login jwt needs a JWT here: the others check their own tokens.
        Err(_) if login.method.name != "jwt" => return Vec::new(),
        Ok(claims) => claims,
        Err(fault) => return vec![unusable(&fault, None).from(source)],
    };
    walk.claims = Some(claims.clone());
    let line = format!("{} {}", crate::claims::MARK, claims.line(None));
    if let Err(fault) = claims.check(vault::now() - vault.ahead().unwrap_or_default()) {
        return vec![unusable(&fault, Some(line)).from(source)];
    }
    let mut steps = vec![Step::ok("id-token", life(&claims)).line(line).from(source)];
    if login.method.name == "jwt" {
        steps.extend(checked(token, &claims, &walk.config.server, vault.shutdown()).await);
    }
    steps
}

fn unusable(fault: &Unusable, line: Option<String>) -> Step {
    let system = ci::current();
    let hint = match fault {
        Unusable::NotAJwt => format!("give it {}, as it is", system.id_token_origin),
        Unusable::Expired(_) => {
            "log in earlier in the job, or retry it: an ID token lives as long as its job may run".to_owned()
        }
        // Vault's clock is the measure, so this machine's may be right.
        Unusable::NotYet(_) => format!("compare the clocks of {} and Vault, or wait", system.name),
    };
    let step = Step::fail("id-token", Code::Environment, format!("the ID token can't be used: {fault}"));
    line.into_iter().fold(step, Step::line).hint(hint)
}

fn life(claims: &Claims) -> String {
    let end = claims.get("exp").and_then(serde_json::Value::as_i64);
    match end.and_then(|end| jiff::Timestamp::from_second(end).ok()) {
        Some(end) => format!("an ID token, valid until {end}"),
        None => "an ID token, which names no end".to_owned(),
    }
}

async fn checked(token: &Secret, claims: &Claims, server: &Server, shutdown: &Shutdown) -> Option<Step> {
    let keys = signature::Keys::of(&serde_json::Map::new(), claims)?;
    let step = signature::check(token, &keys, &server.http, shutdown).await;
    Some(match step.status {
        // Vault may trust other keys than those that the issuer publishes.
        Status::Fail => Step { status: Status::Warn, ..step },
        _ => step,
    })
}
