//! TLS as libpq configures it (PostgreSQL manual, 34.19), by rustls, with its own provider of cryptography. Files are read, and public
//! roots loaded, only when a server accepts TLS, and once for all hosts and addresses of a try.
//!
//! The handshake is tokio-rustls'. What is written here is what libpq does around it, and what no library exposes: a connector for
//! tokio-postgres (such as tokio-postgres-rustls) returns a stream, but not whether the server confirmed the protocol by ALPN, which
//! `sslnegotiation=direct` requires, nor whether it asked for a client certificate, which `sslcertmode=require` does; and rustls checks
//! the name of a host by its own rule, not by libpq's.

mod certificate;
mod chain;
mod chain_error;
mod client;
mod files;
mod settings;
mod verify;

pub use certificate::{CertificateNames, ParsedCertificate, Validity, end_point};
pub use client::{PROTOCOL, TlsClient};
pub use files::TlsFiles;
pub use rustls::pki_types::CertificateDer;
pub use settings::{CertMode, TlsMode, TlsSettings, TlsVersion, TrustRoots};
pub use verify::NameMismatch;
