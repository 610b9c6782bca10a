//! Says which login a run would choose, and why. It must not log in.

use super::{Status, Step, Walk};
use crate::auth::{Login, LoginParameter, Origin};
use crate::config::Setting;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, _: &Vault) -> Vec<Step> {
    vec![method(&walk.config.login, &walk.sources)]
}

fn method(login: &Login, sources: &[Setting]) -> Step {
    let named = |option: &str| sources.iter().find(|one| one.option == option).map(|one| one.source.as_str());
    let why = match named("auth") {
        Some(source) if login.method.elsewhere => {
            return Step::ok(
                "method",
                format!("the agent or proxy at that address logs in; named by {source}"),
            );
        }
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
    let step = login.parameters.iter().skip(1).fold(step, |step, one| match &one.origin {
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
    let Some(one) = login.parameters.iter().skip(1).find(given).filter(|_| !login.method.repeatable) else {
        return step;
    };
    let (name, source) = (one.name, one.origin.source());
    match &one.origin {
        // It is certain to fail, and known before.
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

/// Where the parameter comes from that decides.
fn first(login: &Login) -> String {
    login.parameters.first().map_or_else(|| "what it needs".to_owned(), |one| one.origin.source())
}
