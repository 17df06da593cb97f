//! The files of TLS: roots, revocation lists, the client certificate and its key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tracing::{debug, warn};

use super::chain::{CertificateChain, ChainVerifier, RootCertificates};
use super::settings::{CertMode, TlsMode, TlsSettings, TrustRoots};
use crate::conninfo::error::ConninfoError;
use crate::file;

/// The largest file, in bytes.
const LARGEST: u64 = 4 << 20;

/// The system's roots: Debian and Alpine, Red Hat, SUSE, BSD and macOS.
const BUNDLES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

/// What the files of the TLS settings hold. They are read once for all hosts and addresses of a try. Clones share it.
#[derive(Clone)]
pub struct TlsFiles {
    /// None: certificates are not verified.
    pub(super) chain: Option<Arc<ChainVerifier>>,
    /// The client certificate with its key.
    pub(super) certificate: Option<Arc<CertifiedKey>>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

impl TlsSettings {
    /// Reads the files. That may take time: asynchronous code calls it in a thread for blocking work.
    pub fn read_files(&self) -> Result<TlsFiles, ConninfoError> {
        let chain = match roots(&self.roots, self.mode)? {
            None => None,
            Some(roots) => {
                let (path, revoked) = match &self.revoked {
                    Some((path, named)) if *named || file::exists(path) => (path.clone(), revocation_lists(path)?),
                    _ => (PathBuf::new(), Vec::new()),
                };
                let chain = ChainVerifier::new(roots, &revoked, default_provider().signature_verification_algorithms);
                let unread =
                    |error| ConninfoError::Content { keyword: "sslcrl", path, what: format!("a list in it can't be read: {error}") };
                Some(Arc::new(chain.map_err(unread)?))
            }
        };
        let certificate = match self.certificates {
            CertMode::Disable => None,
            CertMode::Allow | CertMode::Require => client_certificate(&self.certificate, self.key.as_deref(), self.program)?.map(Arc::new),
        };
        Ok(TlsFiles { chain, certificate })
    }
}

/// The roots that certificates are verified by; none if, as in libpq, certificates are not verified.
fn roots(roots: &TrustRoots, mode: TlsMode) -> Result<Option<RootCertificates>, ConninfoError> {
    match roots {
        TrustRoots::Builtin => Ok(Some(RootCertificates::Builtin)),
        TrustRoots::System => {
            // OpenSSL's variable, and so libpq's.
            let bundle = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
            let bundle = bundle.or_else(|| BUNDLES.iter().map(PathBuf::from).find(|path| file::exists(path)));
            match bundle {
                Some(path) => Ok(Some(RootCertificates::Certificates(certificates("sslrootcert", &path)?))),
                None => {
                    debug!("sslrootcert=system: this system has no roots, the built-in ones are used");
                    Ok(Some(RootCertificates::Builtin))
                }
            }
        }
        TrustRoots::File { path, .. } if file::exists(path) => Ok(Some(RootCertificates::Certificates(certificates("sslrootcert", path)?))),
        TrustRoots::File { path, named } => {
            let what = "it is not there; name the file with sslrootcert, or write sslrootcert=system or =builtin for public roots";
            if mode >= TlsMode::VerifyCa {
                return Err(ConninfoError::Content { keyword: "sslrootcert", path: path.clone(), what: what.to_owned() });
            }
            if *named {
                warn!("sslrootcert: {} is not there, so sslmode={} does not check the server's certificate", path.display(), mode.word());
            }
            Ok(None)
        }
        TrustRoots::Unknown if mode >= TlsMode::VerifyCa => Err(ConninfoError::Value {
            keyword: "sslmode",
            value: mode.word().to_owned(),
            expected: "it needs roots: name their file with sslrootcert, or write sslrootcert=system or =builtin".into(),
        }),
        TrustRoots::Unknown => Ok(None),
    }
}

/// The certificate revocation lists.
fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, ConninfoError> {
    pem_all("sslcrl", path)
}

/// The client certificate with its key, if there is one.
fn client_certificate(
    certificate: &Option<(PathBuf, bool)>,
    key: Option<&Path>,
    program: &str,
) -> Result<Option<CertifiedKey>, ConninfoError> {
    let Some((path, named)) = certificate else { return Ok(None) };
    if !file::exists(path) {
        if *named {
            warn!("sslcert: {} is not there, so no client certificate is sent", path.display());
        }
        return Ok(None);
    }
    let chain = certificates("sslcert", path)?;
    let content = |path: &Path, what: &str| ConninfoError::Content { keyword: "sslkey", path: path.to_owned(), what: what.to_owned() };
    let key_path = key.ok_or_else(|| content(Path::new(""), "the certificate in sslcert needs its key; name the file with sslkey"))?;
    let key_file = file::read(key_path, LARGEST)
        .map_err(|error| content(key_path, &format!("the key of the certificate in sslcert can't be read ({error})")))?;
    let forbidden = if key_file.owner == 0 { 0o037 } else { 0o077 };
    if key_file.is_plain && key_file.mode & forbidden != 0 {
        return Err(content(
            key_path,
            "others may read the key; its mode must be 0600 or less, or 0640 or less if root owns it (in Kubernetes: defaultMode: 0400, or 0440 with fsGroup)",
        ));
    }
    let bytes = key_file.bytes;
    let key = match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => key,
        Err(_) if bytes.windows(9).any(|word| word == b"ENCRYPTED") => {
            return Err(content(key_path, "the key is encrypted; decrypt it (openssl pkey) and protect its file by its mode"));
        }
        Err(_) => PrivateKeyDer::try_from(bytes).map_err(|_| content(key_path, "there is no private key in it, neither PEM nor DER"))?,
    };
    let key = any_supported_type(&key)
        .map_err(|_| content(key_path, &format!("the key is of a kind that {program} can't use; RSA, ECDSA and Ed25519 are known")))?;
    let own = CertifiedKey::new(chain, key);
    match own.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(content(key_path, "the key is not that of the certificate in sslcert"))
        }
        _ => Ok(Some(own)),
    }
}

fn certificates(keyword: &'static str, path: &Path) -> Result<CertificateChain, ConninfoError> {
    pem_all::<CertificateDer<'static>>(keyword, path)
}

fn pem_all<T: PemObject>(keyword: &'static str, path: &Path) -> Result<Vec<T>, ConninfoError> {
    let content = |what: String| ConninfoError::Content { keyword, path: path.to_owned(), what };
    let all: Result<Vec<T>, _> = T::pem_slice_iter(&read(keyword, path)?).collect();
    let all = all.map_err(|error| content(format!("not sound PEM ({error})")))?;
    if all.is_empty() { Err(content("there is nothing of the kind in it; it must be PEM (-----BEGIN …)".to_owned())) } else { Ok(all) }
}

fn read(keyword: &'static str, path: &Path) -> Result<Vec<u8>, ConninfoError> {
    match file::read(path, LARGEST) {
        Ok(content) => Ok(content.bytes),
        Err(error) => Err(ConninfoError::File { keyword, path: path.to_owned(), reason: error.to_string() }),
    }
}
