//! What a provider's steps need: looked up, checked, and put into its request.

use std::time::Duration;

use super::lookup::{ADDRESS, Found, Lookup};
use super::{Error, address, aws, server};
use crate::ci::Job;
use crate::cloud::scaleway::Place;
use crate::env::boolean;
use crate::http::{self, is_loopback};
use crate::input::is_uuid;
use crate::options::{self, Opt};
use crate::provider::{Effect, Mint, Provider, Request, S3, Settings, Step, scaleway};

/// What Scaleway's own tools take for their API (scaleway-sdk-go: `scw/env.go`).
const API: (&str, &str) = ("SCW_API_URL", "https://api.scaleway.com");
/// How long a minted key lives when nobody says.
const TTL: Duration = Duration::from_secs(15 * 60);

/// The steps whose switches are on.
pub(super) fn wanted(provider: &Provider, lookup: &Lookup<'_>) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    for option in provider.options {
        let (Effect::Switches(step), Some(found)) = (option.effect, lookup.text(option.opt)?) else {
            continue;
        };
        let (source_name, by_flag) = (found.source, found.by_flag);
        let on =
            boolean(&found.value).ok_or(Error::Value { source_name, wanted: "true or false", by_flag })?;
        steps.extend(on.then_some(step));
    }
    for option in provider.options {
        let Effect::Tells(step) = option.effect else { continue };
        let flag = lookup.text(option.opt)?.filter(|found| found.by_flag && !steps.contains(&step));
        if let Some(found) = flag {
            return Err(Error::Without { flag: found.source, switch: "--mint" });
        }
    }
    Ok(steps)
}

/// Puts the steps into `request`.
pub(super) fn add(
    request: &mut Request,
    steps: &[Step],
    settings: &Settings,
    lookup: &Lookup<'_>,
    job: &Job,
) -> Result<(), Error> {
    for step in steps {
        match step {
            Step::S3 => {
                let region =
                    lookup.named("SCW_DEFAULT_REGION", "the name of a region")?.map(|found| found.value);
                request.s3 = Some(S3 { region });
            }
            Step::Wait => request.wait = Some(aws::sts(lookup, settings)?),
            Step::Mint => request.mint = Some(mint(settings, lookup, job)?),
        }
    }
    Ok(())
}

fn mint(settings: &Settings, lookup: &Lookup<'_>, job: &Job) -> Result<Mint, Error> {
    let id = |option: &Opt| -> Result<Option<String>, Error> {
        match lookup.text(option)? {
            Some(Found { value, .. }) if is_uuid(value.trim()) => Ok(Some(value.trim().to_owned())),
            Some(Found { source, by_flag, .. }) => Err(Error::Id { source_name: source, by_flag }),
            None => Ok(None),
        }
    };
    Ok(Mint {
        application_id: id(&scaleway::APPLICATION_ID)?.ok_or(Error::NoApplication)?,
        project_id: id(&scaleway::PROJECT_ID)?,
        ttl: settings.ttl.map_or(TTL, Duration::from_secs),
        purpose: purpose(job),
        place: place(lookup)?,
    })
}

/// The job, as the key's description names it.
fn purpose(job: &Job) -> String {
    let fact = |name| job.facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.as_str());
    match (fact("project_path"), fact("job_id")) {
        (Some(project), Some(id)) => format!("ci-creds: job {id} of {project}"),
        _ => "ci-creds".to_owned(),
    }
}

/// Scaleway's API, as it is configured.
pub(super) fn place(lookup: &Lookup<'_>) -> Result<Place, Error> {
    let found = lookup.named(API.0, ADDRESS)?;
    let text = found.as_ref().map_or(API.1, |found| found.value.trim());
    let url = address::web(text, API.0, API.1)?;
    let proxy = if is_loopback(&url) { None } else { server::usual_proxy(lookup, &url)? };
    let needs_tls = url.scheme() == "https";
    let (max_retries, elsewhere) = (lookup.number(&options::MAX_RETRIES)?, server::elsewhere(lookup)?);
    Ok(Place { http: http::Settings { proxy, needs_tls, max_retries, ..elsewhere }, url })
}
