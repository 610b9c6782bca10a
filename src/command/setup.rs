//! `ci-creds setup`: prints what Vault needs for a run; with --check it looks whether that is there. It changes
//! nothing.

use serde_json::{Map, Value, json};

use crate::claims::Claims;
use crate::claims::entry::OWN;
use crate::cli::{Parsed, Setup};
use crate::config::{self, RoleCheck};
use crate::emit::sink;
use crate::env::Env;
use crate::error::{Code, Error};
use crate::input::Input;
use crate::secret::Secret;
use crate::session;
use crate::setup::check::{self, Finding, Fit};
use crate::setup::{self, Plan, Proof};
use crate::shutdown::Shutdown;
use crate::text::one_line;
use crate::vault::{self, Vault};

/// Plans, and prints or checks; the exit code.
pub(crate) async fn run(setup: &Setup, parsed: &Parsed, env: &Env, shutdown: Shutdown) -> Result<u8, Error> {
    let setup = &Setup { from_job: line(setup, &shutdown).await?, ..setup.clone() };
    let order = config::setup::resolve(setup, parsed, env)?;
    let plan = setup::plan(&order);
    prove(&plan)?;
    if setup.check {
        let mut role_check = RoleCheck::resolve(parsed, env)?;
        // All of the plan is in the namespace of the login.
        role_check.server.namespace.clone_from(&plan.namespace);
        let vault = Vault::at(&role_check.server, shutdown.clone()).await?;
        let operator = session::given_token(&vault, &role_check.operator).await?;
        let findings = compare(&vault, &operator, &plan).await?;
        return report(setup, &findings, &shutdown).await;
    }
    let format = setup::find(&setup.format).unwrap_or(setup::FORMATS[0]);
    let cli = if setup.cli == "bao" { "bao" } else { "vault" };
    sink::text_unless_stopped((format.write)(&plan, cli), &shutdown).await?;
    Ok(0)
}

/// The text that --from-job stands for.
async fn line(setup: &Setup, shutdown: &Shutdown) -> Result<Option<String>, Error> {
    let Some(text) = &setup.from_job else { return Ok(None) };
    let read = Input::or_itself(text, Claims::is_line, shutdown).await?;
    let read =
        read.map_err(|cause| config::setup::Error::Unread { from: Input::of(text).to_string(), cause })?;
    Ok(Some(read.to_string()))
}

/// Refuses a plan whose role would keep out the job that it is for, and warns of other jobs that the role lets in.
fn prove(plan: &Plan) -> Result<(), config::setup::Error> {
    let mut strangers: Vec<&str> = Vec::new();
    for Proof { entry, is_meant, .. } in &plan.proof {
        if entry.job == OWN && !entry.enters {
            return Err(config::setup::Error::Unproven { claims: entry.kept_out_by.join(", ") });
        }
        // Each role of several is made alike.
        if entry.enters && !is_meant && !strangers.contains(&entry.job) {
            strangers.push(entry.job);
        }
    }
    for job in strangers {
        tracing::warn!("this also lets in {job}: name the jobs more narrowly, or see that it is meant");
    }
    Ok(())
}

/// Compares everything in the plan with what Vault has.
async fn compare(vault: &Vault, operator: &Secret, plan: &Plan) -> Result<Vec<Finding>, Error> {
    let (login, mount) = &plan.auth;
    let place = format!("auth/{mount}");
    if let Err(error) = vault.lookup_self(operator).await
        && error.is_of_no_token()
    {
        let hints = vec![
            "this VAULT_TOKEN is not valid here: it has ended, or another Vault made it. Log in again, with `vault login` \
             or `bao login`"
                .to_owned(),
        ];
        return Err(vault::WithHints { error, notes: Vec::new(), hints }.into());
    }
    let (kind, accessor) = match vault.mount_of(operator, &format!("{place}/")).await {
        Ok(found) => (found.kind, found.accessor),
        // Vault answers in the same way for a mount that does not exist and for one that this token may not see.
        Err(error) if error.refusal().is_some() => Default::default(),
        Err(error) => return Err(vault::WithHints::from(error).into()),
    };
    let mut findings = vec![match &*kind {
        "" => Finding::new(Fit::Missing, &place, "no auth method is mounted there that this token may see"),
        kind if login.types.contains(&kind) => Finding::new(Fit::Same, &place, kind),
        kind => Finding::new(Fit::Missing, &place, format!("it is a {kind}, {} is needed", login.name)),
    }];
    if let Some(config) = &plan.config {
        findings.push(check::config(config, look(vault, operator, &config.object.path).await?.as_ref()));
    }
    for policy in &plan.policies {
        let mut policy = policy.clone();
        policy.lines.iter_mut().for_each(|line| line.path = line.path.replace(setup::ACCESSOR, &accessor));
        let policy = &policy;
        let found = look(vault, operator, &format!("sys/policies/acl/{}", policy.name)).await?;
        let text = found.as_ref().and_then(|found| found.get("policy")?.as_str());
        findings.extend(check::policy(policy, text));
    }
    for role in &plan.roles {
        findings.extend(check::role(role, look(vault, operator, &role.path).await?.as_ref()));
    }
    if !plan.engines.is_empty() {
        let mounts = look(vault, operator, &format!("{}sys/mounts", plan.below)).await?.unwrap_or_default();
        findings.extend(plan.engines.iter().map(|engine| engine.check(&mounts)));
    }
    Ok(findings)
}

/// The object at a path; `None` where there is none.
async fn look(vault: &Vault, operator: &Secret, path: &str) -> Result<Option<Map<String, Value>>, Error> {
    let error = match vault.look(operator, path).await {
        Ok(Value::Object(found)) => return Ok(Some(found)),
        Ok(_) => return Ok(None),
        Err(error) => error,
    };
    // Below a mount that is not there, OpenBao and Vault answer root with 404, and anybody else with 403.
    match error.refusal() {
        Some((404, _)) => Ok(None),
        Some((403, _)) => {
            let hints = vec![
                format!("this VAULT_TOKEN's policy must have: {}", vault::policy(path, "read")),
                "a mount that does not exist is refused in the same way".to_owned(),
            ];
            Err(vault::WithHints { error, notes: Vec::new(), hints }.into())
        }
        _ => Err(vault::WithHints::from(error).into()),
    }
}

async fn report(setup: &Setup, findings: &[Finding], shutdown: &Shutdown) -> Result<u8, Error> {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    let refused = has(Fit::Missing) || setup.strict && has(Fit::Wider);
    let code = if refused { Code::Refused as u8 } else { 0 };
    let word = |verdict| match verdict {
        Fit::Missing => "missing",
        Fit::Wider => "wider",
        Fit::Same => "ok",
    };
    if setup.format == "json" {
        let all = findings
            .iter()
            .map(|one| json!({"verdict": word(one.verdict), "place": one.place, "seen": one.seen}));
        let text = json!({"version": 1, "code": code, "findings": all.collect::<Vec<_>>()});
        sink::text_unless_stopped(format!("{text}\n"), shutdown).await?;
        return Ok(code);
    }
    let mut text = String::new();
    for finding in findings.iter().filter(|finding| finding.verdict != Fit::Same) {
        let seen = one_line(&finding.seen);
        text.push_str(&format!("{:8}{}: {seen}\n", word(finding.verdict), one_line(&finding.place)));
    }
    let same = findings.iter().filter(|finding| finding.verdict == Fit::Same).count();
    text.push_str(&format!("{:8}{same} of {} are as they should be\n", "ok", findings.len()));
    if refused {
        text.push_str("hint: the same call without --check prints what to write\n");
    }
    sink::text_unless_stopped(text, shutdown).await?;
    Ok(code)
}
