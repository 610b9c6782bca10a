//! The settings of the AWS login: where the runner's credentials are, and how AWS is reached. It must not read the
//! credentials.

use std::time::Duration;

use reqwest::Url;

use super::lookup::{ADDRESS, FOLDER, Lookup};
use super::{Error, address, server};
use crate::cloud::aws::{Identity, SOURCES, is_region, is_unsendable};
use crate::http;
use crate::options;
use crate::secret::Secret;

/// The time-out of metadata services: where there is one, it answers at once.
const NEARBY: Duration = Duration::from_secs(1);
/// The time-out of STS.
const INTERNET: Duration = Duration::from_secs(10);

pub(super) fn identity(lookup: &Lookup<'_>) -> Result<Identity, Error> {
    let source = match lookup.text(&options::AWS_SOURCE)? {
        None => None,
        Some(found) => {
            let known = SOURCES.iter().find(|source| source.name == found.value.trim());
            Some(known.ok_or(Error::AwsSource { source_name: found.source, by_flag: found.by_flag })?)
        }
    };
    let sts_region = lookup.parsed(&options::AWS_STS_REGION, "a region such as eu-west-1", |text| {
        Some(text.trim().to_owned()).filter(|region| is_region(region))
    })?;
    let wanted = "text that a header can carry: printable ASCII";
    let server_id = lookup.parsed(&options::AWS_SERVER_ID, wanted, |text| {
        Some(text.trim().to_owned()).filter(|id| !is_unsendable(id))
    })?;
    let internet = internet(lookup)?;
    let nearby = http::Settings { timeout: NEARBY, max_retries: Some(1), ..server::elsewhere(lookup)? };
    let variables = lookup.env.texts("AWS_").map(|(name, text)| (name.to_owned(), Secret::from(text)));
    Ok(Identity {
        source,
        server_id,
        sts_region,
        sts_endpoint: sts_endpoint(lookup)?,
        home: lookup.named("HOME", FOLDER)?.map(|found| found.value),
        variables: variables.collect(),
        internet,
        nearby,
    })
}

fn internet(lookup: &Lookup<'_>) -> Result<http::Settings, Error> {
    let sts = Url::parse("https://sts.amazonaws.com").ok();
    Ok(http::Settings {
        proxy: sts.map(|sts| server::usual_proxy(lookup, &sts)).transpose()?.flatten(),
        timeout: INTERNET,
        max_retries: Some(2),
        ..server::elsewhere(lookup)?
    })
}

/// AWS_ENDPOINT_URL_STS, as in AWS's own SDKs.
fn sts_endpoint(lookup: &Lookup<'_>) -> Result<Option<Url>, Error> {
    let Some(found) = lookup.named("AWS_ENDPOINT_URL_STS", ADDRESS)? else { return Ok(None) };
    let example = "https://sts.eu-west-1.amazonaws.com";
    address::web(found.value.trim(), &found.source, example).map(Some)
}
