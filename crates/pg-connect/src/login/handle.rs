//! Operations on an open connection besides sending statements: cancel, terminate, and ask why it ended.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, CancelToken, Connection};
use tracing::debug;

use super::attempt::{endpoint, explain, inner, limited};
use crate::error::ConnectError;
use crate::protocol::{AuthPolicy, DiscardCounter, DiscardGuard, ProtocolError, ServerEvent, StreamCounter, StreamGuard};
use crate::stream::{Address, BorrowedStream, Encryption, Outbox, PgStream, PreTls, QueryPiece, RecordingStream, Terminate, TlsFilesCell};
use crate::target::ConnectTarget;
use crate::words::chain;

/// How long a cancel request may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to close the connection of a cancel request.
const CANCEL_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A handle to an open connection. Clones are handles to the same connection. A cancel request goes to the same address,
/// encrypted in the same way.
#[derive(Clone)]
pub struct ConnectionHandle(Arc<HandleState>);

pub(super) struct HandleState {
    pub(super) token: CancelToken,
    pub(super) target: ConnectTarget,
    pub(super) host: String,
    pub(super) address: Address,
    pub(super) is_encrypted: bool,
    pub(super) tls_files: Arc<TlsFilesCell>,
    /// The violation for which the client ended the connection.
    pub(super) violation: OnceLock<ProtocolError>,
    pub(super) terminate: Terminate,
    pub(super) discarding: DiscardCounter,
    pub(super) streaming: StreamCounter,
    pub(super) outbox: Outbox,
}

impl ConnectionHandle {
    pub(super) fn new(state: HandleState) -> Self {
        Self(Arc::new(state))
    }

    /// Sends a cancel request over a connection of its own, and waits until the server has processed it. The running statement,
    /// if any, may or may not be cancelled: the protocol has no answer to it.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        limited(CANCEL_TIMEOUT, self.send_cancel_request()).await
    }

    /// Drives the connection until it ends, and hands the server's notices to `on_notice` before the answer to the message that
    /// caused them.
    pub async fn drive(&self, mut connection: Connection<PgStream, PgStream>, on_notice: impl Fn(&DbError)) {
        if let Some(error) = drive(&mut connection, on_notice).await {
            debug!(error = %chain(&error), "connection ended");
            if let Some(violation) = inner::<ProtocolError>(&error) {
                // The connection is dropped afterwards, so a caller that waits for an answer finds the reason.
                drop(self.0.violation.set(violation.clone()));
            }
        }
    }

    /// The process id of `BackendKeyData`. The driver does not expose it except in a cancel request, so one is written to memory.
    pub async fn backend_pid(&self) -> Option<i32> {
        let mut request = RecordingStream::default();
        self.0.token.cancel_query_raw(&mut request, PreTls).await.ok()?;
        // `CancelRequest` (PostgreSQL manual, 55.7): length, code, process id, secret key.
        Some(i32::from_be_bytes(request.written.get(8..12)?.try_into().ok()?))
    }

    /// Until the guard is dropped, answers may be of any size: the caller discards their rows.
    pub fn discard_rows(&self) -> DiscardGuard {
        self.0.discarding.begin()
    }

    /// Until the guard is dropped, answers may be larger than memory should hold: the caller takes each row as it arrives.
    pub fn stream_rows(&self) -> StreamGuard {
        self.0.streaming.begin()
    }

    /// Takes the pieces of a large query, of no more than [`LARGEST_QUERY`](crate::stream::LARGEST_QUERY) bytes, and returns a short
    /// one: in its place, the next time that the client sends it, the pieces are written to the socket, without a copy of the whole.
    pub fn large_query(&self, pieces: impl IntoIterator<Item = QueryPiece>) -> &'static str {
        self.0.outbox.put(pieces)
    }

    /// Makes the connection send `Terminate` and close, whatever the server still has to answer.
    pub fn terminate(&self) {
        self.0.terminate.request();
    }

    /// Whether it is a Unix socket.
    pub fn is_local(&self) -> bool {
        matches!(self.0.address, Address::Socket(_))
    }

    /// The violation of the protocol for which the client ended the connection.
    pub fn violation(&self) -> Option<&ProtocolError> {
        self.0.violation.get()
    }

    async fn send_cancel_request(&self) -> Result<(), ConnectError> {
        let state = &*self.0;
        let encryption = if state.is_encrypted { Encryption::Required } else { Encryption::Never };
        let endpoint = endpoint(&state.target, &state.tls_files, &state.host, &state.address);
        let mut stream = endpoint.open(encryption, AuthPolicy::default()).await?;
        let sent = state.token.cancel_query_raw(BorrowedStream(&mut stream), PreTls).await;
        sent.map_err(|error| explain(error, ServerEvent::Other, &state.target, &state.host))?;
        // As libpq does: a server that finds the socket closed might not read the request at all.
        drop(tokio::time::timeout(CANCEL_CLOSE_TIMEOUT, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await);
        Ok(())
    }
}

/// Drives a connection until it ends; returns the error that ended it, if any.
pub(super) async fn drive(connection: &mut Connection<PgStream, PgStream>, on_notice: impl Fn(&DbError)) -> Option<tokio_postgres::Error> {
    loop {
        match poll_fn(|context| connection.poll_message(context)).await? {
            Ok(AsyncMessage::Notice(notice)) => on_notice(&notice),
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
}
