//! What a line lists, for `status`. It must not ask anybody: it says what there is to ask.

use jiff::Timestamp;

use super::Record;
use crate::secret::Secret;

/// One thing that a line lists.
#[derive(Debug)]
pub struct Listed {
    /// `token`, `lease`, `file`, `profile` or `key`.
    pub kind: &'static str,
    /// Its public handle.
    pub id: String,
    /// Its end, as far as it was known when the line was written.
    pub ends: Option<Timestamp>,
    /// What there is to ask.
    pub is: State,
}

/// What a look at a listed thing takes.
#[derive(Debug)]
pub enum State {
    /// A token looks itself up.
    Token(Secret),
    /// A token that a look would use up.
    Counted,
    /// A lease, and the token that looks it up.
    Lease {
        /// The lease.
        id: String,
        /// The token.
        by: Secret,
    },
    /// A lease whose token is not here.
    NoToken,
    /// A file or a profile in one, and whether it still is what was written.
    File(bool),
    /// A key that was made at a cloud: Vault does not know it.
    Elsewhere,
}

impl Record {
    /// The things that it lists. Each is looked up with the line's own token, or with the user's, `given`, where that
    /// may be sent there.
    pub fn listed(&self, given: Option<&Secret>) -> Vec<Listed> {
        let time = |ends: Option<&String>| ends.and_then(|ends| ends.parse().ok());
        let tokens = self.tokens.iter().map(|line| Listed {
            kind: "token",
            id: format!("accessor {}", line.accessor),
            ends: time(line.ends.as_ref()),
            is: if line.counted { State::Counted } else { State::Token(line.token.clone()) },
        });
        let leases = self.leases.iter().map(|line| Listed {
            kind: "lease",
            id: line.id.clone(),
            ends: time(line.ends.as_ref()),
            is: match line.token.as_ref().or(given) {
                Some(token) => State::Lease { id: line.id.clone(), by: token.clone() },
                None => State::NoToken,
            },
        });
        let files = self.files.iter().map(|file| Listed {
            kind: "file",
            id: crate::input::path(file.place()),
            ends: None,
            is: State::File(file.is_there()),
        });
        let profiles = self.profiles.iter().map(|part| Listed {
            kind: "profile",
            id: part.shown(),
            ends: None,
            is: State::File(part.is_there()),
        });
        let externals = self.externals.iter().map(|line| Listed {
            kind: "key",
            id: line.id.clone(),
            ends: line.ends.parse().ok(),
            is: State::Elsewhere,
        });
        tokens.chain(leases).chain(files).chain(profiles).chain(externals).collect()
    }
}
