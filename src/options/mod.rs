//! Every option, as data: one row is the flag, its variables, its help, and what it belongs to. `config` looks
//! values up by these rows; --help and the README's table are made from them.

pub use rows::{COMMAND, COMMON, ENGINE, LOGIN, OUTPUT, READ, REVOKE, ROTATE, VAULT};

mod rows;

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A value, called this in --help.
    Value(&'static str),
    /// Several values, one for each time it is given.
    Values(&'static str),
    /// A boolean: the flag alone means true.
    Switch,
    /// How often it was given.
    Count,
}

/// Where an option's value comes from when the flag is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// What `vault` and `bao` have variables for: `BAO_X`, then `VAULT_X`, for each X in order.
    Vault(&'static [&'static str]),
    /// `CI_CREDS_X`, named like the flag.
    Own,
    /// `CI_CREDS_<PROVIDER>_X`: each provider of a run has its own.
    Provider(&'static str),
    /// Only the flag.
    None,
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// The long flag, without its dashes.
    pub name: &'static str,
    /// The short flag.
    pub short: Option<char>,
    /// What it takes.
    pub takes: Takes,
    /// Where else its value comes from.
    pub variables: Variables,
    /// For --help: a sentence without its full stop.
    pub help: &'static str,
}

/// Options that belong together in --help.
#[derive(Debug)]
pub struct Group {
    /// As in --help.
    pub heading: &'static str,
    /// Whether -h leaves it to --help: what the runner or a variable sets, and hardly anybody types.
    pub only_in_long_help: bool,
    /// The rows.
    pub options: &'static [Opt],
}

impl Opt {
    /// The variables that are looked at, in order. `provider` names the one that the option belongs to.
    pub fn variables(&self, provider: Option<&str>) -> Vec<String> {
        match self.variables {
            Variables::Vault(names) => {
                names.iter().flat_map(|x| [format!("BAO_{x}"), format!("VAULT_{x}")]).collect()
            }
            Variables::Own => vec![format!("CI_CREDS_{}", shout(self.name))],
            Variables::Provider(suffix) => {
                provider.map(|name| format!("CI_CREDS_{}_{suffix}", shout(name))).into_iter().collect()
            }
            Variables::None => Vec::new(),
        }
    }
}

/// Options whose values are, or may hold, secrets: they are never shown, and may look like anything.
const SECRET: &[&str] = &["role-id", "proxy"];

impl Opt {
    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        SECRET.contains(&self.name)
    }

    /// What its value is, for messages; `None` where it may be anything.
    pub fn meant(&self) -> Option<&'static str> {
        let (Takes::Value(name) | Takes::Values(name)) = self.takes else { return None };
        match name {
            _ if self.is_secret() => None,
            "FILE" => Some("the path of a file"),
            "DIR" => Some("the path of a folder"),
            "URL" => Some("an address"),
            "ID" => Some("an ID"),
            "DURATION" => Some("a duration"),
            "N" => Some("a number"),
            _ => Some("a name"),
        }
    }

    /// Whether a UUID is what it takes.
    pub fn takes_uuid(&self) -> bool {
        matches!(self.takes, Takes::Value("ID"))
    }
}

/// `auth-namespace` as it stands in a variable's name: `AUTH_NAMESPACE`.
pub fn shout(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

/// The row of this name.
pub fn find(name: &str) -> Option<&'static Opt> {
    [&VAULT, &LOGIN, &ENGINE, &OUTPUT, &COMMAND, &REVOKE, &READ, &ROTATE]
        .iter()
        .flat_map(|group| group.options)
        .find(|opt| opt.name == name)
}
