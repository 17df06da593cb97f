//! Messages whose rows are discarded as they arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the messages in flight whose rows are discarded as they arrive, and which may therefore return any number of rows.
#[derive(Clone, Debug, Default)]
pub struct DiscardCounter(Arc<AtomicUsize>);

impl DiscardCounter {
    /// Counts a message until the guard is dropped.
    pub fn begin(&self) -> DiscardGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        DiscardGuard(self.0.clone())
    }

    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A message in flight whose rows are discarded, until dropped.
#[derive(Debug)]
pub struct DiscardGuard(Arc<AtomicUsize>);

impl Drop for DiscardGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
