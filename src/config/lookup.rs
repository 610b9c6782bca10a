//! Where a value comes from: the flag, then the option's variables in order, each remembered for messages.

use std::time::Duration;

use super::Error;
use crate::cli::Flags;
use crate::env::{Env, boolean};
use crate::options::{self, Opt, Variables};

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

/// A value and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) value: String,
    pub(super) source: String,
    pub(super) by_flag: bool,
}

impl<'a> Lookup<'a> {
    /// The value of the option `name`.
    pub(super) fn text(&self, name: &str) -> Result<Option<Found>, Error> {
        match options::find(name) {
            Some(opt) => self.row(opt),
            None => Ok(None),
        }
    }

    /// The value of this row.
    pub(super) fn row(&self, opt: &Opt) -> Result<Option<Found>, Error> {
        let own_flags = self.flags_count || !matches!(opt.variables, Variables::Provider(_));
        if let Some(value) = self.flags.one(opt.name).filter(|_| own_flags) {
            return Ok(Some(Found {
                value: value.to_owned(),
                source: format!("--{}", opt.name),
                by_flag: true,
            }));
        }
        for pair in opt.variables(self.provider).chunks(if matches!(opt.variables, Variables::Vault(_)) {
            2
        } else {
            1
        }) {
            if let Some(found) = self.variable(pair)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A value that has a variable but no flag: `X` of BAO_X and VAULT_X.
    pub(super) fn vault_variable(&self, x: &str) -> Result<Option<Found>, Error> {
        self.variable(&[format!("BAO_{x}"), format!("VAULT_{x}")])
    }

    /// The first of `names` that is there, even if blank: an empty BAO_X hides VAULT_X.
    fn variable(&self, names: &[String]) -> Result<Option<Found>, Error> {
        let Some(name) = names
            .iter()
            .find(|name| self.env.has(name) && (names.len() == 1 || name.starts_with("BAO_")))
            .or_else(|| names.last())
        else {
            return Ok(None);
        };
        self.plain(name)
    }

    /// A variable that is nobody's but its own.
    pub(super) fn plain(&self, name: &str) -> Result<Option<Found>, Error> {
        let value = self.env.get(name)?;
        Ok(value.map(|value| Found { value: value.to_owned(), source: name.to_owned(), by_flag: false }))
    }

    /// A boolean, false if it is not given.
    pub(super) fn switch(&self, name: &str) -> Result<bool, Error> {
        self.parsed(name, "true or false", boolean).map(|value| value.unwrap_or(false))
    }

    /// A duration.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, Error> {
        self.parsed(name, "a duration such as 90s, 15m or 1h30m", crate::duration::parse)
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Error> {
        self.parsed(name, "a whole number", |text| text.trim().parse().ok())
    }

    /// All values of an option that is given several times; its variable takes them comma-separated.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, Error> {
        if self.flags_count && !self.flags.all(name).is_empty() {
            return Ok(self.flags.all(name).to_vec());
        }
        let found = self.text(name)?.map(|found| found.value).unwrap_or_default();
        Ok(found.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    fn parsed<T>(
        &self,
        name: &str,
        wanted: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(found) = self.text(name)? else { return Ok(None) };
        match parse(&found.value) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::Value { source_name: found.source, wanted, by_flag: found.by_flag }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<T>(flags: &[(&'static str, &str)], env: &[(&str, &str)], look: impl Fn(&Lookup<'_>) -> T) -> T {
        let (flags, env) = (Flags::of(flags), env.iter().copied().collect());
        look(&Lookup { flags: &flags, env: &env, provider: Some("aws"), flags_count: true })
    }

    fn addr(flags: &[(&'static str, &str)], env: &[(&str, &str)]) -> Option<String> {
        lookup(flags, env, |lookup| lookup.text("addr").unwrap().map(|found| found.source))
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
            lookup(&[], &[("CI_CREDS_ALLOW_HTTP", "yes")], |lookup| lookup.switch("allow-http")).unwrap_err();
        assert_eq!(error.to_string(), "CI_CREDS_ALLOW_HTTP must be true or false");
    }

    #[test]
    fn a_provider_has_variables_of_its_own() {
        let env = [("CI_CREDS_AWS_MOUNT", "web-aws"), ("CI_CREDS_EXOSCALE_MOUNT", "no")];
        assert_eq!(lookup(&[], &env, |lookup| lookup.text("mount").unwrap().unwrap().value), "web-aws");
        let fields = [("CI_CREDS_AWS_FIELDS", "a=b, c=d")];
        assert_eq!(lookup(&[], &fields, |lookup| lookup.list("field").unwrap()), ["a=b", "c=d"]);
    }
}
