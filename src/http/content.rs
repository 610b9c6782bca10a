//! Recognises what a file holds that should be a certificate or a key in PEM form. It must not show the content.

use super::Error;

/// What a file may hold instead of the certificate or key that belongs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A private key that a passphrase protects.
    Encrypted,
    /// A private key.
    Key,
    /// OpenSSH's own form of one.
    OpenSsh,
    /// A certificate.
    Certificate,
    /// A request for one.
    Request,
    /// A public key.
    Public,
    /// PKCS#12: key and certificate in one file (.p12, .pfx).
    Pkcs12,
    /// Anything in DER: what PEM is base64 of.
    Der,
}

/// What PEM text has, the more telling first (RFC 7468; for Proc-Type RFC 1421).
const MARKS: &[(&str, Content)] = &[
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----", Content::Encrypted),
    ("Proc-Type: 4,ENCRYPTED", Content::Encrypted),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", Content::OpenSsh),
    (" PRIVATE KEY-----", Content::Key),
    ("-----BEGIN PRIVATE KEY-----", Content::Key),
    ("-----BEGIN CERTIFICATE-----", Content::Certificate),
    ("-----BEGIN CERTIFICATE REQUEST-----", Content::Request),
    ("-----BEGIN NEW CERTIFICATE REQUEST-----", Content::Request),
    (" PUBLIC KEY-----", Content::Public),
    ("-----BEGIN PKCS12-----", Content::Pkcs12),
];

/// What a file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Key,
    Certificate,
    CaCertificate,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "private key",
            Self::Certificate => "certificate",
            Self::CaCertificate => "CA certificate",
        })
    }
}

impl Content {
    /// What `bytes` are, if that is known.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let has = |mark: &str| bytes.windows(mark.len()).any(|part| part == mark.as_bytes());
        MARKS.iter().find(|(mark, _)| has(mark)).map(|(_, content)| *content).or_else(|| der(bytes))
    }

    /// The error where this stands instead of what is `wanted`.
    pub(super) fn instead_of(self, wanted: Expected, name: &str, source: &str) -> Error {
        let key = wanted == Expected::Key;
        let what = match self {
            Self::Encrypted if key => format!("the private key in {name} is encrypted"),
            Self::Key if key => format!("the private key in {name} is damaged"),
            Self::Certificate if !key => format!("the certificate in {name} is damaged"),
            _ => format!("{name} holds {self}, where a {wanted} belongs"),
        };
        let damaged =
            || format!("set {source} to all of it, with its line ends: -----BEGIN …----- to -----END …-----");
        let hint = match self {
            Self::Encrypted if key => "decrypt it first: openssl pkey -in FILE -out DECRYPTED".to_owned(),
            Self::Key if key => damaged(),
            Self::Certificate if !key => damaged(),
            Self::Encrypted | Self::Key | Self::Certificate => {
                "are the files of key and certificate mixed up?".to_owned()
            }
            Self::OpenSsh => {
                "convert it: ssh-keygen -p -m PKCS8 -N '' -f FILE (it replaces the file)".to_owned()
            }
            Self::Request => {
                format!("a CA makes a certificate of it: set {source} to what the CA gave back")
            }
            Self::Public => format!("set {source} to a file with a PEM {wanted}"),
            Self::Pkcs12 => "take it apart: openssl pkcs12 -in FILE -nodes -nocerts -out KEY, and \
                             openssl pkcs12 -in FILE -nokeys -out CERTIFICATE"
                .to_owned(),
            Self::Der if key => "convert it: openssl pkey -inform DER -in FILE -out PEM".to_owned(),
            Self::Der => "convert it: openssl x509 -inform DER -in FILE -out PEM".to_owned(),
        };
        Error::Setting { what, hint }
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "an encrypted private key",
            Self::Key => "a private key",
            Self::OpenSsh => "a private key in OpenSSH's own form",
            Self::Certificate => "a certificate",
            Self::Request => "a request for a certificate (CSR)",
            Self::Public => "a public key",
            Self::Pkcs12 => "a PKCS#12 file",
            Self::Der => "DER instead of PEM",
        })
    }
}

/// A sequence of DER, or one of BER without a length, that is all of it; PKCS#12 begins with the version 3 (RFC 7292,
/// section 4).
fn der(bytes: &[u8]) -> Option<Content> {
    let [0x30, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match first {
        0..=0x7f => (Some(usize::from(*first)), rest),
        0x80 => (None, rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (Some(length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))), rest)
        }
        _ => return None,
    };
    let version_3 = rest.starts_with(&[2, 1, 3]);
    match length {
        Some(length) if length == rest.len() => Some(if version_3 { Content::Pkcs12 } else { Content::Der }),
        None if version_3 => Some(Content::Pkcs12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_told_apart() {
        for (bytes, expected) in [
            (&b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII"[..], Some(Content::Encrypted)),
            (b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", Some(Content::Encrypted)),
            (b"-----BEGIN EC PRIVATE KEY-----\nMII", Some(Content::Key)),
            (b"-----BEGIN PRIVATE KEY-----\nMII", Some(Content::Key)),
            (b"-----BEGIN CERTIFICATE-----\nMII", Some(Content::Certificate)),
            (b"-----BEGIN PUBLIC KEY-----\nMII", Some(Content::Public)),
            (b"\x30\x82\x00\x04\x02\x01\x03\x30", Some(Content::Pkcs12)),
            (b"\x30\x82\x00\x04\x30\x82\x01\x03", Some(Content::Der)),
            (b"\x30\x80\x02\x01\x03", Some(Content::Pkcs12)),
            (b"\x30\x84\x00", None),
            (b"0123 text", None),
            (b"", None),
        ] {
            assert_eq!(Content::of(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
