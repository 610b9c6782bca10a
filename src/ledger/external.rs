//! What steps made at clouds: each is undone with its parent, which is read again where it is not at hand. It must not
//! know a cloud: the cloud's table says how to undo it.

use super::Left;
use crate::credentials::External;
use crate::error::{Code, Explain as _, chain};
use crate::provider::{self, Externals};
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// Its name in messages: `the API key SCW1`.
fn name(external: &External) -> String {
    let what = of(external).map_or("thing", |(_, externals)| externals.what);
    format!("the {what} {}", external.id)
}

/// The cloud's title, and how it undoes.
fn of(external: &External) -> Option<(&'static str, &'static Externals)> {
    let cloud = provider::find(external.cloud)?;
    Some((cloud.title, cloud.externals?))
}

/// Undoes one. `token` reads the parent; `asking` holds the cloud that is being asked, or `None` for Vault;
/// `taken` becomes true if it was undone.
pub(super) async fn undo(
    vault: &Vault,
    external: &External,
    token: Option<&Secret>,
    asking: &mut Option<&'static str>,
    taken: &mut bool,
) -> Left {
    *asking = None;
    // The cloud has ended it, or will have by the time we ask.
    if external.ends <= vault::now() {
        return Left::Nothing;
    }
    let (name, ends) = (name(external), external.ends);
    let Some((title, externals)) = of(external) else { return Left::Nothing };
    let parent = match (&external.parent, token) {
        (Some(parent), _) => parent.clone(),
        (None, None) => {
            tracing::warn!("{name} was made with a token that is not here; it ends at {ends}");
            return Left::NoToken;
        }
        (None, Some(token)) => match read(vault, external, token).await {
            Ok(parent) => parent,
            Err((left, reason)) => {
                tracing::warn!("the parent of {name} can't be read ({reason}); it ends at {ends}");
                return left;
            }
        },
    };
    *asking = Some(title);
    match (externals.undo)(vault.client(), external, parent).await {
        Ok(()) => {
            tracing::debug!("deleted {name}");
            *taken = true;
            Left::Nothing
        }
        Err(error) => {
            stays(external, &chain(&error));
            match error.code() {
                Code::Refused => Left::Refused,
                _ => Left::Cloud(title),
            }
        }
    }
}

/// Warns that it stays.
pub(super) fn stays(external: &External, why: &str) {
    tracing::warn!("{} was not deleted ({why}); it ends at {}", name(external), external.ends);
}

async fn read(vault: &Vault, external: &External, token: &Secret) -> Result<Secret, (Left, String)> {
    let answer = vault.issue(token, &external.path, &[], false).await.map_err(|error| {
        let left = if error.refusal().is_some() { Left::Refused } else { Left::Unreachable };
        (left, chain(&error))
    })?;
    let data = answer.secret(&external.path, None).ok().flatten();
    let value = |data: &vault::Data, name: &String| data.field(name).filter(|one| !one.is_absent())?.text();
    let secret = data.and_then(|data| external.fields.iter().find_map(|name| value(data, name)));
    let secret = secret.map(|secret| Secret::from(secret.reveal().trim()));
    secret.ok_or_else(|| (Left::Refused, "the answer lacks its secret key".to_owned()))
}
