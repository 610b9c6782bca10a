//! `rotate --dry-run`: everything that leaves no trace, and what the rotation would then refuse. It must not change
//! anything.

use super::error::Fault;
use super::old::Old;
use super::{Run, may_write};
use crate::cloud::gitlab::Variable;
use crate::error::Error;
use crate::vault::TokenRole;

impl Run<'_> {
    /// `--dry-run`: everything that leaves no trace.
    pub(super) async fn rehearse(&self, current: &Variable, old: &Old) -> Result<(), Error> {
        let (role, place) = (&self.rotation.token_role, &self.rotation.place);
        let path = format!("auth/token/create/{role}");
        let may = self.vault.login_capabilities(self.login, &path).await?;
        if !may_write(&may) {
            return Err(Fault::MayNotCreate { path }.into());
        }
        match self.vault.token_role(self.login, role).await {
            Ok(found) => self.judge(&found, old)?,
            Err(error) if matches!(error.refusal(), Some((403, _))) => {
                tracing::warn!(
                    "the login may not read auth/token/roles/{role}: what its tokens are like is not known"
                );
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!("{} would be replaced: {}", place, attributes(current));
        tracing::info!("{}", old.plan(self.rotation.grace));
        tracing::info!(
            "nothing was changed (--dry-run); whether GitLab lets this token change the variable is not known"
        );
        Ok(())
    }

    /// What [`Run::prove`] would refuse, as far as the token role tells.
    fn judge(&self, role: &TokenRole, old: &Old) -> Result<(), Fault> {
        let name = &self.rotation.token_role;
        for (fault, why) in [
            (!role.orphan, "dies with the login that makes it: set orphan=true"),
            (role.batch, "is a batch token, which can't be revoked"),
            (role.num_uses > 0, "is good for a limited number of requests"),
        ] {
            if fault {
                return Err(Fault::unfit(name, why));
            }
        }
        let Old::Alive { info: before, .. } = old else { return Ok(()) };
        // Without a list a token gets what the login has.
        if role.policies.is_empty() {
            return Ok(());
        }
        // Vault adds `default` to every token.
        let gets = |policy: &String| policy == "default" || role.policies.contains(policy);
        let lacking: Vec<_> = before.policies.iter().filter(|policy| !gets(policy)).cloned().collect();
        match (lacking.is_empty(), &self.rotation.secret_id_path) {
            (true, _) => Ok(()),
            (false, None) => Err(Fault::Lacks { role: name.clone(), policies: lacking.join(", ") }),
            (false, Some(path)) => {
                tracing::warn!(
                    "the new token would lack {}, which the old one has: whether it may write {path} is not known",
                    lacking.join(", ")
                );
                Ok(())
            }
        }
    }
}

fn attributes(current: &Variable) -> String {
    let is = |what: Option<bool>, name| what.unwrap_or(false).then_some(name);
    let all = [
        is(current.masked, "masked"),
        is(Some(current.hidden), "hidden"),
        is(current.protected, "protected"),
        is(current.raw, "raw"),
    ];
    let kept: Vec<_> = all.into_iter().flatten().chain(current.variable_type.as_deref()).collect();
    format!("it stays {}", kept.join(", "))
}
