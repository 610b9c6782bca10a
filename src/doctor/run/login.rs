//! Logs in as the run would. It must not keep the token: the last check revokes it.

use super::{Step, Walk};
use crate::auth::{self, Login};
use crate::error::Code;
use crate::ledger::Ledger;
use crate::ledger::state::{self, Entry};
use crate::session;
use crate::vault::{self, Vault};

pub(super) async fn look(walk: &mut Walk, vault: &Vault) -> Vec<Step> {
    let Some(gathered) = walk.gathered.take() else { return Vec::new() };
    if let Err(error) = note(walk, vault).await {
        return vec![Step::failed("login", &error)];
    }
    let login = &walk.config.login;
    walk.asked = vault::now();
    let step = match session::enter(vault, login, &gathered, &mut walk.ledger).await {
        Ok(token) => {
            // A process that is killed while an engine is at work leaves its token to `revoke`.
            if let Err(error) = walk.ledger.write_ahead(vault.shutdown()).await {
                return vec![Step::failed("login", &error)];
            }
            let (given, agents) = (token.given, token.is_agents());
            walk.token = Some(token);
            if agents {
                Step::ok("login", "none here: the agent adds its token, which is not revoked")
            } else if given {
                Step::ok("login", "none: the token is used as it is, and not revoked")
            } else {
                Step::ok("login", format!("Vault accepts {}", login.name()))
            }
        }
        Err(error) => {
            let mut step = Step::failed("login", &error);
            // The claims are shown two lines above.
            step.seen.retain(|line| !line.starts_with(crate::claims::MARK));
            let absent = is_absent(&error, login);
            with_role_check(step, login).absent(absent)
        }
    };
    vec![step]
}

/// Has what this look is given noted in the state file, where the run has one.
async fn note(walk: &mut Walk, vault: &Vault) -> Result<(), state::Error> {
    if let Some(place) = walk.config.state_file.clone() {
        let entry = Entry::new(place, &walk.config.server, vault.shutdown()).await?;
        walk.ledger = Ledger::with(Some(entry));
    }
    Ok(())
}

/// Whether the role, the method or its configuration may not be there. A path where nothing is mounted is refused like
/// one that a token may not use.
fn is_absent(error: &session::Error, login: &Login) -> bool {
    let session::Error::Login(auth::Error::Vault(advised)) = error else { return false };
    let known = |text: &&str| advised.error.says(text);
    advised.error.refusal().is_some_and(|(status, _)| matches!(status, 403 | 404))
        || login.method.absent.iter().any(known)
}

/// Vault names one claim alone, and a job can't read the role. An operator can, and sees every claim.
fn with_role_check(step: Step, login: &Login) -> Step {
    match &login.role {
        Some(role) if login.method.name == "jwt" && step.code == Code::Refused => step.hint(format!(
            "an operator compares all claims: ci-creds doctor auth/{}/role/{role} --from-job 'this token says: …'",
            login.mount
        )),
        _ => step,
    }
}
