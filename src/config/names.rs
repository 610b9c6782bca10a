//! The names of variables that `read` may set.

use super::Error;
use crate::input::shown;
use crate::provider::Wanted;

/// Names that change how a shell or the next program runs.
const DANGEROUS: &[&str] = &[
    "PATH",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "path",
    "fpath",
    "argv",
    "status",
    "UID",
    "EUID",
    "PPID",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
];
/// Beginnings of such names; the last is that of the names that an sh statement uses for itself.
const DANGEROUS_PREFIXES: &[&str] = &["LD_", "DYLD_", "GIT_CONFIG_", "__ci_creds_"];

/// NAME and FIELD of `NAME=FIELD` or `NAME=@FIELD`, checked.
pub(super) fn pair(text: &str, any_name: bool) -> Result<Wanted, Error> {
    let fault = || Error::Pair { given: shown(text), form: "NAME=FIELD" };
    let (name, field) = text.split_once('=').ok_or_else(fault)?;
    let (field, file) = field.strip_prefix('@').map_or((field, false), |field| (field, true));
    if name.is_empty() || field.is_empty() {
        return Err(fault());
    }
    if !is_name(name) {
        return Err(Error::VariableName(shown(name)));
    }
    if !any_name && is_dangerous(name) {
        return Err(Error::DangerousName(name.to_owned()));
    }
    Ok(Wanted { name: name.to_owned(), field: field.to_owned(), file })
}

/// NAME of `NAME=FIELD`, if a shell would take it.
pub(super) fn name_of(text: &str) -> Option<String> {
    let (name, _) = text.split_once('=')?;
    (is_name(name) && !is_dangerous(name)).then(|| name.to_owned())
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|char| char.is_ascii_alphabetic() || char == '_');
    first && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn is_dangerous(name: &str) -> bool {
    DANGEROUS.contains(&name) || DANGEROUS_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let wanted =
            |name: &str, field: &str, file| Wanted { name: name.to_owned(), field: field.to_owned(), file };
        assert_eq!(pair("DB_USER=a.b=c", false).unwrap(), wanted("DB_USER", "a.b=c", false));
        assert_eq!(pair("KUBECONFIG=@a@b", false).unwrap(), wanted("KUBECONFIG", "a@b", true));
        for bad in ["A", "=x", "A=", "A=@", "1A=x", "A-B=x", "é=x", "A;B=x"] {
            assert!(pair(bad, true).is_err(), "{bad}");
        }
        for bad in ["PATH=x", "LD_PRELOAD=x", "GIT_CONFIG_COUNT=x", "status=x"] {
            assert!(matches!(pair(bad, false), Err(Error::DangerousName(_))), "{bad}");
            assert!(pair(bad, true).is_ok(), "{bad}");
            assert_eq!(name_of(bad), None);
        }
    }
}
