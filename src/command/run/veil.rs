//! What the command is given, hidden in its output. It must not let a value through that it can't hide.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::command::scan;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::exec::Mask;
use crate::exec::mask::{Patterns, TooLarge, is_too_short};
use crate::scan::Value;
use crate::secret::Secret;

/// The mask, and what it hides.
pub(super) struct Veil {
    /// What changes the output; none under `--no-mask`.
    pub(super) mask: Option<Mask>,
    secrets: RefCell<Vec<Value>>,
    /// How many of them are hidden to the end; the others are sets that newer ones replace.
    fixed: usize,
}

impl Veil {
    /// Hides all of these, where that is `wanted`. A value that is too short for it is named on stderr.
    pub(super) fn new(wanted: bool, all: &[&Vec<Credentials>]) -> Result<Self, TooLarge> {
        let secrets: Vec<Value> = all.iter().flat_map(|all| all.iter()).flat_map(sensitive).collect();
        let mask = if wanted { Patterns::of(distinct(&secrets).into_iter())?.map(Mask::new) } else { None };
        if wanted {
            let variables: BTreeMap<_, _> = all
                .iter()
                .flat_map(|all| all.iter())
                .flat_map(|one| &one.variables)
                .map(|variable| (&variable.name, variable))
                .collect();
            for variable in
                variables.values().filter(|variable| variable.sensitive && is_too_short(&variable.value))
            {
                tracing::warn!(
                    "{} is not masked in the output: it has fewer than 8 characters",
                    variable.name
                );
            }
        }
        Ok(Self { mask, fixed: secrets.len(), secrets: RefCell::new(secrets) })
    }

    /// Hides the credentials that the command is about to get too. Older sets stay hidden, because output with them may
    /// still come; where there are too many, the oldest are dropped. An error, if the mask has no room even for these:
    /// then they must not be handed over.
    pub(super) fn hide(&self, fresh: Credentials) -> Result<Credentials, Error> {
        let new = sensitive(&fresh);
        let mut secrets = self.secrets.borrow_mut();
        if new.iter().all(|one| secrets.iter().any(|known| known.secret.reveal() == one.secret.reveal())) {
            return Ok(fresh);
        }
        let mut all = secrets.clone();
        all.extend(new.iter().cloned());
        if let Some(mask) = &self.mask {
            let patterns = loop {
                match Patterns::of(distinct(&all).into_iter()) {
                    Ok(patterns) => break patterns,
                    Err(_) if all.len() > self.fixed + new.len() => drop(all.remove(self.fixed)),
                    Err(error) => return Err(error.into()),
                }
            };
            if let Some(patterns) = patterns {
                mask.replace(patterns);
            }
        }
        *secrets = all;
        Ok(fresh)
    }

    /// All that was hidden, for a search.
    pub(super) fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for Value { variables, secret } in self.secrets.borrow().iter() {
            scan::add(&mut values, variables, secret.clone());
        }
        values
    }
}

/// Each text once: several variables may have it.
fn distinct(all: &[Value]) -> Vec<&Secret> {
    let texts: BTreeMap<&str, &Secret> =
        all.iter().map(|value| (value.secret.reveal(), &value.secret)).collect();
    texts.into_values().collect()
}

fn sensitive(one: &Credentials) -> Vec<Value> {
    let sensitive = one.variables.iter().filter(|variable| variable.sensitive);
    let files = one.files.iter().map(|file| (&file.name, &file.content));
    let all = sensitive.map(|variable| (&variable.name, &variable.value)).chain(files);
    all.map(|(name, secret)| Value { variables: name.clone(), secret: secret.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{IssuedBy, Variable};

    fn set(value: &str) -> Credentials {
        let name = "AWS_SECRET_ACCESS_KEY".to_owned();
        let variables = vec![Variable { name, value: value.into(), sensitive: true }];
        Credentials::of(IssuedBy::Cloud("aws"), "aws/sts/ci", variables)
    }

    fn known(veil: &Veil) -> Vec<String> {
        veil.values().iter().map(|value| value.secret.reveal().to_owned()).collect()
    }

    #[test]
    fn what_the_mask_has_no_room_for_is_not_handed_over() {
        let veil = Veil::new(true, &[&vec![set("the first value")]]).unwrap();
        assert!(veil.hide(set("the second value")).is_ok());
        let too_large = "x".repeat(65 << 20);
        assert!(veil.hide(set(&too_large)).is_err());
        assert_eq!(known(&veil), ["the first value", "the second value"]);
        // Without a mask nothing is too large.
        let open = Veil::new(false, &[]).unwrap();
        assert!(open.hide(set(&too_large)).is_ok());
    }

    #[test]
    fn the_oldest_set_goes_where_there_are_too_many() {
        let veil = Veil::new(true, &[&vec![set("the first value")]]).unwrap();
        veil.secrets.borrow_mut().extend(sensitive(&set(&"x".repeat(65 << 20))));
        veil.hide(set("the third value")).unwrap();
        veil.hide(set("the third value")).unwrap();
        assert_eq!(known(&veil), ["the first value", "the third value"]);
    }
}
