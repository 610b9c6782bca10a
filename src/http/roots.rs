//! The CA certificates to trust: the ones that the user named, else the system's bundle, else Mozilla's. Named
//! certificates exclude all others: nothing here adds the system's to them.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::content::{Content, Expected};
use super::{Ca, Error, FileFrom};

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

/// The roots that `ca` names.
pub(super) fn load(ca: &Ca) -> Result<Roots, Error> {
    match ca {
        Ca::File(file) => named(file, &read(file)?),
        Ca::Bytes { pem, source } => {
            let file = FileFrom { path: PathBuf::new(), source: source.clone() };
            named(&file, pem.as_bytes())
        }
        Ca::Dir(dir) => named(dir, &read_dir(dir)?),
        Ca::System { file, dir } => {
            Ok(Roots { store: system(file.as_ref(), dir.as_ref())?, named: Vec::new() })
        }
    }
}

fn system(file: Option<&FileFrom>, dir: Option<&FileFrom>) -> Result<RootCertStore, Error> {
    match (file, dir) {
        (Some(file), None) => Ok(named(file, &read(file)?)?.store),
        (file, Some(dir)) => {
            let mut pem = read_dir(dir)?;
            if let Some(file) = file {
                pem.extend(read(file)?);
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

/// The file's content, or an error that names the variable or flag.
pub(super) fn read(file: &FileFrom) -> Result<Vec<u8>, Error> {
    fs::read(&file.path).map_err(|cause| unreadable(file, &cause))
}

fn unreadable(file: &FileFrom, cause: &std::io::Error) -> Error {
    Error::Setting {
        what: format!("{} can't be read: {cause}", file.name()),
        hint: format!("set {} to a file that this job can read", file.source),
    }
}

fn read_dir(dir: &FileFrom) -> Result<Vec<u8>, Error> {
    let entries = fs::read_dir(&dir.path).map_err(|cause| unreadable(dir, &cause))?;
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let pem = |path: &PathBuf| fs::read(Path::new(path)).unwrap_or_default();
    Ok(paths.iter().flat_map(|path| [pem(path), b"\n".to_vec()]).flatten().collect())
}
