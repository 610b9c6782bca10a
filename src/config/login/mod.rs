//! Chooses the login: the one that is named, else the first row of the table whose variables are set; then it finds
//! what that login needs. It must not read files.

use super::Error;
use super::lookup::Lookup;
use crate::auth::{self, ID_TOKEN, Login, LoginParameter, METHODS, Method, Origin, Place};
use crate::ci::{self, Job};
use crate::input;
use crate::options;
use crate::policy::Refused;
use search::{Search, is_odd};

mod search;

/// The logins that need not be named, by the variables that select them.
const TABLE: &[(&[Place], &str)] = &[
    (ROLE_ID, "approle"),
    (ID_TOKEN, "jwt"),
    (TOKEN, "token"),
    (&[Place::Unasked], "jwt"),
    (&[Place::Home(".vault-token")], "token"),
];
const ROLE_ID: &[Place] = &[Place::Option(&options::ROLE_ID)];
const TOKEN: &[Place] = &[Place::Option(&options::TOKEN)];

/// `engine_role`: the ROLE of the first provider; teams give the login role and the engine role one name.
pub(super) fn login(lookup: &Lookup<'_>, engine_role: Option<&str>, job: &Job) -> Result<Login, Error> {
    let role = lookup.text(&options::AUTH_ROLE)?.map(|found| found.value.trim().to_owned());
    let mount = mount(lookup)?;
    let search = Search { lookup, role: role.as_deref(), engine_role, job };
    let method = search.method()?;
    allowed(lookup, method)?;
    if method.needs_role && role.is_none() {
        return Err(Error::NoLoginRole { method: method.title });
    }
    let mut parameters = Vec::new();
    for need in method.needs {
        if let Some(origin) = search.need(need)? {
            parameters.push(LoginParameter { name: need.name, origin });
        } else if let Some(remedy) = need.missing {
            return Err(Error::MissingLoginParameter {
                method: method.title,
                what: need.what,
                remedy,
                ci: job.system,
                why_unset: job.why_unset.clone(),
            });
        }
    }
    let issued = parameters.iter().any(|one| matches!(one.origin, Origin::Issued(_)));
    // Nobody uses it: what is wrong with it is no fault of this run.
    let idle_token = match search.first(TOKEN) {
        Err(Error::Unexpanded { .. }) => None,
        found => found?.filter(|_| !issued && method.request.is_some()),
    };
    let named = method.name == "jwt" && !lookup.switch(&options::NO_METADATA)?;
    Ok(Login {
        agent: job.agent().filter(|_| named),
        method,
        mount: mount.unwrap_or_else(|| method.name.to_owned()),
        role,
        parameters,
        ci: job.system,
        idle_token: idle_token.map(|origin| origin.source()),
    })
}

/// Whether the policy of this machine lets this login be used.
fn allowed(lookup: &Lookup<'_>, method: &Method) -> Result<(), Error> {
    let Some(logins) = lookup.env.policy().logins() else { return Ok(()) };
    let known = |name: &str| METHODS.iter().any(|method| method.name == name);
    if let Some(unknown) = logins.iter().find(|name| !known(name)) {
        let known: Vec<_> = METHODS.iter().map(|method| method.name).collect();
        return Err(Refused::NoLogin { method: input::shown(unknown), known: known.join(", ") }.into());
    }
    if logins.iter().any(|name| name == method.name) {
        Ok(())
    } else {
        Err(Refused::Login { method: method.name, allowed: logins.join(", ") }.into())
    }
}

/// The operator's token, and an ID token if there is one.
pub(super) fn for_role_check(
    lookup: &Lookup<'_>,
    job: &Job,
) -> Result<(Login, Option<LoginParameter>), Error> {
    let search = Search { lookup, role: None, engine_role: None, job };
    let method = &auth::TOKEN;
    allowed(lookup, method)?;
    let mut parameters = Vec::new();
    for need in method.needs {
        let origin = search.need(need)?.ok_or(Error::MissingLoginParameter {
            method: method.title,
            what: need.what,
            remedy: need.missing.unwrap_or_default(),
            ci: job.system,
            why_unset: job.why_unset.clone(),
        })?;
        parameters.push(LoginParameter { name: need.name, origin });
    }
    let id_token = search.first(ID_TOKEN)?.map(|origin| LoginParameter { name: "jwt", origin });
    let mount = method.name.to_owned();
    Ok((
        Login { method, mount, role: None, parameters, agent: None, ci: job.system, idle_token: None },
        id_token,
    ))
}

/// The names of the variables that logins use and that are no options.
pub(super) fn variables(lookup: &Lookup<'_>) -> Result<Vec<super::Setting>, Error> {
    let mut found: Vec<super::Setting> = Vec::new();
    for name in ci::unasked_logins() {
        let set = lookup.plain(name)?;
        found.extend(set.map(|set| super::Setting { option: "", value: None, source: set.source }));
    }
    Ok(found)
}

/// Where the method is mounted, if it is said; `auth/jwt/` is `jwt`.
pub(super) fn mount(lookup: &Lookup<'_>) -> Result<Option<String>, Error> {
    let wanted = "the mount of an auth method, such as jwt or auth/team/jwt";
    lookup.parsed(&options::AUTH_PATH, wanted, |text| {
        let mount = text.trim().trim_matches('/').trim_start_matches("auth/").to_owned();
        Some(mount).filter(|mount| !mount.split('/').any(is_odd))
    })
}

impl Search<'_> {
    /// The login that is named, else the first row of the table that applies.
    fn method(&self) -> Result<&'static Method, Error> {
        if let Some(named) = self.lookup.text(&options::AUTH)? {
            let known = auth::find(named.value.trim());
            return known.ok_or(Error::Method { source_name: named.source, by_flag: named.by_flag });
        }
        if let (Some(role_id), Some(id_token)) = (self.first(ROLE_ID)?, self.first(ID_TOKEN)?) {
            return Err(Error::Ambiguous { one: role_id.source(), other: id_token.source() });
        }
        for (places, name) in TABLE {
            if let (Some(origin), Some(method)) = (self.first(places)?, auth::find(name)) {
                let source = origin.source();
                if let Some(ci) = ci::of_unasked(&source) {
                    tracing::warn!("{source} {}: {}", ci.unasked_end, ci.id_token_in("VAULT_ID_TOKEN"));
                }
                return Ok(method);
            }
        }
        Err(Error::NoLogin { ci: self.job.system, why_unset: self.job.why_unset.clone() })
    }
}

/// Whether an agent on the way to Vault is said to log in.
pub(super) fn is_elsewhere(lookup: &Lookup<'_>) -> Result<bool, Error> {
    let named = lookup.text(&options::AUTH)?;
    Ok(named.and_then(|named| auth::find(named.value.trim())).is_some_and(|method| method.elsewhere))
}

/// The logins that are never chosen unless they are named.
pub(super) fn named_only() -> impl Iterator<Item = &'static str> {
    let names = METHODS.iter().map(|method| method.name);
    names.filter(|name| TABLE.iter().all(|(_, chosen)| chosen != name))
}
