//! `env-file`: `NAME=value` lines for `docker run --env-file`, which knows neither quotes nor line breaks.

use zeroize::Zeroizing;

use super::{Error, Format, Options, variables};
use crate::credentials::Credentials;

/// `--format env-file`.
pub(super) static ENV_FILE: Format = Format {
    name: "env-file",
    about: "lines for docker run --env-file",
    provider: None,
    merge: None,
    encode,
    failure: None,
};

fn encode(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let variables = variables(all);
    let size = variables.iter().map(|variable| variable.name.len() + variable.value.reveal().len() + 2).sum();
    let mut file = Zeroizing::new(Vec::with_capacity(size));
    for variable in variables {
        let value = variable.value.reveal();
        if value.contains('\n') {
            let what = "a line break".to_owned();
            return Err(Error::Value { variable: variable.name.clone(), format: ENV_FILE.name, what });
        }
        for part in [variable.name.as_str(), "=", value, "\n"] {
            file.extend_from_slice(part.as_bytes());
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;

    #[test]
    fn recipe_of_a_format() {
        let format = super::super::find("env-file").unwrap();
        assert_eq!(written(format, &[("A", "1"), ("B", "x y")], &[], 20).unwrap(), "A=1\nB=x y\n");
        assert!(written(format, &[("A", "1\n2")], &[], 20).is_err());
    }
}
