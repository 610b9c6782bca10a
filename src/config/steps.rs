//! Looks up and checks what a provider's steps need, and puts it into the request. It must not know a step: each says
//! what it needs.

use std::time::Duration;

use super::lookup::{ADDRESS, Lookup, Sourced};
use super::{Error, address, server};
use crate::ci::Job;
use crate::env::boolean;
use crate::http::{self, Endpoint, is_loopback};
use crate::input::is_uuid;
use crate::options;
use crate::provider::{Api, Effect, Need, Provider, Request, Settings, Settled, Step};

/// The steps whose switches are on.
pub(super) fn wanted(provider: &Provider, lookup: &Lookup<'_>) -> Result<Vec<&'static Step>, Error> {
    let mut steps: Vec<&'static Step> = Vec::new();
    for option in provider.options {
        let Effect::Switches(step) = option.effect else { continue };
        let is_on = lookup.parsed(option.opt, "true or false", boolean)?;
        steps.extend(is_on.filter(|is_on| *is_on).map(|_| step));
    }
    for option in provider.options {
        let Effect::Tells(step) = option.effect else { continue };
        let is_on = steps.iter().any(|one| one.is(step));
        if let Some(found) = lookup.text(option.opt)?.filter(|found| found.by_flag && !is_on) {
            return Err(Error::Without { flag: found.source, switch: step.switch });
        }
    }
    Ok(steps)
}

/// Puts the steps into `request`.
pub(super) fn add(
    request: &mut Request,
    steps: &[&'static Step],
    settings: &Settings,
    lookup: &Lookup<'_>,
    job: &Job,
) -> Result<(), Error> {
    let Some(provider) = request.origin.cloud() else { return Ok(()) };
    for step in steps {
        request.steps.push((step, settled(step, provider, settings, lookup, job)?));
    }
    Ok(())
}

fn settled(
    step: &Step,
    provider: &Provider,
    settings: &Settings,
    lookup: &Lookup<'_>,
    job: &Job,
) -> Result<Settled, Error> {
    let mut settled =
        Settled { ttl: settings.ttl.map(Duration::from_secs), purpose: purpose(job), ..Settled::default() };
    settled.region =
        settings.options.iter().find(|(name, _)| *name == "region").map(|(_, value)| value.clone());
    for option in provider.options.iter().filter(|one| matches!(one.effect, Effect::Tells(to) if to.is(step)))
    {
        match lookup.text(option.opt)? {
            Some(Sourced { source, by_flag, value }) if option.opt.is_id() && !is_uuid(value.trim()) => {
                return Err(Error::Id { source_name: source, by_flag, title: provider.title });
            }
            Some(found) => settled.options.push((option.opt.name, found.value.trim().to_owned())),
            None => {}
        }
    }
    let missing = |need: &&Need| settled.options.iter().all(|(name, _)| *name != need.opt.name);
    if let Some(need) = step.needs.iter().find(missing) {
        return Err(Error::StepNeeds { switch: step.switch, provider: provider.name, need });
    }
    for (name, meant) in step.variables {
        settled.variables.extend(lookup.named(name, meant)?.map(|found| (*name, found.value)));
    }
    settled.endpoint = step.api.map(|api| endpoint(api, settled.region.as_deref(), lookup)).transpose()?;
    Ok(settled)
}

/// The job, as people read it at a cloud.
fn purpose(job: &Job) -> String {
    let fact = |name| job.facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.as_str());
    match (fact("project_path"), fact("job_id")) {
        (Some(project), Some(id)) => format!("ci-creds: job {id} of {project}"),
        _ => "ci-creds".to_owned(),
    }
}

/// A cloud's API, as it is configured for a job that works in `region`.
pub(super) fn endpoint(api: &Api, region: Option<&str>, lookup: &Lookup<'_>) -> Result<Endpoint, Error> {
    let wanted = "a region such as eu-west-1";
    let usual = (api.usual)(region);
    let usual = usual.ok_or(Error::Value { source_name: "--region".to_owned(), wanted, by_flag: false })?;
    let found = lookup.named(api.variable, ADDRESS)?;
    let text = found.as_ref().map_or(usual.as_str(), |found| found.value.trim());
    let url = address::web(text, api.variable, api.example)?;
    let proxy = if is_loopback(&url) { None } else { server::usual_proxy(lookup, &url)? };
    let needs_tls = url.scheme() == "https";
    let elsewhere = server::elsewhere(lookup)?;
    let (timeout, max_retries) = match api.patience {
        Some((timeout, retries)) => (timeout, Some(retries)),
        None => (elsewhere.timeout, lookup.number(&options::MAX_RETRIES)?),
    };
    Ok(Endpoint { url, settings: http::Settings { proxy, needs_tls, timeout, max_retries, ..elsewhere } })
}
