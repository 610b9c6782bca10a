//! JWT: the job's ID token (vault-plugin-auth-jwt `path_login.go`, `claims.go`).

use super::{Error, Gathered, Insight, Login, Method};
use crate::claims::Claims;
use crate::vault::{self, Body};

/// `--auth jwt`.
pub(super) static JWT: Method = Method {
    name: "jwt",
    title: "JWT",
    request: Some(request),
    repeatable: true,
    refusals: &[
        ("missing role", "set VAULT_AUTH_ROLE or --auth-role, or a default_role at auth/{mount}"),
        (
            "could not be found",
            "there is no role {role} at auth/{mount}: check VAULT_AUTH_ROLE and VAULT_AUTH_PATH",
        ),
        ("role with oidc role_type", "the role must be of role_type jwt, not oidc"),
        (
            "could not load configuration",
            "auth/{mount} is not configured: it needs GitLab's oidc_discovery_url or jwks_url",
        ),
        ("no audiences bound", "the role needs bound_audiences with the aud that the job's id_tokens: sets"),
        (
            "invalid audience",
            "the role's bound_audiences and the aud of the job's id_tokens: must have one in common",
        ),
        (
            "token is expired",
            "an ID token lives as long as the job may run: log in early; or are the clocks apart?",
        ),
        ("token not yet valid", "are the clocks of GitLab and Vault apart?"),
        ("invalid issuer", "bound_issuer at auth/{mount} must be the iss of the token, GitLab's own address"),
        (
            "invalid subject",
            "the role's bound_subject must be the sub of the token; a leftover one can be emptied",
        ),
        (
            "no known key successfully validated",
            "auth/{mount} must use the keys of the GitLab that made the token",
        ),
        ("not found in token", "the role's user_claim must be a claim that the token has"),
    ],
    insight,
};

fn request(login: &Login, gathered: &Gathered) -> Result<Body, Error> {
    if let Some(token) = gathered.get("jwt") {
        let source = login.ingredients.first().map(|one| one.origin.source()).unwrap_or_default();
        Claims::of(token)
            .and_then(|claims| claims.check(vault::now()))
            .map_err(|fault| Error::unusable(&source, &fault))?;
    }
    let mut body = gathered.fields();
    if let Some(role) = &login.role {
        body.0.push(("role".to_owned(), role.as_str().into()));
    }
    Ok(body)
}

fn insight(gathered: &Gathered, error: &vault::Error) -> Insight {
    let token = gathered.get("jwt").filter(|_| error.refusal().is_some());
    let Some(claims) = token.and_then(|token| Claims::of(token).ok()) else { return Insight::default() };
    let named = claim_of(error);
    let notes = vec![format!("{} {}", crate::claims::MARK, claims.line(named))];
    let bound = named.filter(|_| error.says("validating claims"));
    let bound = bound.map(|name| match claims.shown(name) {
        Some(value) => {
            format!("the role's bound_claims must contain {name}={value}, or run this job where the role allows it")
        }
        None => format!("the role's bound_claims ask for {name}, which this token does not have, or may not show"),
    });
    let others = DEMANDS
        .iter()
        .filter(|(text, ..)| error.says(text))
        .filter_map(|(_, claim, hint)| Some(format!("{hint} {}", claims.shown(claim)?)));
    let hints = bound.into_iter().chain(others).take(1).collect();
    Insight { notes, hints }
}

/// What a text of Vault's asks of the role or the mount, with the token's own claim.
const DEMANDS: &[(&str, &str, &str)] = &[
    ("no audiences bound", "aud", "the role's bound_audiences must contain"),
    ("invalid audience", "aud", "the role's bound_audiences must contain the token's aud:"),
    ("invalid issuer", "iss", "the mount's bound_issuer must be the token's iss:"),
    ("invalid subject", "sub", "the role's bound_subject must be empty, or the token's sub:"),
];

/// The claim that `claim "ref" does not match …` names.
fn claim_of(error: &vault::Error) -> Option<&str> {
    let (_, texts) = error.refusal()?;
    texts.iter().find_map(|text| text.split_once("claim \"")?.1.split('"').next())
}
