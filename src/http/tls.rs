//! The TLS side of the client: aws-lc is the only crypto provider. It must not speak a version before TLS 1.2.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::content::{Content, Expected};
use super::names::Names;
use super::roots::Reader;
use super::verify::Peer;
use super::{Error, Proxy, Settings, roots};
use crate::input;
use crate::secret::Secret;

/// The trusted CAs, and the client certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The CA certificates.
    pub ca: Ca,
    /// The client certificate and its key.
    pub client: Option<(Pem, Pem)>,
    /// The name that the certificate must be for, where it is not the address's.
    pub server_name: Option<String>,
    /// Whether the server's certificate is not checked.
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

/// PEM, in a file or as it is.
#[derive(Debug, Clone)]
pub enum Pem {
    /// In a file.
    File(FileFrom),
    /// As text: a key is a secret.
    Text {
        /// The PEM.
        text: Secret,
        /// The variable.
        source: String,
    },
}

impl Pem {
    async fn read(&self, reader: &Reader<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::File(file) => reader.file(file).await,
            Self::Text { text, .. } => Ok(Zeroizing::new(text.reveal().as_bytes().to_vec())),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(file) => file.name(),
            Self::Text { source, .. } => source.clone(),
        }
    }

    /// `content` is what it has instead of the `wanted` PEM.
    fn lacks(&self, wanted: Expected, content: &[u8]) -> Error {
        if let Some(other) = Content::of(content) {
            let source = match self {
                Self::File(file) => &file.source,
                Self::Text { source, .. } => source,
            };
            return other.instead_of(wanted, &self.name(), source);
        }
        let hint = match self {
            Self::File(file) => format!("set {} to a file with a PEM {wanted}", file.source),
            Self::Text { source, .. } => {
                format!("set {source} to a {wanted}: -----BEGIN …-----, with its line ends")
            }
        };
        Error::Setting { what: format!("{} holds no {wanted} in PEM form", self.name()), hint }
    }
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
        format!("{} ({})", input::path(&self.path), self.source)
    }
}

/// The client that sends; it follows no redirect and repeats nothing by itself.
pub(super) async fn client(
    settings: &Settings,
    names: &Names,
    connect: Duration,
    reader: &Reader<'_>,
) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(config(settings, reader).await?)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .tls_info(true)
        .no_proxy()
        .connect_timeout(connect.min(settings.timeout))
        .timeout(settings.timeout)
        .dns_resolver(names.resolver())
        .user_agent(concat!("ci-creds/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &settings.unix_socket {
        builder = builder.unix_socket(path.clone());
    }
    if let Some(proxy) = &settings.proxy {
        builder = builder.proxy(through(proxy)?);
    }
    builder.build().map_err(|error| Error::Setting {
        what: format!("no client can be made: {error}"),
        hint: "this is a bug in ci-creds; please report it".to_owned(),
    })
}

fn through(proxy: &Proxy) -> Result<reqwest::Proxy, Error> {
    let fault = || Error::Setting {
        what: format!("the proxy in {} is not the address of an HTTP proxy", proxy.source),
        hint: format!("set {} to an address such as http://proxy.example.com:3128", proxy.source),
    };
    let url = proxy.url.reveal().trim();
    let url = match url.split_once("://") {
        Some((scheme, _)) if ["http", "https"].iter().any(|one| scheme.eq_ignore_ascii_case(one)) => {
            url.to_owned()
        }
        Some(_) => return Err(fault()),
        None => format!("http://{url}"),
    };
    let except = reqwest::NoProxy::from_string(&proxy.exceptions());
    Ok(reqwest::Proxy::all(url).map_err(|_| fault())?.no_proxy(except))
}

async fn config(settings: &Settings, reader: &Reader<'_>) -> Result<ClientConfig, Error> {
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
    } else {
        let peer = if tls.skip_verify {
            Peer::anyone(&provider)
        } else {
            Peer::vouched_for(roots::load(&tls.ca, reader).await?, tls.server_name.as_deref(), provider)?
        };
        builder.dangerous().with_custom_certificate_verifier(Arc::new(peer))
    };
    let Some((certificate, key)) = &tls.client else { return Ok(builder.with_no_client_auth()) };
    let (chain_pem, key_pem) = (certificate.read(reader).await?, key.read(reader).await?);
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&chain_pem).collect::<Result<_, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(certificate.lacks(Expected::Certificate, &chain_pem));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| key.lacks(Expected::Key, &key_pem))?;
    builder.with_client_auth_cert(chain, key_der).map_err(|error| Error::Setting {
        what: format!("{} and {} do not go together: {error}", certificate.name(), key.name()),
        hint: "the key must be that of the certificate".to_owned(),
    })
}
