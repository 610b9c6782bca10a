//! Certificates of a test's own: a CA, what it issues, and the server's side of TLS.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tempfile::TempDir;

/// A CA with a folder for files.
pub struct Pki {
    pub dir: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    /// A CA of this common name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), ca }
    }

    /// The CA certificate, PEM.
    pub fn pem(&self) -> String {
        self.ca.pem()
    }

    /// Writes a file into the folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The CA certificate as a file.
    pub fn ca_file(&self) -> PathBuf {
        self.file("ca.pem", &self.pem())
    }

    /// A certificate for these names, changed as the test likes, and its key, both PEM.
    pub fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// The server's side, with a certificate for these names.
    pub fn server(&self, names: &[&str]) -> ServerConfig {
        self.server_with(names, |_| {}, false)
    }

    /// The same with a changed certificate, and perhaps asking for the client's.
    pub fn server_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
        client_auth: bool,
    ) -> ServerConfig {
        let (certificate, key) = self.issue(names, change);
        let builder = builder();
        let builder = if client_auth {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.ca.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::new(default_provider()));
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(vec![der(&certificate)], private(&key)).unwrap()
    }

    /// The server's side with a changed certificate, and that certificate, PEM.
    pub fn server_and_certificate(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (ServerConfig, String) {
        let (certificate, key) = self.issue(names, change);
        (plain(&certificate, &key), certificate)
    }
}

/// The server's side with a certificate that no CA issued, and that certificate, PEM: who trusts it, trusts it alone.
pub fn self_signed(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (ServerConfig, String) {
    let (certificate, key) = self_issued(names, change);
    (plain(&certificate, &key), certificate)
}

/// The same for a server that has the certificate, and not its key.
pub fn without_key(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (ServerConfig, String) {
    let (certificate, _) = self_issued(names, change);
    (showing(der(&certificate)), certificate)
}

/// The same with a certificate of X.509 version 1.
pub fn version_1(names: &[&str]) -> ServerConfig {
    let (certificate, _) = self_issued(names, |_| {});
    let mut bytes = der(&certificate).to_vec();
    // RFC 5280, section 4.1: version [0] EXPLICIT INTEGER, 2 for version 3.
    let version = bytes.windows(5).position(|five| five == [0xa0, 3, 2, 1, 2]).unwrap();
    bytes[version + 4] = 0;
    showing(bytes.into())
}

fn showing(certificate: CertificateDer<'static>) -> ServerConfig {
    let other = KeyPair::generate().unwrap().serialize_der();
    let other = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(other));
    let signs = default_provider().key_provider.load_private_key(other).unwrap();
    let pair = rustls::sign::CertifiedKey::new(vec![certificate], signs);
    let resolver = rustls::sign::SingleCertAndKey::from(pair);
    builder().with_no_client_auth().with_cert_resolver(Arc::new(resolver))
}

fn self_issued(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn plain(certificate: &str, key: &str) -> ServerConfig {
    builder().with_no_client_auth().with_single_cert(vec![der(certificate)], private(key)).unwrap()
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn private(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap())
}

fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    builder.with_safe_default_protocol_versions().unwrap()
}
