//! Finds a value: the flag, then the option's variables in order, with its source for messages. No other module may
//! know the order.

use std::time::Duration;

use super::Error;
use crate::cli::{Flags, Parsed};
use crate::env::{Env, boolean};
use crate::input::{Seems, seems, unexpanded};
use crate::options::{Opt, Takes, Variables};
use crate::policy::Refused;

/// The flags and the environment of a run, seen from one provider, or from none.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) flags: &'a Flags,
    pub(super) env: &'a Env,
    /// Whose variables `CI_CREDS_<PROVIDER>_X` are.
    pub(super) provider: Option<&'a str>,
    /// Whether the flags of the engine group are this provider's: only the one named first has them.
    pub(super) flags_count: bool,
}

/// What a variable may hold, for messages.
pub(super) const FOLDER: &str = "the path of a folder";
/// See [`FOLDER`].
pub(super) const ADDRESS: &str = "an address";

/// A value and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sourced {
    pub(super) value: String,
    pub(super) source: String,
    pub(super) by_flag: bool,
}

impl Sourced {
    /// An error, if `text` is not what this option takes.
    fn check(&self, text: &str, meant: &'static str, opt: &Opt) -> Result<(), Error> {
        match seems(text) {
            None => Ok(()),
            Some(Seems::Uuid) if opt.takes_uuid() => Ok(()),
            // A long path is fine: no key begins with a folder's name, and CI systems make long paths for variables
            // of type file.
            Some(Seems::Long) if is_rooted(text) => Ok(()),
            Some(seems) => Err(self.content(seems, meant)),
        }
    }

    /// An error, if a CI system has left the name of a variable here.
    pub(super) fn expanded(self) -> Result<Self, Error> {
        match unexpanded(&self.value) {
            Some(variable) => {
                Err(Error::Unexpanded { source_name: self.source.clone(), variable: variable.to_owned() })
            }
            None => Ok(self),
        }
    }

    /// The value of a variable that is no option's, if it looks like what is `meant`.
    fn sound(found: Option<Self>, meant: &'static str) -> Result<Option<Self>, Error> {
        match found.as_ref().and_then(|found| Some((found, seems(&found.value)?))) {
            Some((found, Seems::Long)) if is_rooted(&found.value) => Ok(Some(found.clone())),
            Some((found, seems)) => Err(found.content(seems, meant)),
            None => Ok(found),
        }
    }

    /// The error for a value that is something else than a path, a name or an address.
    fn content(&self, seems: Seems, meant: &'static str) -> Error {
        Error::Content { source_name: self.source.clone(), by_flag: self.by_flag, seems, meant }
    }
}

/// `/…`, `./…`, `../…`
fn is_rooted(text: &str) -> bool {
    ["/", "./", "../"].iter().any(|start| text.starts_with(start))
}

/// Whether this is the path of a file that exists.
pub(super) fn is_path(text: &str) -> bool {
    let text = text.trim();
    text.contains('/') && std::path::Path::new(text).is_file()
}

impl<'a> Lookup<'a> {
    /// Seen from no provider.
    pub(super) fn of(parsed: &'a Parsed, env: &'a Env) -> Self {
        Self { flags: &parsed.flags, env, provider: None, flags_count: true }
    }

    /// The value of this option.
    pub(super) fn text(&self, opt: &Opt) -> Result<Option<Sourced>, Error> {
        let found = self.unchecked(opt)?;
        if let (Some(found), Some(meant)) = (&found, opt.meant()) {
            let several = matches!(opt.takes, Takes::Values(_));
            for part in found.value.split([',', '=']).filter(|_| several) {
                found.check(part, meant, opt)?;
            }
            if !several {
                found.check(&found.value, meant, opt)?;
            }
        }
        Ok(found)
    }

    /// The value of the first of these that has one.
    pub(super) fn first(&self, options: &[&Opt]) -> Result<Option<Sourced>, Error> {
        options.iter().find_map(|opt| self.text(opt).transpose()).transpose()
    }

    /// The value, if the policy of this machine lets anybody give one. A switch that is off is as if it was not given.
    fn unchecked(&self, opt: &Opt) -> Result<Option<Sourced>, Error> {
        let found = self.given(opt)?;
        let counts = |found: &&Sourced| opt.takes != Takes::Switch || boolean(&found.value) == Some(true);
        match found.as_ref().filter(counts).filter(|_| self.env.policy().forbids(opt)) {
            Some(found) => Err(Refused::Option { source_name: found.source.clone() }.into()),
            None => Ok(found),
        }
    }

    fn given(&self, opt: &Opt) -> Result<Option<Sourced>, Error> {
        let own_flags = self.flags_count || !matches!(opt.variables, Variables::Provider(_));
        if let Some(value) = self.flags.one(opt).filter(|_| own_flags) {
            return Ok(Some(Sourced {
                value: value.to_owned(),
                source: format!("--{}", opt.name),
                by_flag: true,
            }));
        }
        // BAO_X and VAULT_X go together: an empty BAO_X hides VAULT_X.
        let together = if matches!(opt.variables, Variables::Vault(_)) { 2 } else { 1 };
        for pair in opt.variables(self.provider).chunks(together) {
            if let Some(found) = self.variable(pair)? {
                // An address has more to say of a $.
                let is_address = opt.meant() == Some(ADDRESS);
                return if is_address { Ok(Some(found)) } else { found.expanded().map(Some) };
            }
        }
        Ok(None)
    }

    /// The first of `names` that is there, even if blank: an empty BAO_X hides VAULT_X.
    fn variable(&self, names: &[String]) -> Result<Option<Sourced>, Error> {
        let Some(name) = names
            .iter()
            .find(|name| self.env.has(name) && (names.len() == 1 || name.starts_with("BAO_")))
            .or_else(|| names.last())
        else {
            return Ok(None);
        };
        // Variables that were set from a file or a here-document may end in blanks, which belong to no option's value.
        let found = self.plain(name)?;
        Ok(found.map(|found| Sourced { value: found.value.trim().to_owned(), ..found }))
    }

    /// A variable that is no option's, and that holds what is `meant`: a path, a name or an address.
    pub(super) fn named(&self, name: &str, meant: &'static str) -> Result<Option<Sourced>, Error> {
        Sourced::sound(self.plain(name)?, meant)
    }

    /// A variable that is no option's.
    pub(super) fn plain(&self, name: &str) -> Result<Option<Sourced>, Error> {
        let value = self.env.get(name)?;
        Ok(value.map(|value| Sourced { value: value.to_owned(), source: name.to_owned(), by_flag: false }))
    }

    /// A boolean, false if it is not given.
    pub(super) fn switch(&self, opt: &Opt) -> Result<bool, Error> {
        self.parsed(opt, "true or false", boolean).map(|value| value.unwrap_or(false))
    }

    /// A duration.
    pub(super) fn duration(&self, opt: &Opt) -> Result<Option<Duration>, Error> {
        self.parsed(opt, "a duration such as 90s, 15m or 1h30m", crate::duration::parse)
    }

    /// A window of --dead-man.
    pub(super) fn window(&self, opt: &Opt) -> Result<Option<Duration>, Error> {
        self.parsed(opt, "a duration from 30s to 10m", |text| {
            crate::duration::parse(text).filter(|window| (30..=600).contains(&window.as_secs()))
        })
    }

    /// A whole number.
    pub(super) fn number(&self, opt: &Opt) -> Result<Option<usize>, Error> {
        self.parsed(opt, "a whole number", |text| text.trim().parse().ok())
    }

    /// All values of an option that is given several times; its variable takes them comma-separated.
    pub(super) fn list(&self, opt: &Opt) -> Result<Vec<String>, Error> {
        if self.flags_count && !self.flags.all(opt).is_empty() {
            // The last one alone is looked at there.
            for value in self.flags.all(opt).iter().filter(|_| opt.meant().is_some()) {
                let found =
                    Sourced { value: String::new(), source: format!("--{}", opt.name), by_flag: true };
                if let Some(seems) = value.split('=').find_map(seems) {
                    return Err(found.content(seems, "a name"));
                }
            }
            return Ok(self.flags.all(opt).to_vec());
        }
        let found = self.text(opt)?.map(|found| found.value).unwrap_or_default();
        Ok(found.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    /// What `parse` makes of an option's value; an error, if that is not what is `wanted`.
    pub(super) fn parsed<T>(
        &self,
        opt: &Opt,
        wanted: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(found) = self.text(opt)? else { return Ok(None) };
        match parse(&found.value) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::Value { source_name: found.source, wanted, by_flag: found.by_flag }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;

    fn lookup<T>(flags: &[(&'static str, &str)], env: &[(&str, &str)], look: impl Fn(&Lookup<'_>) -> T) -> T {
        let (flags, env) = (Flags::of(flags), env.iter().copied().collect());
        look(&Lookup { flags: &flags, env: &env, provider: Some("aws"), flags_count: true })
    }

    fn addr(flags: &[(&'static str, &str)], env: &[(&str, &str)]) -> Option<String> {
        lookup(flags, env, |lookup| lookup.text(&options::ADDR).unwrap().map(|found| found.source))
    }

    #[test]
    fn flag_then_bao_then_vault() {
        let all = [("BAO_ADDR", "b"), ("VAULT_ADDR", "v"), ("VAULT_SERVER_URL", "s")];
        assert_eq!(addr(&[("addr", "f")], &all).as_deref(), Some("--addr"));
        assert_eq!(addr(&[], &all).as_deref(), Some("BAO_ADDR"));
        assert_eq!(addr(&[], &all[1..]).as_deref(), Some("VAULT_ADDR"));
        assert_eq!(addr(&[], &all[2..]).as_deref(), Some("VAULT_SERVER_URL"));
        assert_eq!(
            addr(&[], &[("VAULT_AGENT_ADDR", "a"), ("VAULT_ADDR", "v")]).as_deref(),
            Some("VAULT_AGENT_ADDR")
        );
    }

    #[test]
    fn an_empty_bao_hides_vault() {
        assert_eq!(addr(&[], &[("BAO_ADDR", ""), ("VAULT_ADDR", "v")]), None);
        assert_eq!(addr(&[], &[("VAULT_ADDR", " ")]), None);
    }

    #[test]
    fn booleans_are_gos() {
        for (text, expected) in [("1", Some(true)), ("F", Some(false)), ("yes", None), ("TRUE", Some(true))] {
            assert_eq!(boolean(text), expected, "{text}");
        }
        let error =
            lookup(&[], &[("CI_CREDS_ALLOW_HTTP", "yes")], |lookup| lookup.switch(&options::ALLOW_HTTP))
                .unwrap_err();
        assert_eq!(error.to_string(), "CI_CREDS_ALLOW_HTTP must be true or false");
    }

    #[test]
    fn a_provider_has_variables_of_its_own() {
        let env = [("CI_CREDS_AWS_MOUNT", "web-aws"), ("CI_CREDS_EXOSCALE_MOUNT", "no")];
        assert_eq!(
            lookup(&[], &env, |lookup| lookup.text(&options::MOUNT).unwrap().unwrap().value),
            "web-aws"
        );
        let fields = [("CI_CREDS_AWS_FIELDS", "a=b, c=d")];
        assert_eq!(lookup(&[], &fields, |lookup| lookup.list(&options::FIELD).unwrap()), ["a=b", "c=d"]);
    }
}
