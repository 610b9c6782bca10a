//! Whether what people read has colours: --color first, then what most programs follow (no-color.org,
//! bixense.com/clicolors). It must not write anything.

use std::ffi::OsString;
use std::io::IsTerminal as _;

use super::Error;
use super::lookup::Lookup;
use crate::ci::Job;
use crate::cli::{WHENS, When, glance};
use crate::console::Colour;
use crate::env::Env;
use crate::options;

/// Settled before the command line is understood, so that its errors have colours too.
pub(crate) fn colour(arguments: &[OsString], env: &Env) -> Colour {
    match when(arguments, env) {
        When::Always => Colour { stderr: true, stdout: true },
        When::Never => Colour::default(),
        When::Auto => {
            // The CI system shows the colours of a log. A file is no log.
            let shown = Job::of(env).in_ci;
            let is_file = |file: rustix::io::Result<rustix::fs::Stat>| {
                file.is_ok_and(|file| rustix::fs::FileType::from_raw_mode(file.st_mode).is_file())
            };
            let stdout = rustix::fs::fstat(rustix::stdio::stdout());
            let stderr = rustix::fs::fstat(rustix::stdio::stderr());
            Colour {
                stderr: std::io::stderr().is_terminal() || (shown && !is_file(stderr)),
                stdout: std::io::stdout().is_terminal() || (shown && !is_file(stdout)),
            }
        }
    }
}

fn when(arguments: &[OsString], env: &Env) -> When {
    let set = |name: &str| env.get(name).ok().flatten();
    let typed = glance(arguments, &options::COLOR);
    if let Some(when) = typed.or_else(|| set("CI_CREDS_COLOR").map(str::to_owned)) {
        return named(&when).unwrap_or(When::Auto);
    }
    match (set("NO_COLOR"), set("CLICOLOR_FORCE")) {
        (Some(_), _) => When::Never,
        (None, Some(force)) if force != "0" => When::Always,
        _ if set("TERM") == Some("dumb") || set("CLICOLOR") == Some("0") => When::Never,
        _ => When::Auto,
    }
}

fn named(text: &str) -> Option<When> {
    WHENS.iter().find(|(name, _)| *name == text.trim()).map(|(_, when)| *when)
}

/// An error, if --color has another value.
pub(super) fn check(lookup: &Lookup<'_>) -> Result<(), Error> {
    lookup.parsed(&options::COLOR, "auto, always or never", named).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_no_color() {
        let of = |line: &str, env: &[(&str, &str)]| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            when(&words, &env.iter().copied().collect())
        };
        let both = [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")];
        assert_eq!(of("ci-creds aws --color always", &both), When::Always);
        assert_eq!(of("ci-creds aws --color=never", &both[1..]), When::Never);
        assert_eq!(of("ci-creds aws -- x --color always", &both), When::Never);
        assert_eq!(of("ci-creds aws", &both[1..]), When::Always);
        assert_eq!(of("ci-creds aws", &[("CLICOLOR_FORCE", "0")]), When::Auto);
        assert_eq!(of("ci-creds aws", &[("CI_CREDS_COLOR", "never"), ("CLICOLOR_FORCE", "1")]), When::Never);
        assert_eq!(of("ci-creds aws", &[("TERM", "dumb")]), When::Never);
    }
}
