//! The shells, what is switched in them, and one process of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// How the text gets into the shell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// `eval $(…)`, in fish `eval (…)`.
    Unquoted,
    /// `eval "$(…)"`, in fish `… | source`.
    Quoted,
}

/// A shell, and the options that could change how it reads the text.
pub(super) struct Shell {
    pub(super) name: &'static str,
    /// Arguments and a first line of the script, beside those that all shells get.
    own: &'static [(&'static [&'static str], &'static str)],
    /// Whether it reads UTF-8 under the locale C: yash takes any byte beyond ASCII for an error there.
    utf8_in_c: bool,
}

/// Options that every one of them knows.
const COMMON: &[(&[&str], &str)] =
    &[(&[], ""), (&[], "set -e"), (&[], "set -u"), (&[], "set -f"), (&[], "set -x"), (&[], "set -a")];

pub(super) const IFS: &[&str] = &[
    "",
    "unset IFS",
    "IFS=",
    "IFS=' '",
    "IFS='\t'",
    "IFS='\n'",
    "IFS=,",
    "IFS='|'",
    "IFS=' ,'",
    "IFS='|,'",
    "IFS='\n|'",
    "IFS=' \t\n,|'",
];

pub(super) const POSIX_LIKE: &[Shell] = &[
    Shell {
        name: "bash",
        own: &[
            (&["-O", "nullglob", "-O", "dotglob"], ""),
            (&["-O", "failglob", "-O", "extglob", "-O", "globstar"], ""),
            (&["-o", "posix"], ""),
            (&["-O", "nullglob", "-O", "extglob", "-o", "posix"], ""),
        ],
        utf8_in_c: true,
    },
    Shell { name: "dash", own: &[], utf8_in_c: true },
    Shell {
        name: "zsh",
        own: &[
            (&["--emulate", "sh"], ""),
            (&["--emulate", "ksh"], ""),
            (&["-o", "shwordsplit"], ""),
            (&["--emulate", "sh"], "setopt nullglob"),
        ],
        utf8_in_c: true,
    },
    Shell { name: "ksh93", own: &[(&["-o", "posix"], ""), (&["-o", "globstar"], "")], utf8_in_c: true },
    Shell {
        name: "mksh",
        own: &[(&["-o", "posix"], ""), (&["-o", "sh"], ""), (&["-U"], "")],
        utf8_in_c: true,
    },
    Shell {
        name: "yash",
        own: &[
            (&["-o", "posixlycorrect"], ""),
            (&["-o", "nullglob", "-o", "dotglob", "-o", "extendedglob"], ""),
        ],
        utf8_in_c: false,
    },
    Shell { name: "busybox", own: &[], utf8_in_c: true },
];

pub(super) const FISH: Shell = Shell { name: "fish", own: &[], utf8_in_c: true };

/// One way to run a shell.
pub(super) struct Setting {
    arguments: &'static [&'static str],
    /// The first lines of the script.
    pub(super) first: String,
    locale: &'static str,
    path: &'static str,
}

impl Setting {
    /// Whether the shell shows what it does.
    pub(super) fn traces(&self) -> bool {
        self.first.contains("set -x")
    }

    /// For the failure report.
    pub(super) fn describe(&self) -> String {
        format!("{:?} {:?} LC_ALL={} PATH={}", self.arguments, self.first, self.locale, self.path)
    }
}

impl Shell {
    /// Each option with some IFS, and each IFS with some option.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let options: Vec<_> = COMMON.iter().chain(self.own).collect();
        (0..options.len() + IFS.len())
            .map(|i| {
                let (arguments, first) = options[i % options.len()];
                let ifs = IFS[i * 5 % IFS.len()];
                let locale = if self.utf8_in_c && i % 3 == 1 { "C" } else { "C.UTF-8" };
                let path = if i % 2 == 0 { "" } else { "/usr/bin:/bin" };
                Setting { arguments, first: format!("{first}\n{ifs}"), locale, path }
            })
            .collect()
    }

    /// fish has no IFS, and none of the options.
    pub(super) fn plain_settings() -> Vec<Setting> {
        let setting = |locale, path| Setting { arguments: &[], first: String::new(), locale, path };
        vec![setting("C.UTF-8", ""), setting("C", "/usr/bin:/bin")]
    }

    /// Where it is; a test run that must be complete (CI=true) fails without it.
    #[allow(clippy::disallowed_methods, reason = "the tests' own environment")]
    pub(super) fn find(&self) -> Option<PathBuf> {
        let found =
            ["/usr/bin", "/bin", "/usr/local/bin"].map(|directory| Path::new(directory).join(self.name));
        let found = found.into_iter().find(|path| path.exists());
        if found.is_none() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is not installed", self.name);
            super::say(&format!("shells: {} IS NOT INSTALLED AND NOT TESTED", self.name));
        }
        found
    }

    /// Runs `script` in `directory`, in an environment of nothing but STALE, which every text unsets.
    pub(super) fn run(&self, binary: &Path, setting: &Setting, directory: &Path, script: &str) -> Output {
        let file = directory.with_file_name("script");
        fs::write(&file, script).unwrap();
        let mut command = Command::new(binary);
        if self.name == "busybox" {
            command.arg("ash");
        }
        if self.name == "fish" {
            command.arg("--no-config");
        }
        command.args(setting.arguments).arg(&file).current_dir(directory).env_clear();
        command.env("LC_ALL", setting.locale).env("PATH", setting.path).env("STALE", "1");
        command.env("HOME", directory).stdin(Stdio::null()).output().unwrap()
    }
}
