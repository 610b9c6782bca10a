//! Checks a run, step by step. It must not keep what was issued on the way.
//!
//! Each check is a file in this folder and a row of `CHECKS`. The row says which checks it needs: where one of them failed,
//! it is not reached. `setup` is no check: it is the last hint of a report.

mod address;
mod clock;
mod cluster;
mod configuration;
mod engine;
mod health;
mod id_token;
mod issue;
mod issuer;
mod lifetime;
mod login;
mod method;
mod output;
mod parameters;
mod policy;
mod references;
mod revoke;
mod setup;
mod tcp;
mod tls;
mod token;

pub(crate) use setup::Call;

use std::pin::Pin;
use std::rc::Rc;

use jiff::Timestamp;

use super::report::Report;
use super::{Status, Step};
use crate::auth::Gathered;
use crate::claims::Claims;
use crate::config::{Config, RoleCheck, Setting};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::secret::Secret;
use crate::session::{self, Token};
use crate::shutdown::Shutdown;
use crate::vault::{self, Health, Server, Vault};

/// Every check of a run, in order.
const CHECKS: &[Check] = &[
    of_run("configuration", &[], |walk| Box::pin(configuration::look(walk))),
    of_run("references", &[], |walk| Box::pin(references::look(walk))),
    of_way("address", &[], |way| Box::pin(address::look(way))),
    of_way("tcp", &[], |way| Box::pin(tcp::look(way))),
    of_way("tls", &["tcp"], |way| Box::pin(tls::look(way))),
    of_way("health", &["tls"], |way| Box::pin(health::look(way))),
    of_way("clock", &["health"], |way| Box::pin(clock::look(way))),
    of_login("method", &["clock"], |walk, vault| Box::pin(method::look(walk, vault))).named(),
    of_login("issuer", &["method"], |walk, vault| Box::pin(issuer::look(walk, vault))),
    of_login("parameters", &["method"], |walk, vault| Box::pin(parameters::look(walk, vault))),
    of_login("id-token", &["parameters"], |walk, vault| Box::pin(id_token::look(walk, vault))),
    of_login("login", &["issuer", "id-token"], |walk, vault| Box::pin(login::look(walk, vault))).named(),
    of_token("cluster", &["login"], |walk, vault, token| Box::pin(cluster::look(walk, vault, token))),
    of_token("token", &["login"], |walk, vault, token| Box::pin(token::look(walk, vault, token))).named(),
    of_token("policy", &["token"], |walk, vault, token| Box::pin(policy::look(walk, vault, token))).named(),
    of_token("engine", &["token"], |walk, vault, token| Box::pin(engine::look(walk, vault, token))).named(),
    of_token("lifetime", &["token"], |walk, vault, token| Box::pin(lifetime::look(walk, vault, token)))
        .named(),
    of_token("output", &["token"], |walk, vault, token| Box::pin(output::look(walk, vault, token))).named(),
    of_token("issue", &["policy", "engine", "lifetime", "output"], |walk, vault, token| {
        Box::pin(issue::look(walk, vault, token))
    }),
    of_token("revoke", &["token"], |walk, vault, token| Box::pin(revoke::look(walk, vault, token))),
];

/// A row: one check.
struct Check {
    /// Stable, for scripts. Its steps have this id; `dns` is a step of `tcp`, `signature` one of `id-token`.
    id: &'static str,
    /// The checks before it without which it can tell nothing.
    needs: &'static [&'static str],
    /// Whether the last line of a report, `not reached: …`, names it.
    named: bool,
    look: Look,
}

type Steps<'a> = Pin<Box<dyn Future<Output = Vec<Step>> + 'a>>;
type OfRun = for<'a> fn(&'a mut Walk) -> Steps<'a>;
type OfWay = for<'a> fn(&'a mut Way) -> Steps<'a>;
type OfLogin = for<'a> fn(&'a mut Walk, &'a Vault) -> Steps<'a>;
type OfToken = for<'a> fn(&'a mut Walk, &'a Vault, &'a mut Token) -> Steps<'a>;

/// The function of a check, by what it is given.
enum Look {
    /// The configuration alone.
    Run(OfRun),
    /// The way to Vault. `doctor auth/…/role/…` and `--audit` run these checks as well, and end at the first that fails.
    Way(OfWay),
    /// A Vault that answers.
    Login(OfLogin),
    /// A Vault that answers, and a token.
    Token(OfToken),
}

const fn of_run(id: &'static str, needs: &'static [&'static str], look: OfRun) -> Check {
    Check { id, needs, named: false, look: Look::Run(look) }
}

const fn of_way(id: &'static str, needs: &'static [&'static str], look: OfWay) -> Check {
    Check { id, needs, named: false, look: Look::Way(look) }
}

const fn of_login(id: &'static str, needs: &'static [&'static str], look: OfLogin) -> Check {
    Check { id, needs, named: false, look: Look::Login(look) }
}

const fn of_token(id: &'static str, needs: &'static [&'static str], look: OfToken) -> Check {
    Check { id, needs, named: false, look: Look::Token(look) }
}

impl Check {
    const fn named(self) -> Self {
        Self { named: true, ..self }
    }
}

/// The way to Vault, and what was found on it.
pub(super) struct Way {
    server: Server,
    shutdown: Shutdown,
    /// Set from the check of TLS on.
    pub(super) vault: Option<Rc<Vault>>,
    /// What the first request says.
    health: Option<Result<Health, vault::Error>>,
}

impl Way {
    /// Nothing is sent yet.
    pub(super) fn new(mut server: Server, shutdown: Shutdown) -> Self {
        // doctor must not wait for retries.
        server.http.max_retries.get_or_insert(1);
        Self { server, shutdown, vault: None, health: None }
    }
}

/// A run, and what the checks have found so far: what one finds, those after it use.
struct Walk {
    config: Config,
    sources: Vec<Setting>,
    /// The variables that hold another tool's reference, and how it begins.
    foreign: Vec<(String, &'static str)>,
    /// Whether --issue was given.
    issue: bool,
    way: Way,
    ledger: Ledger,
    /// What the login sends.
    gathered: Option<Gathered>,
    /// When the login began.
    asked: Timestamp,
    token: Option<Token>,
    /// What is mounted, for each request.
    mounted: Vec<engine::Mounted>,
    /// Whether the token may see nothing of what is mounted there.
    refused: bool,
    /// Whether an answer that issues something did not arrive.
    lost: bool,
    /// The claims of the token that logs in, where it has some.
    claims: Option<Claims>,
}

/// The checks that did not fail: also one that was skipped, or had nothing to say.
#[derive(Default)]
struct Passed(Vec<&'static str>);

impl Passed {
    /// Whether `check` can tell something.
    fn reaches(&self, check: &Check) -> bool {
        check.needs.iter().all(|id| self.0.contains(id))
    }

    fn note(&mut self, check: &Check, steps: &[Step]) {
        if steps.iter().all(|step| step.status != Status::Fail) {
            self.0.push(check.id);
        }
    }
}

/// Walks the run that `config` describes.
pub(crate) async fn walk(
    report: &mut Report,
    config: Config,
    sources: Vec<Setting>,
    foreign: Vec<(String, &'static str)>,
    issue: bool,
    call: &Call,
    shutdown: Shutdown,
) -> Result<(), Error> {
    report.untried = !issue && !config.requests.is_empty();
    let way = Way::new(config.server.clone(), shutdown);
    let mut walk = Walk {
        config,
        sources,
        foreign,
        issue,
        way,
        ledger: Ledger::default(),
        gathered: None,
        asked: vault::now(),
        token: None,
        mounted: Vec::new(),
        refused: false,
        lost: false,
        claims: None,
    };
    let outcome = through(report, &mut walk).await;
    report.setup = setup::hint(&walk, call);
    if let Some(vault) = walk.way.vault {
        walk.ledger.revoke_all(&vault).await;
    }
    outcome
}

async fn through(report: &mut Report, walk: &mut Walk) -> Result<(), Error> {
    let mut passed = Passed::default();
    let mut missed = Vec::new();
    for check in CHECKS {
        let steps = if passed.reaches(check) { look(&check.look, walk).await } else { None };
        let Some(steps) = steps else {
            missed.extend(Some(check.id).filter(|id| check.named && !report.has(id)));
            continue;
        };
        passed.note(check, &steps);
        for step in steps {
            report.add(step)?;
        }
    }
    if !missed.is_empty() {
        report.add(Step::skip("then", format!("not reached: {}", missed.join(", "))))?;
    }
    Ok(())
}

/// The steps of one check; none where what it is given is not there.
async fn look(look: &Look, walk: &mut Walk) -> Option<Vec<Step>> {
    let vault = walk.way.vault.clone();
    Some(match look {
        Look::Run(look) => look(walk).await,
        Look::Way(look) => look(&mut walk.way).await,
        Look::Login(look) => look(walk, &*vault?).await,
        Look::Token(look) => {
            let mut token = walk.token.take()?;
            let steps = match &vault {
                Some(vault) => look(walk, vault, &mut token).await,
                None => Vec::new(),
            };
            walk.token = Some(token);
            steps
        }
    })
}

/// The way to Vault alone, in as few lines as it takes.
pub(super) async fn reach(report: &mut Report, way: &mut Way) -> Result<(), Error> {
    let mut passed = Passed::default();
    for check in CHECKS {
        let Look::Way(look) = check.look else { continue };
        if !passed.reaches(check) {
            break;
        }
        let steps = look(way).await;
        passed.note(check, &steps);
        for step in steps.into_iter().filter(|step| step.status != Status::Ok || step.id == "health") {
            report.add(step)?;
        }
    }
    Ok(())
}

/// The same, with the operator's token: what every look at a role begins with. None where Vault or the token is not
/// there, which the report then says.
pub(super) async fn reach_as_operator(
    report: &mut Report,
    role_check: &RoleCheck,
    shutdown: Shutdown,
) -> Result<Option<(Rc<Vault>, Secret)>, Error> {
    let mut way = Way::new(role_check.server.clone(), shutdown);
    reach(report, &mut way).await?;
    let Some(vault) = way.vault.filter(|_| !report.failed()) else { return Ok(None) };
    match session::given_token(&vault, &role_check.operator).await {
        Ok(operator) => Ok(Some((vault, operator))),
        Err(error) => {
            report.add(Step::failed("token", &error))?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_needs_what_comes_before_it() {
        for (index, check) in CHECKS.iter().enumerate() {
            let before = |id: &&str| CHECKS[..index].iter().any(|one| one.id == *id);
            assert!(check.needs.iter().all(before), "{} needs {:?}", check.id, check.needs);
        }
    }
}
