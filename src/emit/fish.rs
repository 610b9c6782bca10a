//! `fish`: one line of statements for `eval (ci-creds … --format fish)` or `ci-creds … --format fish | source`.
//!
//! fish neither splits nor expands what a command substitution gives, but it makes one argument of each line,
//! which `eval` joins by blanks. So only line ends matter; the other control characters are escaped along with
//! them, as no one wants them in a log either.

use zeroize::Zeroizing;

use super::{Error, Format, Options, fits_a_shell, unsets, variables};
use crate::credentials::{Credentials, Variable};

/// `--format fish`.
pub(super) static FISH: Format = Format {
    name: "fish",
    about: "statements for fish's eval or source",
    provider: None,
    merge: None,
    encode,
    failure: Some(failure),
};

fn encode(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    fits_a_shell(all, FISH.name)?;
    let variables = variables(all);
    let start: String = unsets(all).iter().map(|name| format!("set -e {name}; ")).collect();
    // `set -e` of an absent variable is silent, but its status is 4, and `set -gx` leaves the status as it was.
    let end = "true;\n";

    // Large enough from the start: growing would leave copies of secrets in freed memory.
    let size = variables.iter().map(|variable| room_for(variable)).sum::<usize>() + start.len() + end.len();
    let mut line = Zeroizing::new(Vec::with_capacity(size));
    line.extend_from_slice(start.as_bytes());
    variables.iter().for_each(|variable| set(&mut line, variable));
    line.extend_from_slice(end.as_bytes());
    Ok(line)
}

/// At least as many bytes as [`set`] writes: `'\x0a'` is the longest form of a byte.
fn room_for(variable: &Variable) -> usize {
    "set -gx  ''; ".len() + variable.name.len() + variable.value.reveal().len() * "'\\x0a'".len()
}

/// `set -gx NAME 'it\'s'\x0a'more'; `
fn set(line: &mut Vec<u8>, variable: &Variable) {
    line.extend_from_slice(format!("set -gx {} '", variable.name).as_bytes());
    for &byte in variable.value.reveal().as_bytes() {
        match byte {
            // The only two escapes that fish knows within single quotes.
            b'\'' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            _ if byte.is_ascii_control() => line.extend_from_slice(format!("'\\x{byte:02x}'").as_bytes()),
            _ => line.push(byte),
        }
    }
    line.extend_from_slice(b"'; ");
}

/// fish has no `(exit N)`, no `set -e`, and `exit` or `return` would end the script, or nothing, depending on how
/// the line is read. A function that returns the status, and that takes itself away, gives `$status` in both:
/// `eval (ci-creds … --format fish); or exit`.
fn failure(unsets: &[String], code: u8) -> String {
    let unsets: String = unsets.iter().map(|name| format!("set -e {name}; ")).collect();
    format!(
        "{unsets}function __ci_creds_failed; functions -e __ci_creds_failed; return {code}; end; __ci_creds_failed\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;

    #[test]
    fn quotes_and_control_characters_are_escaped() {
        let line = written(&FISH, &[("A", "it's a\\b\n$x"), ("B", "")], &["C", "B"], 20).unwrap();
        assert_eq!(line, "set -e C; set -gx A 'it\\'s a\\\\b'\\x0a'$x'; set -gx B ''; true;\n");
    }

    /// Of control characters alone the room is filled to the last byte.
    #[test]
    fn the_buffer_is_as_large_as_it_may_get() {
        let all = super::super::tests::credentials(&[("A", &"\u{1}".repeat(1000)), ("BC", "\n")], &["D"]);
        let line = encode(&all, &Options { profile: None, dotenv_limit: 20 }).unwrap();
        assert_eq!(line.capacity(), line.len());
    }

    #[test]
    fn nul_is_refused_by_name() {
        let error = written(&FISH, &[("A", "SECRET\0")], &[], 20).unwrap_err().to_string();
        assert_eq!(error, "A can't be written as fish: its value has a NUL character");
    }

    #[test]
    fn a_failure_keeps_its_code() {
        let line = failure(&["A".to_owned()], 4);
        assert!(line.starts_with("set -e A; function ") && line.contains("return 4; "), "{line}");
    }
}
