//! What to issue: each provider of the command line with its settings, or the path of `read`. It must not send
//! anything.

use super::lookup::Lookup;
use super::references::References;
use super::{Error, names, steps};
use crate::ci::Job;
use crate::cli::{Ask, Parsed, PathRead, Verb};
use crate::input::{Input, shown};
use crate::options::{self, Opt};
use crate::provider::{Effect, Request, Settings};
use crate::secret::Secret;

/// The requests in order.
pub(super) fn all(
    parsed: &Parsed,
    references: References,
    lookup: &Lookup<'_>,
    job: &Job,
) -> Result<Vec<Request>, Error> {
    let mut requests = references.requests();
    match &parsed.verb {
        Verb::Provider(ask) => {
            let lookup = Lookup { provider: Some(ask.provider.name), ..*lookup };
            requests.push(provider(ask, &lookup, job)?);
        }
        Verb::Read(paths) => {
            for one in paths {
                requests.push(read(one, parsed, lookup)?);
            }
        }
        Verb::Env
        | Verb::Login
        | Verb::Doctor(_)
        | Verb::Setup(_)
        | Verb::Revoke
        | Verb::Scan(_)
        | Verb::Status { .. }
        | Verb::Rotate
        | Verb::Completions(_) => {}
    }
    for ask in parsed.and.iter().flatten() {
        let lookup = Lookup { provider: Some(ask.provider.name), flags_count: false, ..*lookup };
        requests.push(provider(ask, &lookup, job)?);
    }
    if let Some(first) = requests.first_mut() {
        first.constants.extend(references.escaped);
    }
    no_name_twice(&requests)?;
    Ok(requests)
}

fn provider(ask: &Ask, lookup: &Lookup<'_>, job: &Job) -> Result<Request, Error> {
    let provider = ask.provider;
    let steps = steps::wanted(provider, lookup)?;
    let mut settings = Settings { role: role(ask, lookup)?, ..Settings::default() };
    settings.mount = lookup.text(&options::MOUNT)?.map(|found| found.value);
    settings.path = lookup.text(&options::PATH)?.map(|found| found.value);
    for given in lookup.list(&options::FIELD)? {
        let known =
            given.split_once('=').filter(|(ours, _)| provider.fields.iter().any(|field| field.name == *ours));
        let Some((ours, theirs)) = known else {
            let known: Vec<_> = provider.fields.iter().map(|field| field.name).collect();
            let found = lookup.text(&options::FIELD)?.filter(|found| !found.by_flag);
            let (source_name, by_flag) =
                found.map_or_else(|| ("--field".to_owned(), true), |found| (found.source, false));
            let (provider, known) = (provider.name, known.join(", "));
            return Err(Error::FieldName { source_name, by_flag, given, provider, known });
        };
        settings.fields.push((ours.to_owned(), theirs.to_owned()));
    }
    if let Some(found) = lookup.text(&options::TTL)? {
        if provider.ttl_parameter.is_none() && !steps.iter().any(|step| step.makes) {
            return Err(Error::Ttl { source_name: found.source, provider: provider.name });
        }
        let (source_name, by_flag) = (found.source, found.by_flag);
        let ttl = lookup.duration(&options::TTL)?.filter(|ttl| !ttl.is_zero());
        let ttl =
            ttl.ok_or(Error::Value { source_name, wanted: "a duration such as 15m, above 0", by_flag })?;
        settings.ttl = Some(ttl.as_secs());
    }
    for option in provider.options {
        if let Some(found) = lookup.text(option.opt)? {
            settings.options.push((option.opt.name, found.value));
        } else if matches!(option.effect, Effect::AsksForSession(_))
            && settings.path.is_none()
            && let Some(name) = job.session_name()
        {
            settings.options.push((option.opt.name, name));
        }
    }
    let mut request = provider.request(&settings);
    request.min_ttl = lookup.duration(&options::MIN_TTL)?;
    request.kv_version = kv_version(lookup, &options::KV_VERSION)?;
    path("the path", &request.read.path)?;
    steps::add(&mut request, &steps, &settings, lookup, job)?;
    Ok(request)
}

/// ROLE, `CI_CREDS_<PROVIDER>_ROLE`, CI_CREDS_ROLE, VAULT_AUTH_ROLE.
fn role(ask: &Ask, lookup: &Lookup<'_>) -> Result<String, Error> {
    if let Some(role) = &ask.role {
        return Ok(role.clone());
    }
    let found = lookup.first(&[&options::PROVIDER_ROLE, &options::ROLE, &options::AUTH_ROLE])?;
    found.map(|found| found.value).ok_or(Error::NoRole { provider: ask.provider.name })
}

fn read(one: &PathRead, parsed: &Parsed, lookup: &Lookup<'_>) -> Result<Request, Error> {
    let format = names::reader(parsed, lookup)?;
    let any_name = lookup.switch(&options::ALLOW_ANY_NAME)?;
    let pairs =
        one.names.iter().map(|text| names::pair(text, &format, any_name)).collect::<Result<_, _>>()?;
    let (mut data, mut from_files) = (Vec::new(), Vec::new());
    for text in &one.data {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) =
            pair.ok_or_else(|| Error::Pair { given: "--data".to_owned(), form: "--data K=V" })?;
        // As `vault write` has it.
        match (value, value.strip_prefix('@')) {
            ("-", _) => from_files.push((name.to_owned(), Input::Stdin)),
            (_, Some(file)) => from_files.push((name.to_owned(), Input::File(file.into()))),
            _ => data.push((
                name.to_owned(),
                Secret::from(value.strip_prefix("\\@").map_or(value, |_| &value[1..])),
            )),
        }
    }
    let trimmed = one.path.trim_matches('/');
    let trimmed = trimmed.strip_prefix("v1/").unwrap_or(trimmed);
    path("the path", trimmed)?;
    let mut request = Request::custom(trimmed.to_owned(), pairs, data, from_files);
    request.kv_version = kv_version(lookup, &options::READ_KV_VERSION)?;
    let Some(version) = &one.version else { return Ok(request) };
    let wanted = |wanted| Error::Value { source_name: "--version".to_owned(), wanted, by_flag: true };
    if request.read.post {
        return Err(wanted("of a path without --data: a write has no version"));
    }
    if request.kv_version == Some(1) {
        return Err(wanted("of KV version 2: version 1 keeps no older ones"));
    }
    let version = version.parse().ok().filter(|version| *version > 0);
    Ok(request.at(Some(version.ok_or_else(|| wanted("the number of a version, such as 3"))?)))
}

fn kv_version(lookup: &Lookup<'_>, opt: &Opt) -> Result<Option<u32>, Error> {
    lookup.parsed(opt, "1 or 2", |text| match text.trim() {
        "1" => Some(1),
        "2" => Some(2),
        _ => None,
    })
}

/// Vault answers a path that is not normal with a redirect, and a client library may rewrite it unasked.
fn path(what: &str, path: &str) -> Result<(), Error> {
    let odd = |part: &str| matches!(part, "" | "." | "..") || part.chars().any(char::is_control);
    if path.split('/').any(odd) {
        return Err(Error::Path { what: what.to_owned(), path: shown(path) });
    }
    Ok(())
}

fn no_name_twice(requests: &[Request]) -> Result<(), Error> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for request in requests {
        let names = request.sets().chain(request.constants.iter().map(|(name, _)| name.as_str()));
        let mut own: Vec<&str> = Vec::new();
        for name in names {
            if own.contains(&name) {
                if request.origin.cloud().is_none() {
                    let (one, other) = ("read".to_owned(), "read".to_owned());
                    return Err(Error::Twice { name: name.to_owned(), one, other });
                }
                continue;
            }
            own.push(name);
            if let Some((_, one)) = seen.iter().find(|(other, _)| *other == name) {
                let (one, other) = ((*one).to_owned(), request.origin.name().to_owned());
                return Err(Error::Twice { name: name.to_owned(), one, other });
            }
        }
        seen.extend(own.into_iter().map(|name| (name, request.origin.name())));
    }
    Ok(())
}
