//! Which login: the one that is named, else the first row of the table whose variables are there.

use super::Error;
use super::lookup::{Found, Lookup};
use crate::auth::{self, Ingredient, Login, Method, Origin};
use crate::secret::Secret;

/// `engine_role`: the ROLE of the first provider; teams give the login role and the engine role one name.
pub(super) fn login(lookup: &Lookup<'_>, engine_role: Option<&str>, in_ci: bool) -> Result<Login, Error> {
    let seen = Seen::look(lookup, in_ci)?;
    let method = method(lookup, &seen)?;
    let role = lookup.text("auth-role")?.map(|found| found.value);
    let mount = lookup.text("auth-path")?.map(|found| found.value);
    let mount = mount.as_deref().map(|mount| mount.trim_matches('/').trim_start_matches("auth/"));
    let mount = mount.filter(|mount| !mount.is_empty()).unwrap_or(method.name).to_owned();
    let ingredients = match method.name {
        "approle" => approle(seen, role.as_deref().or(engine_role))?,
        "jwt" => vec![Ingredient {
            name: "jwt",
            origin: seen.id_token.or(seen.old_id_token).ok_or(missing("jwt"))?,
        }],
        _ => {
            let token = seen.token.map(value).or(seen.token_file).ok_or(missing("token"))?;
            vec![Ingredient { name: "token", origin: token }]
        }
    };
    Ok(Login { method, mount, role, ingredients })
}

/// The operator's token, and an ID token if there is one.
pub(super) fn desk(lookup: &Lookup<'_>, in_ci: bool) -> Result<(Login, Option<Ingredient>), Error> {
    let seen = Seen::look(lookup, in_ci)?;
    let token = seen.token.map(value).or(seen.token_file).ok_or(missing("token"))?;
    let method = auth::find("token").ok_or(missing("token"))?;
    let ingredients = vec![Ingredient { name: "token", origin: token }];
    let id_token = seen.id_token.map(|origin| Ingredient { name: "jwt", origin });
    Ok((Login { method, mount: "token".to_owned(), role: None, ingredients }, id_token))
}

/// The variables with secrets that are set, by name.
pub(super) fn secrets(lookup: &Lookup<'_>) -> Result<Vec<super::Source>, Error> {
    let mut found = Vec::new();
    for (option, x) in [("secret_id", "SECRET_ID"), ("id_token", "ID_TOKEN"), ("token", "TOKEN")] {
        if let Some(set) = lookup.vault_variable(x)? {
            found.push(super::Source { option, value: None, source: set.source });
        }
    }
    Ok(found)
}

/// What there is to log in with.
struct Seen {
    role_id: Option<Found>,
    secret_id: Option<Origin>,
    id_token: Option<Origin>,
    old_id_token: Option<Origin>,
    token: Option<Found>,
    token_file: Option<Origin>,
}

impl Seen {
    fn look(lookup: &Lookup<'_>, in_ci: bool) -> Result<Self, Error> {
        let old = match lookup.plain("CI_JOB_JWT_V2")? {
            Some(found) => Some(found),
            None => lookup.plain("CI_JOB_JWT")?,
        };
        let home = lookup.plain("HOME")?.filter(|_| !in_ci);
        let token_file = home
            .map(|home| std::path::Path::new(&home.value).join(".vault-token"))
            .filter(|path| path.is_file());
        let secret_id_file = lookup.text("secret-id-file")?.map(file);
        Ok(Self {
            role_id: lookup.text("role-id")?,
            secret_id: match secret_id_file {
                Some(origin) => Some(origin),
                None => lookup.vault_variable("SECRET_ID")?.map(value),
            },
            id_token: id_token(lookup)?,
            old_id_token: old.map(value),
            token: lookup.vault_variable("TOKEN")?,
            token_file: token_file.map(|path| Origin::File { path, source: "~/.vault-token".to_owned() }),
        })
    }
}

fn id_token(lookup: &Lookup<'_>) -> Result<Option<Origin>, Error> {
    if let Some(found) = lookup.text("id-token-file")? {
        return Ok(Some(file(found)));
    }
    if let Some(named) = lookup.text("id-token-env")? {
        let found = lookup.plain(named.value.trim())?;
        return match found {
            Some(found) => Ok(Some(value(found))),
            None => Err(Error::NamedTokenUnset { source_name: named.source, variable: named.value }),
        };
    }
    Ok(lookup.vault_variable("ID_TOKEN")?.map(value))
}

/// The table: the first row that applies.
fn method(lookup: &Lookup<'_>, seen: &Seen) -> Result<&'static Method, Error> {
    if let Some(named) = lookup.text("auth")? {
        let known = auth::find(named.value.trim());
        return known.ok_or(Error::Method { source_name: named.source, by_flag: named.by_flag });
    }
    if let (Some(role_id), Some(id_token)) = (&seen.role_id, &seen.id_token) {
        return Err(Error::Ambiguous { one: role_id.source.clone(), other: id_token.source() });
    }
    let rows = [
        (seen.role_id.is_some(), "approle"),
        (seen.id_token.is_some(), "jwt"),
        (seen.token.is_some(), "token"),
        (seen.old_id_token.is_some(), "jwt"),
        (seen.token_file.is_some(), "token"),
    ];
    let chosen = rows.iter().find(|(there, _)| *there).and_then(|(_, name)| auth::find(name));
    if chosen.is_some_and(|method| method.name == "jwt") && seen.id_token.is_none() {
        tracing::warn!(
            "CI_JOB_JWT is gone from GitLab 17 on: give the job `id_tokens: {{VAULT_ID_TOKEN: {{aud: …}}}}`"
        );
    }
    chosen.ok_or(Error::NoLogin)
}

fn approle(seen: Seen, role: Option<&str>) -> Result<Vec<Ingredient>, Error> {
    let role_id = seen.role_id.map(value).ok_or(missing("approle"))?;
    let mut ingredients = vec![Ingredient { name: "role_id", origin: role_id }];
    let secret_id = match (seen.secret_id, seen.token) {
        (Some(origin), _) => Some(origin),
        (None, Some(issuer)) => {
            let role = role.ok_or(Error::NoAppRole)?.to_owned();
            Some(Origin::Issued { by: Secret::new(issuer.value), role })
        }
        // A role with bind_secret_id=false needs none.
        (None, None) => None,
    };
    ingredients.extend(secret_id.map(|origin| Ingredient { name: "secret_id", origin }));
    Ok(ingredients)
}

fn missing(method: &'static str) -> Error {
    Error::MissingIngredient { method }
}

fn value(found: Found) -> Origin {
    Origin::Value { value: Secret::new(found.value), source: found.source }
}

fn file(found: Found) -> Origin {
    match found.value.as_str() {
        "-" => Origin::Stdin { source: found.source },
        _ => Origin::File { path: found.value.into(), source: found.source },
    }
}
