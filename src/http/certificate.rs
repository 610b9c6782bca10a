//! Says what is wrong with a certificate: who issued it, for which names, when it ended, and which variable corrects
//! it. It must not decide whether the certificate is accepted.

use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use x509_parser::prelude::{AttributeTypeAndValue, FromDer as _, X509Certificate};

use super::{Ca, Settings};
use crate::text::Text;

/// The certificate's issuer is not among the roots.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is from an unknown issuer, {0}")]
pub(super) struct UnknownIssuer(pub(super) String);

/// What a TLS error means, and what corrects it.
pub(super) fn explain(error: &rustls::Error, settings: &Settings) -> (String, String) {
    use CertificateError as Bad;
    let address = "is this the right address and port, and does it speak TLS, version 1.2 or newer?";
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::AlertReceived(alert) => return alerted(*alert, settings),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return ("it does not answer with TLS".to_owned(), address.to_owned());
        }
        _ => return (error.to_string(), address.to_owned()),
    };
    let clock = "renew the server's certificate, or set this machine's clock";
    let name =
        "use a name of the certificate in VAULT_ADDR, or say which to expect with VAULT_TLS_SERVER_NAME";
    let (cause, hint) = match certificate {
        Bad::NotValidForNameContext { expected, presented } => {
            return (not_for(expected, presented), name.to_owned());
        }
        Bad::NotValidForName => ("its certificate is for another name".to_owned(), name.to_owned()),
        Bad::ExpiredContext { not_after, .. } => {
            (format!("its certificate expired at {}", date(*not_after)), clock.to_owned())
        }
        Bad::NotValidYetContext { not_before, .. } => {
            (format!("its certificate is not valid before {}", date(*not_before)), clock.to_owned())
        }
        Bad::BadSignature => (
            "a signature of its certificate, or of its handshake, is wrong".to_owned(),
            "does the server use the key of the certificate that it shows? Else somebody may be on the way".to_owned(),
        ),
        Bad::Other(other) if other.0.is::<UnknownIssuer>() => (other.0.to_string(), other_ca(settings)),
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => (
            "its certificate is not for servers (extendedKeyUsage)".to_owned(),
            "give the server a certificate with the extended key usage serverAuth".to_owned(),
        ),
        Bad::Other(other) => match other.0.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => (
                "it shows a CA's certificate as its own".to_owned(),
                "give the server a certificate that its CA issued (basicConstraints CA:FALSE), or set VAULT_CACERT to \
                 the certificate that it shows, if that is the one you know"
                    .to_owned(),
            ),
            Some(webpki::Error::UnsupportedCertVersion) => (
                "its certificate is of X.509 version 1, which names no host".to_owned(),
                "give the server a certificate of version 3, with a subjectAltName".to_owned(),
            ),
            _ => (format!("its certificate can't be used: {}", other.0), other_ca(settings)),
        },
        other => (other.to_string(), other_ca(settings)),
    };
    (cause, hint)
}

fn other_ca(settings: &Settings) -> String {
    let named = match &settings.tls.ca {
        Ca::File(file) | Ca::Dir(file) => file.name(),
        Ca::Bytes { source, .. } => source.clone(),
        Ca::System { .. } => {
            return "set VAULT_CACERT or --ca-cert to the CA certificate of this Vault".to_owned();
        }
    };
    format!("{named} has other CA certificates than the server's: put the CA certificate of this Vault there")
}

/// The server refused the client certificate.
fn alerted(alert: AlertDescription, settings: &Settings) -> (String, String) {
    use AlertDescription as Alert;
    let pair = "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY";
    let given = settings.tls.client.is_some();
    match alert {
        Alert::CertificateRequired | Alert::BadCertificate if !given => {
            ("it asks for a client certificate".to_owned(), format!("set {pair}"))
        }
        Alert::HandshakeFailure if !given => (
            "it ended the TLS handshake: it found nothing in common with us (HandshakeFailure)".to_owned(),
            format!(
                "give it a cipher suite of TLS 1.3, or of TLS 1.2 with ECDHE and AES-GCM or ChaCha20; a server that \
                 wants a client certificate may also say no like this: set {pair}"
            ),
        ),
        Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::CertificateExpired
            if given =>
        {
            (format!("it does not accept our client certificate ({alert:?})"), format!("check {pair}"))
        }
        Alert::UnrecognisedName => (
            "it has no certificate for this name".to_owned(),
            "check the host in VAULT_ADDR, or set VAULT_TLS_SERVER_NAME".to_owned(),
        ),
        _ => (
            format!("it ended the TLS handshake ({alert:?})"),
            "does it speak TLS, version 1.2 or newer?".to_owned(),
        ),
    }
}

fn not_for(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected = expected.to_str();
    if presented.is_empty() {
        return format!("its certificate is not for {expected}: it names no host (no subjectAltName)");
    }
    // `DnsName("a")` and `IpAddress(1.2.3.4)`, as the library writes them.
    let plain = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        printable(inner.trim_matches('"').as_bytes())
    };
    let names: Vec<String> = presented.iter().take(10).map(plain).collect();
    format!("its certificate is not for {expected}, but for {}", names.join(", "))
}

fn date(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

/// The issuer's name in a certificate: `CN=…, O=…` (RFC 5280, section 4.1.2.4).
pub(super) fn issuer(der: &[u8]) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return "which has no name".to_owned() };
    let name = certificate.issuer();
    let part = |key: &str, attribute: &AttributeTypeAndValue<'_>| {
        format!("{key}={}", printable(attribute.attr_value().data))
    };
    let common = name.iter_common_name().map(|attribute| part("CN", attribute));
    let parts: Vec<_> =
        common.chain(name.iter_organization().map(|attribute| part("O", attribute))).collect();
    if parts.is_empty() { "which has no name".to_owned() } else { parts.join(", ") }
}

fn printable(bytes: &[u8]) -> String {
    Text::new(&String::from_utf8_lossy(bytes)).chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_read_and_junk_is_survived() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Team\u{1b}[31m");
        params.distinguished_name.push(rcgen::DnType::CommonName, "Root é");
        let der = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(issuer(&der), "CN=Root é, O=Team[31m");
        for end in 0..der.len() {
            issuer(&der[..end]);
        }
        assert_eq!(issuer(b"junk"), "which has no name");
    }
}
