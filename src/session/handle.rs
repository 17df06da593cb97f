//! A handle to a session's connection.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pg_connect::ConnectionHandle;
use tokio::task::AbortHandle;

/// A handle to a session's connection.
#[derive(Clone)]
pub(super) struct SessionHandle {
    /// Cancels and terminates.
    pub(super) connection: ConnectionHandle,
    /// Whether the server warned that a commit did not wait for its synchronous standbys. The driver passes the warning on
    /// before the answer to the message that committed.
    pub(super) unreplicated: Arc<AtomicBool>,
    /// The task that drives the connection, until that ends.
    pub(super) driver: AbortHandle,
}
