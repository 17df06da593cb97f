//! Why there is no connection.

use std::time::Duration;

use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::conninfo::error::in_settings;
pub use crate::conninfo::error::{ConninfoError, SettingsError};
use crate::login::resolve::ResolveError;
use crate::login::verdict::RetryVerdict;
use crate::stream::EndpointError;
use crate::words::chain;

/// Why there is no connection. [`ConnectError::retry_verdict`] tells whether another attempt may succeed.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The settings are missing or wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<SettingsError>),
    /// A host name has no address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Network, TLS or a violation of the protocol.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The server refused the login, or the connection broke during it.
    #[error("connection failed")]
    Server {
        /// The driver's error.
        #[source]
        source: tokio_postgres::Error,
        /// Whether another attempt may succeed.
        verdict: RetryVerdict,
    },
    /// `target_session_attrs`: the server is of another kind.
    #[error("the server is not what target_session_attrs={0} wants")]
    WrongServerKind(&'static str),
    /// `sslmode=allow` or `prefer`: both the encrypted and the unencrypted attempt failed.
    #[error("{}: {}; {}: {}", if *.encrypted_first { "with TLS" } else { "without TLS" }, chain(.first), if *.encrypted_first { "without TLS" } else { "with TLS" }, chain(.second))]
    Modes {
        /// The first attempt's error.
        first: Box<ConnectError>,
        /// The second attempt's error.
        second: Box<ConnectError>,
        /// Whether the first attempt was the encrypted one.
        encrypted_first: bool,
    },
    /// All hosts failed, in the order in which they were tried.
    #[error("{}", .0.iter().map(|(host, error)| format!("{host}: {}", chain(error))).collect::<Vec<_>>().join("; "))]
    Hosts(Vec<(String, ConnectError)>),
    /// No answer within the time for one attempt.
    #[error("no answer within {}", crate::words::limit(*.0))]
    Timeout(Duration),
    /// No attempt was made: there is no host, or the program's pool of connections is closed.
    #[error("no connection: {0}")]
    NoAttempt(String),
}

impl ConnectError {
    /// The server's error code (SQLSTATE); of several hosts, that of the last one, which ended the attempts.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Server { source, .. } => source.code(),
            Self::Modes { first, second, .. } => first.code().or(second.code()),
            Self::Hosts(failed) => failed.last().and_then(|(_, error)| error.code()),
            Self::Settings(_) | Self::Resolve(_) | Self::Endpoint(_) | Self::WrongServerKind(_) | Self::Timeout(_) | Self::NoAttempt(_) => {
                None
            }
        }
    }
}

/// A setting that turns out to be unusable only when a connection is made, such as the content of a certificate file.
pub(crate) fn unusable(fault: ConninfoError) -> ConnectError {
    ConnectError::Settings(vec![in_settings(fault)])
}
