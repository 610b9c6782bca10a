//! Who is accepted as the server.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::Error;
use super::certificate::{self, UnknownIssuer};

/// The usual checks, for the address's name or for VAULT_TLS_SERVER_NAME; an unknown issuer is named.
#[derive(Debug)]
pub(super) struct Checked {
    usual: Arc<WebPkiServerVerifier>,
    name: Option<ServerName<'static>>,
}

impl Checked {
    pub(super) fn new(
        store: RootCertStore,
        name: Option<&str>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let fault = |what: String| Error::Setting {
            what,
            hint: "VAULT_TLS_SERVER_NAME takes a host name such as vault.example.com".to_owned(),
        };
        let name = name.map(|name| ServerName::try_from(name.to_owned())).transpose();
        let name = name.map_err(|_| fault("the TLS server name is not a host name".to_owned()))?;
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        Ok(Self { usual: usual.map_err(|error| fault(error.to_string()))?, name })
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = self.name.as_ref().unwrap_or(name);
        self.usual.verify_server_cert(certificate, chain, name, ocsp, now).map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let issuer = certificate::issuer(chain.last().unwrap_or(certificate));
                let unknown = OtherError(Arc::new(UnknownIssuer(issuer)));
                rustls::Error::InvalidCertificate(CertificateError::Other(unknown))
            }
            other => other,
        })
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// --tls-skip-verify: only that the peer holds the key of the certificate it shows.
#[derive(Debug)]
pub(super) struct TrustAnyone(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
