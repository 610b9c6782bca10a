//! Who may log in: the options that narrow it, checked for the login that they belong to. It must not ask Vault.

use std::net::IpAddr;

use super::Error;
use crate::ci::{self, Meant, gitlab};
use crate::claims::Claims;
use crate::cli::Setup;
use crate::config::lookup::Lookup;
use crate::config::{Error as Common, address};
use crate::options;
use crate::setup::Who;

/// The options that narrow who may log in: each belongs to one login, and is refused with another.
fn belongs(login: &'static str, setup: &Setup) -> Result<(), Error> {
    let options = [
        ("jwt", "--project", !setup.projects.is_empty()),
        ("jwt", "--group", !setup.groups.is_empty()),
        ("jwt", "--group-claim", setup.group_claim.is_some()),
        ("jwt", "--ref", setup.reference.is_some()),
        ("jwt", "--protected", setup.protected),
        ("jwt", "--unprotected", setup.unprotected),
        ("jwt", "--environment", setup.environment.is_some()),
        ("jwt", "--from-job", setup.from_job.is_some()),
        ("approle", "--bound-cidr", !setup.cidrs.is_empty()),
        ("kubernetes", "--service-account", !setup.service_accounts.is_empty()),
        ("aws", "--principal", !setup.principals.is_empty()),
    ];
    match options.into_iter().find(|(of, _, given)| *given && *of != login) {
        Some((of, option, _)) => Err(Error::OfAnotherLogin { option, login, of }),
        None => Ok(()),
    }
}

/// Who may log in by `login`, as the options say.
pub(super) fn who(login: &'static str, setup: &Setup, lookup: &Lookup<'_>) -> Result<Who, Error> {
    belongs(login, setup)?;
    match login {
        "approle" => match setup.cidrs.iter().find_map(|one| flaw_of_network(one)) {
            Some(why) => Err(Error::Odd { option: "--bound-cidr", why }),
            None => Ok(Who::Runners { cidrs: setup.cidrs.clone() }),
        },
        "kubernetes" => {
            let whole =
                |one: &String| one.split('/').filter(|part| !part.is_empty() && *part != "*").count() == 2;
            if setup.service_accounts.is_empty() || !setup.service_accounts.iter().all(whole) {
                return Err(Error::NoServiceAccount);
            }
            let who = Who::ServiceAccounts(setup.service_accounts.clone());
            // Vault compares the two apart from each other: each namespace may have each name.
            if who.lets_in_other_pairs() {
                Err(Error::Odd {
                    option: "--service-account",
                    why: "would let in other pairs of these namespaces and names: set up one role for each",
                })
            } else {
                Ok(who)
            }
        }
        "aws" => {
            let arns = setup.principals.clone();
            if arns.iter().any(|arn| arn.ends_with(":root")) {
                let why = "with :root names a whole account, or its owner: name a role of it";
                return Err(Error::Odd { option: "--principal", why });
            }
            if arns.is_empty() || !arns.iter().all(|arn| is_principal(arn)) {
                return Err(Error::NoPrincipal);
            }
            let server_id = lookup.text(&options::AWS_SERVER_ID)?.map(|found| found.value);
            Ok(Who::Principals { arns, server_id })
        }
        _ => jobs(setup, lookup),
    }
}

/// What is wrong with an address or a network, as Vault binds them.
fn flaw_of_network(text: &str) -> Option<&'static str> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return Some("is no network such as 10.0.0.0/8, and no address"),
    };
    let plain = |bits: &&str| bits.bytes().all(|byte| byte.is_ascii_digit());
    match bits.map(|bits| Some(bits).filter(plain)?.parse::<u8>().ok().filter(|bits| *bits <= most)) {
        Some(None) => Some("has no number of bits behind its /, such as the 8 of 10.0.0.0/8"),
        Some(Some(0)) => Some("binds nothing: every address is in it. Leave it out, if that is meant"),
        _ => None,
    }
}

/// Whether this is the ARN of one IAM role or user. That of a session (`arn:aws:sts::…`) is not what Vault compares.
fn is_principal(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [arn, partition, "iam", "", account, name] = parts[..] else { return false };
    let kind = ["role/", "user/"].iter().find_map(|kind| name.strip_prefix(kind));
    arn == "arn"
        && partition.starts_with("aws")
        && ci::is_number(account)
        && kind.is_some_and(|name| !name.is_empty() && !name.contains('*'))
}

/// The jobs that are named, or that are like the one whose claims are given.
fn jobs(setup: &Setup, lookup: &Lookup<'_>) -> Result<Who, Error> {
    let claims = match &setup.from_job {
        Some(line) => Some(Claims::from_line(line).ok_or(Error::NoClaims)?),
        None => None,
    };
    let claims = claims.as_ref();
    let projects = projects(setup, claims)?;
    let groups = setup.groups.clone();
    let (reference, is_tag) = reference(setup, claims);
    let unprotected = setup.unprotected || claim(claims, "ref_protected").as_deref() == Some("false");
    if unprotected && reference.is_none() {
        return Err(Error::Odd { option: "--unprotected", why: "needs --ref: else every branch would do" });
    }
    let environment = setup.environment.clone().or_else(|| claim(claims, "environment"));
    let texts = projects.iter().map(|one| ("--project", Some(one)));
    let texts = texts.chain(groups.iter().map(|one| ("--group", Some(one))));
    for (option, text) in
        texts.chain([("--ref", reference.as_ref()), ("--environment", environment.as_ref())])
    {
        let Some(text) = text else { continue };
        if text.is_empty() || text.contains(char::is_control) {
            return Err(Error::Odd { option, why: "must be a text without control characters" });
        }
        if text.bytes().all(|byte| byte == b'*') {
            return Err(Error::Odd { option, why: "must not let in everybody: * alone does" });
        }
    }
    let issuer = issuer(lookup, claims)?;
    let address = lookup.text(&options::ADDR)?.map(|found| found.value);
    let audience = setup.audience.clone().or_else(|| claims?.shown("aud")).or(address);
    Ok(Who::Jobs {
        meant: Meant { projects, groups, reference, is_tag, protected: !unprotected, environment },
        issuer,
        audience: audience.ok_or(Error::NoAudience)?,
    })
}

/// A claim of --from-job, if it is a text.
fn claim(claims: Option<&Claims>, name: &str) -> Option<String> {
    claims?.get(name)?.as_str().map(str::to_owned)
}

/// The projects that are named; else that of --from-job, unless a group is named.
fn projects(setup: &Setup, claims: Option<&Claims>) -> Result<Vec<String>, Error> {
    let projects = match &setup.projects[..] {
        [] if !setup.groups.is_empty() => Vec::new(),
        [] => claim(claims, "project_id").or_else(|| claim(claims, "project_path")).into_iter().collect(),
        all => all.to_vec(),
    };
    if projects.is_empty() && setup.groups.is_empty() {
        return Err(Error::NoProject);
    }
    let is_list = |one: &String| one.split(',').count() > 1 && one.split(',').all(|part| part.contains('/'));
    let is_one = |one: &String| ci::is_number(one) || (one.contains('/') && !is_list(one));
    let is_mixed = |all: &[String]| {
        let numbers = all.iter().filter(|one| ci::is_number(one)).count();
        numbers != 0 && numbers != all.len()
    };
    if is_mixed(&setup.groups) {
        return Err(Error::MixedProjects);
    }
    if !projects.iter().all(is_one) {
        let why = "is a number or GROUP/PROJECT, given several times for several";
        return Err(Error::Odd { option: "--project", why });
    }
    if is_mixed(&projects) { Err(Error::MixedProjects) } else { Ok(projects) }
}

/// The branch or tag, without its prefix, and whether it is a tag.
fn reference(setup: &Setup, claims: Option<&Claims>) -> (Option<String>, bool) {
    let typed = setup.reference.clone().or_else(|| claim(claims, "ref").filter(|_| !setup.protected));
    let Some(text) = typed else { return (None, false) };
    match text.strip_prefix("refs/tags/") {
        Some(tag) => (Some(tag.to_owned()), true),
        None => {
            let is_tag = setup.reference.is_none() && claim(claims, "ref_type").as_deref() == Some("tag");
            (Some(text.strip_prefix("refs/heads/").unwrap_or(&text).to_owned()), is_tag)
        }
    }
}

/// The issuer of the ID tokens: that of --from-job, else the address that is set.
fn issuer(lookup: &Lookup<'_>, claims: Option<&Claims>) -> Result<String, Error> {
    let named = lookup.first(&[&options::GITLAB_URL, &gitlab::ISSUER])?;
    if named.as_ref().is_some_and(|url| !url.value.contains("://")) {
        return Err(Error::Odd { option: "--gitlab-url", why: "has no scheme: https://HOST" });
    }
    let of_job = claim(claims, "iss").map(|issuer| (issuer, "iss in --from-job".to_owned()));
    let issuer = of_job.or_else(|| named.map(|found| (found.value, found.source)));
    let (issuer, source) = issuer.ok_or(Error::NoIssuer)?;
    // Vault fetches the keys from there: who can change them on their way signs tokens.
    address::vault(lookup, issuer.trim(), &source, "https://gitlab.example.com").map_err(
        |error| match error {
            Common::PlainHttp { source_name, host, .. } => Error::PlainIssuer { source_name, host },
            error => Error::Common(error),
        },
    )?;
    Ok(issuer.trim().trim_end_matches('/').to_owned())
}
