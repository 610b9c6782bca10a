//! `ci-creds doctor`: compares a role of an auth method with claims, or checks each step of a run. It must leave
//! nothing behind in Vault.

use crate::cli::{Doctor, Parsed, Subject, Verb};
use crate::config::{self, Config, RoleCheck, foreign, sources};
use crate::doctor::report::Report;
use crate::doctor::run::Call;
use crate::doctor::{Step, audit, role, run as walked};
use crate::env::Env;
use crate::error::Error;
use crate::policy;
use crate::shutdown::Shutdown;

/// Checks, reports, and fails with the first failed step.
pub(crate) async fn run(
    doctor: &Doctor,
    parsed: &Parsed,
    env: &Env,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let mut report = Report::new(doctor.json, doctor.strict);
    if doctor.dry_run {
        report = report.aside();
    }
    match &doctor.subject {
        Subject::Role(at) => {
            report.title(&format!("ci-creds doctor: {}", at.path()))?;
            machine(&mut report, env)?;
            match RoleCheck::resolve(parsed, env) {
                Ok(check) => role::walk(&mut report, check, doctor, at, shutdown).await?,
                Err(error) => report.add(Step::failed("configuration", &error))?,
            }
        }
        Subject::Audit(mount) => {
            report.title(&format!("ci-creds doctor: who gets in at the roles of auth/{mount}"))?;
            machine(&mut report, env)?;
            match RoleCheck::resolve(parsed, env) {
                Ok(check) => audit::walk(&mut report, check, mount, shutdown).await?,
                Err(error) => report.add(Step::failed("configuration", &error))?,
            }
        }
        Subject::Run(verb) => {
            let verb = (**verb).clone();
            let what = match &verb {
                Verb::Provider(ask) => ask.provider.name.to_owned(),
                Verb::Read(paths) => {
                    let paths: Vec<_> = paths.iter().map(|one| one.path.as_str()).collect();
                    format!("read {}", paths.join(" "))
                }
                Verb::Env => "env".to_owned(),
                _ => "login".to_owned(),
            };
            report.title(&if doctor.dry_run {
                format!("ci-creds doctor: --dry-run walks `ci-creds {what}`, and issues and runs nothing")
            } else {
                format!("ci-creds doctor: each step of `ci-creds {what}`")
            })?;
            machine(&mut report, env)?;
            let (and, flags) = (parsed.and.clone(), parsed.flags.clone());
            let parsed = Parsed { verb, and, command: parsed.command.clone(), flags };
            let call = Call::of(&parsed, &config::again::variables(&parsed, env));
            let settled = sources(&parsed, env).and_then(|all| Ok((Config::resolve(&parsed, env)?, all)));
            match settled {
                Ok((config, all)) => {
                    walked::walk(&mut report, config, all, foreign(env), doctor.issue, &call, shutdown)
                        .await?;
                }
                Err(error) => report.add(Step::failed("configuration", &error))?,
            }
        }
    }
    Ok(report.finish()??)
}

/// What the machine's administrator allows, where that is limited.
fn machine(report: &mut Report, env: &Env) -> Result<(), Error> {
    if env.policy().is_there() {
        report.add(Step::ok("machine", format!("{} is in force: {}", policy::FILE, env.policy())))?;
    }
    Ok(())
}
