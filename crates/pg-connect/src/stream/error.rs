//! Why there is no stream.

use std::io;

use thiserror::Error;

use crate::protocol::ProtocolError;

/// Why a stream to an address could not be opened, or may not be used.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// The network's or the socket file's error.
    #[error(transparent)]
    Socket(io::Error),
    /// The server does not speak TLS, and `sslmode` requires it.
    #[error("the server does not speak TLS, which sslmode={0} wants; turn ssl on there, or write a weaker sslmode")]
    Unencrypted(&'static str),
    /// The server answered the TLS request with an error (`E`): it could not start a process.
    #[error("the server failed before the TLS handshake; its log says why")]
    ServerStartup,
    /// The answer to the TLS request is none of PostgreSQL's.
    #[error("what answers there is not PostgreSQL, or not yet: it answered {0:#04x} to the offer of TLS")]
    NotPostgres(u8),
    /// The TLS handshake failed.
    #[error("{0}")]
    Handshake(String),
    /// The server did not choose PostgreSQL's protocol by ALPN.
    #[error("the server did not confirm PostgreSQL's protocol in the TLS handshake; sslnegotiation=direct needs PostgreSQL 17 or newer")]
    NoAlpn,
    /// `sslcertmode=require`: the server did not request a client certificate.
    #[error("the server did not ask for a client certificate, which sslcertmode=require wants")]
    NotAsked,
    /// `requirepeer`: the server runs as another account.
    #[error("the server runs as {found}, not as {wanted}, which requirepeer wants")]
    Peer {
        /// The account it runs as.
        found: String,
        /// `requirepeer`.
        wanted: String,
    },
    /// The server violated the protocol, or requested an authentication that is not allowed.
    #[error(transparent)]
    Protocol(ProtocolError),
}
