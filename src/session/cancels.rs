//! The open connections of this process, so that a signal can cancel and terminate all of them.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use pg_connect::ConnectionHandle;
use tracing::debug;

use crate::words::chain;

/// How long sending `Terminate` may take: the server ends the sessions of a process that exits without it too.
const TERMINATE_TIMEOUT: Duration = Duration::from_millis(50);

/// The content of a mutex, also after a panic of another thread.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The open connections of this process. Clones share them.
#[derive(Clone, Default)]
pub struct Cancels {
    handles: Arc<Mutex<OpenHandles>>,
    /// The number of messages in flight.
    busy: Arc<AtomicUsize>,
    /// Whether no new message may be sent.
    stopping: Arc<AtomicBool>,
}

impl std::fmt::Debug for Cancels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancels").finish_non_exhaustive()
    }
}

/// A handle to each open connection, by a number.
#[derive(Default)]
struct OpenHandles {
    next: u64,
    open: HashMap<u64, ConnectionHandle>,
}

/// An open connection, listed until dropped.
pub(super) struct CancelEntry {
    number: u64,
    handles: Arc<Mutex<OpenHandles>>,
}

impl Drop for CancelEntry {
    fn drop(&mut self) {
        locked(&self.handles).open.remove(&self.number);
    }
}

impl Cancels {
    /// Lists a connection.
    pub(super) fn enter(&self, handle: ConnectionHandle) -> CancelEntry {
        let mut handles = locked(&self.handles);
        handles.next += 1;
        let number = handles.next;
        handles.open.insert(number, handle);
        CancelEntry { number, handles: self.handles.clone() }
    }

    /// Whether a message is in flight, which could be cancelled.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Asks for no new message to be sent: a short one could run between two cancel requests.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether no new message may be sent.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Counts a message in flight, until the guard is dropped.
    pub(super) fn begin_message(&self) -> BusyGuard {
        self.busy.fetch_add(1, Ordering::Relaxed);
        BusyGuard(self.busy.clone())
    }

    /// Sends `Terminate` on every connection, whatever the server still has to answer there, and waits shortly until it is sent.
    pub async fn terminate_all(&self) {
        locked(&self.handles).open.values().for_each(ConnectionHandle::terminate);
        let closed = async {
            while !locked(&self.handles).open.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        drop(tokio::time::timeout(TERMINATE_TIMEOUT, closed).await);
    }

    /// Sends a cancel request for every connection. The protocol does not tell whether they had an effect.
    pub async fn cancel_all(&self) {
        let handles: Vec<ConnectionHandle> = locked(&self.handles).open.values().cloned().collect();
        let mut requests: Vec<_> = handles.iter().map(|handle| Box::pin(handle.cancel())).collect();
        let all = poll_fn(|context| {
            requests.retain_mut(|request| {
                let outcome = request.as_mut().poll(context);
                if let Poll::Ready(Err(error)) = &outcome {
                    debug!(error = %chain(error), "cancel request not delivered");
                }
                outcome.is_pending()
            });
            if requests.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        all.await;
    }
}

/// A message in flight, until dropped.
pub(super) struct BusyGuard(Arc<AtomicUsize>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
