//! The CA certificates to trust: the ones that the user named, else the system's bundle, else Mozilla's. Named
//! certificates exclude all others: nothing here adds the system's to them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::content::{Content, Expected};
use super::{Ca, Error, FileFrom};
use crate::input;
use crate::shutdown::Shutdown;

/// Where distributions keep their bundle: Debian and Alpine, Fedora, openSUSE, RHEL, BSD and macOS.
///
/// `rustls-native-certs` reads the folder of certificates as well as the bundle. On Debian that takes 13 ms instead
/// of 0.5 ms, for the same certificates. It also reads `SSL_CERT_FILE` itself, so that an error could not name the
/// variable.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates that servers are checked with.
pub(super) struct Roots {
    /// The CA certificates.
    pub(super) store: RootCertStore,
    /// The certificates that the user named; empty where the system's are used.
    pub(super) named: Vec<CertificateDer<'static>>,
}

/// Reads files that the user named. A stop ends the wait for one that never ends.
pub(super) struct Reader<'a> {
    /// Tells of the stop.
    pub(super) shutdown: &'a Shutdown,
    /// Whether a token may be alive, which a stop must take back: then nothing at all is waited for.
    pub(super) is_late: bool,
}

/// The roots that `ca` names.
pub(super) async fn load(ca: &Ca, reader: &Reader<'_>) -> Result<Roots, Error> {
    match ca {
        Ca::File(file) => named(file, &reader.file(file).await?),
        Ca::Bytes { pem, source } => {
            let file = FileFrom { path: PathBuf::new(), source: source.clone() };
            named(&file, pem.as_bytes())
        }
        Ca::Dir(dir) => named(dir, &reader.folder(dir).await?),
        Ca::System { file, dir } => {
            let store = system(file.as_ref(), dir.as_ref(), reader).await?;
            Ok(Roots { store, named: Vec::new() })
        }
    }
}

async fn system(
    file: Option<&FileFrom>,
    dir: Option<&FileFrom>,
    reader: &Reader<'_>,
) -> Result<RootCertStore, Error> {
    match (file, dir) {
        (Some(file), None) => Ok(named(file, &reader.file(file).await?)?.store),
        (file, Some(dir)) => {
            let mut pem = reader.folder(dir).await?;
            if let Some(file) = file {
                pem.extend_from_slice(&reader.file(file).await?);
            }
            Ok(named(dir, &pem)?.store)
        }
        (None, None) => {
            let bundle = BUNDLES.iter().find_map(|path| fs::read(path).ok()).map(|pem| parse(&pem).store);
            match bundle {
                Some(store) if !store.is_empty() => Ok(store),
                _ => Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
            }
        }
    }
}

fn parse(pem: &[u8]) -> Roots {
    let mut store = RootCertStore::empty();
    // A bundle may hold a certificate that can't be read: the others still count.
    let named: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    store.add_parsable_certificates(named.iter().cloned());
    Roots { store, named }
}

fn named(file: &FileFrom, pem: &[u8]) -> Result<Roots, Error> {
    let roots = parse(pem);
    if roots.store.is_empty() {
        if let Some(other) = Content::of(pem) {
            return Err(other.instead_of(Expected::CaCertificate, &file.name(), &file.source));
        }
        return Err(Error::Setting {
            what: format!("{} holds no CA certificate that can be used", file.name()),
            hint: format!("{} takes certificates in PEM form: -----BEGIN CERTIFICATE-----", file.source),
        });
    }
    Ok(roots)
}

impl Reader<'_> {
    /// The file's content, or an error that names the variable or flag.
    pub(super) async fn file(&self, file: &FileFrom) -> Result<Zeroizing<Vec<u8>>, Error> {
        let read = if self.is_late {
            input::waited_for(&file.path, self.shutdown).await?
        } else {
            input::file(&file.path, self.shutdown).await?
        };
        read.map_err(|cause| unreadable(file, &cause))
    }

    async fn folder(&self, dir: &FileFrom) -> Result<Vec<u8>, Error> {
        let read = if self.is_late {
            let path = dir.path.clone();
            self.shutdown.blocking(move || all_in(&path)).await?
        } else {
            all_in(&dir.path)
        };
        read.map_err(|cause| unreadable(dir, &cause))
    }
}

fn unreadable(file: &FileFrom, cause: &io::Error) -> Error {
    Error::Setting {
        what: format!("{} can't be read: {cause}", file.name()),
        hint: format!("set {} to a file that this job can read", file.source),
    }
}

/// All regular files of a folder.
fn all_in(dir: &Path) -> io::Result<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for pem in paths.iter().filter_map(|path| input::regular_file(path).ok().flatten()) {
        all.extend_from_slice(&pem);
        all.push(b'\n');
    }
    Ok(all)
}
