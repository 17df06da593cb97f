//! Retries of statements that fail only because of other sessions' locks.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::activity::list;
use super::monitor::StatementMonitor;
use crate::backoff::Pace;
use crate::host::{Event, Host};
use crate::revision::Id;
use crate::session::Failure;
use crate::words::chain;

/// Retries of one message, until its deadline.
pub(super) struct LockRetries {
    host: Host,
    deadline: Instant,
    pace: Pace,
}

impl LockRetries {
    pub(super) fn new(host: &Host, timeout: Duration) -> Self {
        let pace = Pace::new(Duration::from_millis(200), Duration::from_secs(10));
        Self { host: host.clone(), deadline: host.deadline(timeout), pace }
    }

    pub(super) fn has_time_left(&self) -> bool {
        self.host.now() < self.deadline
    }

    /// Reports the sessions that held the locks, and waits for the next attempt. `text` is what failed.
    pub(super) async fn wait(&mut self, revision: &Id, happened: &str, failure: &Failure, monitor: &StatementMonitor, text: &str) {
        let blockers = Some(list(&monitor.blockers_of(failure, text).await)).filter(|blockers| !blockers.is_empty());
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::host::{Clock as _, FakeClock};
    use crate::session::{Cancels, Cause, Pool};

    /// The times at which a revision was blocked, in milliseconds of a clock whose random numbers are all `random`.
    async fn blocked_at(random: u64) -> (Vec<u128>, Duration) {
        let clock = Arc::new(FakeClock::new(random));
        let started = clock.now();
        let times = Arc::new(Mutex::new(Vec::new()));
        let (observed, observing) = (clock.clone(), times.clone());
        let observer = move |event: &Event<'_>| {
            if let Event::RevisionBlocked { .. } = event {
                observing.lock().expect("the times").push(observed.elapsed(started).as_millis());
            }
        };
        let host = Host::default().with_clock(clock.clone()).with_observer(Arc::new(observer));
        let pool = Pool::new(pg_connect::Environment::default(), Cancels::default()).expect("a pool");
        let monitor = StatementMonitor::new(pool, &host, 1, 150_000, Duration::ZERO, Duration::ZERO);
        let failure = Failure { completed: 0, elapsed: Duration::ZERO, source: Cause::Timeout(Duration::ZERO) };
        let mut retries = LockRetries::new(&host, Duration::from_secs(2));
        while retries.has_time_left() {
            retries.wait(&Id::parse("001").expect("an id"), "was rolled back", &failure, &monitor, "").await;
        }
        let times = times.lock().expect("the times").clone();
        (times, clock.elapsed(started))
    }

    #[tokio::test]
    async fn retries_end_at_the_deadline_of_the_clock_that_they_were_given() {
        assert_eq!(blocked_at(u64::MAX / 2).await, (vec![0, 200, 600, 1400], Duration::from_secs(2)));
        assert_eq!(blocked_at(0).await, (vec![0, 100, 300, 700, 1500], Duration::from_secs(2)));
        assert_eq!(blocked_at(u64::MAX).await, (vec![0, 300, 900], Duration::from_secs(2)));
    }
}
