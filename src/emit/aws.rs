//! `aws-credential-process` and `aws-credentials`: what the AWS SDKs read from a program, and from a file.
//!
//! Both are read by several SDKs, each with a parser of its own, so that only what all of them take for plain text
//! is written (botocore `configloader.py`, `credentials.py`; aws-sdk-go `internal/ini`).

use serde::Serialize;
use zeroize::Zeroizing;

use super::profile::{self, Slot};
use super::{Error, Format, Merge, Options, Section};
use crate::credentials::Credentials;
use crate::merge;

/// `--format aws-credential-process`.
pub(super) static PROCESS: Format = Format {
    name: "aws-credential-process",
    about: "the answer to credential_process in ~/.aws/config",
    provider: Some("aws"),
    merge: None,
    encode: process,
    failure: None,
};

/// `--format aws-credentials`.
pub(super) static FILE: Format = Format {
    name: "aws-credentials",
    about: "~/.aws/credentials with one profile, for --output; with --merge beside others",
    provider: Some("aws"),
    merge: Some(Merge { form: &merge::AWS, profile: section }),
    encode: file,
    failure: None,
};

/// What `credential_process` reads. It has no field for a region, and its Expiration is made from the lease, not from
/// AWS_CREDENTIAL_EXPIRATION.
const PROCESS_PLACES: &[(&str, Slot)] = &[
    ("AWS_ACCESS_KEY_ID", Slot::Key("AccessKeyId")),
    ("AWS_SECRET_ACCESS_KEY", Slot::Key("SecretAccessKey")),
    ("AWS_SESSION_TOKEN", Slot::Key("SessionToken")),
    ("AWS_CREDENTIAL_EXPIRATION", Slot::Elsewhere),
    ("AWS_REGION", Slot::Elsewhere),
    ("AWS_DEFAULT_REGION", Slot::Elsewhere),
];

const FILE_PLACES: &[(&str, Slot)] = &[
    ("AWS_ACCESS_KEY_ID", Slot::Key("aws_access_key_id")),
    ("AWS_SECRET_ACCESS_KEY", Slot::Key("aws_secret_access_key")),
    ("AWS_SESSION_TOKEN", Slot::Key("aws_session_token")),
    // No SDK reads an expiry from this file.
    ("AWS_CREDENTIAL_EXPIRATION", Slot::Elsewhere),
    ("AWS_REGION", Slot::Elsewhere),
    ("AWS_DEFAULT_REGION", Slot::Key("region")),
];

/// The document of `credential_process`: Version is the number 1, Expiration an RFC 3339 time. Without an
/// Expiration the SDKs never ask again.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    version: u32,
    access_key_id: Option<&'a str>,
    secret_access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

fn process(all: &[Credentials], _: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let entries = profile::entries(all, &PROCESS, PROCESS_PLACES)?;
    let value = |key| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value);
    let answer = Answer {
        version: 1,
        access_key_id: value("AccessKeyId"),
        secret_access_key: value("SecretAccessKey"),
        session_token: value("SessionToken"),
        expiration: all
            .iter()
            .filter_map(|one| one.life)
            .map(|life| life.until)
            .min()
            .map(|end| end.to_string()),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(profile::room_for(&entries) + 256));
    // Strings and a number into memory: this can't fail.
    let _ = serde_json::to_writer(&mut *bytes, &answer);
    bytes.push(b'\n');
    Ok(bytes)
}

fn file(all: &[Credentials], options: &Options) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (name, lines) = section(all, options)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(lines.len() + name.len() + 8));
    for part in ["[", &name, "]\n", &lines] {
        bytes.extend_from_slice(part.as_bytes());
    }
    Ok(bytes)
}

/// The profile's name, and its lines.
fn section(all: &[Credentials], options: &Options) -> Result<Section, Error> {
    let entries = profile::entries(all, &FILE, FILE_PLACES)?;
    let name = profile::name(options, &FILE)?;
    Ok((name.to_owned(), profile::lines(&entries, [" = ", ""])))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{credentials, options, written};
    use super::*;
    use crate::credentials::Life;

    const TRIPLE: [(&str, &str); 5] = [
        ("AWS_ACCESS_KEY_ID", "ASIAX"),
        ("AWS_SECRET_ACCESS_KEY", "a/b+c="),
        ("AWS_SESSION_TOKEN", "IQo//=="),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];

    #[test]
    fn a_process_answers_with_a_number_and_a_time() {
        let mut all = credentials(&TRIPLE, &["AWS_PROFILE"]);
        let until = "2026-11-21T10:15:00Z".parse().unwrap();
        all[0].life = Some(Life { ttl: Duration::from_secs(900), until });
        let text = (PROCESS.encode)(&all, &options(20)).unwrap();
        let expected = r#"{"Version":1,"AccessKeyId":"ASIAX","SecretAccessKey":"a/b+c=","SessionToken":"IQo//==","Expiration":"2026-11-21T10:15:00Z"}"#;
        assert_eq!(std::str::from_utf8(&text).unwrap().trim_end(), expected);
        let text = written(&PROCESS, &TRIPLE[..2], &["AWS_SESSION_TOKEN"], 20).unwrap();
        assert_eq!(text, "{\"Version\":1,\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"a/b+c=\"}\n");
    }

    #[test]
    fn a_file_has_one_profile() {
        let text = written(&FILE, &TRIPLE, &[], 20).unwrap();
        let expected = "[default]\naws_access_key_id = ASIAX\naws_secret_access_key = a/b+c=\n\
                        aws_session_token = IQo//==\nregion = eu-west-1\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for value in ["a b", "a\nb", "", "\"a\"", "#a", "ä", "a;b", "a%b", "[a]"] {
            let error =
                written(&FILE, &[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", value)], &[], 20);
            let error = error.unwrap_err().to_string();
            let expected = "AWS_SECRET_ACCESS_KEY can't be written as aws-credentials: its value ";
            assert!(error.starts_with(expected), "{value:?}: {error}");
        }
        let error = written(&PROCESS, &[("AWS_ENDPOINT_URL_S3", "x")], &[], 20).unwrap_err().to_string();
        assert_eq!(error, "AWS_ENDPOINT_URL_S3 has no place in aws-credential-process");
        for name in ["", "a]b", "a b", "a\n[b", "ä"] {
            let options = Options { profile: Some(name.to_owned()), ..options(20) };
            let error = (FILE.encode)(&credentials(&TRIPLE, &[]), &options).unwrap_err().to_string();
            assert_eq!(error, "the profile's name can't be written as aws-credentials");
        }
    }
}
