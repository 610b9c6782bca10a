//! Where each setting comes from, for doctor's first lines. It must not show a secret.

use super::lookup::Lookup;
use super::{Error, login};
use crate::cli::{Parsed, Verb};
use crate::env::Env;
use crate::input;
use crate::options::{self, Takes};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The option, without its dashes.
    pub option: &'static str,
    /// What it is set to, if that may be shown.
    pub value: Option<String>,
    /// The flag or variable.
    pub source: String,
}

/// Every option that is given, by a flag or a variable; defaults are not listed.
pub(crate) fn sources(parsed: &Parsed, env: &Env) -> Result<Vec<Setting>, Error> {
    let provider = match &parsed.verb {
        Verb::Provider(ask) => Some(ask.provider),
        _ => None,
    };
    let lookup =
        Lookup { flags: &parsed.flags, env, provider: provider.map(|one| one.name), flags_count: true };
    let groups = [&options::VAULT, &options::LOGIN, &options::ENGINE, &options::OUTPUT];
    let rows = groups.iter().flat_map(|group| group.options).copied();
    let own = provider.into_iter().flat_map(|one| one.options.iter().map(|option| option.opt));
    let variables = options::VARIABLES.options.iter().copied();
    let mut found = Vec::new();
    for opt in rows.chain(own).chain(variables).filter(|opt| opt.takes != Takes::Count) {
        let set = match lookup.text(opt) {
            // Whether it matters is the run's to say.
            Err(Error::Unexpanded { .. }) => continue,
            set => set?,
        };
        if let Some(set) = set {
            let value = (!opt.is_secret() && !set.value.contains('@')).then(|| input::shown(&set.value));
            // A variable without a flag that is not shown is told by its name alone.
            let option = if opt.has_flag() || value.is_some() { opt.name } else { "" };
            found.push(Setting { option, value, source: set.source });
        }
    }
    found.extend(login::variables(&lookup)?);
    Ok(found)
}
