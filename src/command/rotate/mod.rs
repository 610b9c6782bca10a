//! `ci-creds rotate`: a new issuing token into the GitLab variable, and the old one out of the way. In this order,
//! because whatever fails on the way must leave a variable that works: look at the variable, log in, make the new
//! token, prove it, store it, read it back, and only then shorten the old one's life.

use std::time::Duration;

use tokio::time::sleep;

use crate::cloud::gitlab::{Gitlab, Variable};
use crate::config::{GitlabToken, Rotation};
use crate::duration;
use crate::error::Error;
use crate::http::Client;
use crate::ledger::Ledger;
use crate::secret::Secret;
use crate::session::{self, Order};
use crate::shutdown::{PATIENCE, Shutdown};
use crate::vault::{self, TokenInfo, Vault};

pub(crate) mod access;
mod error;
mod old;
mod rehearsal;
mod token;

use error::Fault;
use old::Old;

/// How often a change of the variable is sent, when it is not clear whether it took place.
const STORES: usize = 3;
/// The pause between two looks at a variable that may be changing.
const PAUSE: Duration = Duration::from_secs(1);

/// The new issuing token.
struct New {
    secret: Secret,
    accessor: String,
    life: String,
}

/// Rotates, or leaves the variable as it was, or says what is not certain.
pub(crate) async fn run(rotation: Rotation, shutdown: Shutdown) -> Result<(), Error> {
    // Before the login, where that does not have to read the token: a secret_id may be good for one login.
    let (early, requests) = match &rotation.gitlab_token {
        GitlabToken::Vault(request) => (None, vec![(**request).clone()]),
        GitlabToken::Given(given) => {
            (Some(look(&rotation, token::given(given, &shutdown).await?, &shutdown).await?), Vec::new())
        }
    };
    let vault = Vault::at(&rotation.server, shutdown.clone()).await?;
    let order = Order { login: rotation.login.clone(), requests, look_up: false, dead_man: None };
    let mut ledger = Ledger::default();
    let session = session::obtain(&vault, &order, &mut ledger).await?;
    let outcome = async {
        let (gitlab, current) = match early {
            Some(found) => found,
            None => look(&rotation, token::read(&session)?, &shutdown).await?,
        };
        let run = Run { rotation: &rotation, vault: &vault, gitlab: &gitlab, login: &session.token.secret };
        run.rotate(&current, &shutdown).await
    };
    let outcome = outcome.await;
    ledger.revoke_all(&vault).await;
    outcome
}

/// GitLab, and the variable as it is.
async fn look(rotation: &Rotation, token: Secret, shutdown: &Shutdown) -> Result<(Gitlab, Variable), Error> {
    let client = Client::late(rotation.gitlab.http.clone(), shutdown.clone()).await?;
    let gitlab = Gitlab::new(client, rotation.gitlab.base.clone(), token);
    let current = gitlab.variable(&rotation.place).await?;
    Ok((gitlab, current))
}

/// What all steps use.
struct Run<'a> {
    rotation: &'a Rotation,
    vault: &'a Vault,
    gitlab: &'a Gitlab,
    login: &'a Secret,
}

impl Run<'_> {
    async fn rotate(&self, current: &Variable, shutdown: &Shutdown) -> Result<(), Error> {
        let value = current.value.as_ref().filter(|_| !current.hidden);
        let old = Old::look(self.vault, value.or(self.rotation.in_this_job.as_ref())).await?;
        if self.rotation.secret_id_path.is_none() && !matches!(old, Old::Alive { .. }) {
            return Err(Fault::NoMeasure { old: old.name() }.into());
        }
        if self.rotation.dry_run {
            return self.rehearse(current, &old).await;
        }
        shutdown.check()?;
        let new = self.create(shutdown).await?;
        // From here on a stop does not interrupt: what follows is short, and must not be left half done.
        let vault = self.vault.without_cancellation();
        let new = match self.prove(&vault, &new, &old).await {
            Ok(life) => New { life, ..new },
            Err(why) => return Err(revoke_all(&vault, &new, why).await),
        };
        if let Err(stopped) = shutdown.check() {
            return Err(revoke_all(&vault, &new, stopped.into()).await);
        }
        self.store(&vault, current, &new, &old).await?;
        let place = &self.rotation.place;
        tracing::info!("{place} holds a new issuing token (accessor {}), {}", new.accessor, new.life);
        old.end(&vault, self.rotation.grace).await
    }

    async fn create(&self, shutdown: &Shutdown) -> Result<New, Error> {
        let role = &self.rotation.token_role;
        let time = vault::now();
        let lost = |cause: String| Fault::LostCreation { role: role.clone(), time, cause };
        let vault = self.vault.without_cancellation();
        let answer = match shutdown.guard(PATIENCE, vault.create_token(self.login, role)).await {
            Ok(answer) => answer,
            Err(stopped) => return Err(lost(stopped.to_string()).into()),
        };
        match answer {
            Ok(auth) => {
                Ok(New { secret: auth.client_token, accessor: auth.accessor.into(), life: String::new() })
            }
            Err(error) if error.is_lost() => Err(lost(error.to_string()).into()),
            Err(error) => {
                let hints = match error.refusal() {
                    Some((403, _)) => {
                        let path = format!("auth/token/create/{role}");
                        vec![format!("the login's policy must have: {}", vault::policy(&path, "update"))]
                    }
                    Some(_) => {
                        vec![format!("is {role} a token role? `vault list auth/token/roles` lists them")]
                    }
                    None => Vec::new(),
                };
                Err(vault::WithHints { error, notes: Vec::new(), hints }.into())
            }
        }
    }

    /// Whether the new token can take the old one's place; says how long.
    async fn prove(&self, vault: &Vault, new: &New, old: &Old) -> Result<String, Error> {
        let role = &self.rotation.token_role;
        let info = match vault.lookup_self(&new.secret).await {
            Ok(info) => info,
            Err(error) if error.refusal().is_some() => {
                return Err(
                    Fault::unfit(role, "lacks the policy `default`, which lets it look itself up").into()
                );
            }
            Err(error) => return Err(error.into()),
        };
        for (fault, why) in [
            (!info.orphan, "dies with the login that made it, because the role has no orphan=true"),
            (info.kind.as_str() == "batch", "is a batch token, which can't be revoked"),
            (info.num_uses > 0, "is good for a limited number of requests"),
        ] {
            if fault {
                return Err(Fault::unfit(role, why).into());
            }
        }
        match (&self.rotation.secret_id_path, old) {
            (Some(path), _) => {
                let may = vault.login_capabilities(&new.secret, path).await?;
                if !may_write(&may) {
                    return Err(Fault::CanNotIssue { role: role.clone(), path: path.clone() }.into());
                }
            }
            // It has to do what the old one does.
            (None, Old::Alive { info: before, .. }) => {
                let lacking = before.policies.iter().filter(|policy| !info.policies.contains(policy));
                let lacking: Vec<_> = lacking.cloned().collect();
                if !lacking.is_empty() {
                    return Err(Fault::Lacks { role: role.clone(), policies: lacking.join(", ") }.into());
                }
            }
            (None, _) => return Err(Fault::NoMeasure { old: old.name() }.into()),
        }
        if info.ttl.is_some_and(|ttl| ttl <= self.rotation.grace) {
            tracing::warn!("the new token lives no longer than the grace that is given to the old one");
        }
        if info.periodic || !info.renewable {
            tracing::warn!(
                "the next rotation can't shorten the life of this token: the role {role} should make renewable \
                 tokens without a period"
            );
        }
        Ok(life(&info))
    }

    /// Changes the variable, and returns only when it is known what the variable holds, or that it can't be known.
    async fn store(&self, vault: &Vault, current: &Variable, new: &New, old: &Old) -> Result<(), Error> {
        let (gitlab, place) = (self.gitlab.without_cancellation(), &self.rotation.place);
        let mut doubt = None;
        for _ in 0..STORES {
            let cause = match gitlab.set(place, current, &new.secret).await {
                // A hidden variable can't be read back: GitLab's word counts.
                Ok(_) if current.hidden => return Ok(()),
                Ok(_) => match self.read_back(&gitlab, new).await {
                    Ok(()) => return Ok(()),
                    Err(cause) => return Err(self.unconfirmed(new, old, cause).into()),
                },
                Err(error) if doubt.is_none() && error.never_ran() => {
                    return Err(revoke_all(vault, new, error.into()).await);
                }
                Err(error) => error.to_string(),
            };
            tracing::warn!("it is not certain that {place} was changed: {cause}");
            sleep(PAUSE).await;
            if !current.hidden && gitlab.variable(place).await.is_ok_and(|seen| seen.holds(&new.secret)) {
                return Ok(());
            }
            doubt = Some(cause);
        }
        // A change that is still on its way may arrive: the new token must be alive then.
        Err(self.unconfirmed(new, old, doubt.unwrap_or_default()).into())
    }

    async fn read_back(&self, gitlab: &Gitlab, new: &New) -> Result<(), String> {
        let mut cause = String::new();
        for _ in 0..STORES {
            match gitlab.variable(&self.rotation.place).await {
                Ok(seen) if seen.holds(&new.secret) => return Ok(()),
                Ok(_) => cause = "it was read back with another value".to_owned(),
                Err(error) => cause = format!("it could not be read back: {error}"),
            }
            sleep(PAUSE).await;
        }
        Err(cause)
    }

    fn unconfirmed(&self, new: &New, old: &Old, cause: String) -> Fault {
        Fault::Unconfirmed {
            place: self.rotation.place.to_string(),
            cause,
            new: format!("accessor {}, {}", new.accessor, new.life),
            old: old.name(),
        }
    }
}

/// Revokes the new token, which is in no variable, and says why the rotation ends here.
async fn revoke_all(vault: &Vault, new: &New, why: Error) -> Error {
    match vault.revoke_self(&new.secret).await {
        Ok(()) => why,
        // It may lack the policy `default`.
        Err(error) => Fault::NotTakenBack {
            accessor: new.accessor.clone(),
            cause: error.to_string(),
            why: why.to_string(),
        }
        .into(),
    }
}

fn may_write(granted: &[String]) -> bool {
    granted.iter().any(|one| matches!(one.as_str(), "update" | "create" | "root"))
}

/// `valid 32 days, until 2026-…`.
fn life(info: &TokenInfo) -> String {
    match info.ttl {
        Some(ttl) => format!("valid {}, until {}", duration::life(ttl), until(ttl)),
        None => "no expiry".to_owned(),
    }
}

fn until(ttl: Duration) -> String {
    vault::now().checked_add(ttl).map_or_else(|_| "far ahead".to_owned(), |end| end.to_string())
}

impl std::fmt::Debug for New {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "accessor {}", self.accessor)
    }
}
