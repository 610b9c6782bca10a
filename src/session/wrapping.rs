//! Looks at a wrapping token before it takes the secret_id out of it: who hands over another token than the one that
//! was made, or an opened one, has intercepted it. It must not unwrap what was made elsewhere.

use super::Error;
use crate::auth;
use crate::secret::Secret;
use crate::text::Text;
use crate::vault::Vault;

/// A wrapping token, and what must be inside.
pub(super) struct Wrapped<'a> {
    pub(super) token: &'a Secret,
    /// The flag or variable.
    pub(super) source: String,
    pub(super) mount: &'a str,
    /// The AppRole's name, where it is known.
    pub(super) role: Option<&'a str>,
    /// Whether this run made it a moment ago, and can make another.
    pub(super) own: bool,
}

impl Wrapped<'_> {
    /// The secret_id, after the check.
    pub(super) async fn open(&self, vault: &Vault) -> Result<Secret, Error> {
        let path = vault.creation_path(self.token).await.map_err(|error| self.explained(error))?;
        if !self.fits(&path) {
            let (mount, role) = (self.mount, self.role.unwrap_or("ROLE"));
            let path = Text::new(&path);
            let reason = format!("its token was made at {path}, not at auth/{mount}/role/{role}/secret-id");
            return Err(self.intercepted(reason, true));
        }
        vault.unwrap_secret_id(self.token, self.own).await.map_err(|error| self.explained(error))
    }

    /// Without a name, any role of the mount fits: Vault itself compares the secret_id with the role_id.
    fn fits(&self, path: &str) -> bool {
        let role = path.strip_prefix("auth/").and_then(|path| path.strip_prefix(self.mount));
        let role = role.and_then(|path| path.strip_prefix("/role/")?.strip_suffix("/secret-id"));
        role.is_some_and(|role| !role.contains('/') && self.role.is_none_or(|expected| expected == role))
    }

    /// Vault gives the same error for a token that was used and for one that never existed.
    fn explained(&self, error: crate::vault::Error) -> Error {
        match error.refusal() {
            Some((400 | 403 | 404, said)) => {
                let said = said.join("; ");
                self.intercepted(format!("Vault says of its token: {said}"), false)
            }
            _ => error.into(),
        }
    }

    fn intercepted(&self, reason: String, foreign: bool) -> Error {
        let path = format!("auth/{}/role/{}/secret-id", self.mount, self.role.unwrap_or("ROLE"));
        auth::Error::Intercepted { source_name: self.source.clone(), reason, foreign, path }.into()
    }
}
