//! The variables that a run depends on, for a hint that can be pasted, as `cli::again` writes its words. It must leave
//! out secrets.

use super::lookup::Lookup;
use super::references;
use crate::cli::{Flags, Parsed, Verb, again};
use crate::env::Env;
use crate::options;

/// The variables that this run reads and that its setup needs as well, because they are not in the words of the call.
/// Each value is quoted for a shell, and none is a secret.
pub(crate) fn variables(run: &Parsed, env: &Env) -> Vec<(String, String)> {
    let first = match &run.verb {
        Verb::Provider(ask) => Some(ask.provider),
        _ => None,
    };
    let others = run.and.iter().flatten().map(|ask| ask.provider);
    let mut found = Vec::new();
    let mut add = |opt: &options::Opt, provider: Option<&str>, by_flag: bool| {
        let flags = if by_flag { &run.flags } else { &Flags::default() };
        let lookup = Lookup { flags, env, provider, flags_count: by_flag };
        // The run itself reports a value that is not valid.
        let Ok(Some(set)) = lookup.text(opt) else { return };
        if !set.by_flag && !opt.is_secret() {
            found.push((set.source, again::value_of(opt, &set.value)));
        }
    };
    let common: &[&options::Opt] = match &run.verb {
        Verb::Read(_) => &[&options::READ_KV_VERSION],
        Verb::Env => &[&options::ONLY, &options::EXCEPT],
        _ => &[],
    };
    for opt in [&options::NAMESPACE, &options::AUTH_NAMESPACE, &options::AUTH_ROLE, &options::AUTH_PATH] {
        add(opt, None, true);
    }
    add(&options::AWS_SERVER_ID, None, true);
    common.iter().for_each(|opt| add(opt, None, true));
    for (provider, by_flag) in first.map(|one| (one, true)).into_iter().chain(others.map(|one| (one, false)))
    {
        let own = provider.options.iter().map(|option| option.opt);
        for opt in
            [&options::PROVIDER_ROLE].into_iter().chain(options::ENGINE.options.iter().copied()).chain(own)
        {
            add(opt, Some(provider.name), by_flag);
        }
    }
    if first.is_some() || !run.and.is_empty() {
        add(&options::ROLE, None, true);
    }
    if matches!(run.verb, Verb::Env) {
        let lookup = Lookup::of(run, env);
        for (name, reference) in references::all(run, &lookup).map(|all| all.found).unwrap_or_default() {
            // A parameter that is sent along may be a secret.
            let plain = reference.parameters.iter().all(|(name, _)| name == "version");
            let value = env.get(&name).ok().flatten().filter(|_| plain).unwrap_or("…").to_owned();
            found.push((name, again::shown(&value)));
        }
    }
    found
}
