//! Retries of what only meets other sessions' locks.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::monitor::StatementMonitor;
use crate::backoff::Pace;
use crate::connect::Failure;
use crate::host::{Event, Host};
use crate::revision::Id;
use crate::words::chain;

/// Retries of the same thing, until the time for them is over.
pub(super) struct LockRetries {
    host: Host,
    deadline: Instant,
    pace: Pace,
}

impl LockRetries {
    pub(super) fn new(host: &Host, timeout: Duration) -> Self {
        let pace = Pace::new(Duration::from_millis(200), Duration::from_secs(10));
        Self { host: host.clone(), deadline: host.now() + timeout, pace }
    }

    pub(super) fn has_time_left(&self) -> bool {
        self.host.now() < self.deadline
    }

    /// Tells which sessions held the locks, and waits for the next try.
    pub(super) async fn wait(&mut self, revision: &Id, happened: &str, failure: &Failure, monitor: &StatementMonitor) {
        let blockers = monitor.blockers();
        self.host.notify(&Event::RevisionBlocked {
            revision,
            happened,
            blockers: blockers.as_deref(),
            sqlstate: failure.code().map(SqlState::code),
            cause: &chain(&failure.source),
            remaining: self.host.remaining(self.deadline),
        });
        self.host.sleep(self.host.next_pause(&mut self.pace).min(self.host.remaining(self.deadline))).await;
    }
}
