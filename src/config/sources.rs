//! Where everything that is set comes from: doctor's first lines.

use super::lookup::Lookup;
use super::{Error, login};
use crate::cli::{Parsed, Verb};
use crate::env::Env;
use crate::input;
use crate::options::{self, Takes};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The option, without its dashes.
    pub option: &'static str,
    /// What it is set to, if that may be shown.
    pub value: Option<String>,
    /// The flag or variable.
    pub source: String,
}

/// Every option that is given, by a flag or a variable; defaults are not listed.
pub fn sources(parsed: &Parsed, env: &Env) -> Result<Vec<Setting>, Error> {
    let provider = match &parsed.verb {
        Verb::Provider(ask) => Some(ask.provider),
        _ => None,
    };
    let lookup =
        Lookup { flags: &parsed.flags, env, provider: provider.map(|one| one.name), flags_count: true };
    let groups = [&options::VAULT, &options::LOGIN, &options::ENGINE, &options::OUTPUT];
    let rows = groups.iter().flat_map(|group| group.options);
    let own = provider.into_iter().flat_map(|one| one.options.iter().map(|option| &option.opt));
    let mut found = Vec::new();
    for opt in rows.chain(own).filter(|opt| opt.takes != Takes::Count) {
        if let Some(set) = lookup.row(opt)? {
            let value = (!opt.is_secret() && !set.value.contains('@')).then(|| input::shown(&set.value));
            found.push(Setting { option: opt.name, value, source: set.source });
        }
    }
    if let Some(provider) = provider {
        let own = format!("CI_CREDS_{}_ROLE", options::shout(provider.name));
        for name in [own.as_str(), "CI_CREDS_ROLE"] {
            let set = lookup.named(name, "the name of a role")?;
            found.extend(set.map(|set| Setting {
                option: "role",
                value: Some(set.value),
                source: set.source,
            }));
        }
    }
    found.extend(login::secrets(&lookup)?);
    Ok(found)
}
