//! Turns a login's parameters, and those of requests, into values: reads files and standard input, issues and unwraps
//! a secret_id, signs with AWS credentials. It must not log in.

use super::{Error, wrapping};
use crate::auth::{self, Gathered, Issuer, Login, LoginParameter, Origin};
use crate::input::{BYTE_ORDER_MARK, Input, shown};
use crate::provider::Request;
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// The most secret_ids of a run that may be refused; five lock the AppRole.
pub(super) const MOST_REFUSALS: u32 = 2;

/// The token that was given, for a login that uses it as it is; empty for other logins.
pub(crate) async fn given_token(vault: &Vault, login: &Login) -> Result<Secret, Error> {
    Ok(token_in(&all(vault, login).await?))
}

pub(super) fn token_in(gathered: &Gathered) -> Secret {
    gathered.get("token").cloned().unwrap_or_else(|| Secret::from(""))
}

/// Gathers everything that `login` needs.
pub(crate) async fn all(vault: &Vault, login: &Login) -> Result<Gathered, Error> {
    let mut gathered = Gathered::default();
    for parameter in &login.parameters {
        match &parameter.origin {
            Origin::Connection { .. } => {}
            Origin::Signed(identity) => {
                let signed = identity.sign(vault.client()).await.map_err(auth::Error::from)?;
                // AWS may quote the signed text in an error to Vault, and Vault quotes AWS's error.
                signed.session_token.iter().for_each(|token| vault.hide(token));
                gathered.0.extend(signed.fields);
                gathered.0.push(("aws_source", Secret::new(signed.used)));
            }
            Origin::Issued(issuer) => gathered.0.push((parameter.name, issued(vault, login, issuer).await?)),
            Origin::Wrapped { token, role } => {
                let wrapping = LoginParameter { name: "wrapping token", origin: (**token).clone() };
                let token = read(vault, &wrapping).await?;
                let source = wrapping.origin.source();
                let (mount, role) = (&login.mount, role.as_deref());
                let wrapped = wrapping::Wrapped { token: &token, source, mount, role, own: false };
                gathered.0.push((parameter.name, wrapped.open(vault).await?));
            }
            _ => gathered.0.push((parameter.name, read(vault, parameter).await?)),
        }
    }
    Ok(gathered)
}

/// Reads a parameter: a value, a file, or standard input.
pub(crate) async fn read(vault: &Vault, parameter: &LoginParameter) -> Result<Secret, Error> {
    match &parameter.origin {
        Origin::Value { value, .. } => clean(parameter, value.reveal()),
        Origin::File { path, .. } => {
            let input = Input::File(path.clone());
            let text = input.read(vault.shutdown()).await?;
            let text = text.map_err(|cause| {
                let hint = if path.starts_with("/var/run/secrets/kubernetes.io") {
                    "is this a pod, and does it get its service account's token \
                         (automountServiceAccountToken)? --id-token-file names another file"
                } else {
                    "name a file that this job can read"
                };
                let path = input.to_string();
                let named = parameter.origin.source() != path;
                let reason = if named { format!("{path}: {cause}") } else { cause.to_string() };
                unusable(parameter, reason, hint)
            })?;
            clean(parameter, &text)
        }
        Origin::Stdin { .. } => {
            let text = Input::Stdin.read(vault.shutdown()).await?;
            let text =
                text.map_err(|cause| unusable(parameter, cause.to_string(), "pipe it into ci-creds"))?;
            clean(parameter, &text)
        }
        // Not read here: issued, unwrapped or signed.
        Origin::Wrapped { .. } | Origin::Issued(_) | Origin::Connection { .. } | Origin::Signed(_) => {
            Err(unusable(
                parameter,
                "it is not there yet".to_owned(),
                "this is a bug in ci-creds; please report it",
            ))
        }
    }
}

/// Split custody: the issuing token makes a secret_id for this run.
async fn issued(vault: &Vault, login: &Login, issuer: &Issuer) -> Result<Secret, Error> {
    let path = vault::secret_id_path(&login.mount, &issuer.role);
    if vault.refusals() >= MOST_REFUSALS {
        return Err(auth::Error::TriedTwice { role: issuer.role.clone() }.into());
    }
    let token = LoginParameter {
        name: "token",
        origin: Origin::Value { value: issuer.token.clone(), source: issuer.source.clone() },
    };
    let token = read(vault, &token).await?;
    let ask = async |metadata| vault.issue_secret_id(&token, &path, metadata, issuer.wrap_ttl).await;
    let mut outcome = ask(&issuer.metadata).await;
    // Policies that list allowed_parameters refuse what they do not list, with a bare 403.
    if let Err(error) = &outcome
        && error.refusal().is_some_and(|(status, _)| status == 403)
        && !issuer.metadata.is_empty()
    {
        tracing::debug!("to issue a secret_id with the job's metadata was refused; again without");
        outcome = ask(&[]).await;
    }
    let outcome = match outcome {
        Err(error) => {
            let granted = evidence(vault, &token, &path, &error).await;
            Err(not_issued(error, issuer, &path, granted))
        }
        Ok(secret_id) => Ok(secret_id),
    };
    let wrapped = match outcome? {
        vault::SecretId::Plain(secret_id) => return Ok(secret_id),
        vault::SecretId::Wrapped(token) => token,
    };
    let source = format!("issued with {}", issuer.source);
    let (mount, role) = (&login.mount, Some(issuer.role.as_str()));
    let wrapped = wrapping::Wrapped { token: &wrapped, source, mount, role, own: true };
    wrapped.open(vault).await
}

/// What Vault tells of an issuing token that was refused: a 403 alone can mean several things.
enum Granted {
    /// It can't look itself up.
    Nobody,
    /// The token is valid, but its policies don't list the path.
    Nothing,
    /// Its policies allow the path, but not the parameters that were sent.
    Path,
}

/// The time-out of the look.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Looks at the token after a refusal, so that the likeliest cause comes first.
async fn evidence(vault: &Vault, token: &Secret, path: &str, error: &vault::Error) -> Option<Granted> {
    error.refusal().filter(|(status, _)| *status == 403)?;
    let asked = tokio::time::timeout(PATIENCE, vault.login_capabilities(token, path)).await.ok()?;
    match asked {
        Ok(granted) if granted.iter().any(|one| ["update", "create", "root"].contains(&one.as_str())) => {
            Some(Granted::Path)
        }
        Ok(_) => Some(Granted::Nothing),
        Err(error) => error.refusal().map(|_| Granted::Nobody),
    }
}

fn not_issued(error: vault::Error, issuer: &Issuer, path: &str, granted: Option<Granted>) -> Error {
    let (source, role) = (&issuer.source, &issuer.role);
    let name = format!("is {role} the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it");
    let policy = format!("the policy of {source} must have: {}", vault::policy(path, "update"));
    let wrapping = match issuer.wrap_ttl {
        None => "a policy with min_wrapping_ttl wants VAULT_WRAP_TTL, such as 60s",
        Some(_) => "VAULT_WRAP_TTL must be between the policy's min_wrapping_ttl and max_wrapping_ttl",
    };
    let hints = match (error.refusal(), granted) {
        (Some((403, _)), Some(Granted::Path)) => vec![wrapping.to_owned()],
        (Some((403, _)), Some(Granted::Nothing)) => vec![
            name,
            policy,
            format!("{source} is alive, and must be the issuing token: is it the token of a login?"),
        ],
        (Some((403, _)), Some(Granted::Nobody)) => vec![
            format!(
                "{source} has ended, most likely: put a new issuing token into it, as `ci-creds rotate` does"
            ),
            format!("if it is alive, it lacks the policy `default`; then {name}"),
            policy,
            wrapping.to_owned(),
        ],
        (Some((403, _)), None) => vec![
            name,
            policy,
            format!("{source} must be the issuing token: has it ended, or is it the token of a login?"),
            wrapping.to_owned(),
        ],
        (Some(_), _) => vec![name],
        (None, _) => Vec::new(),
    };
    vault::WithHints { error, hints, notes: Vec::new() }.into()
}

/// Cuts off a final newline and a byte order mark, which editors of Windows write. Any other character that can't be
/// printed is an error: no header and no ID can have it.
fn clean(parameter: &LoginParameter, text: &str) -> Result<Secret, Error> {
    let text = text.trim_start_matches(BYTE_ORDER_MARK).trim();
    if text.is_empty() {
        return Err(unusable(parameter, "it is empty".to_owned(), "give it a value"));
    }
    let is_id = matches!(parameter.name, "role_id" | "secret_id");
    let fits = |char: char| char.is_ascii_graphic() || (is_id && !char.is_ascii() && !char.is_whitespace());
    if !text.chars().all(fits) {
        let reason = "it has blanks or characters that can't be printed".to_owned();
        return Err(unusable(parameter, reason, "give it as it was issued, on one line"));
    }
    Ok(Secret::from(text))
}

fn unusable(parameter: &LoginParameter, reason: String, hint: &str) -> Error {
    let what = match parameter.name {
        "jwt" | "token" => "the token",
        "wrapping token" => "the wrapping token",
        other => other,
    };
    let source_name = parameter.origin.source();
    auth::Error::LoginParameter { what, source_name, reason, hint: hint.to_owned() }.into()
}

/// The requests with the values of `--data` that stand in files, or come in by standard input.
pub(super) async fn data(vault: &Vault, requests: &[Request]) -> Result<Vec<Request>, Error> {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        for (name, input) in std::mem::take(&mut request.from_files) {
            let text = input.read(vault.shutdown()).await?;
            let fault = |cause| Error::Data { name: shown(&name), shown: input.to_string(), cause };
            let text = text.map_err(fault)?;
            request.parameters.push((name, Secret::from(text.strip_suffix('\n').unwrap_or(&text))));
        }
    }
    Ok(requests)
}
