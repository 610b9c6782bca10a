//! Reads a role of an auth method with an operator's token, and compares it with the claims of a job. It must not
//! change the role.

mod approle;
pub(super) mod findings;
mod machine;
mod policies;
mod table;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::report::Report;
use super::{Status, Step, policy_line, run, signature, ttl};
use crate::claims::Claims;
use crate::claims::change::change;
use crate::claims::demands::{self, Extent, Verdict};
use crate::claims::role::Role;
use crate::cli::{Doctor, RoleAt, again};
use crate::config::RoleCheck;
use crate::error::{Code, Error};
use crate::input::Input;
use crate::secret::Secret;
use crate::session;
use crate::shutdown::Shutdown;
use crate::vault::{self, Vault};

/// How the claims of a job are given to doctor outside the job.
const GIVE: &str = "give --claims JSON, --id-token-file FILE, or --from-job LINE";

/// Looks at `auth/MOUNT/role/NAME`, for certificates `auth/MOUNT/certs/NAME`.
pub(crate) async fn walk(
    report: &mut Report,
    role_check: RoleCheck,
    doctor: &Doctor,
    at: &RoleAt,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let Some((vault, operator)) = run::reach_as_operator(report, &role_check, shutdown).await? else {
        return Ok(());
    };
    let RoleAt { mount, name, .. } = at;
    let path = at.path();
    let found = match read(&vault, &operator, &path).await {
        Ok(found) => found,
        Err(step) => return Ok(report.add(step)?),
    };
    let mut role = Role { role: found, config: Map::new() };
    if role.role.contains_key("bind_secret_id") {
        for step in approle::steps(&role, &path) {
            report.add(step)?;
        }
        return policies(report, &vault, &operator, &role).await;
    }
    if let Some(kind) = machine::kind_of(&role) {
        for step in machine::steps(kind, &role, &path) {
            report.add(step)?;
        }
        return policies(report, &vault, &operator, &role).await;
    }
    if !role.role.contains_key("user_claim") {
        let fields: Vec<_> = role.role.keys().map(String::as_str).collect();
        let seen =
            format!("a role of a kind that ci-creds does not log in with; it has {}", fields.join(", "));
        let open = "the role, which is of no kind that ci-creds logs in with";
        return Ok(report.add(Step::skip("role", seen).from(path).unchecked(open))?);
    }
    report.add(described(&role, &path))?;
    let config = format!("auth/{mount}/config");
    match read(&vault, &operator, &config).await {
        Ok(found) => role.config = found,
        Err(step) => {
            report.add(
                Step { status: Status::Skip, id: "config", ..step }
                    .line("bound_issuer and the keys are not compared")
                    .unchecked(format!("{config}, for bound_issuer and the keys")),
            )?;
        }
    }
    compare(report, &vault, &role_check, doctor, &role, (mount, name)).await?;
    for step in findings::jwt(&role, &path) {
        report.add(step)?;
    }
    policies(report, &vault, &operator, &role).await
}

async fn policies(report: &mut Report, vault: &Vault, operator: &Secret, role: &Role) -> Result<(), Error> {
    for step in policies::look(vault, operator, &role.list("token_policies")).await {
        report.add(step)?;
    }
    Ok(())
}

/// What stands at `path`, or the step that says why it can't be told.
async fn read(vault: &Vault, operator: &Secret, path: &str) -> Result<Map<String, Value>, Step> {
    let missing = || {
        Step::fail("role", Code::Refused, format!("there is nothing at {path}"))
            .hint("check the name, the mount and the namespace: VAULT_AUTH_ROLE, VAULT_AUTH_PATH, VAULT_NAMESPACE of the job")
            .hint(prints(path))
    };
    match vault.look(operator, path).await {
        Ok(Value::Object(found)) => Ok(found),
        Ok(_) => Err(missing()),
        Err(error) => Err(match error.refusal() {
            Some((404, _)) if !error.says("namespace") => missing(),
            // A token that has ended is refused in the same way. Its look at itself is then refused too, and not by a
            // policy.
            Some((403, _))
                if vault.lookup_self(operator).await.is_err_and(|error| error.is_of_no_token()) =>
            {
                Step::fail(
                    "role",
                    Code::Refused,
                    format!("this VAULT_TOKEN may not read {path}, nor look itself up"),
                )
                .hint("it has ended, most likely: log in again, with `vault login` or `bao login`")
                .hint(policy_line("if it is alive, the policy must have", path, "read"))
            }
            Some((403, _)) => {
                Step::fail("role", Code::Refused, format!("this VAULT_TOKEN may not read {path}"))
                    .hint(policy_line("the policy must have", path, "read"))
                    .hint("a mount that does not exist is refused in the same way")
            }
            _ => Step::failed("role", &error),
        }),
    }
}

/// The call that prints a role: the words of the run are not known here.
fn prints(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    format!(
        "if it is to be made, with the run's own words for RUN: `ci-creds setup RUN… --auth-role {} --project ID` prints it",
        again::shown(name)
    )
}

fn described(role: &Role, path: &str) -> Step {
    let ttl = ttl(role, "token_ttl");
    let policies = role.list("token_policies").join(", ");
    let kind = if role.globs() { "glob" } else { "string" };
    let seen =
        format!("a JWT role, bound claims are compared as {kind}; token TTL {ttl}, policies {policies}");
    Step::ok("role", seen).from(path)
}

/// The table, the change, the signature.
async fn compare(
    report: &mut Report,
    vault: &Vault,
    role_check: &RoleCheck,
    doctor: &Doctor,
    role: &Role,
    (mount, name): (&str, &str),
) -> Result<(), Error> {
    let (claims, extent, token) = match claims(vault, role_check, doctor).await? {
        Ok(Some(found)) => found,
        Ok(None) => {
            let step = Step::skip("claims", "not looked at: there is nothing to hold against the role")
                .unchecked(format!("the claims of a job ({GIVE})"));
            return Ok(report.add(step.hint(GIVE))?);
        }
        Err(step) => return Ok(report.add(*step)?),
    };
    if let Some(token) = &token
        && let Some(keys) = signature::Keys::of(&role.config, &claims)
    {
        report.add(signature::check(token, &keys, &role_check.server.http, vault.shutdown()).await)?;
    }
    let rows = demands::evaluate(role, &claims, extent, vault::now());
    report.claims = table::rows(&rows);
    let unknown = rows.iter().filter(|row| row.verdict == Verdict::Unknown);
    let unknown: Vec<_> = unknown.map(|row| row.claim.as_str()).collect();
    let mut step = table::step(&rows);
    if !unknown.is_empty() {
        step = step.unchecked(format!("{} (marked ?; --id-token-file has all claims)", unknown.join(", ")));
    }
    let change = change(role, &claims, &rows);
    Ok(report.add(table::remedy(step, &change, mount, name, doctor.widen))?)
}

type Given = Option<(Claims, Extent, Option<Secret>)>;

/// The claims that are given: as JSON, as a job's line, or in a token.
async fn claims(
    vault: &Vault,
    role_check: &RoleCheck,
    doctor: &Doctor,
) -> Result<Result<Given, Box<Step>>, Error> {
    let given = match (&doctor.claims, &doctor.from_job) {
        (Some(text), _) => Some((text, Input::or_itself(text, Claims::is_json, vault.shutdown()).await?)),
        (None, Some(text)) => Some((text, Input::or_itself(text, Claims::is_line, vault.shutdown()).await?)),
        (None, None) => None,
    };
    let unread = |text: &str, error| format!("{} can't be read: {error}", Input::of(text));
    let given = given.map(|(text, read)| read.map_err(|error| unread(text, error)));
    Ok(understood(vault, role_check, doctor, given).await)
}

async fn understood(
    vault: &Vault,
    role_check: &RoleCheck,
    doctor: &Doctor,
    given: Option<Result<Zeroizing<String>, String>>,
) -> Result<Given, Box<Step>> {
    let fault = |source: &str, what: String, hint: &str| {
        Box::new(Step::fail("claims", Code::Usage, what).from(source).hint(hint))
    };
    if let Some(text) = given {
        let by_claims = doctor.claims.is_some();
        let (source, how) = if by_claims {
            ("--claims", "give the claims as JSON, the path of their file, or - for stdin")
        } else {
            ("--from-job", "give the job's line, the path of its log, or - for stdin")
        };
        let text = text.map_err(|error| fault(source, error, how))?;
        if by_claims {
            // What the parser says of it may quote it.
            let claims = Claims::from_json(&text).map_err(|error| {
                let seen = format!("not a JSON object: line {}, column {}", error.line(), error.column());
                fault(source, seen, "write --claims '{\"ref\": \"main\", …}'")
            })?;
            return Ok(Some((claims, Extent::Timeless, None)));
        }
        let hint = "copy the line of the job's log that begins with `this token says:`";
        let claims = Claims::from_line(&text);
        let claims = claims.ok_or_else(|| fault(source, "no claims in it".to_owned(), hint))?;
        return Ok(Some((claims, Extent::Shown, None)));
    }
    let Some(parameter) = &role_check.id_token else { return Ok(None) };
    let source = parameter.origin.source();
    let token = session::gather_here(vault, parameter).await;
    let token = token.map_err(|error| Box::new(Step::failed("claims", &error)))?;
    let hint = "give the token of `id_tokens:` as it is";
    let claims = Claims::of(&token).map_err(|error| fault(&source, error.to_string(), hint))?;
    Ok(Some((claims, Extent::Whole, Some(token))))
}
