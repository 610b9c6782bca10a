//! The environment of the command: the job's, without what logs in, with the credentials. It must not start anything.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use super::{Error, limits};
use crate::ci;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::options;

/// The job's environment without what logs in and what is stale, with the credentials.
/// `login` are the variables that this run's login was made with.
pub(crate) fn environment(
    env: &Env,
    all: &[Credentials],
    login: &[String],
) -> Result<HashMap<OsString, OsString>, Error> {
    let is = |name: &OsStr, known: &str| name.as_encoded_bytes() == known.as_bytes();
    let withheld: Vec<String> = options::withheld().collect();
    let ours = |name: &OsStr| {
        withheld.iter().any(|known| is(name, known))
            || ci::unasked_id_tokens().any(|known| is(name, known))
            || login.iter().any(|known| is(name, known))
    };
    let stale = |name: &OsStr| {
        all.iter().any(|one| {
            one.unsets.iter().any(|known| is(name, known))
                || one.variables.iter().any(|variable| is(name, &variable.name))
        })
    };
    let kept = env.all().filter(|(name, _)| !ours(name) && !stale(name));
    let mut environment: HashMap<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    for variable in all.iter().flat_map(|one| &one.variables) {
        let value = variable.value.reveal();
        if value.contains('\0') {
            return Err(Error::Nul(variable.name.clone()));
        }
        environment.insert(variable.name.clone().into(), value.into());
    }
    limits::check(environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())))?;
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_gets_the_credentials_and_nothing_that_logs_in() {
        let env: Env = [
            ("PATH", "/bin"),
            ("VAULT_ADDR", "https://v"),
            ("VAULT_TOKEN", "x"),
            ("BAO_TOKEN", "x"),
            ("VAULT_ROLE_ID", "x"),
            ("BAO_SECRET_ID", "x"),
            ("VAULT_WRAPPED_SECRET_ID", "x"),
            ("VAULT_ID_TOKEN", "x"),
            ("CI_JOB_JWT_V2", "x"),
            ("VAULT_CLIENT_KEY_BYTES", "x"),
            ("MY_TOKEN", "x"),
            ("OLD", "x"),
            ("KEY", "stale"),
        ]
        .into_iter()
        .collect();
        let all = crate::emit::tests::credentials(&[("KEY", "fresh"), ("VAULT_TOKEN", "own")], &["OLD"]);
        let mut names: Vec<_> =
            environment(&env, &all, &["MY_TOKEN".to_owned()]).unwrap().into_iter().collect();
        names.sort();
        let expected =
            [("KEY", "fresh"), ("PATH", "/bin"), ("VAULT_ADDR", "https://v"), ("VAULT_TOKEN", "own")];
        assert_eq!(names, expected.map(|(name, value)| (name.into(), value.into())));
        let nul = crate::emit::tests::credentials(&[("KEY", "a\0b")], &[]);
        assert!(matches!(environment(&env, &nul, &[]), Err(Error::Nul(_))));
    }
}
