//! The settings of TLS.

use std::path::PathBuf;

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server refuses an unencrypted login.
    Allow,
    /// Encrypted if the server supports it.
    Prefer,
    /// Encrypted; the certificate is verified only if there are roots.
    Require,
    /// Encrypted; the certificate is verified.
    VerifyCa,
    /// Encrypted; the certificate is verified and is for this host.
    VerifyFull,
}

impl TlsMode {
    /// libpq's words.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

/// `sslrootcert`: the roots that certificates are verified by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustRoots {
    /// A file of certificates; one that was not named may be missing.
    File {
        /// Where.
        path: PathBuf,
        /// Whether the settings name it; else it is libpq's default.
        named: bool,
    },
    /// `system`: those of the system, or the built-in ones where it has none.
    System,
    /// `builtin`: the public roots of the library.
    Builtin,
    /// Not set, and there is no home folder.
    Unknown,
}

/// `sslcertmode`: whether the client certificate is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertMode {
    /// Never.
    Disable,
    /// If there is one and the server asks.
    Allow,
    /// The server must ask for it.
    Require,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// A file, and whether the settings name it; otherwise it is libpq's default in the home folder, and may be missing.
type OptionalFile = Option<(PathBuf, bool)>;

/// The TLS settings.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The program's name, for messages.
    pub program: &'static str,
    /// `sslmode`.
    pub mode: TlsMode,
    /// `sslnegotiation=direct`.
    pub direct: bool,
    /// `sslrootcert`.
    pub roots: TrustRoots,
    /// `sslcert`.
    pub certificate: OptionalFile,
    /// `sslkey`.
    pub key: Option<PathBuf>,
    /// `sslcertmode`.
    pub certificates: CertMode,
    /// `sslcrl`.
    pub revoked: OptionalFile,
    /// `sslsni`.
    pub sni: bool,
    /// `ssl_min_protocol_version`.
    pub oldest: TlsVersion,
    /// `ssl_max_protocol_version`.
    pub newest: TlsVersion,
}
