//! Which login and why, the ID token, and the login itself.

use jiff::SignedDuration;

use super::{Status, Step, signature};
use crate::auth::{Gathered, Login, LoginParameter, Origin};
use crate::claims::{Claims, Unusable};
use crate::config::Setting;
use crate::error::Code;
use crate::secret::Secret;
use crate::vault;
use crate::vault::Server;

/// The login that a run would choose.
pub(super) fn method(login: &Login, sources: &[Setting]) -> Step {
    let named = |option: &str| sources.iter().find(|one| one.option == option).map(|one| one.source.as_str());
    let why = match named("auth") {
        Some(source) => format!("named by {source}"),
        None => format!("chosen because {} is there", first(login)),
    };
    if login.method.request.is_none() {
        return Step::ok("method", format!("the token of {}, {why}", first(login)));
    }
    let role = match (&login.role, named("auth-role")) {
        (Some(role), Some(source)) => format!(", role {role} ({source})"),
        _ => String::new(),
    };
    let mount = named("auth-path").unwrap_or("default");
    let seen = format!("{} at auth/{} ({mount}){role}; {why}", login.method.title, login.mount);
    let step = Step::ok("method", seen);
    let step = login.ingredients.iter().skip(1).fold(step, |step, one| match &one.origin {
        Origin::Issued(issuer) => {
            let (source, role) = (&issuer.source, &issuer.role);
            step.line(format!("{source} issues a {} for {role}, which the login uses up", one.name))
        }
        Origin::Wrapped { .. } => {
            step.line(format!("the {} is unwrapped from {}", one.name, one.origin.source()))
        }
        _ => step,
    });
    let given = |one: &&LoginParameter| !matches!(one.origin, Origin::Issued(_));
    let Some(one) = login.ingredients.iter().skip(1).find(given).filter(|_| !login.method.repeatable) else {
        return step;
    };
    let (name, source) = (one.name, one.origin.source());
    match &one.origin {
        // Certain, and known before it happens.
        Origin::Wrapped { .. } => {
            let hint =
                "a wrapping token is good for one use, and this look uses it up: give the job a new one";
            Step { status: Status::Warn, ..step.hint(hint) }
        }
        _ => step
            .line(format!("the next step logs in with the {name} of {source}"))
            .hint(format!("if it is good for one login, this look uses it up: give the job a new {name}")),
    }
}

/// Where the ingredient comes from that decides.
fn first(login: &Login) -> String {
    login.ingredients.first().map_or_else(|| "what it needs".to_owned(), |one| one.origin.source())
}

/// The ID token's claims and times, and its signature. Nothing for other logins.
/// The times are held against Vault's clock, which is `ahead` behind this machine's.
pub(super) async fn id_token(
    login: &Login,
    gathered: &Gathered,
    server: &Server,
    ahead: Option<SignedDuration>,
) -> Vec<Step> {
    let Some(token) = gathered.get("jwt") else { return Vec::new() };
    let source = login.ingredients.iter().find(|one| one.name == "jwt").map(|one| one.origin.source());
    let source = source.unwrap_or_default();
    let claims = match Claims::of(token) {
        // Whether it has to be a JWT is another login's own affair.
        Err(_) if login.method.name != "jwt" => return Vec::new(),
        Ok(claims) => claims,
        Err(fault) => return vec![unusable(&fault, None).from(source)],
    };
    let line = format!("{} {}", crate::claims::MARK, claims.line(None));
    if let Err(fault) = claims.check(vault::now() - ahead.unwrap_or_default()) {
        return vec![unusable(&fault, Some(line)).from(source)];
    }
    let mut steps = vec![Step::ok("id-token", life(&claims)).line(line).from(source)];
    if login.method.name == "jwt" {
        steps.extend(checked(token, &claims, server).await);
    }
    steps
}

fn unusable(fault: &Unusable, line: Option<String>) -> Step {
    let hint = match fault {
        Unusable::NotAJwt => "give it the token of `id_tokens:` in .gitlab-ci.yml, as it is",
        Unusable::Expired(_) => {
            "log in earlier in the job, or retry it: an ID token lives as long as its job may run"
        }
        Unusable::NotYet(_) => "set this machine's clock, or wait",
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

async fn checked(token: &Secret, claims: &Claims, server: &Server) -> Option<Step> {
    let keys = signature::Keys::of(&serde_json::Map::new(), claims)?;
    let step = signature::check(token, &keys, &server.http).await;
    Some(match step.status {
        // Vault may trust other keys than those that the issuer publishes.
        Status::Fail => Step { status: Status::Warn, ..step },
        _ => step,
    })
}
