//! `--wait`: hands over the key of an IAM user only when AWS knows it. It must not wait where nothing has to become
//! known, as for a session's key.

use std::time::Duration;

use super::super::steps::{Api, Context, Failed, Step};
use crate::cloud::aws::{Sts, is_region};
use crate::credentials::Credentials;
use crate::error::{Code, Explain};

/// Parts of AWS learn of a key one after the other, so that it must be known so many times in a row.
const IN_A_ROW: usize = 3;
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// How long to wait. HashiCorp advises 5 to 10 s (hashicorp/vault website: secret/aws).
const LIMIT: Duration = Duration::from_secs(60);

/// As in AWS's own SDKs: a new key is tried out at the STS of the region that the job works in.
static STS: Api = Api {
    variable: "AWS_ENDPOINT_URL_STS",
    example: "https://sts.eu-west-1.amazonaws.com",
    usual: |region| region.is_none_or(is_region).then(|| Sts::address(region)),
    patience: Some((Duration::from_secs(10), 2)),
};

pub(super) static STEP: Step = Step {
    switch: "--wait",
    api: Some(&STS),
    ready: |context, credentials| Box::pin(until_known(context, credentials)),
    ..Step::NOTHING
};

/// AWS does not know the key.
#[derive(Debug, thiserror::Error)]
#[error("AWS does not know the new key after {}", crate::duration::show(LIMIT))]
pub struct Unknown;

impl Explain for Unknown {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "retry the job; if it goes on, can this runner reach AWS's STS (AWS_ENDPOINT_URL_STS)?"
                .to_owned(),
        ]
    }
}

/// Returns when AWS knows the key, at once where there is nothing to wait for: a session works from the start.
async fn until_known(context: &Context<'_>, credentials: &Credentials) -> Result<(), Failed> {
    let Context { vault, request, settled } = context;
    let (Some(endpoint), None) = (&settled.endpoint, request.value(credentials, "session_token")) else {
        return Ok(());
    };
    let (Some(key), Some(secret)) =
        (request.value(credentials, "access_key"), request.value(credentials, "secret_key"))
    else {
        return Ok(());
    };
    let sts = Sts { endpoint: endpoint.clone(), region: settled.region.clone() };
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
    let outcome = vault
        .shutdown()
        .guard(Duration::ZERO, tokio::time::timeout(LIMIT, poll))
        .await
        .map_err(Failed::new)?;
    outcome.map_err(|_| Failed::new(Unknown))
}
