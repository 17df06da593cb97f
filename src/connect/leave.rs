//! A goodbye: the last message to a server, even if it still has something to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// What a link and whoever wants to end it both have.
#[derive(Clone, Debug, Default)]
pub struct Leave(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    wanted: AtomicBool,
    reader: AtomicWaker,
}

impl Leave {
    /// The message `Terminate` (manual, 55.7). A server that reads it ends the session in peace; one whose client just goes
    /// away has that in its log, if there was TLS or a transaction.
    pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

    /// Has the link say goodbye and close, when it is next read from.
    pub fn now(&self) {
        self.0.wanted.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// Whether it is wanted; if not, whoever reads will be woken when it is.
    pub fn is_wanted(&self, reader: &Waker) -> bool {
        self.0.reader.register(reader);
        self.0.wanted.load(Ordering::Acquire)
    }
}
