//! `sh`: one line of statements for `eval`, in every POSIX-like shell.

use zeroize::Zeroizing;

use super::{Error, Format, Options};
use crate::credentials::Credentials;

/// `--format sh`.
pub(super) static SH: Format = Format {
    name: "sh",
    about: "statements for eval, in any POSIX-like shell",
    encode,
    failure: Some(failure),
};

fn encode(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut line = Zeroizing::new(Vec::new());
    for variable in all.iter().flat_map(|one| &one.variables) {
        line.extend_from_slice(format!("export {}='", variable.name).as_bytes());
        line.extend_from_slice(variable.value.reveal().as_bytes());
        line.extend_from_slice(b"'; ");
    }
    Ok(line)
}

fn failure(unsets: &[String], code: u8) -> String {
    format!("unset {}; (exit {code})\n", unsets.join(" "))
}
