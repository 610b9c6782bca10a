//! Checks the names of variables that `read` may set. It must not allow one that changes how a shell or the next
//! program runs.

use super::Error;
use super::dangerous::is_dangerous;
use super::lookup::Lookup;
use crate::cli::Parsed;
use crate::input::shown;
use crate::options;
use crate::provider::Wanted;

/// Names that mean something to one of the shells whose statements are of the format `sh`, as they say themselves
/// (`set`, `typeset -p`, zsh's `$parameters`, bash's `compgen -v`), and what their manuals add. In zsh, USERNAME
/// changes the user. Such a shell also gets the variables of a dotenv report.
const SH: &str = "ARGC BASH BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_EXECUTION_STRING \
    BASH_LINENO BASH_LOADABLES_PATH BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION COLUMNS COMP_WORDBREAKS \
    COPROC CPUTYPE DIRSTACK DIRSTACKSIZE EGID EPOCHREALTIME EPOCHSECONDS EXECIGNORE FCEDIT FIGNORE FPATH \
    FUNCNAME FUNCNEST GID GROUPS HISTCHARS HISTCMD HISTCONTROL HISTEDIT HISTFILE HISTFILESIZE HISTIGNORE \
    HISTSIZE HISTTIMEFORMAT HOME HOST HOSTNAME HOSTTYPE IGNOREEOF JOBMAX KEYBOARD_HACK KEYTIMEOUT KSHEGID KSHGID \
    KSHUID KSH_VERSION LINENO LINES LISTMAX LOGCHECK LOGNAME MACHTYPE MAILCHECK MAILPATH MANPATH MAPFILE \
    MODULE_PATH NULLCMD OLDPWD OPTARG OPTERR OPTIND OSTYPE PATHSEP PGRP PIPESTATUS POSIXLY_CORRECT PROMPT \
    PROMPT2 PROMPT3 PROMPT4 PROMPT_DIRTRIM PROMPT_EOL_MARK PS0 PS1 PS2 PS3 PSVAR PWD RANDOM READNULLCMD REPLY \
    REPORTTIME RPROMPT RPROMPT2 RPS1 RPS2 SAVEHIST SECONDS SHELL SHLVL SPROMPT SRANDOM STTY TERM TIMEFMT \
    TIMEFORMAT TMOUT TMPPREFIX TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT TTY TTYIDLE USERNAME USER_ID VENDOR WATCH \
    WATCHFMT WORDCHARS YASH_LOADPATH YASH_VERSION ZDOTDIR ZSH_ARGZERO ZSH_EVAL_CONTEXT ZSH_EXECUTION_STRING \
    ZSH_NAME ZSH_PATCHLEVEL ZSH_SUBSHELL ZSH_VERSION _ aliases auto_resume builtins cdpath commands dirstack \
    dis_aliases dis_builtins dis_functions dis_functions_source dis_galiases dis_patchars dis_reswords \
    dis_saliases fignore funcfiletrace funcsourcetrace funcstack functions functions_source functrace galiases \
    histchars history historywords jobdirs jobstates jobtexts keymaps mailpath manpath module_path modules \
    nameddirs options parameters patchars pipestatus prompt psvar reswords saliases signals termcap terminfo \
    userdirs usergroups watch widgets zsh_eval_context zsh_scheduled_events";
/// Beginnings of such names.
const SH_PREFIXES: &[&str] = &["BASH_", "COMP_", "READLINE_", "YASH_", "ZSH_"];
/// The same for `fish`.
const FISH: &str = "CMD_DURATION COLUMNS FISH_VERSION HOME LINES PWD SHLVL USER _ fish_pid history hostname pipestatus \
    status_generation umask version";
const FISH_PREFIXES: &[&str] = &["fish_", "__fish_"];

/// The names that a format's reader takes for its own.
fn own_names(format: &str) -> (&'static str, &'static [&'static str]) {
    match format {
        "sh" | "dotenv" => (SH, SH_PREFIXES),
        "fish" => (FISH, FISH_PREFIXES),
        _ => ("", &[]),
    }
}

/// The format whose reader the names of variables are for; `""` where a command gets them.
pub(super) fn reader(parsed: &Parsed, lookup: &Lookup<'_>) -> Result<String, Error> {
    if !parsed.command.is_empty() {
        return Ok(String::new());
    }
    let format = lookup.text(&options::FORMAT)?.map(|found| found.value.trim().to_owned());
    Ok(format.unwrap_or_else(|| "sh".to_owned()))
}

/// NAME and FIELD of `NAME=FIELD` or `NAME=@FIELD`, checked for what is written in `format`; `""` stands for a
/// command's environment.
pub(super) fn pair(text: &str, format: &str, any_name: bool) -> Result<Wanted, Error> {
    let fault = || Error::Pair { given: shown(text), form: "NAME=FIELD" };
    let (name, field) = text.split_once('=').ok_or_else(fault)?;
    let (field, file) = field.strip_prefix('@').map_or((field, false), |field| (field, true));
    if name.is_empty() || field.is_empty() {
        return Err(fault());
    }
    check(name, format, any_name)?;
    Ok(Wanted { name: name.to_owned(), field: field.to_owned(), file })
}

/// Whether a variable of this name may be set for the reader of `format`.
pub(super) fn check(name: &str, format: &str, any_name: bool) -> Result<(), Error> {
    if !is_name(name) {
        return Err(Error::VariableName(shown(name)));
    }
    if !any_name && (is_dangerous(name) || is_own(name, format)) {
        return Err(Error::DangerousName(name.to_owned()));
    }
    Ok(())
}

/// NAME of `NAME=FIELD`, if a shell would take it.
pub(super) fn name_of(text: &str) -> Option<String> {
    let (name, _) = text.split_once('=')?;
    may_unset(name).then(|| name.to_owned())
}

/// Whether every shell would take a statement that unsets a variable of this name.
pub(super) fn may_unset(name: &str) -> bool {
    ["sh", "fish"].iter().all(|format| check(name, format, false).is_ok())
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|char| char.is_ascii_alphabetic() || char == '_');
    first && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn is_own(name: &str, format: &str) -> bool {
    let (names, prefixes) = own_names(format);
    names.split_ascii_whitespace().any(|own| own == name)
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let wanted =
            |name: &str, field: &str, file| Wanted { name: name.to_owned(), field: field.to_owned(), file };
        assert_eq!(pair("DB_USER=a.b=c", "sh", false).unwrap(), wanted("DB_USER", "a.b=c", false));
        assert_eq!(pair("KUBECONFIG=@a@b", "sh", false).unwrap(), wanted("KUBECONFIG", "a@b", true));
        for bad in ["A", "=x", "A=", "A=@", "1A=x", "A-B=x", "é=x", "A;B=x"] {
            assert!(pair(bad, "sh", true).is_err(), "{bad}");
        }
        for bad in [
            "PATH=x",
            "LD_PRELOAD=x",
            "GIT_CONFIG_COUNT=x",
            "status=x",
            "https_proxy=x",
            "_JAVA_OPTIONS=x",
            "BASH_LOADABLES_PATH=x",
            "LUA_INIT=x",
        ] {
            assert!(matches!(pair(bad, "sh", false), Err(Error::DangerousName(_))), "{bad}");
            assert!(pair(bad, "sh", true).is_ok(), "{bad}");
            assert_eq!(name_of(bad), None);
        }
        let refused = |name: &str, format| pair(&format!("{name}=x"), format, false).is_err();
        for (name, formats) in
            [("USERNAME", "sh dotenv"), ("hostname", "fish"), ("ZSH_X", "sh dotenv"), ("USER_", "")]
        {
            for format in ["sh", "dotenv", "fish", "json", ""] {
                let expected = formats.split(' ').any(|one| one == format && !one.is_empty());
                assert_eq!(refused(name, format), expected, "{name} {format}");
            }
        }
    }
}
