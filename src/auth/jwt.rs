//! JWT: logs in with the job's ID token (vault-plugin-auth-jwt `path_login.go`, `claims.go`). It must not check the
//! signature, which is Vault's to check.

use jiff::Timestamp;

use super::{Error, Gathered, Insight, Login, Method, Need, PLAIN, Place};
use crate::ci;
use crate::claims::{Claims, Unusable};
use crate::options;
use crate::vault;

/// The places of an ID token that the job asked for.
pub(crate) const ID_TOKEN: &[Place] = &[
    Place::File(&options::ID_TOKEN_FILE),
    Place::Named(&options::ID_TOKEN_ENV),
    Place::Option(&options::ID_TOKEN),
];

/// `--auth jwt`.
pub(super) static JWT: Method = Method {
    name: "jwt",
    title: "JWT",
    needs: &[Need {
        name: "jwt",
        what: "an ID token",
        places: &[ID_TOKEN[0], ID_TOKEN[1], ID_TOKEN[2], Place::Unasked],
        missing: Some("{id_token}, or name the token with --id-token-env"),
    }],
    check,
    refusals: &[
        ("missing role", "set VAULT_AUTH_ROLE or --auth-role, or a default_role at auth/{mount}"),
        (
            "could not be found",
            "there is no role {role} at auth/{mount}: check VAULT_AUTH_ROLE and VAULT_AUTH_PATH",
        ),
        (
            "role with oidc role_type",
            "set role_type=jwt on the role {role}: a role of role_type oidc takes no ID tokens",
        ),
        (
            "could not load configuration",
            "auth/{mount} is not configured: it needs {ci}'s oidc_discovery_url or jwks_url",
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
        ("token not yet valid", "compare the clocks of {ci} and Vault"),
        ("invalid issuer", "bound_issuer at auth/{mount} must be the iss of the token, {ci}'s own address"),
        ("invalid subject", "the role's bound_subject must be the sub of the token"),
        (
            "no known key successfully validated",
            "auth/{mount} must use the keys of the {ci} that made the token",
        ),
        (
            "not found in token",
            "set user_claim=project_path, or another claim that the token has, on the role {role}",
        ),
        (
            "could not be converted to string",
            "set user_claim=project_path, or another claim that is text, on the role {role}",
        ),
        ("error converting claim", "the role's user_claim and claim_mappings must name claims that are text"),
        ("error checking oidc discovery URL", "Vault must reach {ci}'s address to get its keys"),
        ("fetching keys", "Vault must reach {ci}'s address to get its keys"),
    ],
    absent: &["missing role", "could not be found", "could not load configuration"],
    insight,
    ..PLAIN
};

fn check(login: &Login, gathered: &Gathered, now: Timestamp) -> Result<(), Error> {
    let Some(token) = gathered.get("jwt") else { return Ok(()) };
    let source_name = login.origin("jwt").map(super::Origin::source).unwrap_or_default();
    let checked = Claims::of(token).and_then(|claims| claims.check(now));
    checked.map_err(|fault| match fault {
        Unusable::NotAJwt => Error::LoginParameter {
            what: "the ID token",
            source_name,
            reason: fault.to_string(),
            hint: format!("it takes {}, as it is", login.ci.id_token_origin),
        },
        _ => Error::Time { ci: login.ci.name, source_name, fault, ahead: None },
    })
}

fn insight(login: &Login, gathered: &Gathered, error: &vault::Error) -> Insight {
    let token = gathered.get("jwt").filter(|_| error.refusal().is_some());
    let Some(claims) = token.and_then(|token| Claims::of(token).ok()) else { return Insight::default() };
    let named = claim_of(error);
    let notes = vec![format!("{} {}", crate::claims::MARK, claims.line(named))];
    let bound = named.filter(|_| error.says("validating claims"));
    let mut hints: Vec<_> = bound.map(|name| of_claim(login, &claims, name)).unwrap_or_default();
    let others = DEMANDS.iter().filter(|(text, ..)| error.says(text)).filter_map(|(_, claim, hint)| {
        Some(format!("{} {}", hint.replace("{ci}", login.ci.name), claims.shown(claim)?))
    });
    hints.extend(others.take(usize::from(hints.is_empty())));
    let is_whole = !hints.is_empty();
    let source = login.origin("jwt").map(super::Origin::source).unwrap_or_default();
    if let Some(ci) = ci::of_unasked(&source).filter(|_| !error.says("claim \"")) {
        hints.push(format!("{source} {}: {} instead", ci.unasked_are, ci.id_token_in("VAULT_ID_TOKEN")));
    }
    Insight { notes, hints, is_whole }
}

/// The hints for a claim that does not fit: for the job, then for the role.
fn of_claim(login: &Login, claims: &Claims, name: &str) -> Vec<String> {
    // The pipeline's rules can keep the job off the refs that the role refuses.
    let ci = login.ci;
    let unprotected = claims.shown("ref_protected").as_deref() == Some("false");
    let here = claims.shown("ref").filter(|_| unprotected && ci.ref_claims.contains(&name));
    let off = ci.keep_to_protected;
    if let Some(here) = here.as_ref().filter(|_| name == "ref_protected") {
        return vec![format!("run this job on a protected ref: {here} is none, and {off}")];
    }
    let mut place = if ci.environment_claims.contains(&name) {
        format!("{}: {name} comes from it", ci.give_environment)
    } else {
        format!("run this job where the role allows it: its {name} is not among the role's bound_claims")
    };
    // Not the claim that failed, but the next one that may.
    if let Some(here) = here {
        place.push_str(&format!("; {here} is not a protected ref, and {off}"));
    }
    let change = match (claims.shown(name), claims.get(name)) {
        (Some(value), _) if name == "ref_protected" && value == "false" => return vec![place],
        (Some(value), _) => format!(
            "or the role's bound_claims must contain {name}={value}, which also lets in every other job with it"
        ),
        (None, Some(_)) => {
            format!("or the role's bound_claims must contain the token's {name}, which is not shown here")
        }
        (None, None) => format!(
            "the role's bound_claims ask for {name}, which this token does not have: whoever takes {name} out of them \
             opens the role to every job that meets the rest"
        ),
    };
    vec![place, change]
}

/// The hint for the role or the mount that a text of Vault's leads to, with the token's own claim.
const DEMANDS: &[(&str, &str, &str)] = &[
    ("no audiences bound", "aud", "the role's bound_audiences must contain"),
    (
        "invalid audience",
        "aud",
        "set aud in the job's id_tokens: to what the role is bound to; or the role's bound_audiences must contain the \
         token's aud:",
    ),
    ("invalid issuer", "iss", "the mount's bound_issuer must be the token's iss:"),
    (
        "no known key successfully validated",
        "iss",
        "the mount must use the keys of the {ci} that made the token: set its oidc_discovery_url to",
    ),
    (
        "invalid subject",
        "sub",
        "run this job where the role's bound_subject allows it; or the role's bound_subject must be the token's sub:",
    ),
];

/// The claim that `claim "ref" does not match …` names.
fn claim_of(error: &vault::Error) -> Option<&str> {
    let (_, texts) = error.refusal()?;
    texts.iter().find_map(|text| text.split_once("claim \"")?.1.split('"').next())
}
