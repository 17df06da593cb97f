//! The result of the prefetch, until a run takes it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::ledger::State;
use crate::session::{Pool, Session};

/// A session and what it read, with the pool that it belongs to. The first caller that needs a session takes it.
#[derive(Default)]
pub(super) struct Prefetched(Mutex<Option<(Pool, Session, State)>>);

impl fmt::Debug for Prefetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetched").finish_non_exhaustive()
    }
}

impl Prefetched {
    pub(super) fn take(&self) -> Option<(Pool, Session, State)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn set(&self, prefetched: Option<(Pool, Session, State)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = prefetched;
    }
}
