//! `scw-config`: the configuration file of scw and of Scaleway's SDKs (scaleway-sdk-go `scw/config.go`), with one
//! profile: its own top level for `default`, else a profile that is the active one.

use zeroize::Zeroizing;

use super::profile::{self, Slot};
use super::{Error, Format, Merge, Options, Section};
use crate::credentials::Credentials;
use crate::merge;

/// `--format scw-config`.
pub(super) static CONFIG: Format = Format {
    name: "scw-config",
    about: "~/.config/scw/config.yaml with one profile, for --output; with --merge beside others",
    provider: Some("scaleway"),
    merge: Some(Merge { form: &merge::SCW, profile: section }),
    encode,
    failure: None,
};

const PLACES: &[(&str, Slot)] = &[
    ("SCW_ACCESS_KEY", Slot::Key("access_key")),
    ("SCW_SECRET_KEY", Slot::Key("secret_key")),
    ("SCW_DEFAULT_PROJECT_ID", Slot::Key("default_project_id")),
    ("SCW_DEFAULT_ORGANIZATION_ID", Slot::Key("default_organization_id")),
    ("SCW_DEFAULT_REGION", Slot::Key("default_region")),
    ("SCW_DEFAULT_ZONE", Slot::Key("default_zone")),
];

fn encode(all: &[Credentials], options: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (name, lines) = section(all, options)?;
    let (head, indent) = match name.as_str() {
        profile::DEFAULT => (String::new(), ""),
        name => (format!("active_profile: \"{name}\"\nprofiles:\n  \"{name}\":\n"), "    "),
    };
    let room = lines.len() + PLACES.len() * indent.len() + head.len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    bytes.extend_from_slice(head.as_bytes());
    for line in lines.lines() {
        for part in [indent, line, "\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    Ok(bytes)
}

/// The profile's name, and its lines.
fn section(all: &[Credentials], options: &Options) -> Result<Section, Error> {
    let entries = profile::entries(all, &CONFIG, PLACES)?;
    let name = profile::name(options, &CONFIG)?;
    // In quotes, or YAML would read some of them as numbers, dates or booleans. Nothing in them needs an escape: see
    // `profile::is_plain`.
    Ok((name.to_owned(), profile::lines(&entries, [": \"", "\""])))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{credentials, options, written};
    use super::*;

    const PAIR: [(&str, &str); 3] =
        [("SCW_ACCESS_KEY", "SCWX"), ("SCW_SECRET_KEY", "1234e5"), ("SCW_DEFAULT_REGION", "fr-par")];

    #[test]
    fn the_default_profile_is_the_top_level() {
        let text = written(&CONFIG, &PAIR, &["SCW_PROFILE"], 20).unwrap();
        assert_eq!(text, "access_key: \"SCWX\"\nsecret_key: \"1234e5\"\ndefault_region: \"fr-par\"\n");
    }

    #[test]
    fn another_profile_is_the_active_one() {
        let options = Options { profile: Some("on".to_owned()), ..options(20) };
        let text = (CONFIG.encode)(&credentials(&PAIR[..2], &[]), &options).unwrap();
        let expected = "active_profile: \"on\"\nprofiles:\n  \"on\":\n    access_key: \"SCWX\"\n    secret_key: \"1234e5\"\n";
        assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let error = written(&CONFIG, &[("SCW_SECRET_KEY", "a\"b")], &[], 20).unwrap_err().to_string();
        assert!(
            error.starts_with("SCW_SECRET_KEY can't be written as scw-config: its value has "),
            "{error}"
        );
        let error = written(&CONFIG, &[("AWS_SECRET_ACCESS_KEY", "a")], &[], 20).unwrap_err().to_string();
        assert_eq!(error, "AWS_SECRET_ACCESS_KEY has no place in scw-config");
    }
}
