//! Checks whether what the login sends can be had. It must not say anything where it can.

use super::{Step, Walk};
use crate::error::Code;
use crate::session;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, vault: &Vault) -> Vec<Step> {
    match session::gather(vault, &walk.config.login).await {
        Ok(gathered) => walk.gathered = Some(gathered),
        Err(error) => {
            let step = Step::failed("login", &error);
            // The token that issues secret_ids may lack the policy, or the AppRole does not exist.
            let absent = step.code == Code::Refused;
            return vec![step.absent(absent)];
        }
    }
    Vec::new()
}
