//! Turning a login's ingredients into values: reading files and standard input, issuing a secret_id.

use std::io::Read as _;

use super::Error;
use crate::auth::{self, Gathered, Ingredient, Login, Origin};
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// Everything that `login` needs.
pub async fn all(vault: &Vault, login: &Login) -> Result<Gathered, Error> {
    let mut gathered = Gathered::default();
    for ingredient in &login.ingredients {
        let value = match (&ingredient.origin, here(ingredient)?) {
            (Origin::Issued { by, role }, _) => issued(vault, login, by, role).await?,
            (_, Some(value)) => value,
            (_, None) => return Err(unusable(ingredient, "it is not there".to_owned(), "give it a value")),
        };
        gathered.0.push((ingredient.name, value));
    }
    Ok(gathered)
}

/// The value of an ingredient that needs no request; `None` for one that has to be issued.
pub fn here(ingredient: &Ingredient) -> Result<Option<Secret>, Error> {
    let text = match &ingredient.origin {
        Origin::Value { value, .. } => return clean(ingredient, value.reveal()).map(Some),
        Origin::File { path, .. } => std::fs::read_to_string(path).map_err(|cause| {
            let reason = format!("{}: {cause}", path.display());
            unusable(ingredient, reason, "name a file that this job can read")
        }),
        Origin::Stdin { .. } => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map(|_| text)
                .map_err(|cause| unusable(ingredient, cause.to_string(), "pipe it into ci-creds"))
        }
        Origin::Issued { .. } => return Ok(None),
    };
    clean(ingredient, &zeroize::Zeroizing::new(text?)).map(Some)
}

async fn issued(vault: &Vault, login: &Login, by: &Secret, role: &str) -> Result<Secret, Error> {
    let policy =
        format!(r#"path "auth/{}/role/{role}/secret-id" {{ capabilities = ["update"] }}"#, login.mount);
    vault.issue_secret_id(by, &login.mount, role).await.map_err(|error| {
        let mut hints = Vec::new();
        match error.refusal() {
            Some((403, _)) => {
                hints.push(format!("the policy of VAULT_TOKEN must have: {policy}"));
                hints.push(
                    "VAULT_TOKEN must be the issuing token: is it expired, or the token of a login?"
                        .to_owned(),
                );
            }
            Some(_) => {
                hints.push(format!("is {role} the AppRole's name? VAULT_AUTH_ROLE or --auth-role sets it"))
            }
            None => {}
        }
        vault::Advised { error, hints, notes: Vec::new() }.into()
    })
}

/// A stray newline is cut off; anything else that can't be printed does not belong into a header or an ID.
fn clean(ingredient: &Ingredient, text: &str) -> Result<Secret, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(unusable(ingredient, "it is empty".to_owned(), "give it a value"));
    }
    if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
        let reason = "it has blanks or characters that can't be printed".to_owned();
        return Err(unusable(ingredient, reason, "give it as it was issued, on one line"));
    }
    Ok(Secret::from(text))
}

fn unusable(ingredient: &Ingredient, reason: String, hint: &str) -> Error {
    let what = match ingredient.name {
        "jwt" => "the ID token",
        "token" => "the token",
        other => other,
    };
    let source_name = ingredient.origin.source();
    auth::Error::Ingredient { what, source_name, reason, hint: hint.to_owned() }.into()
}
