//! The TLS side of the client: aws-lc is the only crypto provider, TLS 1.2 the oldest version.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Error, Settings, roots};

/// Whom to trust, and who we are.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The CA certificates.
    pub ca: Ca,
    /// The client certificate and its key.
    pub client: Option<(FileFrom, FileFrom)>,
    /// The name that the certificate must be for, where it is not the address's.
    pub server_name: Option<String>,
    /// Nothing is checked.
    pub skip_verify: bool,
}

/// Where CA certificates come from.
#[derive(Debug, Clone)]
pub enum Ca {
    /// These only.
    File(FileFrom),
    /// These only, as text.
    Bytes {
        /// The PEM.
        pem: String,
        /// The variable.
        source: String,
    },
    /// These only: all files of a folder.
    Dir(FileFrom),
    /// The system's, with OpenSSL's variables.
    System {
        /// SSL_CERT_FILE.
        file: Option<FileFrom>,
        /// SSL_CERT_DIR.
        dir: Option<FileFrom>,
    },
}

/// A file, and the flag or variable that named it.
#[derive(Debug, Clone)]
pub struct FileFrom {
    /// The file.
    pub path: PathBuf,
    /// The flag or variable.
    pub source: String,
}

impl FileFrom {
    /// For messages.
    pub(super) fn name(&self) -> String {
        if self.path.as_os_str().is_empty() {
            return self.source.clone();
        }
        format!("{} ({})", self.path.display(), self.source)
    }
}

/// The client that sends; it follows no redirect and repeats nothing by itself.
pub(super) fn client(settings: &Settings, connect: Duration) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(config(settings)?)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .no_proxy()
        .connect_timeout(connect.min(settings.timeout))
        .timeout(settings.timeout)
        .user_agent(concat!("ci-creds/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &settings.unix_socket {
        builder = builder.unix_socket(path.clone());
    }
    if let Some(proxy) = &settings.proxy {
        let no = |_| Error::Setting {
            what: format!("the proxy in {} is not an address", proxy.source),
            hint: format!("set {} to an address such as http://proxy.example.com:3128", proxy.source),
        };
        let except = reqwest::NoProxy::from_string(&format!("localhost,127.0.0.0/8,::1,{}", proxy.except));
        builder = builder.proxy(reqwest::Proxy::all(proxy.url.reveal()).map_err(no)?.no_proxy(except));
    }
    builder.build().map_err(|error| Error::Setting {
        what: format!("no client can be made: {error}"),
        hint: "this is a bug in ci-creds; please report it".to_owned(),
    })
}

fn config(settings: &Settings) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let fault = |error: rustls::Error| Error::Setting {
        what: format!("TLS can't be set up: {error}"),
        hint: "check the CA certificates and the client certificate".to_owned(),
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(fault)?;
    let tls = &settings.tls;
    let builder = if !settings.needs_tls {
        builder.with_root_certificates(RootCertStore::empty())
    } else if tls.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone(provider)))
    } else {
        let store = roots::load(&tls.ca)?;
        match &tls.server_name {
            None => builder.with_root_certificates(store),
            Some(name) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(OtherName::new(name, store, provider)?)),
        }
    };
    match &tls.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain: Vec<_> = CertificateDer::pem_slice_iter(&roots::read(certificate)?)
                .collect::<Result<_, _>>()
                .map_err(|_| not_pem(certificate, "certificate"))?;
            if chain.is_empty() {
                return Err(not_pem(certificate, "certificate"));
            }
            let key_der = PrivateKeyDer::from_pem_slice(&zeroize::Zeroizing::new(roots::read(key)?))
                .map_err(|_| not_pem(key, "private key"))?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| Error::Setting {
                what: format!("{} and {} do not go together: {error}", certificate.name(), key.name()),
                hint: "the key must be that of the certificate".to_owned(),
            })
        }
    }
}

fn not_pem(file: &FileFrom, what: &str) -> Error {
    Error::Setting {
        what: format!("{} holds no {what} in PEM form", file.name()),
        hint: format!("set {} to a file with a PEM {what}", file.source),
    }
}

/// What a TLS error means for people, and what mends it.
pub(super) fn explain(error: &rustls::Error, settings: &Settings) -> (String, String) {
    let ca = match &settings.tls.ca {
        Ca::File(file) | Ca::Dir(file) => {
            format!("{} has other CA certificates than the server's", file.name())
        }
        Ca::Bytes { source, .. } => format!("{source} has other CA certificates than the server's"),
        Ca::System { .. } => "set VAULT_CACERT or --ca-cert to the CA certificate of this Vault".to_owned(),
    };
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return (error.to_string(), "does this address speak TLS, version 1.2 or newer?".to_owned());
    };
    let hint = match certificate {
        CertificateError::UnknownIssuer => ca,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use a name of the certificate in VAULT_ADDR, or say which to expect with VAULT_TLS_SERVER_NAME"
                .to_owned()
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "renew the server's certificate, or set this machine's clock".to_owned()
        }
        _ => ca,
    };
    let cause = match certificate {
        CertificateError::UnknownIssuer => "its certificate is from an unknown issuer".to_owned(),
        other => other.to_string(),
    };
    (cause, hint)
}

/// --tls-skip-verify: only that the peer holds the key of the certificate it shows.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

/// VAULT_TLS_SERVER_NAME: the usual checks, for another name than the address's.
#[derive(Debug)]
struct OtherName {
    name: ServerName<'static>,
    usual: Arc<WebPkiServerVerifier>,
}

impl OtherName {
    fn new(name: &str, store: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let fault = |what: String| Error::Setting {
            what,
            hint: "VAULT_TLS_SERVER_NAME takes a host name such as vault.example.com".to_owned(),
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| fault("the TLS server name is not a host name".to_owned()))?;
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| fault(error.to_string()))?;
        Ok(Self { name, usual })
    }
}

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
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for OtherName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.usual.verify_server_cert(certificate, chain, &self.name, ocsp, now)
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
