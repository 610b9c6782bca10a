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
//! anything but `export`, which is built in everywhere (but see the end of the next paragraph).
//!
//! An IFS that has a character of the line puts blanks in its place, anywhere. [`guard`] sees that first, and the rest
//! is a chain of simple statements that ends there, so that what came broken is not carried out; a last statement
//! makes the line fail. There is no syntax that could break: bash shows a line that has a syntax error.
//!
//! This is promised for an IFS of one character, or of blank, tab, newline, `,` and `|`, each at most once; the pages
//! recommend `eval "$(…)"`, which holds for every IFS. Known not to hold for an unquoted `eval`: An IFS that has each
//! character of the line leaves nothing, which succeeds. One that has `&` and another character of the line can make
//! one command of it, named by what is left of the first word, such as `PATH` or `PA`: the secrets are its arguments,
//! and the shell's error may show them. So may bash's, for a line with odd characters, where IFS has the single quote
//! and another character of the line. ksh93 sets nothing and succeeds with `&` and `;` in IFS. An IFS with `&`, `i`
//! and the parentheses can let a failing line succeed.
//!
//! Not served: ksh93 with an IFS that has a blank and the first letter of the line (P, or in a failing line u or f),
//! where `eval` does nothing and says that all is well; an IFS of blanks that are not ASCII's, for values that have
//! them; yash under the locale C, which takes non-ASCII for an error anywhere, and zsh with GLOB_SUBST but without
//! SH_GLOB, which no emulation sets: it stops at the parentheses with an error.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::{Error, Format, Options, fits_a_shell, unsets, variables};
use crate::credentials::{Credentials, Variable};

/// `--format sh`.
pub(super) static SH: Format = Format {
    name: "sh",
    about: "statements for eval, in any POSIX-like shell",
    provider: None,
    merge: None,
    encode,
    failure: Some(failure),
};

/// What building the helpers needs: a backslash, what `$''` is, a quote to open and one to close, a dollar.
///
/// The backslash comes from `'\/'`: bash 5.0, by its source, takes a backslash for a glob character unless `/` or
/// the end follows. There nullglob would drop the word `'\012'`, failglob stop at it, and a file of that name
/// without the backslash replace it. The shells that the tests run leave a lone backslash alone.
///
/// Where an IFS takes the single quotes, the first statement leaves a double quote open, and where it takes the double
/// ones, the two quotes go together. Else bash would find a syntax error, and show the whole line.
const PIECES: &str = concat!(
    r#"__ci_creds_v='"' && __ci_creds_b='\/' && __ci_creds_b=${__ci_creds_b%/} && __ci_creds_d=$'' && "#,
    r#"__ci_creds_q="'" && __ci_creds_r="'" && __ci_creds_s='$' && "#,
);

/// Builds a helper for each octal code that is written between this and [`BUILD_EACH`]. It is a text for a second
/// `eval`: what is wrong with it is then an error of its own, for which bash does not show the whole line.
const BUILD: &str = "eval 'for __ci_creds_n in";

/// `$''` is empty where `$'\012'` is known (bash, zsh, ksh93, mksh, busybox), and `$` where it is not (dash, yash
/// 2.52): these have printf built in, which mksh has not. yash as sh takes a built-in printf only if PATH leads to
/// the program too, hence the PATH, in the subshell alone; if there is none, `set -e` stops the script. The `x`
/// keeps a newline from being cut off at the end of the substitution. Braces are safe as long as no comma and no
/// `..` stands in them: ksh93 and mksh expand those even here.
const BUILD_EACH: &str = concat!(
    r#"; do case $__ci_creds_d in "") eval "__ci_creds_$__ci_creds_n=$__ci_creds_s$__ci_creds_q"#,
    r#"$__ci_creds_b$__ci_creds_n$__ci_creds_r";; "$__ci_creds_s") "#,
    r#"__ci_creds_v=$(PATH=/usr/bin; printf "$__ci_creds_b${__ci_creds_n}x"); "#,
    r#"eval "__ci_creds_$__ci_creds_n=$__ci_creds_s{__ci_creds_v%x}";; esac; done' && "#,
);

/// A helper that is checked before the others are used. It shows that quotes, dollars and all that built it came
/// through: it is the one for a plain character, `x`.
const PROBE: (u8, &str) = (b'x', r#"PATH=/usr/bin test "$__ci_creds_170 $__ci_creds_170" = x' 'x && "#);

/// Unsets what [`PIECES`] and [`BUILD`] themselves need; the helpers follow.
const CLEAN_UP: &str =
    "unset __ci_creds_b __ci_creds_d __ci_creds_n __ci_creds_q __ci_creds_r __ci_creds_s __ci_creds_v";

/// If each statement succeeds, this sets the variable that makes the last statement an `unset`. Otherwise the
/// variable is empty, and the rest of that statement is a command that does not exist: the line fails, and the
/// shell's message names the reason.
const DONE: &str = "__ci_creds_ok=unset; ";
const LAST: &str = "$__ci_creds_ok ci_creds_needs_the_usual_IFS __ci_creds_ok; ";

/// As long as `$__ci_creds_012`, with the quotes that a change between plain and other characters takes.
const REFERENCE: usize = 15 + 4;

/// Whether this byte can be written as it is. Non-ASCII can, whole: IFS is not made of it, nothing expands it, and
/// yash, which thinks in wide characters, fails on characters that are put together from bytes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_/+=.@%-".contains(&byte)
}

fn encode(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    fits_a_shell(all, SH.name)?;
    let variables = variables(all);
    let names = unsets(all);
    if variables.is_empty() && names.is_empty() {
        return Ok(Zeroizing::new(b"\n".to_vec()));
    }
    let values = variables.iter().flat_map(|variable| variable.value.reveal().bytes());
    let mut codes: BTreeSet<u8> = values.filter(|&byte| !is_plain(byte)).collect();

    let (mut pieces, mut build, mut clean_up) = (String::new(), String::new(), String::new());
    if !codes.is_empty() {
        codes.insert(PROBE.0);
        let codes: Vec<String> = codes.iter().map(|byte| format!("{byte:03o}")).collect();
        pieces = PIECES.to_owned();
        build = format!("{BUILD} {}{BUILD_EACH}{}", codes.join(" "), PROBE.1);
        clean_up = format!("{CLEAN_UP} __ci_creds_{}; ", codes.join(" __ci_creds_"));
    }
    let unset = if names.is_empty() { String::new() } else { format!("unset {} && ", names.join(" ")) };
    let end = [DONE, &clean_up, LAST].concat();
    let texts = [&pieces, &build, &unset, &end];
    let guard = guard(texts.into_iter().map(String::as_str).chain(of(&variables)));

    // Large enough from the start: growing would leave copies of secrets in freed memory.
    let fixed = guard.len() + texts.iter().map(|text| text.len()).sum::<usize>();
    let size = variables.iter().map(|variable| room_for(variable)).sum::<usize>() + fixed + 1;
    let mut line = Zeroizing::new(Vec::with_capacity(size));
    [&*guard, &pieces, &build, &unset].iter().for_each(|text| line.extend_from_slice(text.as_bytes()));
    variables.iter().for_each(|variable| export(&mut line, variable));
    line.extend_from_slice(end.as_bytes());
    // The last statement ends with `;`, not with the blank that would part it from the next.
    line.pop();
    line.push(b'\n');
    Ok(line)
}

/// Names and values.
fn of<'a>(variables: &'a [&Variable]) -> impl Iterator<Item = &'a str> {
    variables.iter().flat_map(|variable| [variable.name.as_str(), variable.value.reveal()])
}

/// ` PATH=/usr/bin test 'tabc es=/-' = tabc' 'es=/- && `, with every plain character of the line.
///
/// The blank at the front is for ksh93: its `eval` does nothing, and succeeds, if its first argument is empty, as it
/// is where IFS has the first character. The PATH is for yash as sh, which takes a built-in command only if PATH leads
/// to a program of that name.
///
/// Each character of an IFS that stands in the line becomes a blank, in values and in everything else. Of a
/// character within the words here, the quoted one keeps a blank where the other falls apart, or loses its end: then
/// they are not equal, or too many words for `test`. So are they if the quotes go. Whatever happens to `test`
/// itself makes a command that there is not. Each half has a letter of `test`, so that neither can go as a whole.
/// A `-` stands at the end, as `-o` is an operator, and `=` not at the beginning, where zsh looks for a command.
fn guard<'a>(texts: impl Iterator<Item = &'a str>) -> Zeroizing<String> {
    let chars = texts.flat_map(str::chars).chain("PATH=/usr/bin export".chars());
    // yash parts words at blanks of other scripts.
    let plain = |char: &char| if char.is_ascii() { is_plain(*char as u8) } else { !char.is_whitespace() };
    let rest: BTreeSet<char> = chars.filter(plain).filter(|char| !"tes-".contains(*char)).collect();
    let (first, second) = (rest.len() / 2, rest.iter().skip(rest.len() / 2));
    let size = |char: &char| char.len_utf8();
    let capacity = 2 * rest.iter().map(size).sum::<usize>() + 60;
    let mut words = Zeroizing::new(String::with_capacity(capacity));
    for (start, middle, end) in [(" PATH=/usr/bin test 't", " es", "-' = t"), ("", "' 'es", "- && ")] {
        words.push_str(start);
        words.extend(rest.iter().take(first));
        words.push_str(middle);
        words.extend(second.clone());
        words.push_str(end);
    }
    words
}

/// At least as many bytes as [`export`] writes.
fn room_for(variable: &Variable) -> usize {
    let value = variable.value.reveal();
    let others = value.bytes().filter(|&byte| !is_plain(byte)).count();
    "export ='' && ".len() + variable.name.len() + value.len() + others * REFERENCE
}

/// `export NAME='abc'"$__ci_creds_040$__ci_creds_174"'d' && `
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
    line.extend_from_slice(b" && ");
}

/// `(exit N)` and not `exit N`: it fails a `set -e` script with this status, and closes no interactive shell. An IFS
/// with a digit of N leaves `(exit )`, which would succeed, or `exit ` without the parentheses. The first keeps the
/// status that it finds, so one that failed stands before it, where `set -e` does not look; and what follows it fails.
fn failure(unsets: &[String], code: u8) -> String {
    if unsets.is_empty() {
        return format!(" false && true; (exit {code}) && false\n");
    }
    format!(" unset {}; false && true; (exit {code}) && false\n", unsets.join(" "))
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
        let done = "__ci_creds_ok=unset; $__ci_creds_ok ci_creds_needs_the_usual_IFS __ci_creds_ok;\n";
        let whole = " PATH=/usr/bin test 't/=ABFHIPST_a esbcdhiklnoprux-' = t/=ABFHIPST_a' 'esbcdhiklnoprux- && \
                     unset B && export A='x' && ";
        assert_eq!(sh(&[("A", "x")], &["B", "A"]), [whole, done].concat());
        let rest = |line: String| line.split_once("- && ").unwrap().1.to_owned();
        let line = rest(sh(&[("A", "x/+=.@%-_9"), ("B", "ä€")], &[]));
        assert_eq!(line, ["export A='x/+=.@%-_9' && export B='ä€' && ", done].concat());
        assert_eq!(rest(sh(&[("A", "")], &[])), ["export A='' && ", done].concat());
        assert_eq!(rest(sh(&[], &["B", "B"])), ["unset B && ", done].concat());
        assert_eq!(sh(&[], &[]), "\n");
    }

    #[test]
    fn other_characters_are_references() {
        let line = sh(&[("A", "a|\nb"), ("B", "c")], &["C"]);
        assert!(line.contains(r#"- && __ci_creds_v='"' && __ci_creds_b='\/' && "#), "{line}");
        assert!(line.contains("eval 'for __ci_creds_n in 012 170 174; do "), "{line}");
        let end = concat!(
            r#"= x' 'x && unset C && export A='a'"$__ci_creds_174$__ci_creds_012"'b' && export B='c' && "#,
            "__ci_creds_ok=unset; unset __ci_creds_b __ci_creds_d __ci_creds_n __ci_creds_q ",
            "__ci_creds_r __ci_creds_s __ci_creds_v __ci_creds_012 __ci_creds_170 __ci_creds_174; ",
            "$__ci_creds_ok ci_creds_needs_the_usual_IFS __ci_creds_ok;\n"
        );
        assert!(line.ends_with(end), "{line}");
    }

    /// Each half of the guard has a letter of `test`; `-` is nowhere but at the end; and `=` not at the start.
    #[test]
    fn the_guard_has_every_plain_character() {
        let all: String = ('!'..='~').collect();
        let line = sh(&[("A", &all), ("B", "é€")], &[]);
        let words = line.strip_prefix(" PATH=/usr/bin test '").unwrap().split_once("' = ").unwrap();
        let (first, second) = words.0.split_once(' ').unwrap();
        assert!(first.starts_with('t') && second.starts_with("es") && second.ends_with('-'));
        assert!(words.1.starts_with(&format!("{first}' '{second} && ")), "{line}");
        let plain = |char: &char| !char.is_ascii() || is_plain(*char as u8);
        for char in all.chars().chain("é€".chars()).filter(plain) {
            assert_eq!(words.0.matches(char).count(), 1, "{char}");
        }
    }

    #[test]
    fn a_failure_keeps_its_code() {
        assert_eq!(failure(&[], 3), " false && true; (exit 3) && false\n");
        assert_eq!(
            failure(&["A".to_owned(), "B".to_owned()], 143),
            " unset A B; false && true; (exit 143) && false\n"
        );
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
            prop_assert!(!text.contains(['\n', '\t', '*', '?', '[', ']', '|', ',', '<', '#', '~']));
            prop_assert!(!text.contains("  ") && !text.contains(".."), "{}", text);
            prop_assert!(text.ends_with(';'));
            let backslashes = text.matches('\\').count();
            prop_assert_eq!(backslashes, text.matches(r"='\/' ").count());
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
