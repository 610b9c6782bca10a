//! `sh`: one line of statements for `eval`, in every POSIX-like shell, quoted or not.
//!
//! In `eval $(ci-creds …)` the shell splits the text into fields and expands file names in it, as if no quotes
//! were there, before `eval` reads them. So nothing that these two could change may be in the text: only
//! `A-Za-z0-9_/+=.@%-` and non-ASCII are written as they are, in single quotes, and words are parted by single
//! blanks, which is how `eval` joins them again.
//!
//! Every other character becomes a reference in double quotes to a helper variable that holds just this
//! character, `__ci_creds_012` for the newline (named in octal). The helpers are built at the front of the line
//! and unset at its end; a line without such characters has none of this. So a secret is never an argument of
//! anything but `export`, which is built in everywhere.
//!
//! Not served: yash under the locale C, which takes non-ASCII for an error anywhere, and zsh with GLOB_SUBST but
//! without SH_GLOB, which no emulation sets: it stops at the parentheses with an error.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::{Error, Format, Options, refuse_nul, unsets, variables};
use crate::credentials::{Credentials, Variable};

/// `--format sh`.
pub(super) static SH: Format = Format {
    name: "sh",
    about: "statements for eval, in any POSIX-like shell",
    provider: None,
    keeps_existing: false,
    encode,
    failure: Some(failure),
};

/// Builds a helper for each octal code that is written between this and [`BUILD_EACH`].
///
/// The backslash comes from `'\/'`: bash 5.0, by its source, takes a backslash for a glob character unless `/` or
/// the end follows. There nullglob would drop the word `'\012'`, failglob stop at it, and a file of that name
/// without the backslash replace it. The shells that the tests run leave a lone backslash alone.
const BUILD: &str = r"__ci_creds_b='\/'; __ci_creds_b=${__ci_creds_b%/}; for __ci_creds_n in";

/// `$''` is empty where `$'\012'` is known (bash, zsh, ksh93, mksh, busybox), and `$` where it is not (dash, yash
/// 2.52): these have printf built in, which mksh has not. yash as sh takes a built-in printf only if PATH leads to
/// the program too, hence the PATH, in the subshell alone; if there is none, `set -e` stops the script. The `x`
/// keeps a newline from being cut off at the end of the substitution. Braces are safe as long as no comma and no
/// `..` stands in them: ksh93 and mksh expand those even here.
const BUILD_EACH: &str = concat!(
    r#"; do case $'' in '') eval "__ci_creds_$__ci_creds_n=$'$__ci_creds_b$__ci_creds_n'";; "#,
    r#"'$') __ci_creds_v=$(PATH=/usr/bin; printf "$__ci_creds_b${__ci_creds_n}x"); "#,
    r#"eval "__ci_creds_$__ci_creds_n="'${__ci_creds_v%x}';; esac; done; "#,
);

/// Unsets what [`BUILD`] itself needs; the helpers follow.
const CLEAN_UP: &str = "unset __ci_creds_b __ci_creds_n __ci_creds_v";

/// As long as `$__ci_creds_012`, with the quotes that a change between plain and other characters takes.
const REFERENCE: usize = 15 + 4;

/// Whether this byte can be written as it is. Non-ASCII can, whole: IFS is not made of it, nothing expands it, and
/// yash, which thinks in wide characters, fails on characters that are put together from bytes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_/+=.@%-".contains(&byte)
}

fn encode(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    refuse_nul(all, SH.name)?;
    let variables = variables(all);
    let values = variables.iter().flat_map(|variable| variable.value.reveal().bytes());
    let others: BTreeSet<u8> = values.filter(|&byte| !is_plain(byte)).collect();

    let names = unsets(all);
    let mut start = String::new();
    let mut end = String::new();
    if !names.is_empty() {
        start = format!("unset {}; ", names.join(" "));
    }
    if !others.is_empty() {
        let codes: Vec<String> = others.iter().map(|byte| format!("{byte:03o}")).collect();
        start.push_str(&format!("{BUILD} {}{BUILD_EACH}", codes.join(" ")));
        end = format!("{CLEAN_UP} __ci_creds_{}; ", codes.join(" __ci_creds_"));
    }

    // Large enough from the start: growing would leave copies of secrets in freed memory.
    let size =
        variables.iter().map(|variable| room_for(variable)).sum::<usize>() + start.len() + end.len() + 1;
    let mut line = Zeroizing::new(Vec::with_capacity(size));
    line.extend_from_slice(start.as_bytes());
    variables.iter().for_each(|variable| export(&mut line, variable));
    line.extend_from_slice(end.as_bytes());
    // The last statement ends with `;`, not with the blank that would part it from the next.
    line.pop();
    line.push(b'\n');
    Ok(line)
}

/// At least as many bytes as [`export`] writes.
fn room_for(variable: &Variable) -> usize {
    let value = variable.value.reveal();
    let others = value.bytes().filter(|&byte| !is_plain(byte)).count();
    "export ='';  ".len() + variable.name.len() + value.len() + others * REFERENCE
}

/// `export NAME='abc'"$__ci_creds_040$__ci_creds_174"'d'; `
fn export(line: &mut Vec<u8>, variable: &Variable) {
    line.extend_from_slice(b"export ");
    line.extend_from_slice(variable.name.as_bytes());
    line.push(b'=');
    let value = variable.value.reveal().as_bytes();
    if value.is_empty() {
        line.extend_from_slice(b"''");
    }
    for run in value.chunk_by(|a, b| is_plain(*a) == is_plain(*b)) {
        if run.iter().copied().all(is_plain) {
            line.push(b'\'');
            line.extend_from_slice(run);
            line.push(b'\'');
        } else {
            line.push(b'"');
            for byte in run {
                line.extend_from_slice(format!("$__ci_creds_{byte:03o}").as_bytes());
            }
            line.push(b'"');
        }
    }
    line.extend_from_slice(b"; ");
}

/// `(exit N)` and not `exit N`: it fails a `set -e` script with this status, and closes no interactive shell.
fn failure(unsets: &[String], code: u8) -> String {
    if unsets.is_empty() {
        return format!("(exit {code})\n");
    }
    format!("unset {}; (exit {code})\n", unsets.join(" "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{credentials, seeded, written};
    use super::*;

    fn sh(set: &[(&str, &str)], unsets: &[&str]) -> String {
        written(&SH, set, unsets, 20).unwrap()
    }

    #[test]
    fn plain_values_are_plain_statements() {
        assert_eq!(sh(&[("A", "x/+=.@%-_9"), ("B", "ä€")], &[]), "export A='x/+=.@%-_9'; export B='ä€';\n");
        assert_eq!(sh(&[("A", "")], &["B", "A", "C"]), "unset B C; export A='';\n");
        assert_eq!(sh(&[], &["B"]), "unset B;\n");
        assert_eq!(sh(&[], &[]), "\n");
    }

    #[test]
    fn other_characters_are_references() {
        let line = sh(&[("A", "a|\nb"), ("B", "c")], &["C"]);
        assert!(line.starts_with(r"unset C; __ci_creds_b='\/'; "), "{line}");
        assert!(line.contains("for __ci_creds_n in 012 174; do "), "{line}");
        let end = concat!(
            r#"done; export A='a'"$__ci_creds_174$__ci_creds_012"'b'; export B='c'; "#,
            "unset __ci_creds_b __ci_creds_n __ci_creds_v __ci_creds_012 __ci_creds_174;\n"
        );
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn a_failure_keeps_its_code() {
        assert_eq!(failure(&[], 3), "(exit 3)\n");
        assert_eq!(failure(&["A".to_owned(), "B".to_owned()], 143), "unset A B; (exit 143)\n");
    }

    #[test]
    fn nul_is_refused_by_name() {
        let error = written(&SH, &[("A", "x"), ("B", "SECRET\0")], &[], 20).unwrap_err().to_string();
        assert_eq!(error, "B can't be written as sh: its value has a NUL character");
    }

    proptest! {
        #![proptest_config(seeded())]

        #[test]
        fn nothing_in_the_text_can_be_split_or_expanded(value in "[^\0.]{0,40}") {
            let line = sh(&[("A", &value)], &["B"]);
            let text = line.strip_suffix('\n').unwrap();
            prop_assert!(!text.contains(['\n', '\t', '*', '?', '[', ']', '|', ',', '&', '<', '>', '#', '~']));
            prop_assert!(!text.contains("  ") && !text.contains(".."), "{}", text);
            prop_assert!(text.ends_with(';'));
            let backslashes = text.matches('\\').count();
            prop_assert_eq!(backslashes, text.matches(r"='\/';").count());
        }

        #[test]
        fn the_buffer_never_grows(value in "[^\0]{0,40}", plain in "[a-z]{0,9}") {
            let all = credentials(&[("A", &value), ("B", &plain)], &["C"]);
            let options = Options { profile: None, dotenv_limit: 20 };
            let size: usize = variables(&all).iter().map(|variable| room_for(variable)).sum();
            let mut line = Vec::new();
            variables(&all).iter().for_each(|variable| export(&mut line, variable));
            prop_assert!(line.len() <= size);
            prop_assert!(encode(&all, &options).is_ok());
        }
    }
}
