//! Waiting until AWS knows a new key.

use std::time::Duration;

use super::Error;
use crate::credentials::Credentials;
use crate::provider::Request;
use crate::vault::Vault;

/// One part of AWS may know a key before the next: it has to be known so often in a row.
const IN_A_ROW: usize = 3;
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// How long to wait. HashiCorp advises 5 to 10 s (hashicorp/vault website: secret/aws).
const LIMIT: Duration = Duration::from_secs(60);

/// Returns when AWS knows the key, at once where there is nothing to wait for: a session works from the start.
pub(super) async fn until_known(
    vault: &Vault,
    request: &Request,
    credentials: &Credentials,
) -> Result<(), Error> {
    let (Some(sts), None) = (&request.wait, request.value(credentials, "session_token")) else {
        return Ok(());
    };
    let (Some(key), Some(secret)) =
        (request.value(credentials, "access_key"), request.value(credentials, "secret_key"))
    else {
        return Ok(());
    };
    tracing::info!("waiting until AWS knows the new key, up to {} s", LIMIT.as_secs());
    let poll = async {
        let mut known = 0;
        while known < IN_A_ROW {
            match sts.knows(vault.client(), key, secret).await {
                Ok(true) => known += 1,
                Ok(false) => known = 0,
                Err(error) => {
                    tracing::debug!("AWS was not reached: {error}");
                    known = 0;
                }
            }
            tracing::debug!("AWS knows the key: {known} of {IN_A_ROW} times in a row");
            if known < IN_A_ROW {
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    let outcome = vault.stop().guard(Duration::ZERO, tokio::time::timeout(LIMIT, poll)).await?;
    outcome.map_err(|_| Error::Unknown { after: LIMIT })
}
