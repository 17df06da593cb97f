//! Messages whose rows are not kept: they are discarded, or handed over one by one, as they arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the messages in flight whose rows are discarded as they arrive, and which may therefore return any number of rows.
#[derive(Clone, Debug, Default)]
pub struct DiscardCounter(MessageCounter);

/// Counts the messages in flight whose rows are handed over as they arrive: each row is limited in size, and all of them generously.
#[derive(Clone, Debug, Default)]
pub struct StreamCounter(MessageCounter);

#[derive(Clone, Debug, Default)]
struct MessageCounter(Arc<AtomicUsize>);

impl DiscardCounter {
    /// Counts a message until the guard is dropped.
    pub fn begin(&self) -> DiscardGuard {
        DiscardGuard(CountedMessage::begin(&self.0))
    }

    pub(super) fn any(&self) -> bool {
        self.0.any()
    }
}

impl StreamCounter {
    /// Counts a message until the guard is dropped.
    pub fn begin(&self) -> StreamGuard {
        StreamGuard(CountedMessage::begin(&self.0))
    }

    pub(super) fn any(&self) -> bool {
        self.0.any()
    }
}

impl MessageCounter {
    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A message in flight whose rows are discarded, until dropped.
#[derive(Debug)]
pub struct DiscardGuard(#[expect(dead_code, reason = "counts until it is dropped")] CountedMessage);

/// A message in flight whose rows are handed over as they arrive, until dropped.
#[derive(Debug)]
pub struct StreamGuard(#[expect(dead_code, reason = "counts until it is dropped")] CountedMessage);

#[derive(Debug)]
struct CountedMessage(MessageCounter);

impl CountedMessage {
    fn begin(counter: &MessageCounter) -> Self {
        counter.0.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }
}

impl Drop for CountedMessage {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
