//! TLS as libpq configures it (PostgreSQL manual, 34.19), by rustls. Files are read, and public roots loaded, only when a server
//! accepts TLS.

mod certificate;
mod client;
mod files;
mod provider;
mod settings;
mod verify;

pub use certificate::end_point;
pub use client::{PROTOCOL, TlsClient};
pub use settings::{CertMode, TlsMode, TlsSettings, TlsVersion, TrustRoots};
pub use verify::NameMismatch;
