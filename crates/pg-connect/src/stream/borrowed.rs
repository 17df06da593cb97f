//! The stream and the TLS connector that the driver gets instead of a socket and of its own TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::PgStream;

/// A stream that the driver borrows for a cancel request, so that it can be read to its end afterwards.
pub struct BorrowedStream<'l>(pub &'l mut PgStream);

impl AsyncRead for BorrowedStream<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for BorrowedStream<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    /// The server closes the connection of a cancel request after it has processed the request. PgBouncer 1.18 terminates
    /// (bad client state) when the client closes first.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for BorrowedStream<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

/// The driver's TLS connector for a stream whose TLS handshake, if any, is already done: the driver only asks for the channel
/// binding.
pub struct PreTls;

impl<S: TlsStream + Unpin> TlsConnect<S> for PreTls {
    type Stream = S;
    type Error = io::Error;
    type Future = std::future::Ready<Result<S, io::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}
