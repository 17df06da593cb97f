//! A stream to one server: a socket, encrypted or not. Every byte from the server passes the protocol guard.

mod borrowed;
mod endpoint;
mod error;
mod files_cell;
mod outbox;
mod recording;
mod terminate;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{ChannelBinding, TlsStream};
use tokio_rustls::client;

pub use borrowed::{BorrowedStream, PreTls};
pub use endpoint::{Address, Encryption, Endpoint};
pub use error::EndpointError;
pub use files_cell::TlsFilesCell;
pub(crate) use outbox::Outbox;
pub use outbox::{LARGEST_QUERY, QueryPiece};
pub(crate) use recording::RecordingStream;
pub use terminate::Terminate;

use crate::protocol::{AuthPolicy, DiscardCounter, LastServerEvent, ProtocolGuard, StreamCounter};
use crate::tls;

enum Transport {
    Plain(TcpStream),
    Local(UnixStream),
    Encrypted(Box<client::TlsStream<TcpStream>>),
}

/// An open stream.
pub struct PgStream {
    transport: Transport,
    guard: ProtocolGuard,
    terminate: Terminate,
    /// Whether bytes were written since the last flush, so that the last message may be incomplete.
    mid_message: bool,
    outbox: Outbox,
}

impl PgStream {
    fn of(transport: Transport, guard: ProtocolGuard) -> Self {
        Self { transport, guard, terminate: Terminate::default(), mid_message: false, outbox: Outbox::default() }
    }

    /// A stream over a socket that is already connected, such as one end of a pair.
    pub fn over(stream: UnixStream, policy: AuthPolicy) -> Self {
        Self::of(Transport::Local(stream), ProtocolGuard::new(policy))
    }

    /// Counts the messages whose rows are discarded.
    pub fn discard_counter(&self) -> DiscardCounter {
        self.guard.discard_counter().clone()
    }

    /// Counts the messages whose rows are handed over as they arrive.
    pub fn stream_counter(&self) -> StreamCounter {
        self.guard.stream_counter().clone()
    }

    /// Where large queries wait for their placeholder.
    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Requests that the stream sends `Terminate`.
    pub fn terminate(&self) -> Terminate {
        self.terminate.clone()
    }

    /// Sends `Terminate` and closes the stream, as far as that is possible without waiting: the session ends without it too.
    fn close_gracefully(&mut self, context: &mut Context<'_>) {
        if !self.mid_message && self.transport.poll_write(context, &Terminate::MESSAGE).is_ready() {
            let _flushed = self.transport.poll_flush(context);
        }
        let _closed = self.transport.poll_shutdown(context);
    }

    /// What the server sent last.
    pub(crate) fn last_event(&self) -> LastServerEvent {
        self.guard.last_event().clone()
    }

    /// Whether it uses TLS.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.transport, Transport::Encrypted(_))
    }

    /// The TLS version, if it uses TLS.
    pub fn tls_version(&self) -> Option<&'static str> {
        match &self.transport {
            Transport::Encrypted(stream) => stream.get_ref().1.protocol_version().and_then(|version| version.as_str()),
            Transport::Plain(_) | Transport::Local(_) => None,
        }
    }
}

impl Transport {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Local(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }

    /// Reads no more than `limit` bytes, and no more than the messages of an authentication have.
    fn poll_read_at_most(&mut self, limit: usize, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 512];
        let limit = limit.min(bytes.len()).min(buffer.remaining());
        let mut limited = ReadBuf::new(&mut bytes[..limit]);
        let outcome = self.poll_read(context, &mut limited);
        buffer.put_slice(limited.filled());
        outcome
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Local(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Local(stream) => Pin::new(stream).poll_flush(context),
            Transport::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Local(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl AsyncRead for PgStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.terminate.is_requested(context.waker()) {
            self.close_gracefully(context);
            // For the driver, the server closed the connection.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let stream = &mut *self;
        let outcome = match stream.guard.read_limit() {
            Some(limit) => stream.transport.poll_read_at_most(limit, context, buffer),
            None => stream.transport.poll_read(context, buffer),
        };
        let received = &buffer.filled()[before..];
        if matches!(&outcome, Poll::Ready(Err(_))) || (outcome.is_ready() && received.is_empty()) {
            stream.guard.last_event().set_ended();
        }
        match stream.guard.check(received) {
            Ok(()) => outcome,
            Err(violation) => Poll::Ready(Err(io::Error::other(violation))),
        }
    }
}

impl AsyncWrite for PgStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.mid_message = true;
        let Self { outbox, transport, .. } = &mut *self;
        let outcome = outbox.poll_write(bytes, |bytes| transport.poll_write(context, bytes));
        if matches!(outcome, Poll::Ready(Err(_))) {
            self.guard.last_event().set_ended();
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.transport.poll_flush(context);
        if matches!(outcome, Poll::Ready(Err(_))) {
            self.guard.last_event().set_ended();
        }
        self.mid_message &= !matches!(outcome, Poll::Ready(Ok(())));
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_shutdown(context)
    }
}

impl TlsStream for PgStream {
    fn channel_binding(&self) -> ChannelBinding {
        let digest = match &self.transport {
            Transport::Encrypted(stream) => stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).and_then(tls::end_point),
            Transport::Plain(_) | Transport::Local(_) => None,
        };
        digest.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}
