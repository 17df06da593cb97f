//! The TLS client of one host, and what its failed handshake means.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, OtherError, SignatureScheme, version};

use super::files::TlsFiles;
use super::settings::{TlsMode, TlsSettings, TlsVersion, TrustRoots};
use super::verify::{NameMismatch, Verifier};
use crate::conninfo::error::ConninfoError;

/// PostgreSQL's protocol in ALPN.
pub const PROTOCOL: &[u8] = b"postgresql";

/// The TLS client of one host.
#[derive(Clone)]
pub struct TlsClient {
    /// For rustls.
    pub config: Arc<ClientConfig>,
    /// The expected server name.
    pub name: ServerName<'static>,
    /// Tells whether the server requested a client certificate.
    resolver: Arc<ClientCertResolver>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TlsClient {
    /// Whether the server requested a client certificate.
    pub fn was_certificate_requested(&self) -> bool {
        self.resolver.requested.load(Ordering::Relaxed)
    }
}

impl TlsSettings {
    /// The client for a host.
    pub fn client(&self, files: &TlsFiles, host: &str, address: IpAddr) -> Result<TlsClient, ConninfoError> {
        let provider = Arc::new(default_provider());
        let resolver = Arc::new(ClientCertResolver { certificate: files.certificate.clone(), requested: AtomicBool::new(false) });
        let verifier = Verifier {
            chain: files.chain.clone(),
            host: (self.mode == TlsMode::VerifyFull).then(|| host.to_owned()),
            algorithms: provider.signature_verification_algorithms,
        };
        let versions: &[&rustls::SupportedProtocolVersion] = match (self.oldest, self.newest) {
            (TlsVersion::Tls12, TlsVersion::Tls12) => &[&version::TLS12],
            (TlsVersion::Tls13, _) => &[&version::TLS13],
            (TlsVersion::Tls12, TlsVersion::Tls13) => &[&version::TLS13, &version::TLS12],
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| ConninfoError::Content { keyword: "ssl_min_protocol_version", path: PathBuf::new(), what: error.to_string() })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(resolver.clone());
        config.enable_sni = self.sni;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // A host name that can't be sent as a server name is replaced by the address; the verifier checks the host name itself.
        let name = ServerName::try_from(host.to_owned()).unwrap_or(ServerName::IpAddress(address.into()));
        Ok(TlsClient { config: Arc::new(config), name, resolver })
    }

    /// The message of a failed handshake: which check failed, and which setting decides it.
    #[allow(clippy::wildcard_enum_match_arm, reason = "rustls knows many failures more, and tells them itself")]
    pub fn explain(&self, error: &rustls::Error, host: &str) -> String {
        use rustls::Error as E;
        let (mode, program) = (self.mode.word(), self.program);
        let roots = match &self.roots {
            TrustRoots::File { path, .. } => path.display().to_string(),
            TrustRoots::System => "system".to_owned(),
            TrustRoots::Builtin => "builtin".to_owned(),
            TrustRoots::Unknown => String::new(),
        };
        match error {
            E::InvalidCertificate(fault) => match fault {
                CertificateError::Other(OtherError(fault)) => match fault.downcast_ref::<NameMismatch>() {
                    Some(fault) => format!("{fault}, not for `{host}` (checked by sslmode={mode}; the name is that of the keyword host)"),
                    None => format!("the server's certificate is not sound: {fault}"),
                },
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    format!("the server's certificate has expired (checked by sslmode={mode} with sslrootcert={roots})")
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    format!(
                        "the server's certificate is not valid yet; check this machine's clock (checked by sslmode={mode} with sslrootcert={roots})"
                    )
                }
                CertificateError::UnknownIssuer => {
                    format!("the server's certificate leads to none of the roots in sslrootcert={roots} (checked by sslmode={mode})")
                }
                CertificateError::Revoked => "the server's certificate is revoked (sslcrl)".to_owned(),
                CertificateError::UnknownRevocationStatus => {
                    "no list in sslcrl says whether the server's certificate is revoked; it needs one of each authority of the chain"
                        .to_owned()
                }
                CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
                    "the list of revoked certificates in sslcrl is out of date".to_owned()
                }
                other => format!("the server's certificate is not sound: {other:?} (checked by sslmode={mode} with sslrootcert={roots})"),
            },
            E::AlertReceived(alert) => {
                use rustls::AlertDescription as A;
                let why = match alert {
                    A::UnknownCA => "it does not know the authority of our certificate (sslcert)",
                    A::CertificateRequired | A::HandshakeFailure => {
                        "it wants a client certificate (sslcert, sslkey), or no cipher or TLS version suits both"
                    }
                    A::BadCertificate
                    | A::CertificateExpired
                    | A::CertificateRevoked
                    | A::CertificateUnknown
                    | A::UnsupportedCertificate => "it does not take our certificate (sslcert)",
                    A::ProtocolVersion => &format!(
                        "no version of TLS suits both (ssl_min_protocol_version, ssl_max_protocol_version; {program} speaks 1.2 and 1.3)"
                    ),
                    A::UnrecognisedName => "it does not know the host by this name (sslsni)",
                    A::NoApplicationProtocol => "it does not speak PostgreSQL's protocol there (sslnegotiation)",
                    _ => "look at the server's log",
                };
                format!("the server ended the TLS handshake ({alert:?}): {why}")
            }
            E::PeerIncompatible(what) => {
                format!(
                    "no version or cipher of TLS suits both ({what:?}; ssl_min_protocol_version, ssl_max_protocol_version; {program} speaks 1.2 and 1.3)"
                )
            }
            E::InvalidMessage(_) => "what answers there does not speak TLS (sslmode, sslnegotiation)".to_owned(),
            other => format!("the TLS handshake failed: {other}"),
        }
    }
}

/// Hands rustls the client certificate when the server requests one, and notes that it did.
#[derive(Debug)]
struct ClientCertResolver {
    certificate: Option<Arc<CertifiedKey>>,
    requested: AtomicBool,
}

impl ResolvesClientCert for ClientCertResolver {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.requested.store(true, Ordering::Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        // Otherwise rustls would not call `resolve`, and a request would go unnoticed.
        true
    }
}
