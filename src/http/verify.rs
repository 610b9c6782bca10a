//! Decides which server certificate is accepted. It must not accept one that rustls refuses, unless the user named that
//! very certificate or VAULT_SKIP_VERIFY is set.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::Error;
use super::certificate::{self, UnknownIssuer};
use super::roots::Roots;

/// The peer must hold the key of the certificate that it shows. Which certificate that may be is up to `chain`.
#[derive(Debug)]
pub(super) struct Peer {
    /// Checks the chain to a root; `None` with --tls-skip-verify.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// The name that it must be for, instead of the address's host.
    name: Option<ServerName<'static>>,
    /// The certificates that the user named: one of these may also be the server's own.
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Peer {
    /// Accepts any certificate.
    pub(super) fn anyone(provider: &CryptoProvider) -> Self {
        Self {
            chain: None,
            name: None,
            named: Vec::new(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// Accepts certificates that these roots signed, for the address's name or VAULT_TLS_SERVER_NAME.
    pub(super) fn vouched_for(
        roots: Roots,
        name: Option<&str>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let fault = |what: String| Error::Setting {
            what,
            hint: "VAULT_TLS_SERVER_NAME takes a host name such as vault.example.com".to_owned(),
        };
        let name = name.map(|name| ServerName::try_from(name.to_owned())).transpose();
        let name = name.map_err(|_| fault("the TLS server name is not a host name".to_owned()))?;
        let algorithms = provider.signature_verification_algorithms;
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.store), provider).build();
        let chain = Some(chain.map_err(|error| fault(error.to_string()))?);
        Ok(Self { chain, name, named: roots.named, algorithms })
    }

    /// Whether `error` says only that no root signed a certificate that the user named. The library has looked at
    /// the dates by then: it does that before it looks at basicConstraints and for an issuer.
    fn is_named(&self, certificate: &CertificateDer<'_>, error: &CertificateError) -> bool {
        let is_ca =
            |error: &OtherError| matches!(error.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity));
        let unvouched = match error {
            CertificateError::UnknownIssuer => true,
            CertificateError::Other(error) => is_ca(error),
            _ => false,
        };
        unvouched && self.named.iter().any(|one| one == certificate)
    }
}

impl ServerCertVerifier for Peer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(usual) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let name = self.name.as_ref().unwrap_or(name);
        match usual.verify_server_cert(certificate, chain, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(error)) if self.is_named(certificate, &error) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                let issuer = certificate::issuer(chain.last().unwrap_or(certificate));
                let unknown = OtherError(Arc::new(UnknownIssuer(issuer)));
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(unknown)))
            }
            other => other,
        }
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
