//! Retries of what only meets other sessions' locks.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tracing::warn;

use super::monitor::StatementMonitor;
use crate::backoff::Pace;
use crate::connect::Failure;
use crate::counters::{self, RetryCounter};
use crate::revision::Id;
use crate::words::left;

/// LockRetries of the same thing, until the time for them is over.
pub(super) struct LockRetries {
    deadline: Instant,
    pace: Pace,
}

impl LockRetries {
    pub(super) fn new(patience: Duration) -> Self {
        Self { deadline: Instant::now() + patience, pace: Pace::new(Duration::from_millis(200), Duration::from_secs(10)) }
    }

    pub(super) fn has_time_left(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Says who was in the way, and waits for the next try.
    pub(super) async fn log_and_wait(&mut self, revision: Id, happened: &str, failure: &Failure, monitor: &StatementMonitor) {
        counters::retried(RetryCounter::Lock);
        let blockers = monitor.blockers();
        let who = blockers.as_ref().map(|blockers| format!("; in the way: {blockers}")).unwrap_or_default();
        warn!(
            target: "pgmarch::apply",
            %revision,
            in_the_way = blockers,
            sqlstate = failure.code().map(SqlState::code),
            "{revision} met another session's lock and {happened} ({}){who}; trying again, {} left",
            crate::words::chain(&failure.source),
            left(self.deadline)
        );
        tokio::time::sleep(self.pace.pause().min(self.deadline.saturating_duration_since(Instant::now()))).await;
    }
}
