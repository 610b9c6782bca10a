//! Certificates of a test's own: a CA, what it issues, and the server's side of TLS.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CertifiedKey, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, generate_simple_self_signed,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
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
        use rustls::pki_types::pem::PemObject as _;
        let (certificate, key) = self.issue(names, change);
        let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let certificate = rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
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
        builder.with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key)).unwrap()
    }
}

/// The server's side with a certificate that no CA issued, and that certificate, PEM: who trusts it, trusts it alone.
pub fn self_signed(name: &str) -> (ServerConfig, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let certificates = vec![cert.der().clone()];
    let config = builder().with_no_client_auth().with_single_cert(certificates, PrivateKeyDer::Pkcs8(key));
    (config.unwrap(), cert.pem())
}

fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    builder.with_safe_default_protocol_versions().unwrap()
}
