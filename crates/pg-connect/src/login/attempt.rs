//! What each connection to an address needs, for a login or for a cancel request: its endpoint, its time limit, and the meaning of
//! the driver's error.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::ConnectError;
use crate::protocol::{ProtocolError, ServerEvent};
use crate::stream::{Address, Endpoint, EndpointError, TlsFilesCell};
use crate::target::ConnectTarget;

/// The endpoint of an address of a host.
pub(super) fn endpoint<'t>(target: &'t ConnectTarget, files: &'t TlsFilesCell, host: &'t str, address: &'t Address) -> Endpoint<'t> {
    Endpoint { address, host, network: &target.network, tls: &target.tls, files, peer: target.peer.as_deref() }
}

/// How long each part of an attempt may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    /// For each address.
    pub(super) each: Duration,
    /// For all of them.
    pub(super) deadline: Option<Instant>,
}

impl TimeLimit {
    /// The limit of a part that begins now.
    pub(super) fn now(&self) -> Duration {
        self.deadline.map_or(self.each, |deadline| self.each.min(deadline.saturating_duration_since(Instant::now())))
    }
}

/// Does `work` within a time.
pub(super) async fn limited<T>(timeout: Duration, work: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(ConnectError::Timeout(timeout)))
}

/// The same, while no files are read. Those have a time limit of their own, so that a file that does not answer is named.
pub(super) async fn limited_but_for_files<T>(
    timeout: Duration,
    files: &TlsFilesCell,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(timeout, &mut work).await {
            Ok(outcome) => return outcome,
            // The time of the network begins again.
            Err(_) if files.is_reading() => {}
            Err(_) => return Err(ConnectError::Timeout(timeout)),
        }
    }
}

/// The driver's error, or the one of the stream or of TLS that caused it.
pub(super) fn explain(error: tokio_postgres::Error, last: ServerEvent, target: &ConnectTarget, host: &str) -> ConnectError {
    if let Some(violation) = inner::<ProtocolError>(&error) {
        return EndpointError::Protocol(violation.clone()).into();
    }
    match inner::<rustls::Error>(&error) {
        Some(fault) => EndpointError::Handshake(target.tls.explain(fault, host)).into(),
        None => ConnectError::of_driver(error, last),
    }
}

/// The error that an I/O error of the driver wraps.
pub(super) fn inner<T: std::error::Error + 'static>(error: &tokio_postgres::Error) -> Option<&T> {
    let io = std::error::Error::source(error)?.downcast_ref::<std::io::Error>()?;
    io.get_ref()?.downcast_ref::<T>()
}
