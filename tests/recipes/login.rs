//! Azure: logs in with the token of a managed identity, which something else has put into a file
//! (vault-plugin-auth-azure `path_login.go`). It must not read that file: `session` does.

use super::{Method, Need, PLAIN, Place};
use crate::options;

/// `--auth azure`.
pub(super) static AZURE: Method = Method {
    name: "azure",
    title: "Azure",
    needs: &[Need {
        name: "jwt",
        what: "the token of a managed identity",
        places: &[Place::File(&options::ID_TOKEN_FILE)],
        missing: Some("name the file with --id-token-file"),
    }],
    needs_role: true,
    refusals: &[("invalid role name", "there is no role {role} at auth/{mount}: check VAULT_AUTH_ROLE")],
    absent: &["invalid role name"],
    ..PLAIN
};

#[cfg(test)]
mod tests {
    #[test]
    fn recipe_of_a_login() {
        let method = crate::auth::find("azure").unwrap();
        assert!(method.request.is_some() && method.repeatable);
        let words = ["ci-creds", "login", "--auth", "azure"].map(std::ffi::OsString::from);
        assert!(crate::cli::parse(&words).is_ok());
    }
}
