//! AppRole: a role_id, and unless the role does without, a secret_id
//! (Vault's builtin/credential/approle `path_login.go`).

use super::{Error, Gathered, Insight, Login, Method};
use crate::vault::Body;

/// `--auth approle`.
pub(super) static APPROLE: Method = Method {
    name: "approle",
    title: "AppRole",
    request: Some(request),
    // A secret_id may be good for one use.
    repeatable: false,
    refusals: &[
        (
            "invalid role or secret ID",
            "the secret_id may be used up, expired or another role's; beside a VAULT_TOKEN that may issue secret_ids, \
             `unset VAULT_SECRET_ID`; and check VAULT_ROLE_ID",
        ),
        ("invalid secret id", "the secret_id may be used up, expired or another role's"),
        ("missing secret_id", "set VAULT_SECRET_ID or --secret-id-file, or a VAULT_TOKEN that may issue one"),
        ("CIDR restrictions", "this runner's address is not among the secret_id's bound CIDRs"),
        (
            "permission denied",
            "five wrong secret_ids lock an AppRole for 15 minutes, even for the right one; or no AppRole is mounted \
             at auth/{mount}: --auth-path or VAULT_AUTH_PATH names another mount",
        ),
    ],
    insight: |_, _| Insight::default(),
};

fn request(_: &Login, gathered: &Gathered) -> Result<Body, Error> {
    Ok(gathered.fields())
}
