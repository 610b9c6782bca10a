//! AppRole: logs in with a role_id and, unless the role does without one, a secret_id (Vault's
//! builtin/credential/approle `path_login.go`). It must not issue or unwrap the secret_id: `session` does.

use super::{Gathered, Insight, Login, Method, Need, Origin, PLAIN, Place};
use crate::options;
use crate::vault;

/// `--auth approle`.
pub(super) static APPROLE: Method = Method {
    name: "approle",
    title: "AppRole",
    needs: &[
        Need {
            name: "role_id",
            what: "a role_id",
            places: &[Place::Option(&options::ROLE_ID)],
            missing: Some(
                "set VAULT_ROLE_ID or --role-id; where a runner has it, give the job that runner's tags",
            ),
        },
        Need {
            name: "secret_id",
            what: "a secret_id",
            places: &[
                Place::File(&options::SECRET_ID_FILE),
                Place::Option(&options::SECRET_ID),
                Place::Wrapped(&Place::File(&options::WRAPPED_SECRET_ID_FILE)),
                Place::Wrapped(&Place::Option(&options::WRAPPED_SECRET_ID)),
                Place::IssuedBy(&options::TOKEN),
            ],
            // A role with bind_secret_id=false needs none.
            missing: None,
        },
    ],
    request: Some(|_, gathered| gathered.fields()),
    // A secret_id may be good for one use, and five wrong ones lock the role.
    repeatable: false,
    refusals: &[
        (
            "invalid role or secret ID",
            "the secret_id may be used up, expired or another role's, or VAULT_ROLE_ID is wrong",
        ),
        ("invalid secret id", "the secret_id may be used up, expired or another role's"),
        ("invalid role ID", "check VAULT_ROLE_ID"),
        ("missing role_id", "VAULT_ROLE_ID reached Vault empty"),
        (
            "missing secret_id",
            "set VAULT_SECRET_ID, VAULT_WRAPPED_SECRET_ID or --secret-id-file, or VAULT_TOKEN to a token that may \
             issue secret_ids",
        ),
        ("CIDR restrictions", "this runner's address is not among the secret_id's bound CIDRs"),
        (
            "permission denied",
            "five wrong secret_ids lock an AppRole for 15 minutes, even for the right one; or no AppRole is mounted \
             at auth/{mount}: --auth-path or VAULT_AUTH_PATH names another mount",
        ),
    ],
    absent: &["invalid role or secret ID", "invalid role ID"],
    insight,
    ..PLAIN
};

/// Whether Vault does not know the secret_id, or has forgotten it.
pub(crate) fn is_wrong_secret_id(error: &vault::Error) -> bool {
    error.says("invalid role or secret ID") || error.says("invalid secret id")
}

fn insight(login: &Login, _: &Gathered, error: &vault::Error) -> Insight {
    let mut hints = Vec::new();
    let secret_id = login.origin("secret_id");
    let refused = is_wrong_secret_id(error);
    match (secret_id, &login.idle_token) {
        // A role that issues secret_ids exists: the remaining cause is the lockout (vault: user lockout).
        (Some(Origin::Issued(issuer)), _) if error.says("permission denied") => hints.extend([
            format!(
                "the AppRole {} is locked after five wrong secret_ids, for 15 minutes, for every job: wait, or let an \
                 operator run `vault write -f sys/locked-users/ACCESSOR/unlock/ROLE_ID`, with the accessor of auth/{} \
                 (`vault auth list`) and the AppRole's role_id",
                issuer.role, login.mount
            ),
            "so that it does not come again: find the job that tries a secret_id that is used up or another role's; \
             standbys of OpenBao before 2.7 refuse new ones for some 100 ms: update them, set \
             disable_standby_reads there, or let VAULT_ADDR lead to the active node"
                .to_owned(),
        ]),
        (Some(Origin::Issued(issuer)), _) if refused => hints.push(format!(
            "the secret_id was issued for the AppRole {} just now: is VAULT_ROLE_ID that AppRole's role_id?",
            issuer.role
        )),
        (Some(origin), Some(token)) if refused => hints.push(format!(
            "if {token} is a token that may issue secret_ids, `unset {}`: it comes first, and may be used up",
            origin.source()
        )),
        _ => {}
    }
    Insight { hints, ..Insight::default() }
}
