//! The `Terminate` message: the last one of a session, sent even while the server still has something to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// A request to terminate a stream; its clones share it.
#[derive(Clone, Debug, Default)]
pub struct Terminate(Arc<TerminateState>);

#[derive(Debug, Default)]
struct TerminateState {
    requested: AtomicBool,
    reader: AtomicWaker,
}

impl Terminate {
    /// The bytes of `Terminate` (PostgreSQL manual, 55.7). A server that reads it ends the session silently; without it, the
    /// server logs a lost connection if there was TLS or an open transaction.
    pub(super) const MESSAGE: [u8; 5] = [b'X', 0, 0, 0, 4];

    /// Makes the stream send `Terminate` and close, the next time it is read.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// Whether it was requested; if not, `reader` is woken when it is.
    pub(super) fn is_requested(&self, reader: &Waker) -> bool {
        self.0.reader.register(reader);
        self.0.requested.load(Ordering::Acquire)
    }
}
