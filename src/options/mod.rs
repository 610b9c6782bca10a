//! Every option, as data: one row is the flag, its variables, its help, and what it belongs to. `config` looks values
//! up by these rows; --help, the completions, the man pages, doctor's sources, the list of what a command does not
//! inherit and the tables of docs/reference.md are made from them or compared with them. It must not read values.

mod rows;

pub(crate) use rows::*;
pub use rows::{
    COMMAND, ENGINE, ENV, LOGIN, OUTPUT, READ, REVOKE, ROTATE, SCANNING, UNSUPPORTED, USUAL, VARIABLES, VAULT,
};

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
    /// No flag: only a variable sets it, to a value called this; an empty name where it may be anything.
    Variable(&'static str),
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
    /// These variables, in order: what other programs use as well.
    Usual(&'static [&'static str]),
    /// Only the flag.
    None,
}

/// Whether an option's value may be shown or inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// It may be shown: doctor shows it.
    Shown,
    /// It is or may hold a secret: doctor names its source only.
    Hidden,
    /// It says where a secret is that logs in: doctor shows it, and `-- COMMAND` does not inherit its variables.
    Place,
    /// It is a secret that logs in: in addition, `-- COMMAND` does not inherit its variables.
    Withheld,
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
    /// The variables that it can come from.
    pub variables: Variables,
    /// Whether its value may be shown or inherited.
    pub secrecy: Secrecy,
    /// What `forbid` of the machine's policy calls it. These are the switches that open something, and the ways to make
    /// another server pass for an allowed address.
    pub(crate) lock: Option<&'static str>,
    /// Whether it lets more in or checks less: no advice on a misspelt word names it.
    pub(crate) opens: bool,
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
    pub options: &'static [&'static Opt],
}

/// Every group whose options have flags.
pub(crate) static FLAGS: &[&Group] =
    &[&VAULT, &LOGIN, &ENGINE, &OUTPUT, &COMMAND, &REVOKE, &SCANNING, &READ, &ENV, &ROTATE];

/// The groups that every command that hands credentials over has.
pub(crate) static COMMON: &[&Group] = &[&VAULT, &LOGIN, &OUTPUT, &COMMAND];

impl Opt {
    /// An option that has only this flag, for a group to fill in the rest.
    pub(crate) const fn new(
        name: &'static str,
        takes: Takes,
        variables: Variables,
        help: &'static str,
    ) -> Self {
        Self { name, short: None, takes, variables, secrecy: Secrecy::Shown, lock: None, opens: false, help }
    }

    const fn short(self, letter: char) -> Self {
        Self { short: Some(letter), ..self }
    }

    const fn secrecy(self, secrecy: Secrecy) -> Self {
        Self { secrecy, ..self }
    }

    const fn lock(self, name: &'static str) -> Self {
        Self { lock: Some(name), ..self }
    }

    const fn opens(self) -> Self {
        Self { opens: true, ..self }
    }

    /// The variables that are looked at, in order. `provider` names the one that the option belongs to.
    pub fn variables(&self, provider: Option<&str>) -> Vec<String> {
        match self.variables {
            Variables::Vault(names) => {
                names.iter().flat_map(|x| [format!("BAO_{x}"), format!("VAULT_{x}")]).collect()
            }
            Variables::Own => vec![format!("CI_CREDS_{}", env_suffix(self.name))],
            Variables::Provider(suffix) => {
                provider.map(|name| format!("CI_CREDS_{}_{suffix}", env_suffix(name))).into_iter().collect()
            }
            Variables::Usual(names) => names.iter().map(|&name| name.to_owned()).collect(),
            Variables::None => Vec::new(),
        }
    }
}

impl Opt {
    /// Whether its value is never shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.secrecy, Secrecy::Hidden | Secrecy::Withheld)
    }

    /// Whether it has a flag.
    pub(crate) fn has_flag(&self) -> bool {
        !matches!(self.takes, Takes::Variable(_))
    }

    /// What its value is, for messages; `None` where it may be anything.
    pub(crate) fn meant(&self) -> Option<&'static str> {
        let (Takes::Value(name) | Takes::Values(name) | Takes::Variable(name)) = self.takes else {
            return None;
        };
        match name {
            _ if self.is_secret() => None,
            "" | "BOOL" => None,
            "FILE" => Some("the path of a file"),
            "DIR" => Some("the path of a folder"),
            "URL" => Some("an address"),
            "ID" => Some("an ID"),
            "DURATION" => Some("a duration"),
            "N" => Some("a number"),
            _ => Some("a name"),
        }
    }

    /// Whether it takes an ID and nothing else.
    pub(crate) fn is_id(&self) -> bool {
        matches!(self.takes, Takes::Value("ID"))
    }

    /// Whether its value may be a UUID. Roles, mounts and namespaces are named after projects and tenants; where a file
    /// or an address belongs, a UUID is a secret_id in the wrong place.
    pub fn takes_uuid(&self) -> bool {
        let (Takes::Value(name) | Takes::Variable(name)) = self.takes else { return false };
        matches!(name, "ID" | "ROLE" | "MOUNT" | "PATH" | "NAMESPACE")
    }
}

/// Every row, those without a flag included.
fn rows() -> impl Iterator<Item = &'static Opt> {
    let with_flags = FLAGS.iter().flat_map(|group| group.options);
    with_flags.chain(VARIABLES.options).chain(USUAL.options).copied()
}

/// What `forbid` of the machine's policy may name, each once.
pub(crate) fn locks() -> Vec<&'static str> {
    let mut all = Vec::new();
    for lock in rows().filter_map(|row| row.lock) {
        if !all.contains(&lock) {
            all.push(lock);
        }
    }
    all
}

/// Whether this variable says where the next call of ci-creds, `vault` or `bao` sends what logs in, or who passes for
/// Vault there.
pub(crate) fn leads_elsewhere(variable: &str) -> bool {
    let leads = |row: &&Opt| row.lock.is_some() || row.name == ADDR.name;
    rows().filter(leads).any(|row| row.variables(None).iter().any(|name| name == variable))
}

/// The variables that a command does not inherit: they log in to Vault.
pub(crate) fn withheld() -> impl Iterator<Item = String> {
    rows()
        .filter(|row| matches!(row.secrecy, Secrecy::Place | Secrecy::Withheld))
        .flat_map(|row| row.variables(None))
}

/// `auth-namespace` as it stands in a variable's name: `AUTH_NAMESPACE`.
pub fn env_suffix(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}
