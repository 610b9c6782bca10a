//! What the login sends: whether it can be had. It says nothing of its own where it can.

use super::{Step, Walk};
use crate::session;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, vault: &Vault) -> Vec<Step> {
    match session::gather(vault, &walk.config.login).await {
        Ok(gathered) => walk.gathered = Some(gathered),
        Err(error) => return vec![Step::failed("login", &error)],
    }
    Vec::new()
}
