//! A run, step by step. The first fault that makes the rest pointless ends the walk; what was issued on the way is
//! taken back at its end.

use super::report::Report;
use super::{Status, Step, access, engine, network, policy, run_login};
use crate::auth::{Gathered, Login};
use crate::config::{Config, Setting};
use crate::credentials::{Credentials, Life};
use crate::duration::{granted, show};
use crate::emit::sink;
use crate::error::{Code, Error};
use crate::http::Client;
use crate::ledger::{Ledger, Left};
use crate::provider::Request;
use crate::session::{self, Token};
use crate::shutdown::Stop;
use crate::vault::Vault;

/// The ids of all steps, in order: what is not reached is named as such.
const STEPS: &[&str] = &["method", "login", "token", "policy", "engine", "lifetime", "output"];

/// Walks the run that `config` describes.
pub async fn walk(
    report: &mut Report,
    mut config: Config,
    sources: &[Setting],
    issue: bool,
    stop: Stop,
) -> Result<(), Error> {
    report.add(network::configuration(sources))?;
    report.add(network::address(&config.server))?;
    // A look is no place for patience.
    config.server.http.max_retries.get_or_insert(1);
    for step in network::connection(&config.server).await {
        report.add(step)?;
    }
    if report.failed() {
        return rest(report, "method");
    }
    let server = config.server.clone();
    let client = match Client::new(server.http.clone(), stop) {
        Ok(client) => client,
        Err(error) => {
            report.add(Step::failed("tls", &error))?;
            return rest(report, "method");
        }
    };
    let vault =
        Vault::new(client, server.address.clone(), server.namespace.clone(), server.auth_namespace.clone());
    for step in network::server(&server, &vault).await {
        report.add(step)?;
    }
    if report.failed() {
        return rest(report, "method");
    }
    report.add(run_login::method(&config.login, sources))?;
    let mut ledger = Ledger::default();
    let outcome = inside(report, &config, &vault, &mut ledger, issue).await;
    ledger.revoke_all(&vault).await;
    outcome
}

/// From the login on.
async fn inside(
    report: &mut Report,
    config: &Config,
    vault: &Vault,
    ledger: &mut Ledger,
    issue: bool,
) -> Result<(), Error> {
    if let Some(step) = access::issuer(vault, &config.login).await {
        report.add(step)?;
    }
    let gathered = match session::gather(vault, &config.login).await {
        Ok(gathered) => gathered,
        Err(error) => {
            report.add(Step::failed("login", &error))?;
            return rest(report, "token");
        }
    };
    for step in run_login::id_token(&config.login, &gathered, &config.server, vault.ahead()).await {
        report.add(step)?;
    }
    if report.failed() {
        return rest(report, "login");
    }
    let asked = crate::vault::now();
    let Some(mut token) = enter(report, vault, &config.login, &gathered, ledger).await? else {
        return rest(report, "token");
    };
    if let Some(step) = network::standby(vault, token.given).await {
        report.add(step)?;
    }
    report.add(access::token(vault, &mut token, asked, ledger).await)?;
    if report.failed() {
        return rest(report, "policy");
    }
    beyond(report, vault, &token, config).await?;
    report.add(access::lifetime(&token, config))?;
    report.add(access::output(config))?;
    report.untried = !issue && !config.requests.is_empty();
    let mut lost = false;
    if issue && !report.failed() {
        for request in &config.requests {
            let step = issued(vault, &mut token, request, ledger).await;
            lost |= step.as_ref().is_err_and(session::Error::is_lost);
            report.add(step.unwrap_or_else(|error| Step::failed("issue", &error)))?;
        }
    }
    revoke(report, vault, &token, ledger, lost).await?;
    Ok(())
}

/// What the token may do, and what is there: calls that a run does not make.
async fn beyond(
    report: &mut Report,
    vault: &Vault,
    token: &Token,
    config: &Config,
) -> Result<(), sink::Error> {
    if token.counted {
        let seen = "not looked at: each look would use up one of the token's requests; --issue tries it out";
        return report.add(Step::skip("policy", seen));
    }
    let mut mounted = Vec::new();
    for request in &config.requests {
        mounted.push((request, vault.mount_of(&token.secret, &request.read.path).await));
    }
    let policies = policy::look(vault, token, &mounted, !config.job.in_ci).await;
    if policies.iter().any(|step| step.status == Status::Skip) {
        report.unchecked.push("what the job's own token may do: run doctor in the job too".to_owned());
    }
    let refused = policy::sees_nothing(&policies);
    for step in policies {
        report.add(step)?;
    }
    for (request, mount) in mounted {
        for step in engine::look(vault, token, request, mount, refused).await {
            report.add(step)?;
        }
    }
    Ok(())
}

async fn enter(
    report: &mut Report,
    vault: &Vault,
    login: &Login,
    gathered: &Gathered,
    ledger: &mut Ledger,
) -> Result<Option<Token>, sink::Error> {
    match session::enter(vault, login, gathered, ledger).await {
        Ok(token) if token.given => {
            report.add(Step::ok("login", "none: the token is used as it is, and not revoked"))?;
            Ok(Some(token))
        }
        Ok(token) => {
            report.add(Step::ok("login", format!("Vault accepts {}", login.name())))?;
            Ok(Some(token))
        }
        Err(error) => {
            let mut step = Step::failed("login", &error);
            // The claims stand two lines above.
            step.seen.retain(|line| !line.starts_with(crate::claims::MARK));
            report.add(desk(step, login))?;
            Ok(None)
        }
    }
}

/// Vault names one claim, and of the role a job sees nothing: who may read it sees all.
fn desk(step: Step, login: &Login) -> Step {
    match &login.role {
        Some(role) if login.method.name == "jwt" && step.code == Code::Refused => step.hint(format!(
            "an operator compares all claims: ci-creds doctor auth/{}/role/{role} --from-job 'this token says: …'",
            login.mount
        )),
        _ => step,
    }
}

/// --issue: one credential, as the run would get it.
async fn issued(
    vault: &Vault,
    token: &mut Token,
    request: &Request,
    ledger: &mut Ledger,
) -> Result<Step, session::Error> {
    let credentials = session::issue_alone(vault, token, request, ledger).await?;
    let life =
        credentials.life.map_or("without an end".to_owned(), |life| format!("valid {}", show(life.ttl)));
    let seen = format!("{} issued, {life}", credentials.path);
    Ok(match outlived(vault, token, &credentials).await {
        Some(hint) => Step::warn("issue", seen, hint),
        None => Step::ok("issue", seen),
    })
}

/// Whether the token ends before the lease, after the renewal that the run would ask for.
async fn outlived(vault: &Vault, token: &mut Token, credentials: &Credentials) -> Option<String> {
    let lease = credentials.life.filter(|_| !credentials.outlives_token)?;
    let short = |life: Option<Life>| life.filter(|life| life.ends_before(&lease));
    short(token.life)?;
    if token.renewable && !token.given {
        let renewed = vault.renew_self(&token.secret, lease.ttl.as_secs()).await.ok()?;
        token.life = Life::new(granted(renewed.lease_duration), crate::vault::now());
    }
    let life = short(token.life)?;
    Some(format!(
        "the token ends after {0} and takes the key with it: set token_ttl={1} token_max_ttl={1} on the login's role",
        show(life.ttl),
        show(lease.ttl)
    ))
}

/// Ends the token of this look. Where an answer was `lost`, nobody knows of everything that it issued.
async fn revoke(
    report: &mut Report,
    vault: &Vault,
    token: &Token,
    ledger: &mut Ledger,
    lost: bool,
) -> Result<(), sink::Error> {
    if token.given {
        return Ok(());
    }
    if ledger.has_minted() {
        // Such a key is deleted with a parent that the token reads.
        return report.add(match ledger.revoke_all(vault).await {
            Left::Nothing if lost => Step::ok("revoke", "what this look knows of is taken back"),
            Left::Nothing => Step::ok("revoke", "what this look made is taken back"),
            _ => Step::skip("revoke", "what could not be taken back is named in a warning"),
        });
    }
    if !ledger.lists(&token.secret) {
        ledger.revoke_all(vault).await;
        return report.add(Step::skip("revoke", "others have this token too: it ends with its TTL"));
    }
    let step = match vault.unstoppable().revoke_self(&token.secret).await {
        Ok(()) => {
            ledger.disarm();
            let rest = if lost { "what may be left is named above" } else { "and what it issued with it" };
            Step::ok("revoke", format!("the token of this look is revoked, {rest}"))
        }
        Err(error) => Step::skip("revoke", format!("the token of this look ends with its TTL: {error}")),
    };
    report.add(step)
}

/// Names what was not reached.
fn rest(report: &mut Report, from: &'static str) -> Result<(), Error> {
    let ids: Vec<_> = STEPS.iter().skip_while(|id| **id != from).copied().collect();
    let step = Step::skip("then", format!("not reached: {}", ids.join(", ")));
    Ok(report.add(Step { status: Status::Skip, code: Code::Refused, ..step })?)
}
